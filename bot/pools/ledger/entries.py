"""The append-only ledger, in SQL. Each function runs inside the transaction of what it books.

A job's entries: a hold of the list price; then the hold is used up by a charge of what the provider charged and a
release of the rest (if the charge is higher, the difference is held first), or all of it is released. A refund
returns a charge. So at its end a job holds nothing, and has cost its charges less its refunds.

A creative session's budget is set aside by a hold without a job. Its jobs' entries name it, and move credits of
the budget in place of the pool's. When it ends, a release without a job returns the rest to the pool; what its jobs
return after that follows at once.

Where each entry moves credits from and to is written down once, in the trigger of `bot/storage/schema.py`, which
keeps the sums in `pools` and `sessions`; `recount` adds the entries up without it.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, case, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.codes import LedgerReason, Reason, Refusal
from bot.errors import RefusedError
from bot.pools.models import Balance, EntryKind, Funds, JobAccount
from bot.storage.database import note_pool_change, note_session_change
from bot.storage.schema import ledger_entries, pools, sessions

_ENTRY = insert(ledger_entries)
_HELD_SIGN = {EntryKind.HOLD: 1, EntryKind.CHARGE: -1, EntryKind.RELEASE: -1}
_SPENT_SIGN = {EntryKind.CHARGE: 1, EntryKind.REFUND: -1}
# Of what pays for a job: the pool, or a session's budget.
_PAYER_SIGN = {EntryKind.HOLD: -1, EntryKind.RELEASE: 1, EntryKind.REFUND: 1}
_OUTER_SIGN = {EntryKind.DEPOSIT: 1, EntryKind.WITHDRAWAL: -1, EntryKind.ADJUSTMENT: 1}


async def deposit(
    connection: AsyncConnection,
    guild_id: int,
    amount: int,
    now: datetime,
    *,
    reason: Reason,
    actor_id: int | None = None,
) -> None:
    """Put credits into a pool.

    Args:
        connection: of the transaction.
        guild_id: of the server.
        amount: in credits; 0 or less writes no entry.
        now: the time of the entry.
        reason: code and data, or the words that a moderator typed.
        actor_id: of who deposits; None: the bot itself.
    """
    await _enter(connection, EntryKind.DEPOSIT, amount, now, guild_id=guild_id, reason=reason, actor_id=actor_id)


async def deposit_everywhere(
    connection: AsyncConnection, guild_ids: Iterable[int], amount: int, now: datetime, *, reason: Reason
) -> None:
    """Put as many credits into each of several new pools, whose balance can't be low.

    Args:
        connection: of the transaction.
        guild_ids: of the servers.
        amount: in credits, for each; 0 or less writes no entry.
        now: the time of the entries.
        reason: code and data, or the words that a moderator typed.
    """
    if amount <= 0:
        return
    common = {"kind": EntryKind.DEPOSIT.value, "credits": amount, "created_at": now, "reason": reason.to_json()}
    await connection.execute(insert(ledger_entries), [{**common, "guild_id": guild_id} for guild_id in guild_ids])


async def withdraw(
    connection: AsyncConnection,
    guild_id: int,
    amount: int,
    now: datetime,
    *,
    reason: Reason,
    actor_id: int | None = None,
) -> None:
    """Take free credits out of a pool; the database refuses more than there are.

    Args:
        connection: of the transaction.
        guild_id: of the server.
        amount: in credits; 0 or less writes no entry.
        now: the time of the entry.
        reason: code and data, or the words that a moderator typed.
        actor_id: of who withdraws; None: the bot itself.
    """
    await _enter(connection, EntryKind.WITHDRAWAL, amount, now, guild_id=guild_id, reason=reason, actor_id=actor_id)


async def set_aside(
    connection: AsyncConnection,
    guild_id: int,
    session_id: int,
    amount: int,
    now: datetime,
    *,
    reason: Reason | None = None,
    actor_id: int | None = None,
) -> None:
    """Set a session's budget aside; the database refuses more than the pool has.

    Args:
        connection: of the transaction.
        guild_id: of the server.
        session_id: of the session that gets them.
        amount: in credits; 0 or less writes no entry.
        now: the time of the entry.
        reason: code and data; None for what a job's price adds to the budget.
        actor_id: of who started the session; None: the bot itself.
    """
    await _enter(
        connection,
        EntryKind.HOLD,
        amount,
        now,
        guild_id=guild_id,
        session_id=session_id,
        reason=reason,
        actor_id=actor_id,
    )


async def give_back_rest(
    connection: AsyncConnection,
    guild_id: int,
    session_id: int,
    now: datetime,
    *,
    reason: Reason | None = None,
    actor_id: int | None = None,
) -> int:
    """Release what is left of an ended session's budget to the pool; return how much that was.

    Args:
        connection: of the transaction.
        guild_id: of the server.
        session_id: of the session; one that goes on gives nothing.
        now: the time of the entry.
        reason: code and data; None for what a job gives back after the end.
        actor_id: of who ended the session; None: the bot itself.
    """
    query = select(sessions.c.available_credits).where(sessions.c.id == session_id, sessions.c.ended_at.is_not(None))
    rest = (await connection.execute(query)).scalar() or 0
    await _enter(
        connection,
        EntryKind.RELEASE,
        rest,
        now,
        guild_id=guild_id,
        session_id=session_id,
        reason=reason,
        actor_id=actor_id,
    )
    return rest


async def hold(connection: AsyncConnection, account: JobAccount, credits_held: int, now: datetime) -> None:
    """Hold credits for a job.

    Args:
        connection: of the transaction.
        account: the ids under which the job is booked; with a session, its budget is used in place of the pool.
        credits_held: the price as it is known.
        now: the time of the entry.
    """
    await _enter_for_job(connection, account, EntryKind.HOLD, credits_held, now)


async def charge(
    connection: AsyncConnection, account: JobAccount, credits_held: int, credits_used: int, now: datetime
) -> None:
    """Charge a job: the charge is paid out of the hold, and the rest is released.

    Where pool and budget have too little for a charge above the hold, an adjustment covers it, so that the ledger
    still agrees with the provider.

    Args:
        connection: of the transaction.
        account: the ids under which the job is booked; with a session, its budget is used in place of the pool.
        credits_held: what the job holds.
        credits_used: what the provider took; more than was held or less.
        now: the time of the entries.
    """
    if credits_used > credits_held:
        await _cover(
            connection, account, credits_used - credits_held, now, reason=Reason(LedgerReason.PRICE_ABOVE_HOLD)
        )
        await _enter_for_job(connection, account, EntryKind.HOLD, credits_used - credits_held, now)
    await _enter_for_job(connection, account, EntryKind.CHARGE, credits_used, now)
    await release(connection, account, credits_held - credits_used, now)


async def hold_again(connection: AsyncConnection, account: JobAccount, credits_held: int, now: datetime) -> None:
    """Hold credits again for a job whose hold was released or whose charge was refunded.

    Args:
        connection: of the transaction.
        account: the ids under which the job is booked; with a session, its budget is used in place of the pool.
        credits_held: what it held before.
        now: the time of the entries.

    Raises:
        RefusedError: they are no longer there.
    """
    await _cover(connection, account, credits_held, now, reason=None)
    await hold(connection, account, credits_held, now)


async def release(connection: AsyncConnection, account: JobAccount, credits_held: int, now: datetime) -> None:
    """Release a hold, or a part of it.

    Args:
        connection: of the transaction.
        account: the ids under which the job is booked; with a session, its budget is used in place of the pool.
        credits_held: how many of the held credits; 0 or less writes no entry.
        now: the time of the entry.
    """
    await _give_back(connection, account, EntryKind.RELEASE, credits_held, now)


async def refund(connection: AsyncConnection, account: JobAccount, credits_charged: int, now: datetime) -> None:
    """Refund a charge.

    Args:
        connection: of the transaction.
        account: the ids under which the job is booked; with a session, its budget is used in place of the pool.
        credits_charged: how many of the charged credits.
        now: the time of the entry.
    """
    await _give_back(connection, account, EntryKind.REFUND, credits_charged, now)


async def balance(connection: AsyncConnection, guild_id: int | None = None, job_id: int | None = None) -> Balance:
    """Add up the entries: of a server, of a job, or of all.

    Args:
        connection: inside a transaction.
        guild_id: counts this server's entries only.
        job_id: counts this job's entries only.
    """
    for_job = ledger_entries.c.job_id.is_not(None)
    query = select(_total(_HELD_SIGN, for_job), _total(_SPENT_SIGN))
    if guild_id is not None:
        query = query.where(ledger_entries.c.guild_id == guild_id)
    if job_id is not None:
        query = query.where(ledger_entries.c.job_id == job_id)
    held, spent = (await connection.execute(query)).one()
    return Balance(held=held, spent=spent)


async def recount(connection: AsyncConnection) -> dict[int, Funds]:
    """Add up every server's entries from the first one, whatever the sums in its row say."""
    rows = await connection.execute(recount_query())
    return {row.guild_id: Funds(*row[1:]) for row in rows.all()}


def recount_query() -> Select[tuple[int, int, int, int, int]]:
    """Return the query for what every server's entries add up to: its id, then the numbers of `Funds`."""
    from_pool, from_budget, as_budget = _payers()
    available = _total(_OUTER_SIGN) + _total(_PAYER_SIGN, from_pool) + _total(_PAYER_SIGN, as_budget)
    budgeted = _total(_PAYER_SIGN, from_budget) - _total(_PAYER_SIGN, as_budget)
    for_job = ledger_entries.c.job_id.is_not(None)
    query = select(ledger_entries.c.guild_id, available, budgeted, _total(_HELD_SIGN, for_job), _total(_SPENT_SIGN))
    return query.group_by(ledger_entries.c.guild_id)


def session_recount_query() -> Select[tuple[int, int, int, int]]:
    """Return the query for what every session's entries add up to: its id, then what is available, held, spent."""
    _from_pool, from_budget, as_budget = _payers()
    available = _total(_PAYER_SIGN, from_budget) - _total(_PAYER_SIGN, as_budget)
    query = select(ledger_entries.c.session_id, available, _total(_HELD_SIGN, from_budget), _total(_SPENT_SIGN))
    return query.where(ledger_entries.c.session_id.is_not(None)).group_by(ledger_entries.c.session_id)


def job_recount_query() -> Select[tuple[int, int, int]]:
    """Return the query for what every job's entries add up to: its id, then what is held and spent."""
    query = select(ledger_entries.c.job_id, _total(_HELD_SIGN).label("held"), _total(_SPENT_SIGN).label("spent"))
    return query.where(ledger_entries.c.job_id.is_not(None)).group_by(ledger_entries.c.job_id)


def _payers() -> tuple[ColumnElement[bool], ColumnElement[bool], ColumnElement[bool]]:
    """Return the conditions for entries of jobs that the pool pays, of jobs that a budget pays, and of budgets."""
    for_job, of_session = ledger_entries.c.job_id.is_not(None), ledger_entries.c.session_id.is_not(None)
    return and_(for_job, ~of_session), and_(for_job, of_session), and_(~for_job, of_session)


def _total(signs: dict[EntryKind, int], condition: ColumnElement[bool] | None = None) -> ColumnElement[int]:
    sign = case(signs, value=ledger_entries.c.kind, else_=0)
    counted = sign if condition is None else case((condition, sign), else_=0)
    return func.coalesce(func.sum(counted * ledger_entries.c.credits), 0)


async def _cover(
    connection: AsyncConnection, account: JobAccount, needed: int, now: datetime, *, reason: Reason | None
) -> None:
    """Make sure that what pays for a job has enough credits; if not, adjust the ledger for `reason`, or fail.

    Raises:
        RefusedError: there is not enough, and no reason to adjust.
    """
    query = select(pools.c.available_credits).where(pools.c.guild_id == account.guild_id)
    available = (await connection.execute(query)).scalar() or 0
    if account.session_id is not None:
        budget = select(sessions.c.available_credits).where(sessions.c.id == account.session_id)
        needed -= (await connection.execute(budget)).scalar() or 0
    guild_id, actor_id = account.guild_id, account.actor_id
    if needed > available:
        if reason is None:
            raise RefusedError(Refusal.HOLD_TOO_LARGE, needed=needed, available=available)
        amount = needed - available
        await _enter(connection, EntryKind.ADJUSTMENT, amount, now, guild_id=guild_id, reason=reason, actor_id=actor_id)
    if account.session_id is not None and needed > 0:
        await set_aside(connection, guild_id, account.session_id, needed, now, actor_id=actor_id)


async def _give_back(
    connection: AsyncConnection, account: JobAccount, kind: EntryKind, amount: int, now: datetime
) -> None:
    await _enter_for_job(connection, account, kind, amount, now)
    if account.session_id is not None:
        await give_back_rest(connection, account.guild_id, account.session_id, now, actor_id=account.actor_id)


async def _enter_for_job(
    connection: AsyncConnection, account: JobAccount, kind: EntryKind, amount: int, now: datetime
) -> None:
    await _enter(
        connection,
        kind,
        amount,
        now,
        guild_id=account.guild_id,
        job_id=account.job_id,
        member_id=account.member_id,
        session_id=account.session_id,
        actor_id=account.actor_id,
    )


async def _enter(
    connection: AsyncConnection,
    kind: EntryKind,
    amount: int,
    now: datetime,
    *,
    guild_id: int,
    reason: Reason | None = None,
    **ids: int | None,
) -> None:
    if amount <= 0:
        return
    entry = {"kind": kind.value, "credits": amount, "created_at": now, "guild_id": guild_id, **ids}
    # Without a reason the column stays out of the statement, which is the same for all entries of jobs.
    entry |= {"reason": reason.to_json()} if reason else {}
    await connection.execute(_ENTRY, entry)
    note_pool_change(connection, guild_id)
    note_session_change(connection, ids.get("session_id"))
