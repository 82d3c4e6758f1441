"""When the provider takes no submissions, nobody goes on knocking: one tries, and the others wait."""

from datetime import datetime, timedelta

_LONGEST_PAUSE_SECONDS = 300.0
# A provider's own wish is honoured up to a point: it may be a mistake.
_LONGEST_WISH_SECONDS = 3600.0


class Gate:
    """Is closed for a while by a refusal, longer by each one that follows, and opened by a success."""

    def __init__(self, first_pause_seconds: float = 2.0) -> None:
        self._first_pause_seconds = first_pause_seconds
        self._refusals = 0
        self._closed_until: datetime | None = None
        self._trying = False
        self.reason: str | None = None

    def enter(self, now: datetime) -> datetime | None:
        """Ask to go through. None: go, and say `opened` or `refused` or `left` afterwards; else: come back then."""
        if self._closed_until is not None and now < self._closed_until:
            return self._closed_until
        if self._refusals and self._trying:
            return now + timedelta(seconds=1)
        self._trying = True
        return None

    def opened(self) -> None:
        """Somebody went through."""
        self._refusals, self._closed_until, self.reason = 0, None, None
        self._trying = False

    def left(self) -> None:
        """Somebody came back without an answer that tells anything about the gate."""
        self._trying = False

    def refused(self, now: datetime, reason: str, wish_seconds: float | None = None) -> bool:
        """Somebody was refused.

        Args:
            now: the time.
            reason: why, for members who wait.
            wish_seconds: how long the provider wants to be left alone, if it said so.

        Returns:
            Whether this is news: the first refusal, or one for another reason.
        """
        is_news = reason != self.reason
        pause = min(self._first_pause_seconds * 2 ** min(self._refusals, 20), _LONGEST_PAUSE_SECONDS)
        if wish_seconds is not None:
            pause = max(pause if wish_seconds == 0 else 0.0, min(wish_seconds, _LONGEST_WISH_SECONDS))
        self._refusals += 1
        self._closed_until = now + timedelta(seconds=pause)
        self.reason = reason
        self._trying = False
        return is_news
