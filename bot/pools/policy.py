"""What a server's moderators decided: one value, kept as JSON in the row of its pool."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from pydantic import TypeAdapter


class LowBalanceLevel(StrEnum):
    """How hard a pool that runs dry is braked."""

    NONE = "none"
    CHEAPEST = "cheapest"
    APPROVAL = "approval"


class ApprovalCause(StrEnum):
    """Why a job waits for moderators."""

    PRICE = "price"
    WORDS = "words"
    LOW_BALANCE = "low_balance"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a rule of the moderators' allows; None: it says nothing about that.

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
        """Whether it says nothing at all."""
        return self == Allowance()


@dataclass(frozen=True, slots=True)
class Block:
    """A member who may make no videos; without `until`, for good."""

    reason: str = ""
    until: datetime | None = None

    def holds(self, now: datetime) -> bool:
        """Whether it is still in force."""
        return self.until is None or now < self.until


@dataclass(frozen=True, slots=True)
class LowBalanceLimits:
    """Below which share of its last deposit, in per cent, a pool is braked; 0: never."""

    cheapest_percent: int = 25
    approval_percent: int = 10


@dataclass(frozen=True, slots=True)
class Policy:
    """A server's rules. Keys and members of sets are Discord's ids.

    Attributes:
        manager_roles: whose holders own the pool, beside members with Manage Server.
        channels: where the commands may be used; none named: everywhere.
        paused: why no videos are made at the moment, for members; None: they are made.
        everyone: the allowance of everyone.
        roles: allowances of roles.
        members: allowances of members.
        blocks: members who may make no videos.
        words: what prompts may not contain.
        approval_price: the price from which a job needs a moderator; None: none does.
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
    approval_price: int | None = None
    moderators_channel: int | None = None
    low_balance: LowBalanceLimits = LowBalanceLimits()


_POLICY = TypeAdapter(Policy)


@lru_cache(maxsize=1024)
def policy_of(document: str) -> Policy:
    """Return the policy that a row's JSON describes."""
    return _POLICY.validate_json(document)


def document_of(policy: Policy) -> str:
    """Return a policy as JSON, without what stands at its default."""
    return _POLICY.dump_json(policy, exclude_defaults=True).decode()
