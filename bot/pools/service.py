"""What the moderators of a server, and the operator, do with its pool."""

from collections.abc import Callable, Iterable

from bot.clock import Clock
from bot.errors import PoolEmptyError
from bot.pools import ledger
from bot.pools.amounts import check_credits, clean_reason
from bot.pools.models import Pool, Terms
from bot.pools.policies import PolicyChange, change_policy, write_audit
from bot.pools.policy import Policy
from bot.pools.rows import open_pool, open_pools, read_pool
from bot.storage.database import Database


class PoolService:
    """A server's pool and its rules. It answers from the database alone and never waits for the network."""

    def __init__(self, database: Database, clock: Clock, terms: Terms) -> None:
        self._database = database
        self._clock = clock
        self._terms = terms

    @property
    def managers_may_deposit(self) -> bool:
        """Whether moderators may deposit and withdraw, or the bot's operator alone."""
        return self._terms.managers_may_deposit

    async def pool(self, guild_id: int) -> Pool:
        """Return a server's pool; one that is seen for the first time is opened."""
        async with self._database.reading() as connection:
            pool = await read_pool(connection, guild_id)
        if pool is not None and pool.opened_at is not None:
            return pool
        async with self._database.transaction() as connection:
            return await open_pool(connection, guild_id, self._terms.starting_credits, self._clock.now())

    async def open_all(self, guild_ids: Iterable[int]) -> int:
        """Open the pools of the servers that are seen for the first time, in one transaction; returns how many."""
        async with self._database.transaction() as connection:
            return await open_pools(connection, guild_ids, self._terms.starting_credits, self._clock.now())

    async def change(
        self,
        guild_id: int,
        actor_id: int,
        action: str,
        detail: str | Callable[[Policy], str],
        change: Callable[[Policy], Policy],
    ) -> Policy:
        """Change a server's rules and write it into the audit trail, in one transaction.

        Two moderators at once don't lose each other's change: `change` is given the rules as they are inside it.

        Args:
            guild_id: of the server.
            actor_id: of the moderator.
            action: the command, in a word or two, for the audit trail.
            detail: for the audit trail; or what says how the part in question looks, before and after.
            change: returns the rules as they shall be; it may refuse by raising a `ChangeRefusedError`.

        Returns:
            The rules that hold now.

        Raises:
            ChangeRefusedError: they can't be changed like this.
        """
        now = self._clock.now()
        async with self._database.transaction() as connection:
            pool = await open_pool(connection, guild_id, self._terms.starting_credits, now)
            return await change_policy(connection, pool, actor_id, PolicyChange(action, detail, change), now)

    async def deposit(self, guild_id: int, actor_id: int, amount: int, reason: str) -> Pool:
        """Put credits into a pool.

        Raises:
            ChangeRefusedError: the amount or the reason can't be used.
        """
        amount, reason, now = check_credits(amount), clean_reason(reason), self._clock.now()
        async with self._database.transaction() as connection:
            before = await open_pool(connection, guild_id, self._terms.starting_credits, now)
            await ledger.deposit(connection, guild_id, amount, now, reason=reason, actor_id=actor_id)
            after = await open_pool(connection, guild_id, 0, now)
            await write_audit(connection, guild_id, actor_id, "deposit", _booked(amount, before, after, reason), now)
            return after

    async def withdraw(self, guild_id: int, actor_id: int, amount: int, reason: str) -> Pool:
        """Take free credits out of a pool.

        Raises:
            ChangeRefusedError: the amount or the reason can't be used.
            PoolEmptyError: fewer are free.
        """
        amount, reason, now = check_credits(amount), clean_reason(reason), self._clock.now()
        async with self._database.transaction() as connection:
            before = await open_pool(connection, guild_id, self._terms.starting_credits, now)
            _check_free(before, amount)
            await ledger.withdraw(connection, guild_id, amount, now, reason=reason, actor_id=actor_id)
            after = await open_pool(connection, guild_id, 0, now)
            await write_audit(connection, guild_id, actor_id, "withdraw", _booked(amount, before, after, reason), now)
            return after


def _check_free(pool: Pool, amount: int) -> None:
    available = pool.funds.available
    if amount > available:
        raise PoolEmptyError(
            f"You asked for {amount} credits, and {available} are free in this server's pool: what is held for "
            "videos or set aside for sessions stays. Nothing was withdrawn.",
            needed=amount,
            available=available,
        )


def _booked(amount: int, before: Pool, after: Pool, reason: str) -> str:
    return f"{amount} credits, free {before.funds.available} → {after.funds.available}: {reason}"
