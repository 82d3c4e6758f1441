"""The ledger and the audit trail in SQL: pages, sums and lists. Each runs inside a transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.codes import Reason
from bot.pools.ledger.pagination import read_page
from bot.pools.ledger.reports import AuditEntry, Cursor, LedgerEntry, Page, ProviderBalance, Spender
from bot.pools.models import EntryKind
from bot.storage.schema import audit_entries, jobs, ledger_entries, pools

# The newest answer is among the last jobs: they are not submitted in the order in which they were created.
_JOBS_LOOKED_THROUGH = 500

_charge = ledger_entries.alias("charge")
_refund = ledger_entries.alias("refund")


async def ledger_page(
    connection: AsyncConnection, guild_id: int, member_id: int | None, cursor: Cursor | None, size: int
) -> Page[LedgerEntry]:
    """Return a page of a server's ledger, or of what is about one member in it.

    Args:
        connection: inside a transaction.
        guild_id: of the server.
        member_id: shows only entries about them or by them; None: all.
        cursor: where the page begins; None: at the newest entry.
        size: entries on a page.
    """
    entry = ledger_entries.c
    query = select(ledger_entries).where(entry.guild_id == guild_id)
    if member_id is not None:
        query = query.where(or_(entry.member_id == member_id, entry.actor_id == member_id))
    return await read_page(connection, query, entry.id, cursor, size, entry_of)


async def audit_page(connection: AsyncConnection, guild_id: int, cursor: Cursor | None, size: int) -> Page[AuditEntry]:
    """Return a page of a server's audit trail.

    Args:
        connection: inside a transaction.
        guild_id: of the server.
        cursor: where the page begins; None: at the newest entry.
        size: entries on a page.
    """
    query = select(audit_entries).where(audit_entries.c.guild_id == guild_id)
    return await read_page(connection, query, audit_entries.c.id, cursor, size, _audit_entry_of)


async def newest_entry_id(connection: AsyncConnection) -> int:
    """Return the id of the ledger's last entry; 0: there is none."""
    return (await connection.execute(select(func.max(ledger_entries.c.id)))).scalar() or 0


async def entries_between(
    connection: AsyncConnection, guild_id: int, after_id: int, last_id: int, since: datetime | None, limit: int
) -> list[LedgerEntry]:
    """Return a server's entries with an id above `after_id` and up to `last_id`, oldest first.

    Args:
        connection: inside a transaction.
        guild_id: of the server.
        after_id: of the last entry that is read already; 0: none.
        last_id: of the last entry to read.
        since: leaves out older entries; None: none.
        limit: most entries to return.
    """
    entry = ledger_entries.c
    query = select(ledger_entries).where(entry.guild_id == guild_id, entry.id > after_id, entry.id <= last_id)
    if since is not None:
        query = query.where(entry.created_at >= since)
    rows = (await connection.execute(query.order_by(entry.id).limit(limit))).mappings()
    return [entry_of(row) for row in rows]


async def spent_since(
    connection: AsyncConnection, guild_id: int, starts: Sequence[datetime], member_id: int | None = None
) -> list[int]:
    """Return the credits that were spent from each of these times until now, by the server or one member.

    A refund counts at the time of its charge, so that no sum is ever below zero.

    Args:
        connection: inside a transaction.
        guild_id: of the server.
        starts: times, in any order; one sum is returned for each.
        member_id: counts this member's jobs only; None: everyone's.
    """
    sums = [func.coalesce(func.sum(case((_charge.c.created_at >= start, _net()), else_=0)), 0) for start in starts]
    query = _charges(select(*sums), guild_id, min(starts))
    if member_id is not None:
        query = query.where(_charge.c.member_id == member_id)
    return list((await connection.execute(query)).one())


async def top_spenders(connection: AsyncConnection, guild_id: int, since: datetime, limit: int) -> list[Spender]:
    """Return who spent most since then, the most first.

    Args:
        connection: inside a transaction.
        guild_id: of the server.
        since: counts charges from then on.
        limit: most members to return.
    """
    spent = func.sum(_net()).label("spent")
    query = _charges(select(_charge.c.member_id, spent), guild_id, since).group_by(_charge.c.member_id)
    query = query.having(spent > 0).order_by(spent.desc(), _charge.c.member_id).limit(limit)
    return [Spender(member_id, amount) for member_id, amount in await connection.execute(query)]


async def newest_account(connection: AsyncConnection) -> ProviderBalance | None:
    """Return the provider account's balance as its newest answer reported it, whichever server's job that was."""
    recent = (
        select(jobs.c.account_credits, jobs.c.submitted_at)
        .where(jobs.c.account_credits.is_not(None), jobs.c.submitted_at.is_not(None))
        .order_by(jobs.c.id.desc())
        .limit(_JOBS_LOOKED_THROUGH)
        .subquery()
    )
    row = (await connection.execute(select(recent).order_by(recent.c.submitted_at.desc()).limit(1))).one_or_none()
    return ProviderBalance(row.account_credits, row.submitted_at) if row else None


async def missing_credits(connection: AsyncConnection) -> int:
    """Return how many credits all servers may spend or hold beyond the provider account's newest balance."""
    balance = await newest_account(connection)
    if balance is None:
        return 0
    columns = pools.c.available_credits + pools.c.budgeted_credits + pools.c.held_credits
    needed: int = (await connection.execute(select(func.coalesce(func.sum(columns), 0)))).scalar_one()
    return max(0, needed - balance.credits)


def entry_of(row: RowMapping) -> LedgerEntry:
    """Return the entry that a row describes."""
    return LedgerEntry(
        id=row["id"],
        kind=EntryKind(row["kind"]),
        credits=row["credits"],
        created_at=row["created_at"],
        job_id=row["job_id"],
        member_id=row["member_id"],
        actor_id=row["actor_id"],
        session_id=row["session_id"],
        reason=Reason.from_json(row["reason"]) if row["reason"] else None,
    )


def _audit_entry_of(row: RowMapping) -> AuditEntry:
    return AuditEntry(row["id"], row["actor_id"], row["action"], Reason.from_json(row["detail"]), row["created_at"])


def _charges(query: Select[Any], guild_id: int, since: datetime) -> Select[Any]:
    """Return the query restricted to a server's charges since a time."""
    return query.select_from(_charge).where(
        _charge.c.guild_id == guild_id, _charge.c.created_at >= since, _charge.c.kind == EntryKind.CHARGE.value
    )


def _net() -> ColumnElement[int]:
    """Return a charge less its refund."""
    given_back = (
        select(func.coalesce(func.sum(_refund.c.credits), 0))
        .where(_refund.c.job_id == _charge.c.job_id, _refund.c.id > _charge.c.id)
        .where(_refund.c.kind == EntryKind.REFUND.value)
        .scalar_subquery()
    )
    # A job that was submitted again may have been charged and refunded more than once: no refund exceeds its charge.
    return _charge.c.credits - func.min(_charge.c.credits, given_back)
