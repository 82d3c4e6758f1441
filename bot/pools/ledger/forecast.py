"""The calendar, and when a pool will be empty: pure."""

from datetime import UTC, datetime, timedelta

from bot.pools.ledger.reports import Periods

PACE_SPAN = timedelta(days=7)
"""How far back spending makes the pace."""

_SHORTEST_SPAN = timedelta(days=1)
_FARTHEST = timedelta(days=5 * 365)


def periods_of(now: datetime) -> Periods:
    """Return when the current day, week and month began, in UTC."""
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return Periods(day, day - timedelta(days=day.weekday()), day.replace(day=1))


def empty_at(available: int, spent: int, opened_at: datetime | None, now: datetime) -> datetime | None:
    """Return when the pool will be empty at the pace of the last days.

    Args:
        available: credits that are free now.
        spent: credits that were spent since `PACE_SPAN` ago.
        opened_at: when the pool was opened. The pace of a younger one is that since then, and of one of the
            first day that of a whole day, so that one video is no stampede.
        now: the time.

    Returns:
        None: nothing was spent, or it will last for years.
    """
    if spent <= 0:
        return None
    age = now - opened_at if opened_at else PACE_SPAN
    span = min(max(age, _SHORTEST_SPAN), PACE_SPAN)
    # As seconds, because a span of time has an end and a rich, quiet pool may last longer than that.
    seconds_left = available * span.total_seconds() / spent
    return now + timedelta(seconds=seconds_left) if seconds_left <= _FARTHEST.total_seconds() else None
