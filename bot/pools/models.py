"""Values of the community's money. Credits are whole numbers, the provider's own unit."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from bot.pools.policy import LowBalanceLevel, Policy


class EntryKind(StrEnum):
    """What a ledger entry records, in the words of payments."""

    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    HOLD = "hold"
    CHARGE = "charge"
    RELEASE = "release"
    REFUND = "refund"
    ADJUSTMENT = "adjustment"


@dataclass(frozen=True, slots=True)
class JobAccount:
    """Who pays for a job, and whose decision moves its credits.

    Attributes:
        session_id: of the creative session whose budget pays for it, if one does.
        actor_id: of the moderator whose decision moves its credits, if one's does.
    """

    job_id: int
    guild_id: int
    member_id: int
    session_id: int | None = None
    actor_id: int | None = None


@dataclass(frozen=True, slots=True)
class Funds:
    """A server's credits, by where they are. Together they are what was deposited and not withdrawn.

    Attributes:
        available: in the pool, for anybody.
        budgeted: set aside for creative sessions, and not held or spent there yet.
        held: set aside for jobs that are not charged yet.
        spent: charged and not refunded.
    """

    available: int = 0
    budgeted: int = 0
    held: int = 0
    spent: int = 0


@dataclass(frozen=True, slots=True)
class Pool:
    """A server's pool: what is in it, and its moderators' rules.

    Attributes:
        last_deposit: credits of the last deposit; the low-balance limits are percentages of it.
        announced_low_balance: the low-balance level last announced in the moderators' channel.
        opened_at: when the operator approved the server; None: it has no credits to spend yet.
    """

    guild_id: int
    funds: Funds = field(default_factory=Funds)
    policy: Policy = field(default_factory=Policy)
    last_deposit: int = 0
    announced_low_balance: LowBalanceLevel = LowBalanceLevel.NONE
    opened_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LowBalanceNotice:
    """A low-balance level that has not been announced to a server's moderators.

    Attributes:
        deposit_id: of the newest deposit's entry; after another deposit the same level is announced again.
    """

    pool: Pool
    level: LowBalanceLevel
    deposit_id: int

    @property
    def nonce(self) -> str:
        """The nonce under which Discord posts it once; at most 25 characters."""
        return f"b{self.level[0]}{self.pool.guild_id:x}-{self.deposit_id % 16**6:x}"


class SessionEnd(StrEnum):
    """Why a creative session ended."""

    COMMAND = "command"
    TIME = "time"
    BUDGET = "budget"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """What a manager wants to start.

    Attributes:
        interaction_id: of the command.
        role_id: of those who may take part; None: everyone.
        minutes: after which it ends by itself; None: it goes on until it is ended.
    """

    guild_id: int
    interaction_id: int
    channel_id: int
    started_by: int
    title: str
    budget: int
    role_id: int | None = None
    minutes: int | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A creative session: a thread in which members make videos out of a budget of its own.

    Attributes:
        interaction_id: of the command that started it, so that the same one starts no second.
        channel_id: of the channel that the thread is in.
        role_id: of those who may take part; None: everyone.
        budget: credits that were set aside.
        available: what is left of them for jobs.
        ends_at: when it ends by itself; None: when it is ended.
        summarised_at: when its summary was posted, after the last of its jobs.
    """

    id: int
    guild_id: int
    interaction_id: int
    channel_id: int
    title: str
    budget: int
    started_by: int
    started_at: datetime
    thread_id: int | None = None
    card_message_id: int | None = None
    role_id: int | None = None
    available: int = 0
    held: int = 0
    spent: int = 0
    ends_at: datetime | None = None
    ended_at: datetime | None = None
    ended_by: int | None = None
    end_cause: SessionEnd | None = None
    summarised_at: datetime | None = None

    def after_hold(self, credits_held: int) -> "Session":
        """Return the session after a job of this price was created in it."""
        return replace(self, available=self.available - credits_held, held=self.held + credits_held)

    @property
    def returned(self) -> int:
        """What went back to the pool of an ended one's budget; below zero: what the pool paid beyond the budget."""
        return self.budget - self.available - self.held - self.spent

    def is_open(self, now: datetime) -> bool:
        """Return whether videos can be made in it."""
        return self.ended_at is None and (self.ends_at is None or now < self.ends_at)


@dataclass(frozen=True, slots=True)
class Balance:
    """What a job's or a server's entries add up to.

    Attributes:
        held: set aside for jobs that are not charged yet.
        spent: charged and not refunded.
    """

    held: int
    spent: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What one member may do in one server; None means no limit, and 0 that nothing is allowed.

    Attributes:
        active_jobs: open jobs at once.
        window_credits: credits in any window.
        window_hours: length of the rolling window; 0: credits are not limited.
        max_price: credits that one job may cost.
    """

    active_jobs: int | None
    window_credits: int | None
    window_hours: float
    max_price: int | None = None

    @property
    def credits(self) -> int | None:
        """Credits in the window; None: credits are not limited."""
        return self.window_credits if self.window_hours > 0 else None


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """The operator's settings for every server, used where its moderators set nothing.

    Attributes:
        limits: of each member.
        starting_credits: deposited once in each pool that opens.
        managers_may_deposit: whether moderators may deposit and withdraw, or the operator alone.
        open_for_all_servers: whether every server's pool opens by itself, or only those of servers that the operator
            has approved.
    """

    limits: Limits
    starting_credits: int = 1000
    managers_may_deposit: bool = False
    open_for_all_servers: bool = True


@dataclass(frozen=True, slots=True)
class PricedKind:
    """A kind of video, and what it costs.

    Attributes:
        publish: it is published in the provider's directory.
        is_cheapest: no kind costs less, but for publishing it.
    """

    price: int
    duration_seconds: int
    sound: bool
    publish: bool
    is_cheapest: bool


@dataclass(frozen=True, slots=True)
class Spend:
    """Credits that count from the time when their job was created."""

    at: datetime
    credits: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What one member uses of the limits now.

    Attributes:
        open_jobs: when each open job is expected to be done, in any order.
        undecided_jobs: how many of them wait for a moderator.
        spends: credits spent or held within the window.
    """

    open_jobs: tuple[datetime, ...] = ()
    spends: tuple[Spend, ...] = ()
    undecided_jobs: int = 0

    def with_job(self, ends_at: datetime, spend: Spend) -> "Usage":
        """Return the usage with one more job."""
        return Usage((*self.open_jobs, ends_at), (*self.spends, spend), self.undecided_jobs)

    @property
    def credits(self) -> int:
        """Credits used in the window."""
        return sum(spend.credits for spend in self.spends)
