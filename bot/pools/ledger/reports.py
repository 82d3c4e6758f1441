"""What moderators and members are shown of a pool: values."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from bot.codes import Reason
from bot.pools.models import EntryKind, Limits, Pool, Session
from bot.pools.policy import LowBalanceLevel
from bot.pools.rules.limits import AppliedLimit

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A row of the ledger.

    Attributes:
        credits: how many; the kind says from where to where.
        job_id: of the job that it is about, if it is about one.
        member_id: of the job's member.
        actor_id: of who did it, where somebody did.
        session_id: of the session whose budget it is about or comes out of.
    """

    id: int
    kind: EntryKind
    credits: int
    created_at: datetime
    job_id: int | None = None
    member_id: int | None = None
    actor_id: int | None = None
    session_id: int | None = None
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A row of the audit trail.

    Attributes:
        actor_id: of the moderator.
        action: what they did; one of `AuditAction`, or the words of an earlier version.
        detail: of what they did; its code is the action, unless an earlier version wrote a sentence.
    """

    id: int
    actor_id: int
    action: str
    detail: Reason
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page begins: with what is next to the entry of this id, older or newer, and without it."""

    entry_id: int
    is_older: bool


@dataclass(frozen=True, slots=True)
class Page(Generic[_Item]):
    """Some entries, the newest first.

    Attributes:
        newer: where the page before this one begins; None: there is none.
        older: where the page after this one begins; None: there is none.
    """

    items: tuple[_Item, ...]
    newer: Cursor | None = None
    older: Cursor | None = None


@dataclass(frozen=True, slots=True)
class Periods:
    """When the calendar's current day, week and month began, in UTC; weeks begin on Mondays (ISO 8601)."""

    day: datetime
    week: datetime
    month: datetime


@dataclass(frozen=True, slots=True)
class Spending:
    """Credits spent in the current day, week and month of the calendar in UTC."""

    today: int = 0
    this_week: int = 0
    this_month: int = 0


@dataclass(frozen=True, slots=True)
class Spender:
    """A member, and the credits they spent."""

    member_id: int
    credits: int


@dataclass(frozen=True, slots=True)
class ProviderBalance:
    """The provider account's balance, as its newest answer reported it."""

    credits: int
    read_at: datetime


@dataclass(frozen=True, slots=True)
class Statement:
    """A pool's balance, spending and forecast.

    Attributes:
        top: who spent most this month, the most first.
        empty_at: when the pool is empty at the pace of the last days; None: not in sight.
    """

    pool: Pool
    spending: Spending
    top: tuple[Spender, ...] = ()
    empty_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class MemberRules:
    """Every rule that applies to a member in one place at one time.

    Attributes:
        limits: those that hold.
        origins: every number that applies, and where it comes from.
        low_balance: the pool's level.
        session: the creative session of the place, open or ended; None: it is no session's thread.
        now: the time that this is about.
    """

    pool: Pool
    member_id: int
    role_ids: Collection[int]
    channel_ids: Collection[int]
    limits: Limits
    origins: tuple[AppliedLimit, ...]
    low_balance: LowBalanceLevel
    session: Session | None
    now: datetime
