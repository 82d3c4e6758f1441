"""The moderators' desk: cards of decided requests are closed, and the low_balance of the pools are announced.

Each task is carried out until it has worked or its place is gone. Errands live in memory; at start they are made
anew from the rows.
"""

import asyncio
import math
from collections import Counter
from enum import StrEnum
from typing import NamedTuple, Protocol

import structlog

from bot.backoff import Backoff
from bot.clock import Clock
from bot.errors import DeliveryDelayedError, PlaceRefusedError, StorageError
from bot.jobs.models import ApprovalCase
from bot.jobs.moderation.approval_repository import ApprovalRepository
from bot.pools.models import LowBalanceNotice
from bot.pools.queries import LowBalanceRepository

_log = structlog.get_logger(__name__)

_AT_ONCE = 8
_BETWEEN_CHECKS_SECONDS = 5.0
_BACKOFF = Backoff(first_seconds=4.0)
# However wrong a plan may be, the tasks are checked again after this long.
_LONGEST_SLEEP_SECONDS = 30.0


class ModerationNotifier(Protocol):
    """The side of Discord: what moderators see."""

    async def close_card(self, case: ApprovalCase) -> None:
        """Edit the card of a decided job, so that it shows the decision and asks no more.

        Raises:
            PlaceRefusedError: it is gone.
            DeliveryDelayedError: not possible now.
        """
        ...

    async def announce_low_balance(self, news: LowBalanceNotice) -> None:
        """Tell the moderators' channel of a step of the low_balance, under `news.nonce`.

        Raises:
            PlaceRefusedError: the channel does not take it.
            DeliveryDelayedError: not possible now.
        """
        ...


class _TaskKind(StrEnum):
    CARD = "card"
    LOW_BALANCE = "low_balance"


class _Task(NamedTuple):
    """What is to be done for a job (its card) or for a server (its low_balance)."""

    kind: _TaskKind
    number: int


class ModerationOutbox:
    """Carries out tasks, each until it has worked. `run_once` never raises."""

    def __init__(
        self,
        approvals: ApprovalRepository,
        low_balance: LowBalanceRepository,
        clock: Clock,
        notifier: ModerationNotifier,
    ) -> None:
        """Make an outbox with nothing in it.

        Args:
            approvals: what was decided.
            low_balance: what was announced.
            clock: the time.
            notifier: the Discord side.
        """
        self._approvals = approvals
        self._low_balance = low_balance
        self._clock = clock
        self._due: dict[_Task, float] = {}
        self._failures: Counter[_Task] = Counter()
        self._changed = asyncio.Event()
        self._notifier = notifier
        # When each server's balance was last checked.
        self._checked_at: dict[int, float] = {}
        low_balance.on_pool_change(self.check_low_balance)

    def __len__(self) -> int:
        return len(self._due)

    async def recover(self) -> None:
        """Take up what an earlier process left undone."""
        for job_id in await self._approvals.unclosed_cards():
            self.close_card(job_id)
        for guild_id in await self._low_balance.stale():
            self.check_low_balance(guild_id)

    def close_card(self, job_id: int) -> None:
        """Have the card of a job show its decision, soon."""
        self._put(_Task(_TaskKind.CARD, job_id), self._clock.monotonic())

    def check_low_balance(self, guild_id: int) -> None:
        """Check whether a server's low-balance level has to be announced: at once, and then every few seconds at most.

        It follows every commit that moved the server's credits or changed its rules.
        """
        task = _Task(_TaskKind.LOW_BALANCE, guild_id)
        if task not in self._due:
            now = self._clock.monotonic()
            earliest = self._checked_at.get(guild_id, -math.inf) + _BETWEEN_CHECKS_SECONDS
            self._put(task, max(now, earliest))

    async def wait_until_due(self) -> None:
        """Sleep until there is something to do."""
        self._changed.clear()
        pause = _LONGEST_SLEEP_SECONDS
        if self._due:
            pause = min(pause, min(self._due.values()) - self._clock.monotonic())
        if pause <= 0:
            return
        try:
            async with asyncio.timeout(pause):
                await self._changed.wait()
        except TimeoutError:
            return

    async def run(self) -> None:
        """Wait until something is due, and start it."""
        await self.wait_until_due()
        await self.run_once()

    async def run_once(self) -> None:
        """Carry out what is due. Never raises."""
        now = self._clock.monotonic()
        due = [task for task, at in self._due.items() if at <= now][:_AT_ONCE]
        for task in due:
            del self._due[task]
        await asyncio.gather(*map(self._carry_out, due))

    async def _carry_out(self, task: _Task) -> None:
        try:
            await (self._close(task.number) if task.kind is _TaskKind.CARD else self._announce(task.number))
        except (DeliveryDelayedError, StorageError) as error:
            _log.warning("moderators are told later", kind=task.kind.value, number=task.number, error=str(error))
            self._later(task)
        except Exception:  # noqa: BLE001 - an task fails alone, whatever it is
            _log.exception("moderators are told later", kind=task.kind.value, number=task.number)
            self._later(task)
        else:
            del self._failures[task]

    async def _close(self, job_id: int) -> None:
        case = await self._approvals.get(job_id)
        if case is None or case.approval.decision is None or not case.approval.has_open_card:
            return
        try:
            await self._notifier.close_card(case)
        except PlaceRefusedError as error:
            _log.info("a moderators' card is not there to be closed", job_id=job_id, error=str(error))
        await self._approvals.record_closed_card(job_id)

    async def _announce(self, guild_id: int) -> None:
        self._checked_at[guild_id] = self._clock.monotonic()
        news = await self._low_balance.news(guild_id)
        if news is None:
            return
        try:
            await self._notifier.announce_low_balance(news)
        except PlaceRefusedError as error:
            # It is told when the channel takes it, and the pool changes again.
            _log.warning("the moderators' channel refused a message", guild_id=guild_id, error=str(error))
            return
        _log.info("moderators told of the low_balance", guild_id=guild_id, step=news.step.value)
        await self._low_balance.record(guild_id, news.step)

    def _put(self, task: _Task, due: float) -> None:
        self._due[task] = due
        self._changed.set()

    def _later(self, task: _Task) -> None:
        self._failures[task] += 1
        due = self._clock.monotonic() + _BACKOFF.pause(self._failures[task])
        # Asked for anew in the meantime? Then it is tried sooner.
        self._put(task, min(due, self._due.get(task, due)))
