"""Discord's ids: milliseconds since 2015, then a counter.

Source: Discord's API reference, "Snowflakes".
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

DISCORD_EPOCH_MS = 1_420_070_400_000


def at(unix_seconds: float) -> int:
    """Return the smallest snowflake of a time."""
    return (int(unix_seconds * 1000) - DISCORD_EPOCH_MS) << 22


class SnowflakeMint:
    """Generates ids, each larger than all before it."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._last = 0

    def next(self) -> int:
        """Return a new id of the current time, or the last id plus one if the clock has not advanced."""
        self._last = max(self._last + 1, at(self._clock()))
        return self._last

    def skip_past(self, used: int) -> None:
        """Generate only larger ids from now on."""
        self._last = max(self._last, used)
