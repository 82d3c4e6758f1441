"""Limits of each member. Pure."""

import math
from datetime import datetime, timedelta

from bot.codes import Reason, Refusal
from bot.pools.models import Limits, Usage


def limit_refusal(limits: Limits, usage: Usage, price_credits: int, now: datetime) -> Reason | None:
    """Return which limit a job of this price would exceed; None: it exceeds none.

    Args:
        limits: the member's.
        usage: what the member uses of them.
        price_credits: of the job.
        now: the time.
    """
    if limits.max_price and price_credits > limits.max_price:
        return Reason(Refusal.MAX_PRICE, {"price": price_credits, "max_price": limits.max_price})
    count = len(usage.open_jobs)
    if limits.active_jobs and count >= limits.active_jobs:
        # A job that is late may be done any moment now.
        soonest = max(sorted(usage.open_jobs)[count - limits.active_jobs], now + timedelta(seconds=5))
        return Reason(Refusal.LIMIT_JOBS, {"used": count, "allowed": limits.active_jobs, "free_at": soonest})
    if has_window(limits) and usage.credits + price_credits > limits.window_credits:
        data = {
            "price": price_credits,
            "used": usage.credits,
            "allowed": limits.window_credits,
            "hours": limits.window_hours,
            "free_at": room_at(limits, usage, price_credits),
        }
        return Reason(Refusal.LIMIT_CREDITS, data)
    return None


def credits_left(limits: Limits, usage: Usage) -> int | None:
    """Return how many credits the member may still spend in the window; None: there is no limit."""
    if not has_window(limits):
        return None
    return max(0, limits.window_credits - usage.credits)


def has_window(limits: Limits) -> bool:
    """Return whether credits are limited."""
    return limits.window_credits > 0 and limits.window_hours > 0


def window_start(limits: Limits, now: datetime) -> datetime:
    """Return the time from which spending counts."""
    return now - timedelta(hours=limits.window_hours)


def room_at(limits: Limits, usage: Usage, credits_needed: int) -> datetime | None:
    """Return when enough spending will have left the window for `credits_needed`; None: never.

    Spending leaves the window in the order in which it came, `window_hours` after its job was accepted.

    Args:
        limits: the member's.
        usage: what the member uses of them.
        credits_needed: the price of a job.
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


def relative(moment: datetime) -> str:
    """Return a time that Discord shows relative to now, in the reader's language; never before `moment`."""
    return f"<t:{math.ceil(moment.timestamp())}:R>"
