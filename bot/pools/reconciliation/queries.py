"""All sums and ledger entries, read at one moment of the database, for a reconciliation."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, case, func, or_, select

from bot.pools.ledger.entries import job_recount_query, recount_query, session_recount_query
from bot.pools.models import Balance, EntryKind, Funds
from bot.pools.reconciliation.drift import BalanceReading, Movement
from bot.pools.reconciliation.report import JobFault, ServerTotals, SessionFault, SessionTotals
from bot.storage.schema import jobs, ledger_entries, pools, sessions

UNPAID_STATES = ("failed", "cancelled", "denied", "expired")
"""States of a job whose hold was released."""

_MOVING = (EntryKind.CHARGE.value, EntryKind.REFUND.value)


def read_servers(connection: Connection) -> tuple[ServerTotals, ...]:
    """Read every server's sums."""
    counted = {row.guild_id: Funds(*row[1:]) for row in connection.execute(recount_query())}
    outer = _outer_sums(connection)
    rows = {row.guild_id: row for row in connection.execute(select(pools))}
    return tuple(
        ServerTotals(
            guild_id,
            outer.get((guild_id, EntryKind.DEPOSIT), 0),
            outer.get((guild_id, EntryKind.WITHDRAWAL), 0),
            outer.get((guild_id, EntryKind.ADJUSTMENT), 0),
            Funds(row.available_credits, row.budgeted_credits, row.held_credits, row.spent_credits),
            counted.get(guild_id, Funds()),
        )
        for guild_id, row in sorted(rows.items())
    )


def read_session_faults(connection: Connection) -> tuple[SessionFault, ...]:
    """Read the sessions whose rows and entries differ."""
    counted = {row.session_id: SessionTotals(*row[1:]) for row in connection.execute(session_recount_query())}
    found = []
    for row in connection.execute(select(sessions).order_by(sessions.c.id)):
        recorded = SessionTotals(row.available_credits, row.held_credits, row.spent_credits)
        if recorded != counted.get(row.id, SessionTotals()):
            found.append(SessionFault(row.id, row.guild_id, recorded, counted.get(row.id, SessionTotals())))
    return tuple(found)


def read_job_faults(connection: Connection) -> tuple[JobFault, ...]:
    """Read the jobs whose rows and entries differ.

    A job holds its price until it is charged or ended without that, and has cost its charge less its refund.
    """
    counted, misfiled = job_recount_query().subquery(), _misfiled().subquery()
    holds = and_(jobs.c.charged_credits.is_(None), jobs.c.state.not_in(UNPAID_STATES))
    recorded_held = case((holds, jobs.c.held_credits), else_=0)
    recorded_spent = func.coalesce(jobs.c.charged_credits, 0) - func.coalesce(jobs.c.refunded_credits, 0)
    held, spent = func.coalesce(counted.c.held, 0), func.coalesce(counted.c.spent, 0)
    query = (
        select(
            jobs.c.id, jobs.c.guild_id, recorded_held, recorded_spent, held, spent, func.coalesce(misfiled.c.count, 0)
        )
        .outerjoin(counted, counted.c.job_id == jobs.c.id)
        .outerjoin(misfiled, misfiled.c.job_id == jobs.c.id)
        .where(or_(recorded_held != held, recorded_spent != spent, misfiled.c.count > 0))
    )
    rows = connection.execute(query.order_by(jobs.c.id))
    return tuple(JobFault(row[0], row[1], Balance(row[2], row[3]), Balance(row[4], row[5]), row[6]) for row in rows)


def read_unconfirmed(connection: Connection) -> tuple[int, int]:
    """Read how many jobs are unconfirmed, and how many credits they hold or were charged."""
    cost = func.coalesce(jobs.c.charged_credits, jobs.c.held_credits)
    query = select(func.count(), func.coalesce(func.sum(cost), 0)).where(jobs.c.state == "unconfirmed")
    count, amount = connection.execute(query).one()
    return count, amount


def read_account(connection: Connection) -> tuple[list[BalanceReading], list[Movement]]:
    """Read the provider account's balances, charges and refunds, in the order of the ledger."""
    movements: list[Movement] = []
    readings: dict[int, BalanceReading] = {}
    charges: dict[int, datetime] = {}
    for row in _moving_entries(connection):
        if row.kind == EntryKind.REFUND:
            movements.append(Movement(row.job_id, -row.credits, charges[row.job_id], row.created_at, row.id))
            continue
        # A job that moderators decided was submitted before the time that its row has now.
        is_known = row.submitted_at is not None and row.submitted_at < row.created_at
        sent_at = row.submitted_at if is_known else row.job_created_at
        movements.append(Movement(row.job_id, row.credits, sent_at, row.created_at, row.id))
        charges[row.job_id] = row.created_at
        if row.account_credits is not None:
            # If a job was charged twice, its row has the last balance.
            readings[row.job_id] = BalanceReading(
                row.job_id, row.account_credits, row.credits, sent_at, row.created_at, row.id
            )
    movements += _open_movements(connection, charges)
    return sorted(readings.values(), key=lambda reading: reading.entry_id), movements


def _outer_sums(connection: Connection) -> dict[tuple[int, str], int]:
    columns = (ledger_entries.c.guild_id, ledger_entries.c.kind)
    rows = connection.execute(select(*columns, func.sum(ledger_entries.c.credits)).group_by(*columns))
    return {(guild_id, kind): amount for guild_id, kind, amount in rows}


def _misfiled() -> Select[tuple[int, int]]:
    entry = ledger_entries.c
    differs = or_(entry.guild_id != jobs.c.guild_id, entry.session_id.is_distinct_from(jobs.c.session_id))
    query = select(entry.job_id, func.count().label("count")).join(jobs, jobs.c.id == entry.job_id)
    return query.where(differs).group_by(entry.job_id)


def _moving_entries(connection: Connection) -> Iterator[Row[tuple[int, int, str, int, datetime, Any, datetime, Any]]]:
    entry = ledger_entries.c
    columns = (entry.id, entry.job_id, entry.kind, entry.credits, entry.created_at)
    query = select(*columns, jobs.c.submitted_at, jobs.c.created_at.label("job_created_at"), jobs.c.account_credits)
    joined = query.join(jobs, jobs.c.id == entry.job_id).where(entry.kind.in_(_MOVING)).order_by(entry.id)
    return iter(connection.execute(joined))


def _open_movements(connection: Connection, charges: dict[int, datetime]) -> Iterator[Movement]:
    """Yield charges and refunds of the provider that the ledger may not have yet."""
    columns = (jobs.c.id, jobs.c.held_credits, jobs.c.charged_credits, jobs.c.submitted_at, jobs.c.created_at)
    query = select(*columns).where(jobs.c.state.in_(("submitting", "processing", "unconfirmed")))
    for job_id, held, charged, submitted_at, created_at in connection.execute(query):
        if charged is None:
            yield Movement(job_id, held, submitted_at or created_at)
        elif charged:
            yield Movement(job_id, -charged, charges[job_id])
