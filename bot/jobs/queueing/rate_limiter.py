"""Rate limiter for requests to the provider, and how submissions and polls share it. Pure."""


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
