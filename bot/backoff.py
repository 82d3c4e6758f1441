"""Exponential backoff for work that is tried until it succeeds.

Retries that end after a few attempts, within one call, use `stamina`.
"""

from dataclasses import dataclass

# 2 ** 20 seconds are twelve days: beyond any longest pause, and far from overflowing a float.
_MOST_DOUBLINGS = 20


@dataclass(frozen=True, slots=True)
class Backoff:
    """A pause that doubles with each failure in a row.

    Attributes:
        first_seconds: the pause after the first failure.
        longest_seconds: no pause is longer.
    """

    first_seconds: float
    longest_seconds: float = 300.0

    def pause(self, failures: int) -> float:
        """Return how many seconds to wait after this many failures in a row; 0 after none."""
        if failures < 1:
            return 0.0
        doubled: float = self.first_seconds * 2.0 ** min(failures - 1, _MOST_DOUBLINGS)
        return min(doubled, self.longest_seconds)
