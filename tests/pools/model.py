"""What the books of two servers should be: the rules of the money once more, in plain numbers, without a database."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.jobs.models import OPEN_STATES, JobState
from bot.pools.models import Funds, Limits
from bot.provider.models import GenerationRequest

STARTING = 1000
LIMITS = Limits(active_jobs=3, window_credits=550, window_hours=24)


@dataclass
class Budget:
    """A session's."""

    id: int
    pool: "PoolModel"
    thread_id: int
    ends_at: datetime | None
    available: int
    role_id: int | None = None
    held: int = 0
    spent: int = 0
    is_over: bool = False

    def is_open(self, now: datetime) -> bool:
        """Whether videos can be made in it."""
        return not self.is_over and (self.ends_at is None or now < self.ends_at)

    def end(self) -> None:
        """What is left goes back to the pool."""
        self.is_over = True
        self.pool.available += self.available
        self.available = 0


@dataclass
class PoolModel:
    """A server's pool."""

    guild_id: int
    available: int = STARTING
    deposited: int = STARTING
    withdrawn: int = 0
    adjusted: int = 0


@dataclass
class JobModel:
    """A job, and what it did to the purse that pays for it.

    Attributes:
        charged: what was booked as taken; None: nothing.
        was_taken: of an unconfirmed job: whether the provider really keeps its price.
    """

    id: int
    pool: PoolModel
    member_id: int
    request: GenerationRequest
    price: int
    state: JobState
    created_at: datetime
    session: Budget | None = None
    held: int = 0
    charged: int | None = None
    refunded: int = 0
    was_taken: bool = False

    @property
    def spent(self) -> int:
        """What it has cost."""
        return (self.charged or 0) - self.refunded

    def hold(self, amount: int) -> None:
        """Set credits aside."""
        self._move(-amount)
        self.held += amount
        if self.session:
            self.session.held += amount

    def charge(self, used: int) -> None:
        """Pay; what the purse lacks comes from the pool, and what that lacks from an adjustment."""
        if used > self.held:
            self._cover(used - self.held)
            self.hold(used - self.held)
        over = self.held - used
        self._settle(self.held)
        self.charged = used
        if self.session:
            self.session.spent += used
        self._give_back(over)

    def release(self, amount: int | None = None) -> None:
        """Give the hold back, or a part of it."""
        amount = self.held if amount is None else amount
        self._settle(amount)
        self._give_back(amount)

    def refund(self) -> None:
        """Give the charge back."""
        amount = self.charged or 0
        self.refunded = amount
        if self.session:
            self.session.spent -= amount
        self._give_back(amount)

    @property
    def can_be_held_again(self) -> bool:
        """Whether there is enough for its price, with what it gives back."""
        in_session = self.session.available if self.session else 0
        return self.charged is None or self.pool.available + in_session + self.charged >= self.price

    def hold_again(self) -> None:
        """Be as it was before anything was sent."""
        if self.charged is None:
            return
        self.refund()
        self.charged, self.refunded = None, 0
        self._cover(self.price)
        self.hold(self.price)

    def _settle(self, amount: int) -> None:
        self.held -= amount
        if self.session:
            self.session.held -= amount

    def _move(self, amount: int) -> None:
        purse = self.session or self.pool
        purse.available += amount

    def _give_back(self, amount: int) -> None:
        self._move(amount)
        if self.session and self.session.is_over:
            self.session.end()

    def _cover(self, needed: int) -> None:
        lacking = needed - self.session.available if self.session else 0
        wanted = lacking if self.session else needed
        if wanted > self.pool.available:
            self.pool.adjusted += wanted - self.pool.available
            self.pool.available = wanted
        if self.session and lacking > 0:
            self.pool.available -= lacking
            self.session.available += lacking


@dataclass
class BooksModel:
    """All of it."""

    pools: dict[int, PoolModel] = field(default_factory=dict)
    jobs: dict[int, JobModel] = field(default_factory=dict)
    sessions: dict[int, Budget] = field(default_factory=dict)

    def pool(self, guild_id: int) -> PoolModel:
        """A server's pool, opened when it is first seen."""
        return self.pools.setdefault(guild_id, PoolModel(guild_id))

    def funds(self, pool: PoolModel) -> Funds:
        """What the sums of a server should be."""
        jobs = [job for job in self.jobs.values() if job.pool is pool]
        return Funds(
            available=pool.available,
            budgeted=sum(session.available for session in self.sessions.values() if session.pool is pool),
            held=sum(job.held for job in jobs),
            spent=sum(job.spent for job in jobs),
        )

    def fits(self, guild_id: int, member_id: int, price: int, now: datetime) -> bool:
        """Whether a member's limits have room for one more job outside of sessions."""
        theirs = [
            job
            for job in self.jobs.values()
            if (job.pool.guild_id, job.member_id, job.session) == (guild_id, member_id, None)
        ]
        start = now - timedelta(hours=LIMITS.window_hours)
        # What the provider kept counts, whatever became of the video.
        used = sum(job.held + job.spent for job in theirs if job.created_at > start)
        is_room = sum(job.state in OPEN_STATES for job in theirs) < (LIMITS.active_jobs or 0)
        return is_room and used + price <= (LIMITS.credits or 0)
