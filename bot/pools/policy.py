"""What a server's moderators decided: one value, kept as JSON in the row of its pool."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter


class LowBalanceLevel(StrEnum):
    """What is still made of a pool that runs low: every video, the cheapest kind, or what a moderator approves."""

    NONE = "none"
    CHEAPEST = "cheapest"
    APPROVAL = "approval"


class ApprovalCause(StrEnum):
    """Why a job needs approval."""

    PRICE = "price"
    WORDS = "words"
    LOW_BALANCE = "low_balance"


NO_LIMIT = -1
"""In place of a number of an allowance."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a moderators' rule allows; None: it says nothing about that, `NO_LIMIT`: any number.

    Attributes:
        window_credits: credits in any window.
        active_jobs: open jobs at once.
        max_price: credits that one job may cost.
    """

    window_credits: int | None = None
    active_jobs: int | None = None
    max_price: int | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it limits nothing."""
        return self == Allowance()


@dataclass(frozen=True, slots=True)
class Block:
    """A member who may make no videos; without `until`, until they are unblocked."""

    reason: str = ""
    until: datetime | None = None

    def holds(self, now: datetime) -> bool:
        """Return whether it is still in force."""
        return self.until is None or now < self.until


@dataclass(frozen=True, slots=True)
class LowBalanceLimits:
    """Below how many per cent of its last deposit a pool is low; 0: never.

    Attributes:
        cheapest_percent: below it only the cheapest kind of video is made.
        approval_percent: below it every video needs approval.
    """

    cheapest_percent: int = 25
    approval_percent: int = 10


@dataclass(frozen=True, slots=True)
class Policy:
    """A server's rules. Keys and members of sets are Discord's ids.

    Attributes:
        manager_roles: whose members manage the pool, beside members with Manage Server.
        channels: where the commands may be used; none named: everywhere.
        paused: the reason of a pause, shown to members; None: there is no pause.
        everyone: the allowance of everyone.
        roles: allowances of roles.
        members: allowances of members.
        blocks: members who may make no videos.
        words: what prompts may not contain.
        words_with_endings: those of the words that are found with endings as well.
        approval_price: the price from which a video needs approval; None: no price does.
        moderators_channel: where the cards for moderators go; None: the job's own thread.
    """

    manager_roles: frozenset[int] = frozenset()
    channels: frozenset[int] = frozenset()
    paused: str | None = None
    everyone: Allowance = Allowance()
    roles: Mapping[int, Allowance] = field(default_factory=dict)
    members: Mapping[int, Allowance] = field(default_factory=dict)
    blocks: Mapping[int, Block] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    words_with_endings: tuple[str, ...] = ()
    approval_price: int | None = None
    moderators_channel: int | None = None
    low_balance: LowBalanceLimits = LowBalanceLimits()


_POLICY = TypeAdapter(Policy)
_RULES_BY_ID = frozenset({"roles", "members", "blocks"})


@lru_cache(maxsize=1024)
def policy_of(document: str) -> Policy:
    """Return the policy that a row's JSON describes."""
    return _POLICY.validate_json(document)


def document_of(policy: Policy) -> str:
    """Return a policy as JSON, without what stands at its default."""
    return _POLICY.dump_json(policy, exclude_defaults=True).decode()


def policy_from(parts: Mapping[str, Any]) -> Policy:
    """Return the policy with these parts of a document, as `difference` returns them."""
    return _POLICY.validate_python(parts)


def difference(before: Policy, after: Policy) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the parts of two policies' documents that differ: as they were, and as they are.

    Of rules and blocks there are only those that were set, changed or removed, and of words those that were removed
    and those that were added.
    """
    old, new = (_POLICY.dump_python(policy, mode="json", exclude_defaults=True) for policy in (before, after))
    changed = {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
    return _only(changed, old, new), _only(changed, new, old)


def _only(changed: Iterable[str], document: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    parts = {key: document[key] for key in changed if key in document}
    for key in _RULES_BY_ID & parts.keys():
        parts[key] = {each: rule for each, rule in parts[key].items() if other.get(key, {}).get(each) != rule}
    for key in {"words", "words_with_endings"} & parts.keys():
        parts[key] = [word for word in parts[key] if word not in set(other.get(key, ()))]
    return parts


_MARGIN_PERCENT = 5
_SEVERITY = {
    step: hardness
    for hardness, step in enumerate((LowBalanceLevel.NONE, LowBalanceLevel.CHEAPEST, LowBalanceLevel.APPROVAL))
}


def low_balance_level(available_credits: int, last_deposit_credits: int, limits: LowBalanceLimits) -> LowBalanceLevel:
    """Return the level of a pool with so many credits left of its last deposit.

    Args:
        available_credits: free in the pool.
        last_deposit_credits: what the percentages are of.
        limits: the percentages under which each level begins; 0: never.
    """
    if _is_under(available_credits, last_deposit_credits, limits.approval_percent):
        return LowBalanceLevel.APPROVAL
    if _is_under(available_credits, last_deposit_credits, limits.cheapest_percent):
        return LowBalanceLevel.CHEAPEST
    return LowBalanceLevel.NONE


def level_to_announce(
    available_credits: int, last_deposit_credits: int, limits: LowBalanceLimits, announced: LowBalanceLevel
) -> LowBalanceLevel:
    """Return the level that moderators should know of, where `announced` was the last one announced.

    A stricter level is announced at once. A milder one is announced when the balance is well above the percentage, so
    that a balance that moves around it is not announced again and again.

    Args:
        available_credits: free in the pool.
        last_deposit_credits: what the percentages are of.
        limits: the percentages under which each level begins; 0: never.
        announced: the level that moderators were last notified of.
    """
    level = low_balance_level(available_credits, last_deposit_credits, limits)
    if _SEVERITY[level] >= _SEVERITY[announced]:
        return level
    wider = LowBalanceLimits(_with_margin(limits.cheapest_percent), _with_margin(limits.approval_percent))
    barely = low_balance_level(available_credits, last_deposit_credits, wider)
    return announced if _SEVERITY[barely] >= _SEVERITY[announced] else level


def _with_margin(percent: int) -> int:
    return min(percent + _MARGIN_PERCENT, max(percent, 100)) if percent else 0


def _is_under(available_credits: int, last_deposit_credits: int, percent: int) -> bool:
    return available_credits * 100 < last_deposit_credits * percent
