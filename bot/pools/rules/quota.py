"""Limits per member: pure rules."""

import math
from datetime import datetime, timedelta

from bot.errors import LimitReachedError
from bot.pools.models import Limits, Usage


def check_limits(limits: Limits, usage: Usage, price_credits: int, now: datetime) -> None:
    """Let a job of this price pass, or say why not.

    Raises:
        LimitReachedError: it would overrun a limit.
    """
    _check_open_jobs(limits, usage, now)
    _check_window(limits, usage, price_credits)


def credits_left(limits: Limits, usage: Usage) -> int | None:
    """Return what the member may still spend in this window; None where there is no limit."""
    if not has_window(limits):
        return None
    return max(0, limits.window_credits - usage.credits)


def has_window(limits: Limits) -> bool:
    """Tell whether credits are limited at all."""
    return limits.window_credits > 0 and limits.window_hours > 0


def window_start(limits: Limits, now: datetime) -> datetime:
    """Return the time from which spending counts."""
    return now - timedelta(hours=limits.window_hours)


def room_at(limits: Limits, usage: Usage, credits_needed: int) -> datetime | None:
    """Return when enough spending will have left the window for `credits_needed`; None: never.

    Spending leaves the window in the order in which it came, `window_hours` after its job was taken.
    """
    if credits_needed > limits.window_credits:
        return None
    used = usage.credits
    leaves_at = None
    for spend in sorted(usage.spends, key=lambda spend: spend.at):
        if used + credits_needed <= limits.window_credits:
            break
        used -= spend.credits
        leaves_at = spend.at + timedelta(hours=limits.window_hours)
    return leaves_at


def _check_open_jobs(limits: Limits, usage: Usage, now: datetime) -> None:
    count = len(usage.open_jobs)
    if not limits.active_jobs or count < limits.active_jobs:
        return
    # A job that is late may be done any moment now.
    soonest = max(sorted(usage.open_jobs)[count - limits.active_jobs], now + timedelta(seconds=5))
    raise LimitReachedError(
        f"You have {count} of {limits.active_jobs} videos in the making. "
        f"There should be room again {relative(soonest)}, when one is done; `/usage` shows them.",
        limit="open jobs",
        used=count,
        allowed=limits.active_jobs,
        room_at=soonest,
    )


def _check_window(limits: Limits, usage: Usage, price_credits: int) -> None:
    if not has_window(limits) or usage.credits + price_credits <= limits.window_credits:
        return
    moment = room_at(limits, usage, price_credits)
    raise LimitReachedError(
        f"This video costs {price_credits} credits, and you have used {usage.credits} of your "
        f"{limits.window_credits} credits in {limits.window_hours:g} hours. {_way_out(moment)}",
        limit=f"credits in {limits.window_hours:g} hours",
        used=usage.credits,
        allowed=limits.window_credits,
        room_at=moment,
    )


def _way_out(moment: datetime | None) -> str:
    if moment is None:
        return "It is dearer than your whole allowance: choose a shorter or silent one."
    return f"There is room for it again {relative(moment)}."


def relative(moment: datetime) -> str:
    """Return a time that Discord shows relative to now, in the reader's language; never before `moment`."""
    return f"<t:{math.ceil(moment.timestamp())}:R>"
