"""How many requests the provider gets in a second, and who gets how many of them. Pure."""


class TokenBucket:
    """Holds what was not used of an even flow of requests.

    Args:
        per_second: requests that may be made in a second on average; 0: as many as there are.
        now: by the monotonic clock, as everywhere here.
        size: how many it holds at most, and at first; None: as many as come in a second.
    """

    def __init__(self, per_second: float, now: float, size: float | None = None) -> None:
        self._per_second = per_second
        self._size = max(1.0, per_second if size is None else size)
        self._tokens = self._size
        self._filled_at = now

    def available(self, now: float) -> int | None:
        """Return how many requests may be made at once; None: any number."""
        if not self._per_second:
            return None
        self._fill(now)
        return int(self._tokens)

    def take(self, count: int) -> None:
        """Use up tokens, which `available` had promised."""
        self._tokens -= count

    def next_at(self, now: float) -> float:
        """Return when there is a token again."""
        self._fill(now)
        missing = max(0.0, 1.0 - self._tokens)
        return now + (missing / self._per_second if self._per_second else 0.0)

    def _fill(self, now: float) -> None:
        self._tokens = min(self._size, self._tokens + (now - self._filled_at) * self._per_second)
        self._filled_at = now


class AlternatingSplit:
    """Shares requests between jobs that are to be sent and looks: in turn, while both wait.

    To send goes first, for nothing becomes of a job before. But each job that is sent needs a look at least, so more
    than half of the requests would only make videos that nobody sees; and no look may starve.
    """

    def __init__(self) -> None:
        self._owes_look = False

    def split(self, room: int, sends: int, looks: int) -> tuple[int, int]:
        """Return how many jobs are sent, and how many looks are made.

        Args:
            room: how many requests may be made.
            sends: how many jobs wait to be sent.
            looks: how many looks wait.
        """
        granted_looks = min(looks, max((room + self._owes_look) // 2, room - sends))
        granted_sends = min(sends, room - granted_looks)
        if granted_sends or granted_looks:
            self._owes_look = looks > granted_looks and self._owes_look + granted_sends > granted_looks
        return granted_sends, granted_looks
