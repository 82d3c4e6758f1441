"""Rows of the pools and sessions tables: how they are opened and read, inside the caller's transaction.

`change_policy` changes a server's rules with an audit entry; `LowBalanceRepository` keeps what was announced.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import RowMapping, bindparam, func, select, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.codes import AuditAction, LedgerReason, Reason, Refusal, Value
from bot.errors import RefusedError
from bot.pools.ledger import entries as ledger
from bot.pools.models import EntryKind, Funds, LowBalanceNotice, Pool, PoolSettings, Session, SessionEnd
from bot.pools.policy import LowBalanceLevel, Policy, difference, document_of, level_to_announce, policy_of
from bot.storage.database import Database, note_pool_change, read_each
from bot.storage.schema import audit_entries, ledger_entries, pools, sessions

_log = structlog.get_logger(__name__)


class LowBalanceRepository:
    """The low-balance level last announced for each pool; only servers with a moderators' channel are considered."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def on_pool_change(self, listener: Callable[[int], None]) -> None:
        """See `Database.on_pool_change`."""
        self._database.on_pool_change(listener)

    async def news(self, guild_id: int) -> LowBalanceNotice | None:
        """Return what is to be announced to a server's moderators; None: nothing."""
        is_deposit = ledger_entries.c.kind == EntryKind.DEPOSIT.value
        newest = select(func.max(ledger_entries.c.id)).where(ledger_entries.c.guild_id == guild_id, is_deposit)
        async with self._database.reading() as connection:
            pool = await read_pool(connection, guild_id)
            if pool is None or not _is_stale(pool):
                return None
            deposit_id = (await connection.execute(newest)).scalar()
        return LowBalanceNotice(pool, _level(pool), deposit_id or 0)

    async def stale(self) -> list[int]:
        """Return the servers where a level is to be announced."""
        has_channel = pools.c.policy.contains('"moderators_channel":')
        async with self._database.reading() as connection:
            found = await read_each(connection, select(pools).where(has_channel), pools.c.guild_id, pool_of)
        return [pool.guild_id for pool in found if _is_stale(pool)]

    async def record(self, guild_id: int, level: LowBalanceLevel) -> None:
        """Record that a level was announced."""
        query = update(pools).where(pools.c.guild_id == guild_id).values(announced_low_balance=level.value)
        async with self._database.transaction() as connection:
            await connection.execute(query)


def _is_stale(pool: Pool) -> bool:
    return pool.policy.moderators_channel is not None and _level(pool) is not pool.announced_low_balance


def _level(pool: Pool) -> LowBalanceLevel:
    return level_to_announce(
        pool.funds.available, pool.last_deposit, pool.policy.low_balance, pool.announced_low_balance
    )


# Built once: to build and compile a statement costs more than to run it.
_POOL = select(pools).where(pools.c.guild_id == bindparam("guild"))


async def open_pool(connection: AsyncConnection, guild_id: int, starting_credits: int, now: datetime) -> Pool:
    """Return a server's pool; one that is not open yet is opened with its starting credits.

    Args:
        connection: of the transaction.
        guild_id: of the server.
        starting_credits: deposited when the pool is opened.
        now: the time of that deposit.
    """
    pool = await read_pool(connection, guild_id)
    if pool is not None and pool.opened_at is not None:
        return pool
    await _open_new(connection, [guild_id], starting_credits, now)
    row = (await connection.execute(select(pools).where(pools.c.guild_id == guild_id))).mappings().one()
    return pool_of(row)


async def require_pool(connection: AsyncConnection, guild_id: int, settings: PoolSettings, now: datetime) -> Pool:
    """Return the pool of a server that the operator has approved.

    Args:
        connection: of the transaction.
        guild_id: of the server.
        settings: the operator's: they may approve every server.
        now: the time.

    Raises:
        RefusedError: SERVER_NOT_APPROVED.
    """
    if settings.open_for_all_servers:
        return await open_pool(connection, guild_id, settings.starting_credits, now)
    pool = await read_pool(connection, guild_id)
    if pool is None or pool.opened_at is None:
        raise RefusedError(Refusal.SERVER_NOT_APPROVED)
    return pool


async def open_pools(
    connection: AsyncConnection, guild_ids: Iterable[int], starting_credits: int, now: datetime
) -> int:
    """Open those pools of servers that are not open yet; returns how many these are.

    Args:
        connection: of the transaction.
        guild_ids: of approved servers.
        starting_credits: deposited in each pool that is opened.
        now: the time of those deposits.
    """
    opened = set((await connection.execute(select(pools.c.guild_id).where(pools.c.opened_at.is_not(None)))).scalars())
    new = sorted(set(guild_ids) - opened)
    await _open_new(connection, new, starting_credits, now)
    return len(new)


async def _open_new(
    connection: AsyncConnection, guild_ids: Sequence[int], starting_credits: int, now: datetime
) -> None:
    """Open the pools of servers that have none; their rows may be there already, not opened."""
    if not guild_ids:
        return
    opening = insert(pools).on_conflict_do_update(index_elements=["guild_id"], set_={"opened_at": now})
    await connection.execute(opening, [{"guild_id": guild_id, "opened_at": now} for guild_id in guild_ids])
    reason = Reason(LedgerReason.STARTING_CREDITS)
    await ledger.deposit_everywhere(connection, guild_ids, starting_credits, now, reason=reason)


async def read_pool(connection: AsyncConnection, guild_id: int) -> Pool | None:
    """Read a server's pool; None: it has none yet."""
    row = (await connection.execute(_POOL, {"guild": guild_id})).mappings().one_or_none()
    return pool_of(row) if row else None


async def read_session(connection: AsyncConnection, session_id: int) -> Session | None:
    """Read a session."""
    row = (await connection.execute(select(sessions).where(sessions.c.id == session_id))).mappings().one_or_none()
    return session_of(row) if row else None


async def read_session_in(connection: AsyncConnection, thread_id: int) -> Session | None:
    """Read the session that a thread belongs to, open or ended."""
    query = select(sessions).where(sessions.c.thread_id == thread_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    return session_of(row) if row else None


def pool_of(row: RowMapping) -> Pool:
    """Return the pool that a row describes."""
    return Pool(
        guild_id=row["guild_id"],
        funds=Funds(
            available=row["available_credits"],
            budgeted=row["budgeted_credits"],
            held=row["held_credits"],
            spent=row["spent_credits"],
        ),
        policy=_policy_in(row),
        last_deposit=row["last_deposit_credits"],
        announced_low_balance=LowBalanceLevel(row["announced_low_balance"]),
        opened_at=row["opened_at"],
    )


def _policy_in(row: RowMapping) -> Policy:
    """Return a pool's rules; where they can't be read nothing is made, until moderators set new ones."""
    try:
        return policy_of(row["policy"])
    except ValueError as error:
        _log.error("a server's rules can't be read: it is paused", guild_id=row["guild_id"], error=type(error).__name__)
        return Policy(paused="")


def session_of(row: RowMapping) -> Session:
    """Return the session that a row describes."""
    return Session(
        budget=row["budget_credits"],
        available=row["available_credits"],
        held=row["held_credits"],
        spent=row["spent_credits"],
        end_cause=SessionEnd(row["end_cause"]) if row["end_cause"] else None,
        **{name: row[name] for name in _PLAIN_COLUMNS},
    )


_PLAIN_COLUMNS = (
    "id",
    "guild_id",
    "interaction_id",
    "channel_id",
    "title",
    "started_by",
    "started_at",
    "thread_id",
    "card_message_id",
    "role_id",
    "ends_at",
    "ended_at",
    "ended_by",
    "summarised_at",
)


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """What a moderator changes.

    Attributes:
        action: for the audit trail, which also gets what is different then.
        make: returns the new rules; it may raise `RefusedError`.
    """

    action: AuditAction
    make: Callable[[Policy], Policy]


async def change_policy(
    connection: AsyncConnection,
    pool: Pool,
    actor_id: int,
    change: PolicyChange,
    now: datetime,
    *,
    interaction_id: int | None = None,
) -> Policy:
    """Change the rules of a pool.

    Args:
        connection: of the transaction.
        pool: read in the same transaction.
        actor_id: of the moderator.
        change: what is to be changed.
        now: the time.
        interaction_id: of the command.

    Returns:
        The new rules. Where they are the same as before, nothing is written.

    Raises:
        RefusedError: `change` refused; DONE_ALREADY.
    """
    policy = change.make(pool.policy)
    if policy == pool.policy:
        return policy
    query = update(pools).where(pools.c.guild_id == pool.guild_id).values(policy=document_of(policy))
    await connection.execute(query)
    note_pool_change(connection, pool.guild_id)
    before, after = difference(pool.policy, policy)
    audited = {"before": before, "after": after}
    await write_audit(connection, pool.guild_id, actor_id, change.action, now, interaction_id, **audited)
    return policy


async def write_audit(
    connection: AsyncConnection,
    guild_id: int,
    actor_id: int,
    action: AuditAction,
    now: datetime,
    interaction_id: int | None = None,
    /,
    **data: Value,
) -> None:
    """Add an entry to the audit trail.

    Args:
        connection: of the transaction.
        guild_id: of the server.
        actor_id: of the moderator.
        action: what they did.
        now: the time.
        interaction_id: of the command; None: it changes nothing when it is delivered again.
        data: what the entry's sentence names.

    Raises:
        RefusedError: DONE_ALREADY: there is an entry of this interaction.
        IntegrityError: the database refused something else.
    """
    detail = Reason(action, data).to_json()
    query = insert(audit_entries).values(
        guild_id=guild_id,
        actor_id=actor_id,
        action=action.value,
        detail=detail,
        created_at=now,
        interaction_id=interaction_id,
    )
    try:
        await connection.execute(query)
    except IntegrityError as error:
        if "audit_entries.interaction_id" not in str(error.orig):
            raise
        raise RefusedError(Refusal.DONE_ALREADY) from error
