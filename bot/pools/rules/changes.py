"""Change a server's rules, for its moderators. Pure: each function returns the new rules, or refuses."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from bot.codes import Refusal
from bot.errors import RefusedError
from bot.pools.policy import NO_LIMIT, Allowance, Block, LowBalanceLimits, Policy
from bot.pools.rules.input_checks import Unit, check_credits, check_whole, clean_reason
from bot.wordlist.matcher import add_endings, add_words, remove_words

_Value = TypeVar("_Value")

MAX_CHANNELS = 25
MAX_MANAGER_ROLES = 25
MAX_RULES = 250
"""Rules for roles, and as many for members."""
MAX_BLOCKS = 1000
MAX_OPEN_JOBS = 1000
MAX_BLOCK_HOURS = 365 * 24


def add_manager_role(policy: Policy, role_id: int) -> Policy:
    """Let the members with a role manage the pool.

    Raises:
        RefusedError: it is named already, or too many are.
    """
    if role_id in policy.manager_roles:
        raise RefusedError(Refusal.MANAGES_ALREADY, role_id=role_id)
    if len(policy.manager_roles) >= MAX_MANAGER_ROLES:
        raise RefusedError(Refusal.MANAGER_ROLES_FULL, most=MAX_MANAGER_ROLES)
    return replace(policy, manager_roles=policy.manager_roles | {role_id})


def remove_manager_role(policy: Policy, role_id: int) -> Policy:
    """Remove a role from those that manage the pool.

    Raises:
        RefusedError: it is not one of them.
    """
    if role_id not in policy.manager_roles:
        raise RefusedError(Refusal.MANAGES_NOT, role_id=role_id)
    return replace(policy, manager_roles=policy.manager_roles - {role_id})


def add_channel(policy: Policy, channel_id: int) -> Policy:
    """Allow the commands in a channel; once one is named, they may be used nowhere else.

    Raises:
        RefusedError: it is named already, or too many are.
    """
    if channel_id in policy.channels:
        raise RefusedError(Refusal.CHANNEL_NAMED_ALREADY, channel_id=channel_id)
    if len(policy.channels) >= MAX_CHANNELS:
        raise RefusedError(Refusal.CHANNELS_FULL, most=MAX_CHANNELS)
    return replace(policy, channels=policy.channels | {channel_id})


def remove_channel(policy: Policy, channel_id: int) -> Policy:
    """Remove a channel from those where the commands may be used; with none left, they may be used everywhere.

    Raises:
        RefusedError: it is not one of them.
    """
    if channel_id not in policy.channels:
        raise RefusedError(Refusal.CHANNEL_NOT_NAMED, channel_id=channel_id)
    return replace(policy, channels=policy.channels - {channel_id})


def pause(policy: Policy, reason: str) -> Policy:
    """Pause videos, for a reason that members see.

    Raises:
        RefusedError: they are paused already, or the reason can't be used.
    """
    if policy.paused is not None:
        raise RefusedError(Refusal.PAUSED_ALREADY, reason=policy.paused)
    return replace(policy, paused=clean_reason(reason))


def resume(policy: Policy) -> Policy:
    """End a pause.

    Raises:
        RefusedError: there is none.
    """
    if policy.paused is None:
        raise RefusedError(Refusal.PAUSED_NOT)
    return replace(policy, paused=None)


def block_of(policy: Policy, member_id: int, now: datetime) -> Block | None:
    """Return a member's block, if one is in force.

    Args:
        policy: the rules.
        member_id: of the member.
        now: the time; a block that ended before it is not in force.
    """
    found = policy.blocks.get(member_id)
    return found if found is not None and found.holds(now) else None


def block(policy: Policy, member_id: int, hours: int | None, reason: str, now: datetime) -> Policy:
    """Block a member from making videos, or change the block's end and reason. Expired blocks are removed.

    Args:
        policy: the rules.
        member_id: of the member.
        hours: how long it lasts; None: until they are unblocked.
        reason: shown to the member; may be empty.
        now: the time.

    Raises:
        RefusedError: hours or reason can't be used, or too many are blocked.
    """
    if hours is not None:
        check_whole(hours, 1, MAX_BLOCK_HOURS, Unit.HOURS)
    found = Block(clean_reason(reason, is_needed=False), now + timedelta(hours=hours) if hours else None)
    blocks = {each_id: each for each_id, each in policy.blocks.items() if each.holds(now)}
    if member_id not in blocks and len(blocks) >= MAX_BLOCKS:
        raise RefusedError(Refusal.BLOCKS_FULL, most=MAX_BLOCKS)
    return replace(policy, blocks={**blocks, member_id: found})


def unblock(policy: Policy, member_id: int, now: datetime) -> Policy:
    """Unblock a member.

    Args:
        policy: the rules.
        member_id: of the member.
        now: the time.

    Raises:
        RefusedError: they are not blocked.
    """
    if block_of(policy, member_id, now) is None:
        raise RefusedError(Refusal.BLOCKED_NOT, member_id=member_id)
    return replace(policy, blocks=_without(policy.blocks, member_id))


def list_words(policy: Policy, words: tuple[str, ...], *, with_endings: bool = False) -> Policy:
    """Add words and phrases to those that prompts may not contain.

    Args:
        policy: the rules as they are.
        words: the new words; one that is listed already gets endings if it is to have them.
        with_endings: whether they are found with endings as well.

    Raises:
        RefusedError: all of them are listed already, or there would be too many.
    """
    listed = add_words(policy.words, words)
    inflected = add_endings(listed, policy.words_with_endings, words if with_endings else ())
    changed = replace(policy, words=listed, words_with_endings=inflected)
    if changed == policy:
        raise RefusedError(Refusal.WORDS_LISTED_ALREADY)
    return changed


def unlist_words(policy: Policy, words: tuple[str, ...]) -> Policy:
    """Remove words and phrases from those that prompts may not contain.

    Raises:
        RefusedError: none of them is listed.
    """
    listed = remove_words(policy.words, words)
    if listed == policy.words:
        raise RefusedError(Refusal.WORDS_NOT_LISTED)
    return replace(policy, words=listed, words_with_endings=remove_words(policy.words_with_endings, words))


class TargetKind(StrEnum):
    """Whom a rule is for."""

    EVERYONE = "everyone"
    ROLE = "role"
    MEMBER = "member"


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a rule is for.

    Attributes:
        id: Discord's, of the role or the member; of everyone, the server's.
    """

    kind: TargetKind
    id: int


def rule_of(policy: Policy, target: Target) -> Allowance:
    """Return the rule for a target, which may be empty."""
    match target.kind:
        case TargetKind.EVERYONE:
            return policy.everyone
        case TargetKind.ROLE:
            return policy.roles.get(target.id, Allowance())
        case TargetKind.MEMBER:
            return policy.members.get(target.id, Allowance())


def check_numbers(numbers: Allowance) -> None:
    """Check numbers that a moderator typed, among which `NO_LIMIT` is none.

    Raises:
        RefusedError: one of them can't be used.
    """
    for credits_allowed in (numbers.window_credits, numbers.max_price):
        if credits_allowed is not None:
            check_credits(credits_allowed, least=0)
    if numbers.active_jobs is not None:
        check_whole(numbers.active_jobs, 0, MAX_OPEN_JOBS, Unit.JOBS)


def allow(policy: Policy, target: Target, numbers: Allowance) -> Policy:
    """Set numbers of a rule; those that are None stay.

    Args:
        policy: the rules.
        target: whom the rule is for.
        numbers: what it allows; those that are `NO_LIMIT` any number.

    Raises:
        RefusedError: a number can't be used, or there are too many rules.
    """
    given = {name: value for name, value in asdict(numbers).items() if value is not None}
    check_numbers(Allowance(**{name: value for name, value in given.items() if value != NO_LIMIT}))
    before = rule_of(policy, target)
    return _with_rule(policy, target, replace(before, **given))


def forget(policy: Policy, target: Target) -> Policy:
    """Remove a rule.

    Raises:
        RefusedError: there is none.
    """
    if rule_of(policy, target).is_empty:
        raise RefusedError(Refusal.NO_SUCH_RULE)
    return _with_rule(policy, target, Allowance())


def set_low_balance_limits(policy: Policy, cheapest_percent: int, approval_percent: int) -> Policy:
    """Set the low-balance limits, in per cent of the last deposit; 0 switches one off.

    Args:
        policy: the rules.
        cheapest_percent: below it only the cheapest kind of video is made.
        approval_percent: below it every video needs approval.

    Raises:
        RefusedError: a number is not one from 0 to 100, or the second limit is not below the first.
    """
    for percent in (cheapest_percent, approval_percent):
        check_whole(percent, 0, 100, Unit.PERCENT)
    if 0 < cheapest_percent <= approval_percent:
        raise RefusedError(Refusal.LOW_BALANCE_ORDER, cheapest=cheapest_percent, approval=approval_percent)
    return replace(policy, low_balance=LowBalanceLimits(cheapest_percent, approval_percent))


def set_approval_price(policy: Policy, price: int | None) -> Policy:
    """Set the price from which a video needs approval; None: no price does.

    Raises:
        RefusedError: the price is not a whole number of credits.
    """
    return replace(policy, approval_price=None if price is None else check_credits(price))


def set_moderators_channel(policy: Policy, channel_id: int | None) -> Policy:
    """Set where approvals are asked for; None: where the video was asked for."""
    return replace(policy, moderators_channel=channel_id)


def _with_rule(policy: Policy, target: Target, rule: Allowance) -> Policy:
    match target.kind:
        case TargetKind.EVERYONE:
            return replace(policy, everyone=rule)
        case TargetKind.ROLE:
            return replace(policy, roles=_changed(policy.roles, target.id, rule))
        case TargetKind.MEMBER:
            return replace(policy, members=_changed(policy.members, target.id, rule))


def _changed(rules: Mapping[int, Allowance], key: int, rule: Allowance) -> dict[int, Allowance]:
    if rule.is_empty:
        return _without(rules, key)
    if key not in rules and len(rules) >= MAX_RULES:
        raise RefusedError(Refusal.RULES_FULL, most=MAX_RULES)
    return {**rules, key: rule}


def _without(mapping: Mapping[int, _Value], key: int) -> dict[int, _Value]:
    return {each: value for each, value in mapping.items() if each != key}
