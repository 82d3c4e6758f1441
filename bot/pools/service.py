"""What a server's moderators and the operator do with its pool."""

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from datetime import datetime

from bot.clock import Clock
from bot.codes import AuditAction, Reason, Refusal
from bot.errors import RefusedError
from bot.pools.ledger import entries as ledger
from bot.pools.ledger import queries as statements
from bot.pools.ledger.forecast import PACE_SPAN, empty_at, periods_of
from bot.pools.ledger.reports import AuditEntry, Cursor, LedgerEntry, MemberRules, Page, Spending, Statement
from bot.pools.models import Pool, PoolSettings
from bot.pools.policy import Policy, low_balance_level
from bot.pools.queries import (
    PolicyChange,
    change_policy,
    open_pool,
    open_pools,
    read_pool,
    read_session_in,
    require_pool,
    write_audit,
)
from bot.pools.rules.input_checks import check_credits, clean_reason
from bot.pools.rules.limits import limits_for, origins, window_hours
from bot.storage.database import Database

PAGE_SIZE = 10
"""Entries on one page."""

_TOP_SPENDERS = 3


class PoolService:
    """A server's pool and its rules. It answers from the database alone and never waits for the network.

    Args:
        database: holds the pools.
        clock: the time.
        settings: the operator's settings for pools.
    """

    def __init__(self, database: Database, clock: Clock, settings: PoolSettings) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        # Pools that are known to be open, which they stay.
        self._open: set[int] = set()

    @property
    def managers_may_deposit(self) -> bool:
        """Whether moderators may deposit and withdraw, or the bot's operator alone."""
        return self._settings.managers_may_deposit

    @property
    def window_hours(self) -> float:
        """The length of the window in which a rule of moderators limits credits."""
        return window_hours(self._settings.limits)

    @property
    def open_for_all_servers(self) -> bool:
        """Whether every server's pool opens by itself, or only those of servers that the operator has approved."""
        return self._settings.open_for_all_servers

    async def pool(self, guild_id: int) -> Pool:
        """Return a server's pool; one that is not open has no credits."""
        async with self._database.reading() as connection:
            pool = await read_pool(connection, guild_id)
        if self._settings.open_for_all_servers and (pool is None or pool.opened_at is None):
            async with self._database.transaction() as connection:
                return await open_pool(connection, guild_id, self._settings.starting_credits, self._clock.now())
        return pool or Pool(guild_id)

    async def approve_server(self, guild_id: int) -> None:
        """Approve a server: open its pool, if it is not open."""
        if guild_id in self._open:
            return
        # Reading never waits for another's writing.
        async with self._database.reading() as connection:
            pool = await read_pool(connection, guild_id)
        if pool is None or pool.opened_at is None:
            await self.open_all([guild_id])
        self._open.add(guild_id)

    async def open_all(self, guild_ids: Iterable[int]) -> int:
        """Approve servers: open the pools that are not open yet, in one transaction; returns how many these are."""
        async with self._database.transaction() as connection:
            return await open_pools(connection, guild_ids, self._settings.starting_credits, self._clock.now())

    async def change(
        self, guild_id: int, actor_id: int, change: PolicyChange, interaction_id: int | None = None
    ) -> Policy:
        """Change a server's rules and write it into the audit trail, in one transaction.

        Two moderators at once don't lose each other's change: `change` is given the rules as they are inside it.

        Args:
            guild_id: of the server.
            actor_id: of the moderator.
            change: what is to be changed.
            interaction_id: of the command.

        Returns:
            The rules that hold now.

        Raises:
            RefusedError: they can't be changed like this; DONE_ALREADY; SERVER_NOT_APPROVED.
        """
        now = self._clock.now()
        async with self._database.transaction() as connection:
            pool = await require_pool(connection, guild_id, self._settings, now)
            return await change_policy(connection, pool, actor_id, change, now, interaction_id=interaction_id)

    async def deposit(
        self,
        guild_id: int,
        actor_id: int,
        amount: int,
        reason: str,
        interaction_id: int | None = None,
        *,
        approves: bool = False,
    ) -> Pool:
        """Put credits into a pool.

        Args:
            guild_id: of the server.
            actor_id: of who deposits them.
            amount: how many credits.
            reason: for the ledger.
            interaction_id: of the command.
            approves: whether this approves the server: the operator deposits. Then it has no starting credits besides.

        Raises:
            RefusedError: DONE_ALREADY; SERVER_NOT_APPROVED; the amount or the reason can't be used.
        """
        amount, reason, now = check_credits(amount), clean_reason(reason), self._clock.now()
        async with self._database.transaction() as connection:
            if approves and not self._settings.open_for_all_servers:
                before = await open_pool(connection, guild_id, 0, now)
            else:
                before = await require_pool(connection, guild_id, self._settings, now)
            await ledger.deposit(connection, guild_id, amount, now, reason=Reason.typed(reason), actor_id=actor_id)
            after = await require_pool(connection, guild_id, self._settings, now)
            data = _booked(amount, before, after, reason)
            await write_audit(connection, guild_id, actor_id, AuditAction.DEPOSIT, now, interaction_id, **data)
            return after

    async def missing_credits(self) -> int:
        """Return how many credits all servers may spend or hold beyond the provider account's newest balance."""
        async with self._database.reading() as connection:
            return await statements.missing_credits(connection)

    async def withdraw(
        self, guild_id: int, actor_id: int, amount: int, reason: str, interaction_id: int | None = None
    ) -> Pool:
        """Take free credits out of a pool.

        Args:
            guild_id: of the server.
            actor_id: of who withdraws them.
            amount: how many credits.
            reason: for the ledger.
            interaction_id: of the command.

        Raises:
            RefusedError: DONE_ALREADY; SERVER_NOT_APPROVED; the amount or the reason can't be used, or fewer are free.
        """
        amount, reason, now = check_credits(amount), clean_reason(reason), self._clock.now()
        async with self._database.transaction() as connection:
            before = await require_pool(connection, guild_id, self._settings, now)
            if amount > before.funds.available:
                raise RefusedError(Refusal.WITHDRAWAL_TOO_LARGE, amount=amount, available=before.funds.available)
            await ledger.withdraw(connection, guild_id, amount, now, reason=Reason.typed(reason), actor_id=actor_id)
            after = await require_pool(connection, guild_id, self._settings, now)
            data = _booked(amount, before, after, reason)
            await write_audit(connection, guild_id, actor_id, AuditAction.WITHDRAW, now, interaction_id, **data)
            return after

    async def statement(self, guild_id: int) -> Statement:
        """Return a pool's balance, who spends it, and how long it lasts."""
        pool = await self.pool(guild_id)
        now = self._clock.now()
        periods = periods_of(now)
        starts = (periods.day, periods.week, periods.month, now - PACE_SPAN)
        async with self._database.reading() as connection:
            pool = await read_pool(connection, guild_id) or pool
            *spent, lately = await statements.spent_since(connection, guild_id, starts)
            return Statement(
                pool=pool,
                spending=Spending(*spent),
                top=tuple(await statements.top_spenders(connection, guild_id, periods.month, _TOP_SPENDERS)),
                empty_at=empty_at(pool.funds.available, lately, pool.opened_at, now),
            )

    async def spending(self, guild_id: int, member_id: int) -> Spending:
        """Return what a member spent."""
        periods = periods_of(self._clock.now())
        starts = (periods.day, periods.week, periods.month)
        async with self._database.reading() as connection:
            return Spending(*await statements.spent_since(connection, guild_id, starts, member_id))

    async def ledger_page(
        self, guild_id: int, cursor: Cursor | None = None, member_id: int | None = None, size: int = PAGE_SIZE
    ) -> Page[LedgerEntry]:
        """Return a page of a server's ledger, newest first, or of what is about one member in it.

        Args:
            guild_id: of the server.
            cursor: where the page begins; None: at the newest entry.
            member_id: shows only entries about them or by them; None: all.
            size: entries on a page.
        """
        async with self._database.reading() as connection:
            return await statements.ledger_page(connection, guild_id, member_id, cursor, size)

    async def audit_page(self, guild_id: int, cursor: Cursor | None = None, size: int = PAGE_SIZE) -> Page[AuditEntry]:
        """Return a page of a server's audit trail, newest first.

        Args:
            guild_id: of the server.
            cursor: where the page begins; None: at the newest entry.
            size: entries on a page.
        """
        async with self._database.reading() as connection:
            return await statements.audit_page(connection, guild_id, cursor, size)

    async def entries(
        self, guild_id: int, since: datetime | None = None, chunk: int = 500
    ) -> AsyncIterator[list[LedgerEntry]]:
        """Yield a server's ledger as it is now, all of it or since a time, oldest first, some entries at once.

        Nothing is held between two of them, neither the entries nor a connection, so that a long ledger read slowly
        is in nobody's way.

        Args:
            guild_id: of the server.
            since: leaves out older entries; None: none.
            chunk: most entries in one list.
        """
        async with self._database.reading() as connection:
            last_id = await statements.newest_entry_id(connection)
        after_id = 0
        while after_id < last_id:
            async with self._database.reading() as connection:
                found = await statements.entries_between(connection, guild_id, after_id, last_id, since, chunk)
            if not found:
                return
            yield found
            after_id = found[-1].id

    async def rules(
        self, guild_id: int, member_id: int, role_ids: Collection[int], channel_ids: Sequence[int]
    ) -> MemberRules:
        """Return every rule that applies to a member.

        Args:
            guild_id: of the server.
            member_id: of the member.
            role_ids: of the member's roles.
            channel_ids: of the place that it is about, and of the channel that it is a thread of.
        """
        pool = await self.pool(guild_id)
        async with self._database.reading() as connection:
            session = await read_session_in(connection, channel_ids[0])
        defaults = self._settings.limits
        return MemberRules(
            pool=pool,
            member_id=member_id,
            role_ids=role_ids,
            channel_ids=channel_ids,
            limits=limits_for(pool.policy, member_id, role_ids, defaults),
            origins=tuple(origins(pool.policy, member_id, role_ids, defaults)),
            low_balance=low_balance_level(pool.funds.available, pool.last_deposit, pool.policy.low_balance),
            session=session,
            now=self._clock.now(),
        )


def _booked(amount: int, before: Pool, after: Pool, reason: str) -> dict[str, int | str]:
    free = {"free_before": before.funds.available, "free_after": after.funds.available}
    return {"amount": amount, **free, "reason": reason}
