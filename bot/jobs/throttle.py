"""How many requests the provider gets in a second: a token bucket. Pure."""

from datetime import datetime, timedelta


class TokenBucket:
    """Holds up to one second's worth of requests, and fills at an even rate.

    Args:
        per_second: requests that may be made in a second on average; 0: as many as there are.
        now: the time.
    """

    def __init__(self, per_second: float, now: datetime) -> None:
        self._per_second = per_second
        self._size = max(1.0, per_second)
        self._tokens = self._size
        self._filled_at = now

    def available(self, now: datetime) -> int | None:
        """Return how many requests may be made at once; None: any number."""
        if not self._per_second:
            return None
        self._fill(now)
        return int(self._tokens)

    def take(self, count: int) -> None:
        """Use up tokens, which `available` had promised."""
        self._tokens -= count

    def next_at(self, now: datetime) -> datetime:
        """Return when there is a token again."""
        self._fill(now)
        missing = max(0.0, 1.0 - self._tokens)
        return now + timedelta(seconds=missing / self._per_second if self._per_second else 0.0)

    def _fill(self, now: datetime) -> None:
        # A clock that was set back gives nothing, and takes nothing away.
        passed = max(0.0, (now - self._filled_at).total_seconds())
        self._tokens = min(self._size, self._tokens + passed * self._per_second)
        self._filled_at = now
