"""A clock that only goes when it is told to."""

from datetime import UTC, datetime, timedelta

START = datetime(2026, 8, 1, 12, 0, tzinfo=UTC)


class FakeClock:
    """The time of day, as a test sets it."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now

    def now(self) -> datetime:
        """Return the time that was set."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass; a negative number sets the clock back."""
        self._now += timedelta(seconds=seconds)
