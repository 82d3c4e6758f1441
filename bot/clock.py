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


@dataclass(slots=True)
class _Epoch:
    """A time between two steps of the clock.

    Attributes:
        zero: the time of day at which the monotonic clock was 0; small corrections move it.
        earliest: the earliest time of day that it may have had.
        latest: the latest, as far as a correction has set it back; else that at its end.
    """

    zero: datetime
    earliest: datetime
    latest: datetime

    def at(self, monotonic: float) -> datetime:
        """Return the time of day at this many monotonic seconds."""
        return self.zero + timedelta(seconds=monotonic)

    def correct(self, steady: datetime, wall: datetime) -> None:
        """Go by `wall` from now on, where it was `steady`."""
        self.zero += wall - steady
        self.earliest, self.latest = min(self.earliest, wall), max(self.latest, steady)


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
        began_at = wall()
        zero = began_at - timedelta(seconds=monotonic())
        # A moment before this process may be from any earlier time.
        self._epoch = _Epoch(zero, datetime.min.replace(tzinfo=UTC), began_at)
        # Those before, the newest first, each with the monotonic seconds at its end.
        self._earlier: list[tuple[_Epoch, float]] = []
        # A step that does not count yet: where it puts the monotonic clock's zero, and when it was noticed.
        self._step: tuple[datetime, float] | None = None

    def now(self) -> datetime:
        """Return the time of day, aware and in UTC."""
        monotonic, wall = self._monotonic(), self._wall()
        steady = self._epoch.at(monotonic)
        if abs(wall - steady) <= _SMALL_STEP:
            self._step = None
            if wall != steady:
                self._epoch.correct(steady, wall)
            return wall
        return wall if self._step_counts(monotonic, steady, wall) else steady

    def monotonic(self) -> float:
        """Return seconds since some moment."""
        return self._monotonic()

    def age(self, moment: datetime) -> float:
        """Return how many seconds ago this moment was, at least 0, whatever the clock was set to since then."""
        now, monotonic = self.now(), self._monotonic()
        if moment < self._epoch.earliest:
            for epoch, ended in self._earlier:
                if epoch.earliest <= moment <= epoch.latest:
                    return monotonic - ended + max(0.0, (epoch.at(ended) - moment).total_seconds())
        # Of this epoch; or from an earlier process, and then the newest time is the best that is known.
        return max(0.0, (now - moment).total_seconds())

    def _step_counts(self, monotonic: float, steady: datetime, wall: datetime) -> bool:
        """Note a step of the machine's clock, and go by it once it has lasted."""
        zero = wall - timedelta(seconds=monotonic)
        if self._step is None or abs(zero - self._step[0]) > _SMALL_STEP:
            self._step = zero, monotonic
            ahead = round((wall - steady).total_seconds())
            _log.warning("clock was set; the step counts once it has lasted", seconds=ahead)
        if monotonic - self._step[1] < STEP_COUNTS_AFTER_SECONDS:
            return False
        _log.warning("clock's step has lasted: it counts from now on", time=wall.isoformat(timespec="seconds"))
        self._epoch.latest = max(self._epoch.latest, steady)
        self._earlier.insert(0, (self._epoch, monotonic))
        self._epoch = _Epoch(zero, wall, wall)
        self._step = None
        return True


class SystemClock(SteadyClock):
    """The machine's clocks."""

    def __init__(self) -> None:
        super().__init__(lambda: datetime.now(UTC), time.monotonic)
