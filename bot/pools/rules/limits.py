"""Which limits hold for a member, and where each of them comes from: pure rules.

For each number by itself: a member's own rule wins, else the best of the roles' rules, else everyone's, else the
operator's setting.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from bot.pools.models import Limits
from bot.pools.policy import Allowance, Policy
from bot.pools.rules.quota import has_window

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
        value: the limit; 0: no limit.
        role_id: of the role whose rule it is.
        is_in_force: whether it is the one that counts, of all that apply.
    """

    number: LimitKind
    value: int
    source: LimitSource
    role_id: int | None = None
    is_in_force: bool = False


def limits_for(policy: Policy, member_id: int, role_ids: Collection[int], settings: Limits) -> Limits:
    """Return the limits that hold for a member."""
    applying = origins(policy, member_id, role_ids, settings)
    values = {origin.number: origin.value for origin in applying if origin.is_in_force}
    hours = window_hours(settings) if values[LimitKind.WINDOW_CREDITS] else settings.window_hours
    return Limits(values[LimitKind.ACTIVE_JOBS], values[LimitKind.WINDOW_CREDITS], hours, values[LimitKind.MAX_PRICE])


def window_hours(settings: Limits) -> float:
    """Return the length of the window of moderators' rules: a day where the operator set none."""
    return settings.window_hours or _DAY_HOURS


def origins(policy: Policy, member_id: int, role_ids: Collection[int], settings: Limits) -> list[AppliedLimit]:
    """Return every number that applies to a member: for each what is in force first, then what it overrules."""
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
    # 0 is no limit, which is better than any.
    best_first = sorted(
        ((value == 0, value, role_id) for role_id, value in by_role.items() if value is not None), reverse=True
    )
    yield from (AppliedLimit(number, value, LimitSource.ROLE, role_id) for _, value, role_id in best_first)
    general = _value(policy.everyone, number)
    if general is not None:
        yield AppliedLimit(number, general, LimitSource.EVERYONE)
    yield AppliedLimit(number, _setting(settings, number), LimitSource.SETTINGS)


def _setting(settings: Limits, number: LimitKind) -> int:
    if number is LimitKind.WINDOW_CREDITS and not has_window(settings):
        return 0
    value: int = getattr(settings, number.value)
    return value


def _value(allowance: Allowance | None, number: LimitKind) -> int | None:
    value: int | None = getattr(allowance, number.value) if allowance else None
    return value
