"""The append-only books, in SQL. Each function runs inside the transaction that moves the job.

A job's entries: a hold of the list price; then the hold is used up by a charge of what the provider took and a
release of what is over (if the charge is dearer, the rest is held first), or all of it is released. A charge
is given back by a refund. So at its end a job holds nothing, and what it cost is its charges less its refunds.
"""

from datetime import datetime

from sqlalchemy import ColumnElement, case, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.pools.models import Balance, EntryKind, JobAccount
from bot.storage.schema import ledger_entries

_HELD_SIGN = {EntryKind.HOLD: 1, EntryKind.CHARGE: -1, EntryKind.RELEASE: -1}
_SPENT_SIGN = {EntryKind.CHARGE: 1, EntryKind.REFUND: -1}


async def hold(connection: AsyncConnection, account: JobAccount, credits_held: int, now: datetime) -> None:
    """Set credits aside for a job."""
    await _enter(connection, account, EntryKind.HOLD, credits_held, now)


async def charge(
    connection: AsyncConnection, account: JobAccount, credits_held: int, credits_used: int, now: datetime
) -> None:
    """Pay what the provider took out of the hold, and release what is over."""
    await _enter(connection, account, EntryKind.HOLD, credits_used - credits_held, now)
    await _enter(connection, account, EntryKind.CHARGE, credits_used, now)
    await _enter(connection, account, EntryKind.RELEASE, credits_held - credits_used, now)


async def release(connection: AsyncConnection, account: JobAccount, credits_held: int, now: datetime) -> None:
    """Give a whole hold back."""
    await _enter(connection, account, EntryKind.RELEASE, credits_held, now)


async def refund(connection: AsyncConnection, account: JobAccount, credits_charged: int, now: datetime) -> None:
    """Give a charge back."""
    await _enter(connection, account, EntryKind.REFUND, credits_charged, now)


async def balance(connection: AsyncConnection, guild_id: int | None = None, job_id: int | None = None) -> Balance:
    """Add up the entries: of a server, of a job, or of all."""
    query = select(_signed_sum(_HELD_SIGN), _signed_sum(_SPENT_SIGN))
    if guild_id is not None:
        query = query.where(ledger_entries.c.guild_id == guild_id)
    if job_id is not None:
        query = query.where(ledger_entries.c.job_id == job_id)
    held, spent = (await connection.execute(query)).one()
    return Balance(held=held, spent=spent)


def _signed_sum(signs: dict[EntryKind, int]) -> ColumnElement[int]:
    column = ledger_entries.c.credits
    sign = case(signs, value=ledger_entries.c.kind, else_=0)
    return func.coalesce(func.sum(sign * column), 0)


async def _enter(
    connection: AsyncConnection, account: JobAccount, kind: EntryKind, credits_moved: int, now: datetime
) -> None:
    if credits_moved <= 0:
        return
    await connection.execute(
        insert(ledger_entries).values(
            guild_id=account.guild_id,
            kind=kind.value,
            credits=credits_moved,
            job_id=account.job_id,
            member_id=account.member_id,
            created_at=now,
        )
    )
