"""Circuit breaker: after a refusal one probe goes through, and the rest wait."""

from bot.backoff import Backoff

_LONGEST_PAUSE_SECONDS = 300.0
# A longer `Retry-After` is taken for a mistake.
_LONGEST_RETRY_AFTER_SECONDS = 3600.0


class CircuitBreaker:
    """Lets requests through (closed) until one is refused, then none for a while (open), then one probe (half-open).

    Each further refusal doubles the pause; a success closes the breaker.

    Attributes:
        reason: of the last refusal, while the breaker is not closed.

    Args:
        first_pause_seconds: after the first refusal.
    """

    def __init__(self, first_pause_seconds: float = 2.0) -> None:
        self._backoff = Backoff(first_pause_seconds, _LONGEST_PAUSE_SECONDS)
        self._refusals = 0
        self._open_until: float | None = None
        self._is_probing = False
        self.reason: str | None = None

    def allows_request(self, now: float) -> bool:
        """Return whether `acquire` would let a request through."""
        return self._pause_end(now) is None and not (self._refusals and self._is_probing)

    def capacity(self, now: float) -> int | None:
        """Return how many requests may go through now; None: any number. After a refusal it is one, the probe."""
        if not self.allows_request(now):
            return 0
        return 1 if self._refusals else None

    def retry_at(self, now: float) -> float | None:
        """Return when the pause ends; None if there is none."""
        return self._pause_end(now)

    def acquire(self, now: float) -> float | None:
        """Return None if a request may be made now, else when to try again.

        Afterwards call `record_success`, `record_refusal`, or `release` if the answer shows neither.
        """
        if pause_end := self._pause_end(now):
            return pause_end
        if self._refusals and self._is_probing:
            return now + 1.0
        self._is_probing = True
        return None

    def record_success(self) -> None:
        """Close the breaker: a request was not refused."""
        self._refusals, self._open_until, self.reason = 0, None, None
        self._is_probing = False

    def release(self) -> None:
        """Let another probe through: the last one showed nothing."""
        self._is_probing = False

    def record_refusal(self, now: float, reason: str, retry_after_seconds: float | None = None) -> bool:
        """Open the breaker: a request was refused.

        Args:
            now: by the monotonic clock.
            reason: of the refusal, for waiting members.
            retry_after_seconds: as the provider asked for, if it did.

        Returns:
            Whether this is new: the first refusal, or one for another reason.
        """
        is_new = reason != self.reason
        earlier_end = self._pause_end(now)
        # Requests that were in flight when it opened are refused for the same cause, and do not count.
        if earlier_end is None:
            self._refusals += 1
        pause = self._backoff.pause(self._refusals)
        if retry_after_seconds:
            pause = min(max(retry_after_seconds, self._backoff.first_seconds), _LONGEST_RETRY_AFTER_SECONDS)
        self._open_until = max(now + pause, earlier_end or now)
        self.reason = reason
        self._is_probing = False
        return is_new

    def _pause_end(self, now: float) -> float | None:
        return self._open_until if self._open_until is not None and now < self._open_until else None
