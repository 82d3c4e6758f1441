"""The moderation outbox: messages that asked moderators show what was decided, and low balances are announced.

Each task is carried out until it has worked or its place is gone. Tasks live in memory; at start they are made again
from the rows.
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
from bot.jobs.models import Case
from bot.jobs.moderation.decisions import DecisionRepository
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

    async def close(self, case: Case) -> None:
        """Edit the messages that asked about a job, so that they show the decision and have no buttons.

        Raises:
            PlaceRefusedError: none of them is there any more.
            DeliveryDelayedError: not possible now.
        """
        ...

    async def announce_low_balance(self, news: LowBalanceNotice) -> None:
        """Announce a low-balance level in the moderators' channel, under `news.nonce`.

        Raises:
            PlaceRefusedError: the channel does not take it.
            DeliveryDelayedError: not possible now.
        """
        ...


class _TaskKind(StrEnum):
    CASE = "case"
    LOW_BALANCE = "low_balance"


class _Task(NamedTuple):
    """What is to be done, by the number of a job (its case) or of a server (its low balance)."""

    kind: _TaskKind
    number: int


class ModerationOutbox:
    """Carries out tasks, each until it has worked. `run_once` never raises."""

    def __init__(
        self,
        decisions: DecisionRepository,
        low_balance: LowBalanceRepository,
        clock: Clock,
        notifier: ModerationNotifier,
    ) -> None:
        """Make an outbox with nothing in it.

        Args:
            decisions: what was decided.
            low_balance: what was announced.
            clock: the time.
            notifier: the Discord side.
        """
        self._decisions = decisions
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
        """Schedule what an earlier process left undone."""
        for job_id in await self._decisions.unclosed_jobs():
            self.close(job_id)
        for guild_id in await self._low_balance.stale():
            self.check_low_balance(guild_id)

    def close(self, job_id: int) -> None:
        """Have the messages that asked about a job show what was decided, soon."""
        self._put(_Task(_TaskKind.CASE, job_id), self._clock.monotonic())

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
            await (self._close(task.number) if task.kind is _TaskKind.CASE else self._announce(task.number))
        except (DeliveryDelayedError, StorageError) as error:
            _log.warning("moderators are notified later", kind=task.kind.value, number=task.number, error=str(error))
            self._later(task)
        except Exception:  # noqa: BLE001 - a task fails alone, whatever it is
            _log.exception("moderators are notified later", kind=task.kind.value, number=task.number)
            self._later(task)
        else:
            del self._failures[task]

    async def _close(self, job_id: int) -> None:
        for case in await self._decisions.unclosed(job_id):
            try:
                await self._notifier.close(case)
            except PlaceRefusedError as error:
                _log.info("a message for moderators is not there to be closed", job_id=job_id, error=str(error))
            await self._decisions.record_closed(case)

    async def _announce(self, guild_id: int) -> None:
        self._checked_at[guild_id] = self._clock.monotonic()
        news = await self._low_balance.news(guild_id)
        if news is None:
            return
        try:
            await self._notifier.announce_low_balance(news)
        except PlaceRefusedError as error:
            # It is announced when the pool changes again and the channel takes it.
            _log.warning("the moderators' channel refused a message", guild_id=guild_id, error=str(error))
            return
        _log.info("low balance announced", guild_id=guild_id, level=news.level.value)
        await self._low_balance.record(guild_id, news.level)

    def _put(self, task: _Task, due: float) -> None:
        self._due[task] = due
        self._changed.set()

    def _later(self, task: _Task) -> None:
        self._failures[task] += 1
        due = self._clock.monotonic() + _BACKOFF.pause(self._failures[task])
        # Scheduled again in the meantime? Then it is tried sooner.
        self._put(task, min(due, self._due.get(task, due)))
