"""A clock that moves only when a test says so, and can be set like a machine's."""

from datetime import UTC, datetime, timedelta

from bot.clock import SteadyClock

START = datetime(2026, 8, 1, 12, 0, tzinfo=UTC)


class FakeClock(SteadyClock):
    """The bot's own clock over two clocks that a test sets."""

    def __init__(self, now: datetime = START) -> None:
        self.machine_time = now
        # Microseconds in whole numbers, so that times can be compared for equality.
        self._passed = timedelta()
        super().__init__(lambda: self.machine_time, lambda: self._passed.total_seconds())  # noqa: PLW0108 - `advance` replaces it

    def advance(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            ValueError: time does not go back; `jump` sets a machine's clock.
        """
        if seconds < 0:
            raise ValueError(seconds)
        self.machine_time += timedelta(seconds=seconds)
        self._passed += timedelta(seconds=seconds)

    def jump(self, seconds: float) -> None:
        """Set the machine's clock ahead, or back by a negative number; no time passes."""
        self.machine_time += timedelta(seconds=seconds)
