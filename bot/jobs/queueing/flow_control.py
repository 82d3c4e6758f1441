"""Flow control of requests to the provider. Pure.

A token bucket limits requests per second, `AlternatingSplit` divides them between submissions and polls, and a circuit
breaker holds them back after a refusal.
"""

from bot.backoff import Backoff


class TokenBucket:
    """Token bucket: tokens come in at an even rate, and each request takes one.

    Args:
        per_second: tokens that come in per second; 0: no limit.
        now: by the monotonic clock, as in all methods.
        size: how many it holds at most, and at first; None: as many as come in per second.
    """

    def __init__(self, per_second: float, now: float, size: float | None = None) -> None:
        self._per_second = per_second
        self._size = max(1.0, per_second if size is None else size)
        self._tokens = self._size
        self._filled_at = now

    def available(self, now: float) -> int | None:
        """Return how many requests may be made now; None: any number."""
        if not self._per_second:
            return None
        self._fill(now)
        return int(self._tokens)

    def take(self, count: int) -> None:
        """Take tokens, at most as many as `available` returned."""
        self._tokens -= count

    def next_at(self, now: float) -> float:
        """Return when the next token is available."""
        self._fill(now)
        missing = max(0.0, 1.0 - self._tokens)
        return now + (missing / self._per_second if self._per_second else 0.0)

    def _fill(self, now: float) -> None:
        self._tokens = min(self._size, self._tokens + (now - self._filled_at) * self._per_second)
        self._filled_at = now


class AlternatingSplit:
    """Splits requests between submissions and polls: alternately while both are waiting.

    Submissions go first. Each submitted job needs at least one poll, so submissions get at most half of the requests
    while polls are waiting.
    """

    def __init__(self) -> None:
        self._owes_poll = False

    def split(self, room: int, submissions: int, polls: int) -> tuple[int, int]:
        """Return how many submissions and how many polls are made.

        Args:
            room: how many requests may be made.
            submissions: how many are waiting.
            polls: how many are waiting.
        """
        granted_polls = min(polls, max((room + self._owes_poll) // 2, room - submissions))
        granted_submissions = min(submissions, room - granted_polls)
        if granted_submissions or granted_polls:
            self._owes_poll = polls > granted_polls and self._owes_poll + granted_submissions > granted_polls
        return granted_submissions, granted_polls


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
