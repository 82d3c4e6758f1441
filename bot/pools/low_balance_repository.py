"""Which step of the brakes moderators were told of, in SQL."""

from collections.abc import Callable

from sqlalchemy import func, select, update

from bot.pools.models import EntryKind, LowBalanceNotice, Pool
from bot.pools.policy import LowBalanceLevel
from bot.pools.queries import pool_of, read_pool
from bot.pools.rules.low_balance import level_to_announce
from bot.storage.database import Database
from bot.storage.schema import ledger_entries, pools


class LowBalanceRepository:
    """What was announced of the brakes of each pool. Only where there is a moderators' channel is there news."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def on_pool_change(self, listener: Callable[[int], None]) -> None:
        """See `Database.on_pool_change`."""
        self._database.on_pool_change(listener)

    async def news(self, guild_id: int) -> LowBalanceNotice | None:
        """Return what a server's moderators have to be told of; None: they know."""
        is_deposit = ledger_entries.c.kind == EntryKind.DEPOSIT.value
        newest = select(func.max(ledger_entries.c.id)).where(ledger_entries.c.guild_id == guild_id, is_deposit)
        async with self._database.reading() as connection:
            pool = await read_pool(connection, guild_id)
            if pool is None or not _is_stale(pool):
                return None
            deposit_id = (await connection.execute(newest)).scalar()
        return LowBalanceNotice(pool, _step(pool), deposit_id or 0)

    async def stale(self) -> list[int]:
        """Return the servers whose moderators have to be told of something."""
        has_channel = func.json_extract(pools.c.policy, "$.moderators_channel").is_not(None)
        async with self._database.reading() as connection:
            rows = (await connection.execute(select(pools).where(has_channel))).mappings()
            return [pool.guild_id for pool in map(pool_of, rows) if _is_stale(pool)]

    async def record(self, guild_id: int, step: LowBalanceLevel) -> None:
        """Remember that moderators were told of a step."""
        query = update(pools).where(pools.c.guild_id == guild_id).values(announced_low_balance=step.value)
        async with self._database.transaction() as connection:
            await connection.execute(query)


def _is_stale(pool: Pool) -> bool:
    return pool.policy.moderators_channel is not None and _step(pool) is not pool.announced_low_balance


def _step(pool: Pool) -> LowBalanceLevel:
    return level_to_announce(
        pool.funds.available, pool.last_deposit, pool.policy.low_balance, pool.announced_low_balance
    )
