"""What a reconciliation found: sums, and where rows and ledger entries differ."""

from dataclasses import dataclass

from bot.pools.models import Balance, Funds
from bot.pools.reconciliation.drift import Drift


@dataclass(frozen=True, slots=True)
class ServerTotals:
    """The sums of a server's pool and of its ledger entries.

    Attributes:
        deposited: credits that were put in, the starting credits included.
        withdrawn: credits that were taken out.
        adjusted: credits by which the ledger was corrected.
        funds: the sums in the row of its pool.
        counted: what its entries add up to.
    """

    guild_id: int
    deposited: int
    withdrawn: int
    adjusted: int
    funds: Funds
    counted: Funds

    @property
    def is_sound(self) -> bool:
        """Whether the sums are what the entries add up to, and agree with what was deposited."""
        found = self.funds
        everything = found.available + found.budgeted + found.held + found.spent
        return found == self.counted and everything == self.deposited - self.withdrawn + self.adjusted


@dataclass(frozen=True, slots=True)
class SessionTotals:
    """A session's credits: left for jobs, held for them, and spent."""

    available: int = 0
    held: int = 0
    spent: int = 0


@dataclass(frozen=True, slots=True)
class SessionFault:
    """A session whose row and entries differ."""

    session_id: int
    guild_id: int
    recorded: SessionTotals
    counted: SessionTotals


@dataclass(frozen=True, slots=True)
class JobFault:
    """A job whose row and entries differ.

    Attributes:
        recorded: what its row says that it holds and has cost.
        counted: what its entries add up to.
        misfiled: how many of its entries name another server or session.
    """

    job_id: int
    guild_id: int
    recorded: Balance
    counted: Balance
    misfiled: int


@dataclass(frozen=True, slots=True)
class ReconciliationReport:
    """All servers' sums, and the provider account's balance, at one moment.

    Attributes:
        servers: every server's sums, by its id.
        session_faults: the sessions whose rows and entries differ; normally none.
        job_faults: the jobs whose rows and entries differ; normally none.
        unconfirmed_jobs: of which nobody knows whether they were charged.
        unconfirmed_credits: which they hold or were charged.
        drift: between the provider account's balance and the ledger.
    """

    servers: tuple[ServerTotals, ...]
    session_faults: tuple[SessionFault, ...]
    job_faults: tuple[JobFault, ...]
    unconfirmed_jobs: int
    unconfirmed_credits: int
    drift: Drift

    @property
    def is_sound(self) -> bool:
        """Whether every server's, session's and job's entries add up to what its row says."""
        return not (self.session_faults or self.job_faults) and all(server.is_sound for server in self.servers)

    @property
    def available(self) -> int:
        """Credits in all pools, for anybody there."""
        return sum(server.funds.available for server in self.servers)

    @property
    def budgeted(self) -> int:
        """Credits that are set aside for all creative sessions."""
        return sum(server.funds.budgeted for server in self.servers)

    @property
    def promised(self) -> int:
        """Credits that members may still ask for."""
        return self.available + self.budgeted

    @property
    def held(self) -> int:
        """Credits set aside for jobs that have not been paid yet."""
        return sum(server.funds.held for server in self.servers)

    @property
    def spent(self) -> int:
        """Credits charged and not refunded."""
        return sum(server.funds.spent for server in self.servers)

    @property
    def account(self) -> int | None:
        """The provider account's newest balance; None: none has been reported."""
        return self.drift.newest.account if self.drift.newest else None

    @property
    def missing(self) -> int:
        """Credits that are promised and held, but are not in the account."""
        return max(0, self.promised + self.held - self.account) if self.account is not None else 0
