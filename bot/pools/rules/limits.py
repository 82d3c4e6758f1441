"""Which limits hold for a member, and where each of them comes from: pure rules.

For each number by itself: a member's own rule wins, else the best of the roles' rules, else everyone's, else the
operator's setting. A request that would exceed one is refused, with when there is room again.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from bot.codes import Reason, Refusal
from bot.pools.models import Limits, Usage
from bot.pools.policy import NO_LIMIT, Allowance, Policy


def limit_refusal(limits: Limits, usage: Usage, price_credits: int, now: datetime) -> Reason | None:
    """Return which limit a job of this price would exceed; None: it exceeds none.

    Args:
        limits: the member's.
        usage: what the member uses of them.
        price_credits: of the job.
        now: the time.
    """
    if limits.max_price is not None and price_credits > limits.max_price:
        return Reason(Refusal.MAX_PRICE, {"price": price_credits, "max_price": limits.max_price})
    count = len(usage.open_jobs)
    allowed = limits.active_jobs
    if allowed is not None and count >= allowed:
        # A job that is late may be done any moment now.
        soonest = max(sorted(usage.open_jobs)[count - allowed], now + timedelta(seconds=5)) if allowed else None
        numbers = {"used": count, "allowed": allowed, "undecided": usage.undecided_jobs}
        return Reason(Refusal.LIMIT_JOBS, {**numbers, "free_at": soonest})
    if limits.credits is not None and usage.credits + price_credits > limits.credits:
        data = {
            "price": price_credits,
            "used": usage.credits,
            "allowed": limits.credits,
            "hours": limits.window_hours,
            "free_at": room_at(limits, usage, price_credits),
        }
        return Reason(Refusal.LIMIT_CREDITS, data)
    return None


def credits_left(limits: Limits, usage: Usage) -> int | None:
    """Return how many credits the member may still spend in the window; None: there is no limit."""
    return None if limits.credits is None else max(0, limits.credits - usage.credits)


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
    if limits.credits is None or credits_needed > limits.credits:
        return None
    used = usage.credits
    leaves_at = None
    for spend in sorted(usage.spends, key=lambda spend: spend.at):
        if used + credits_needed <= limits.credits:
            break
        used -= spend.credits
        leaves_at = spend.at + timedelta(hours=limits.window_hours)
    return leaves_at


_DAY_HOURS = 24.0


class LimitKind(StrEnum):
    """What an allowance limits."""

    WINDOW_CREDITS = "window_credits"
    ACTIVE_JOBS = "active_jobs"
    MAX_PRICE = "max_price"


class LimitSource(StrEnum):
    """Where a limit comes from, the strongest first."""

    MEMBER = "member"
    ROLE = "role"
    EVERYONE = "everyone"
    SETTINGS = "settings"


@dataclass(frozen=True, slots=True)
class AppliedLimit:
    """One number that applies to a member.

    Attributes:
        value: the limit, or `NO_LIMIT`.
        role_id: of the role whose rule it is.
        is_in_force: whether it is the one that counts, of all that apply.
    """

    number: LimitKind
    value: int
    source: LimitSource
    role_id: int | None = None
    is_in_force: bool = False


def limits_for(policy: Policy, member_id: int, role_ids: Collection[int], settings: Limits) -> Limits:
    """Return the limits that hold for a member.

    Args:
        policy: the server's rules.
        member_id: of the member.
        role_ids: of the member's roles.
        settings: the operator's limits, which count where no rule says otherwise.
    """
    applying = origins(policy, member_id, role_ids, settings)
    in_force = (origin for origin in applying if origin.is_in_force)
    values = {each.number: None if each.value == NO_LIMIT else each.value for each in in_force}
    hours = settings.window_hours if values[LimitKind.WINDOW_CREDITS] is None else window_hours(settings)
    return Limits(values[LimitKind.ACTIVE_JOBS], values[LimitKind.WINDOW_CREDITS], hours, values[LimitKind.MAX_PRICE])


def window_hours(settings: Limits) -> float:
    """Return the length of the window of moderators' rules: a day where the operator set none."""
    return settings.window_hours or _DAY_HOURS


def origins(policy: Policy, member_id: int, role_ids: Collection[int], settings: Limits) -> list[AppliedLimit]:
    """Return every number that applies to a member: for each what is in force first, then what it overrules.

    Args:
        policy: the server's rules.
        member_id: of the member.
        role_ids: of the member's roles.
        settings: the operator's limits, which count where no rule says otherwise.
    """
    found = []
    for number in LimitKind:
        applying = list(_applying(number, policy, member_id, role_ids, settings))
        found += [replace(applying[0], is_in_force=True), *applying[1:]]
    return found


def _applying(
    number: LimitKind, policy: Policy, member_id: int, role_ids: Collection[int], settings: Limits
) -> Iterator[AppliedLimit]:
    own = _value(policy.members.get(member_id), number)
    if own is not None:
        yield AppliedLimit(number, own, LimitSource.MEMBER)
    by_role = {role_id: _value(policy.roles.get(role_id), number) for role_id in role_ids}
    best_first = sorted(
        ((value == NO_LIMIT, value, role_id) for role_id, value in by_role.items() if value is not None), reverse=True
    )
    yield from (AppliedLimit(number, value, LimitSource.ROLE, role_id) for _, value, role_id in best_first)
    general = _value(policy.everyone, number)
    if general is not None:
        yield AppliedLimit(number, general, LimitSource.EVERYONE)
    yield AppliedLimit(number, _setting(settings, number), LimitSource.SETTINGS)


def _setting(settings: Limits, number: LimitKind) -> int:
    value: int | None = settings.credits if number is LimitKind.WINDOW_CREDITS else getattr(settings, number.value)
    return NO_LIMIT if value is None else value


def _value(allowance: Allowance | None, number: LimitKind) -> int | None:
    value: int | None = getattr(allowance, number.value) if allowance else None
    return value
