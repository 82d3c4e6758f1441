"""The moderators' desk: cards of decided requests are closed, and the brakes of the pools are announced.

Each errand is carried out until it has worked or its place is gone. Errands live in memory; at start they are made
anew from the rows.
"""

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, Protocol

import structlog

from bot.clock import Clock
from bot.errors import DeliveryDelayedError, PlaceRefusedError, StorageError
from bot.jobs.models import Case
from bot.jobs.moderation.approval_repository import ApprovalRepository
from bot.pools.low_balance_repository import BrakeRepository
from bot.pools.models import BrakeNews

_log = structlog.get_logger(__name__)

_AT_ONCE = 8
_BETWEEN_CHECKS = timedelta(seconds=5)
_FIRST_PAUSE_SECONDS = 2.0
_LONGEST_PAUSE_SECONDS = 300.0
# However wrong a plan or a clock may be, somebody looks again after this long.
_LONGEST_SLEEP_SECONDS = 30.0


class ModeratorsNotifier(Protocol):
    """The side of Discord: what moderators see."""

    async def close_card(self, case: Case) -> None:
        """Edit the card of a decided job, so that it shows the decision and asks no more.

        Raises:
            PlaceRefusedError: it is gone.
            DeliveryDelayedError: not possible now.
        """
        ...

    async def announce_brake(self, news: BrakeNews) -> None:
        """Tell the moderators' channel of a step of the brakes, under `news.nonce`.

        Raises:
            PlaceRefusedError: the channel does not take it.
            DeliveryDelayedError: not possible now.
        """
        ...


class _Kind(StrEnum):
    CARD = "card"
    BRAKE = "brake"


class _Errand(NamedTuple):
    """What is to be done for a job (its card) or for a server (its brakes)."""

    kind: _Kind
    number: int


class Desk:
    """Carries out errands, each until it has worked. `run_once` never raises."""

    def __init__(self, approvals: ApprovalRepository, brakes: BrakeRepository, clock: Clock) -> None:
        self._approvals = approvals
        self._brakes = brakes
        self._clock = clock
        self._due: dict[_Errand, datetime] = {}
        self._failures: Counter[_Errand] = Counter()
        self._changed = asyncio.Event()
        self._notifier: ModeratorsNotifier | None = None

    def __len__(self) -> int:
        return len(self._due)

    def attach(self, notifier: ModeratorsNotifier) -> None:
        """Say through whom moderators hear of things; needed before the first errand."""
        self._notifier = notifier

    async def recover(self) -> None:
        """Take up what an earlier process left undone."""
        for job_id in await self._approvals.unclosed_cards():
            self.close_card(job_id)
        for guild_id in await self._brakes.stale():
            self.check_brakes(guild_id)

    def close_card(self, job_id: int) -> None:
        """Have the card of a job show its decision, soon."""
        self._put(_Errand(_Kind.CARD, job_id), self._clock.now())

    def check_brakes(self, guild_id: int) -> None:
        """Look at once whether moderators have to be told of a step of the brakes."""
        self._put(_Errand(_Kind.BRAKE, guild_id), self._clock.now())

    def credits_moved(self, guild_id: int) -> None:
        """Look soon at the brakes of a server whose pool has changed: once for all the jobs of some seconds."""
        errand = _Errand(_Kind.BRAKE, guild_id)
        if errand not in self._due:
            self._put(errand, self._clock.now() + _BETWEEN_CHECKS)

    async def wait_until_due(self) -> None:
        """Sleep until there is something to do."""
        self._changed.clear()
        pause = _LONGEST_SLEEP_SECONDS
        if self._due:
            pause = min(pause, (min(self._due.values()) - self._clock.now()).total_seconds())
        if pause <= 0:
            return
        try:
            async with asyncio.timeout(pause):
                await self._changed.wait()
        except TimeoutError:
            return

    async def run_once(self) -> None:
        """Carry out what is due. Never raises."""
        now = self._clock.now()
        due = [errand for errand, at in self._due.items() if at <= now][:_AT_ONCE]
        for errand in due:
            del self._due[errand]
        await asyncio.gather(*map(self._carry_out, due))

    async def _carry_out(self, errand: _Errand) -> None:
        try:
            await (self._close(errand.number) if errand.kind is _Kind.CARD else self._announce(errand.number))
        except (DeliveryDelayedError, StorageError) as error:
            _log.warning("moderators are told later", kind=errand.kind.value, number=errand.number, error=str(error))
            self._later(errand)
        except Exception:  # noqa: BLE001 - an errand fails alone, whatever it is
            _log.exception("moderators are told later", kind=errand.kind.value, number=errand.number)
            self._later(errand)
        else:
            del self._failures[errand]

    async def _close(self, job_id: int) -> None:
        case = await self._approvals.get(job_id)
        if case is None or case.approval.decision is None or not case.approval.has_open_card:
            return
        try:
            await self._discord().close_card(case)
        except PlaceRefusedError as error:
            _log.info("a moderators' card is not there to be closed", job_id=job_id, error=str(error))
        await self._approvals.record_closed_card(job_id)

    async def _announce(self, guild_id: int) -> None:
        news = await self._brakes.news(guild_id)
        if news is None:
            return
        try:
            await self._discord().announce_brake(news)
        except PlaceRefusedError as error:
            # It is told when the channel takes it, and the pool changes again.
            _log.warning("the moderators' channel refused a message", guild_id=guild_id, error=str(error))
            return
        _log.info("moderators told of the brakes", guild_id=guild_id, step=news.step.value)
        await self._brakes.record(guild_id, news.step)

    def _put(self, errand: _Errand, due: datetime) -> None:
        self._due[errand] = due
        self._changed.set()

    def _later(self, errand: _Errand) -> None:
        self._failures[errand] += 1
        pause = min(_FIRST_PAUSE_SECONDS * 2 ** min(self._failures[errand], 20), _LONGEST_PAUSE_SECONDS)
        due = self._clock.now() + timedelta(seconds=pause)
        # Asked for anew in the meantime? Then it is tried sooner.
        self._put(errand, min(due, self._due.get(errand, due)))

    def _discord(self) -> ModeratorsNotifier:
        if self._notifier is None:
            raise RuntimeError("attach a notifier before the first errand")
        return self._notifier
