"""Time: moments for rows and people, a monotonic clock for pauses, and ages that a step of the clock cannot change.

A machine's clock is sometimes set: by NTP after a start, by an administrator, by a host that moves a virtual machine.
A step is often an error that lasts seconds. Work that expires by such a clock is lost for good, so a step counts only
after it has lasted; until then, moments go on from the time before it. Small corrections count at once.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

_log = structlog.get_logger(__name__)

_SMALL_STEP = timedelta(seconds=2)
STEP_COUNTS_AFTER_SECONDS = 600.0
"""How long the machine's clock must differ by the same amount before the bot goes by it."""


class Clock(Protocol):
    """Moments, pauses and ages."""

    def now(self) -> datetime:
        """Return the time of day, aware and in UTC: for rows and people. It may go back."""
        ...

    def monotonic(self) -> float:
        """Return seconds since some moment: for pauses and due times. It never goes back."""
        ...

    def age(self, moment: datetime) -> float:
        """Return how many seconds ago `now` was this moment, at least 0; steps of the clock since then don't count."""
        ...


@dataclass(frozen=True, slots=True)
class _Epoch:
    """A time between two steps of the clock.

    Attributes:
        began: in monotonic seconds.
        zero: the time of day at which the monotonic clock was 0.
    """

    began: float
    zero: datetime

    def at(self, monotonic: float) -> datetime:
        """Return the time of day at this many monotonic seconds."""
        return self.zero + timedelta(seconds=monotonic)


class SteadyClock:
    """A clock that goes on evenly when the machine's is set, and follows it once the step has lasted."""

    def __init__(self, wall: Callable[[], datetime], monotonic: Callable[[], float]) -> None:
        """Start from what both clocks say now.

        Args:
            wall: returns the machine's time of day, aware and in UTC.
            monotonic: returns seconds that never go back.
        """
        self._wall = wall
        self._monotonic = monotonic
        began = monotonic()
        self._epoch = _Epoch(began, wall() - timedelta(seconds=began))
        # Those before, the newest first, each with the monotonic seconds at its end.
        self._earlier: list[tuple[_Epoch, float]] = []
        self._step: _Epoch | None = None

    def now(self) -> datetime:
        """Return the time of day, aware and in UTC."""
        monotonic, wall = self._monotonic(), self._wall()
        steady = self._epoch.at(monotonic)
        if abs(wall - steady) <= _SMALL_STEP:
            self._step = None
            if wall != steady:
                self._epoch = _Epoch(self._epoch.began, wall - timedelta(seconds=monotonic))
            return wall
        return wall if self._step_counts(monotonic, wall) else steady

    def monotonic(self) -> float:
        """Return seconds since some moment."""
        return self._monotonic()

    def age(self, moment: datetime) -> float:
        """Return how many seconds ago this moment was, at least 0, whatever the clock was set to since then."""
        now, monotonic = self.now(), self._monotonic()
        if moment >= self._epoch.at(self._epoch.began):
            return max(0.0, (now - moment).total_seconds())
        for epoch, ended in self._earlier:
            is_oldest = epoch is self._earlier[-1][0]
            if moment <= epoch.at(ended) and (is_oldest or moment >= epoch.at(epoch.began)):
                return monotonic - ended + (epoch.at(ended) - moment).total_seconds()
        # From an earlier process: the newest time is the best that is known.
        return max(0.0, (now - moment).total_seconds())

    def _step_counts(self, monotonic: float, wall: datetime) -> bool:
        """Note a step of the machine's clock, and go by it once it has lasted."""
        if self._step is None or abs(wall - self._step.at(monotonic)) > _SMALL_STEP:
            self._step = _Epoch(monotonic, wall - timedelta(seconds=monotonic))
            ahead = round((wall - self._epoch.at(monotonic)).total_seconds())
            _log.warning("clock was set; the step counts once it has lasted", seconds=ahead)
        if monotonic - self._step.began < STEP_COUNTS_AFTER_SECONDS:
            return False
        _log.warning("clock's step has lasted: it counts from now on", time=wall.isoformat(timespec="seconds"))
        self._earlier.insert(0, (self._epoch, monotonic))
        self._epoch = _Epoch(monotonic, wall - timedelta(seconds=monotonic))
        self._step = None
        return True


class SystemClock(SteadyClock):
    """The machine's clocks."""

    def __init__(self) -> None:
        super().__init__(lambda: datetime.now(UTC), time.monotonic)
