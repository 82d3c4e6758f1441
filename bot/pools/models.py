"""Values of the community's money. Credits are whole numbers, the provider's own unit."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


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
    """Whose books a job is kept in."""

    job_id: int
    guild_id: int
    member_id: int


@dataclass(frozen=True, slots=True)
class Balance:
    """What a server's entries add up to.

    Attributes:
        held: set aside for jobs that have not been paid yet.
        spent: charged and not refunded.
    """

    held: int
    spent: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What one member may do in one server; 0 means no limit.

    Attributes:
        active_jobs: open jobs at once.
        window_credits: credits in any window.
        window_hours: length of the rolling window.
    """

    active_jobs: int
    window_credits: int
    window_hours: float


@dataclass(frozen=True, slots=True)
class Spend:
    """Credits that count from the moment when their job was taken."""

    at: datetime
    credits: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What one member uses of the limits now.

    Attributes:
        open_jobs: when each open job is expected to be done, in any order.
        spends: what was spent or held within the window.
    """

    open_jobs: tuple[datetime, ...] = ()
    spends: tuple[Spend, ...] = ()

    def with_job(self, ends_at: datetime, spend: Spend) -> "Usage":
        """Return the use with one more job."""
        return Usage((*self.open_jobs, ends_at), (*self.spends, spend))

    @property
    def credits(self) -> int:
        """Credits used in the window."""
        return sum(spend.credits for spend in self.spends)
