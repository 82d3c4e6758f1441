"""What moderators change about their server's rules: pure. Each returns the new rules, or refuses with a sentence."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from bot.errors import ChangeRefusedError, WordsError
from bot.pools.policy import Allowance, Block, LowBalanceLimits, Policy
from bot.pools.rules.input_checks import check_credits, check_whole, clean_reason
from bot.wordlist.matcher import add_words, remove_words

_Value = TypeVar("_Value")

MAX_CHANNELS = 25
MAX_MANAGER_ROLES = 25
MAX_RULES = 250
"""Rules for roles, and as many for members."""
MAX_BLOCKS = 1000
MAX_OPEN_JOBS = 1000
MAX_BLOCK_HOURS = 365 * 24


def add_manager_role(policy: Policy, role_id: int) -> Policy:
    """Name a role whose holders manage the pool.

    Raises:
        ChangeRefusedError: it is named already, or too many are.
    """
    if role_id in policy.manager_roles:
        raise ChangeRefusedError(f"<@&{role_id}> manages the pool already.")
    if len(policy.manager_roles) >= MAX_MANAGER_ROLES:
        raise ChangeRefusedError(f"{MAX_MANAGER_ROLES} roles manage the pool, which is the most. Remove one first.")
    return replace(policy, manager_roles=policy.manager_roles | {role_id})


def remove_manager_role(policy: Policy, role_id: int) -> Policy:
    """Take a role out of those that manage the pool.

    Raises:
        ChangeRefusedError: it is not one of them.
    """
    if role_id not in policy.manager_roles:
        raise ChangeRefusedError("That role does not manage the pool, so nothing has changed.")
    return replace(policy, manager_roles=policy.manager_roles - {role_id})


def add_channel(policy: Policy, channel_id: int) -> Policy:
    """Name a channel where the commands may be used; once one is named, they may be used nowhere else.

    Raises:
        ChangeRefusedError: it is named already, or too many are.
    """
    if channel_id in policy.channels:
        raise ChangeRefusedError(f"Videos are made in <#{channel_id}> already.")
    if len(policy.channels) >= MAX_CHANNELS:
        raise ChangeRefusedError(f"{MAX_CHANNELS} channels are named, which is the most. Remove one first.")
    return replace(policy, channels=policy.channels | {channel_id})


def remove_channel(policy: Policy, channel_id: int) -> Policy:
    """Take a channel out of those where the commands may be used; without any, they may be used everywhere.

    Raises:
        ChangeRefusedError: it is not one of them.
    """
    if channel_id not in policy.channels:
        raise ChangeRefusedError("That channel is not one of those named here, so nothing has changed.")
    return replace(policy, channels=policy.channels - {channel_id})


def pause(policy: Policy, reason: str) -> Policy:
    """Let no videos be made, for a reason that members see.

    Raises:
        ChangeRefusedError: that is so already, or the reason can't be used.
    """
    if policy.paused is not None:
        raise ChangeRefusedError(
            f"Videos are paused already: {policy.paused}. To give another reason, use `/pool resume` first."
        )
    return replace(policy, paused=clean_reason(reason))


def resume(policy: Policy) -> Policy:
    """Let videos be made again.

    Raises:
        ChangeRefusedError: they are made.
    """
    if policy.paused is None:
        raise ChangeRefusedError("Videos are not paused, so nothing has changed.")
    return replace(policy, paused=None)


def block_of(policy: Policy, member_id: int, now: datetime) -> Block | None:
    """Return a member's block, if one is in force."""
    found = policy.blocks.get(member_id)
    return found if found is not None and found.holds(now) else None


def block(policy: Policy, member_id: int, hours: int | None, reason: str, now: datetime) -> Policy:
    """Let a member make no videos, or change for how long and why. Blocks that are over are forgotten.

    Args:
        policy: the rules.
        member_id: of the member.
        hours: for how long; None: until they are unblocked.
        reason: why, for the member; may be empty.
        now: the time.

    Raises:
        ChangeRefusedError: hours or reason can't be used, or too many are blocked.
    """
    if hours is not None:
        check_whole(hours, 1, MAX_BLOCK_HOURS, "of hours")
    found = Block(clean_reason(reason, is_needed=False), now + timedelta(hours=hours) if hours else None)
    blocks = {each_id: each for each_id, each in policy.blocks.items() if each.holds(now)}
    if member_id not in blocks and len(blocks) >= MAX_BLOCKS:
        raise ChangeRefusedError(f"{MAX_BLOCKS} members are blocked, which is the most. Unblock one first.")
    return replace(policy, blocks={**blocks, member_id: found})


def unblock(policy: Policy, member_id: int, now: datetime) -> Policy:
    """Let a member make videos again.

    Raises:
        ChangeRefusedError: they may.
    """
    if block_of(policy, member_id, now) is None:
        raise ChangeRefusedError(f"<@{member_id}> is not blocked, so nothing has changed.")
    return replace(policy, blocks=_without(policy.blocks, member_id))


def list_words(policy: Policy, words: tuple[str, ...]) -> Policy:
    """Add words and phrases to those that prompts may not contain.

    Raises:
        WordsError: all of them are listed already, or there would be too many.
    """
    listed = add_words(policy.words, words)
    if listed == policy.words:
        raise WordsError("That is listed already, so nothing has changed.")
    return replace(policy, words=listed)


def unlist_words(policy: Policy, words: tuple[str, ...]) -> Policy:
    """Take words and phrases out of those that prompts may not contain.

    Raises:
        WordsError: none of them is listed.
    """
    listed = remove_words(policy.words, words)
    if listed == policy.words:
        raise WordsError("That is not listed, so nothing has changed. `/pool words list` shows what is.")
    return replace(policy, words=listed)


class TargetKind(StrEnum):
    """For whom a rule is."""

    EVERYONE = "everyone"
    ROLE = "role"
    MEMBER = "member"


@dataclass(frozen=True, slots=True)
class Target:
    """For whom a rule is.

    Attributes:
        id: Discord's, of the role or the member; of everyone, the server's.
    """

    kind: TargetKind
    id: int


def rule_of(policy: Policy, target: Target) -> Allowance:
    """Return the rule for somebody, which may be empty."""
    match target.kind:
        case TargetKind.EVERYONE:
            return policy.everyone
        case TargetKind.ROLE:
            return policy.roles.get(target.id, Allowance())
        case TargetKind.MEMBER:
            return policy.members.get(target.id, Allowance())


def allow(policy: Policy, target: Target, numbers: Allowance) -> Policy:
    """Set numbers of somebody's rule; those that are not given stay.

    Raises:
        ChangeRefusedError: a number can't be used, or there are too many rules.
    """
    _check_numbers(numbers)
    before = rule_of(policy, target)
    given = {name: value for name, value in asdict(numbers).items() if value is not None}
    return _with_rule(policy, target, replace(before, **given))


def forget(policy: Policy, target: Target) -> Policy:
    """Take somebody's rule away.

    Raises:
        ChangeRefusedError: there is none.
    """
    if rule_of(policy, target).is_empty:
        raise ChangeRefusedError("There is no such rule, so nothing has changed. `/pool allow` lists those there are.")
    return _with_rule(policy, target, Allowance())


def set_low_balance_limits(policy: Policy, cheapest_percent: int, approval_percent: int) -> Policy:
    """Set below which share of its last deposit, in per cent, the pool is braked; 0: never.

    Raises:
        ChangeRefusedError: that is no per cent, or approval would come before the cheapest.
    """
    for percent in (cheapest_percent, approval_percent):
        check_whole(percent, 0, 100, "per cent; 0 switches a brake off")
    if 0 < cheapest_percent <= approval_percent:
        raise ChangeRefusedError(
            f"With approval under {approval_percent} %, the brake under {cheapest_percent} % would never count. "
            "Give approval the smaller number, or switch one off with 0."
        )
    return replace(policy, low_balance=LowBalanceLimits(cheapest_percent, approval_percent))


def _check_numbers(numbers: Allowance) -> None:
    for credits_allowed in (numbers.window_credits, numbers.max_price):
        if credits_allowed is not None:
            check_credits(credits_allowed, least=0)
    jobs = numbers.active_jobs
    if jobs is not None:
        check_whole(jobs, 0, MAX_OPEN_JOBS, "of open jobs; 0 is no limit")


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
        raise ChangeRefusedError(f"There are {MAX_RULES} such rules, which is the most. Remove one first.")
    return {**rules, key: rule}


def _without(mapping: Mapping[int, _Value], key: int) -> dict[int, _Value]:
    return {each: value for each, value in mapping.items() if each != key}
