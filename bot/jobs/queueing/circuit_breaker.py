"""When the provider takes no submissions, nobody goes on knocking: one tries, and the others wait."""

from bot.backoff import Backoff

_LONGEST_PAUSE_SECONDS = 300.0
# A provider's own wish is honoured up to a point: it may be a mistake.
_LONGEST_WISH_SECONDS = 3600.0


class CircuitBreaker:
    """Is closed for a while by a refusal, longer by each one that follows, and opened by a success."""

    def __init__(self, first_pause_seconds: float = 2.0) -> None:
        self._backoff = Backoff(first_pause_seconds, _LONGEST_PAUSE_SECONDS)
        self._refusals = 0
        self._closed_until: float | None = None
        self._trying = False
        self.reason: str | None = None

    def is_free(self, now: float) -> bool:
        """Tell whether `enter` would let somebody through."""
        return self._pause_end(now) is None and not (self._refusals and self._trying)

    def room(self, now: float) -> int | None:
        """Return how many may go through now; None: any number. After a refusal one tries."""
        if not self.is_free(now):
            return 0
        return 1 if self._refusals else None

    def opens_at(self, now: float) -> float | None:
        """Return when the present pause ends; None: there is none."""
        return self._pause_end(now)

    def enter(self, now: float) -> float | None:
        """Ask to go through. None: go, and say `opened` or `refused` or `left` afterwards; else: come back then."""
        if pause_end := self._pause_end(now):
            return pause_end
        if self._refusals and self._trying:
            return now + 1.0
        self._trying = True
        return None

    def opened(self) -> None:
        """Somebody went through."""
        self._refusals, self._closed_until, self.reason = 0, None, None
        self._trying = False

    def left(self) -> None:
        """Somebody came back without an answer that tells anything about the gate."""
        self._trying = False

    def refused(self, now: float, reason: str, wish_seconds: float | None = None) -> bool:
        """Somebody was refused.

        Args:
            now: by the monotonic clock.
            reason: why, for members who wait.
            wish_seconds: how long the provider wants to be left alone, if it said so.

        Returns:
            Whether this is news: the first refusal, or one for another reason.
        """
        is_news = reason != self.reason
        earlier_end = self._pause_end(now)
        # Those who went through before it closed are refused for the same cause: that is no further refusal.
        if earlier_end is None:
            self._refusals += 1
        pause = self._backoff.pause(self._refusals)
        if wish_seconds:
            pause = min(max(wish_seconds, self._backoff.first_seconds), _LONGEST_WISH_SECONDS)
        self._closed_until = max(now + pause, earlier_end or now)
        self.reason = reason
        self._trying = False
        return is_news

    def _pause_end(self, now: float) -> float | None:
        return self._closed_until if self._closed_until is not None and now < self._closed_until else None
