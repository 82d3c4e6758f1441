"""A job: one request for one video, from the command to its post."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.codes import Reason
from bot.pools.models import Limits, Session, Usage
from bot.pools.policy import ApprovalCause
from bot.pools.rules.limits import credits_left
from bot.provider.models import Estimate, GenerationRequest


class JobState(StrEnum):
    """The states of a job. Delivery is not one of them: it has columns of its own."""

    AWAITING_APPROVAL = "awaiting_approval"
    QUEUED = "queued"
    SUBMITTING = "submitting"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DENIED = "denied"
    EXPIRED = "expired"
    UNCONFIRMED = "unconfirmed"


OPEN_STATES = (JobState.AWAITING_APPROVAL, JobState.QUEUED, JobState.SUBMITTING, JobState.PROCESSING)
"""States in which a job counts as one of its member's open jobs."""

UNPAID_STATES = (JobState.FAILED, JobState.CANCELLED, JobState.DENIED, JobState.EXPIRED)
"""States in which a job's credits count towards no limit."""


@dataclass(frozen=True, slots=True)
class Requester:
    """The member who asks, and where: Discord's ids.

    Attributes:
        interaction_id: of the command; unique, so that none makes two jobs.
        in_thread: the command was used inside a thread, which then gets the result.
        parent_id: of the channel of this thread; not in the database.
        role_ids: the member's roles; in the database only those that have a rule.
    """

    interaction_id: int
    guild_id: int
    channel_id: int
    member_id: int
    in_thread: bool = False
    parent_id: int | None = None
    role_ids: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Job:
    """A row of the jobs table.

    Attributes:
        held_credits: the list price, held when the job was created.
        charged_credits: what the provider charged; None: nothing yet.
        refunded_credits: of the charge of a job that failed.
        account_credits: the provider account's balance after this job, if the provider named it.
        task_id: the provider's id of the job.
        failure: why there is no video, or why it is unconfirmed; its code is a `Failure`.
        card_message_id: of the status card.
        thread_id: of the thread that gets the result, once there is one.
        delivery_began_at: when the outcome was first about to be posted.
        kept_at: when every place had refused the outcome; only `/history` has it.
        session_id: of the creative session that pays for it, if one does.
        moved_to_front_at: when a moderator moved it to the front of its server's queue.
    """

    id: int
    requester: Requester
    request: GenerationRequest
    state: JobState
    held_credits: int
    created_at: datetime
    charged_credits: int | None = None
    refunded_credits: int | None = None
    account_credits: int | None = None
    task_id: str | None = None
    estimate: Estimate | None = None
    video_url: str | None = None
    failure: Reason | None = None
    submitted_at: datetime | None = None
    finished_at: datetime | None = None
    card_message_id: int | None = None
    thread_id: int | None = None
    delivery_began_at: datetime | None = None
    result_channel_id: int | None = None
    result_message_id: int | None = None
    delivered_at: datetime | None = None
    kept_at: datetime | None = None
    session_id: int | None = None
    moved_to_front_at: datetime | None = None

    @property
    def credits(self) -> int:
        """The charge if there is one, else the hold."""
        return self.held_credits if self.charged_credits is None else self.charged_credits

    @property
    def net_credits(self) -> int:
        """The charge without what was refunded."""
        return (self.charged_credits or 0) - (self.refunded_credits or 0)

    @property
    def nonce(self) -> str:
        """The nonce of the outcome's post: the same at every try, so that Discord posts it once.

        Discord allows 25 characters. By the time a job's outcomes differ, and jobs of different databases.
        """
        moment = self.finished_at or self.created_at
        return f"{self.id % 10**9:x}-{int(moment.timestamp() * 1000):x}"

    @property
    def status_nonce(self) -> str:
        """The nonce of a status card that is posted after an approval; see `nonce`."""
        return f"s{self.id % 10**9:x}-{int(self.created_at.timestamp() * 1000):x}"

    @property
    def card_nonce(self) -> str:
        """The nonce of the job's approval card; see `nonce`."""
        return f"a{self.id % 10**9:x}-{int(self.created_at.timestamp() * 1000):x}"

    @property
    def is_open(self) -> bool:
        """Whether it counts as one of its member's open jobs."""
        return self.state in OPEN_STATES

    @property
    def needs_worker(self) -> bool:
        """Whether the worker has something to do for it, now or later."""
        return self.is_open or self.awaits_delivery or self.state is JobState.UNCONFIRMED

    @property
    def awaits_delivery(self) -> bool:
        """Whether it has an outcome that is still to be posted."""
        return self.finished_at is not None and self.delivered_at is None and self.kept_at is None


class ApprovalDecision(StrEnum):
    """How a job left `awaiting_approval`."""

    APPROVED = "approved"
    CHEAPER = "cheaper"
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Approval:
    """A row of the approvals table: why a job needs approval, and what was decided.

    Attributes:
        card_message_id: of the approval card, in the channel `card_channel_id`.
        decision: None: not decided yet.
        decided_by: of the moderator, or of the member who cancelled; None: it expired.
        reason: what the moderator wrote.
        card_closed_at: when the card was edited to show the decision.
    """

    job_id: int
    cause: ApprovalCause
    card_channel_id: int | None = None
    card_message_id: int | None = None
    decision: ApprovalDecision | None = None
    decided_by: int | None = None
    decided_at: datetime | None = None
    reason: str | None = None
    card_closed_at: datetime | None = None

    @property
    def has_open_card(self) -> bool:
        """Whether there is a card that still has its buttons."""
        return self.card_message_id is not None and self.card_closed_at is None


@dataclass(frozen=True, slots=True)
class ApprovalCase:
    """A job with its approval."""

    job: Job
    approval: Approval


class UnconfirmedDecision(StrEnum):
    """What was decided about an unconfirmed job."""

    CHARGED = "charged"
    NOT_CHARGED = "not_charged"
    TRY_AGAIN = "try_again"
    UNDECIDED = "undecided"


Decision = ApprovalDecision | UnconfirmedDecision
"""What becomes of a job that moderators are asked about."""


@dataclass(frozen=True, slots=True)
class UnconfirmedCase:
    """An unconfirmed job that was decided, with the messages that asked about it.

    Attributes:
        failure: why it was unconfirmed.
        decided_by: of the moderator; None: nobody decided in time.
        post_message_id: of the post to its member, in the channel `post_channel_id`.
        notice_message_id: of the notice in the moderators' channel `notice_channel_id`.
    """

    id: int
    job: Job
    decision: UnconfirmedDecision
    decided_by: int | None
    decided_at: datetime
    failure: Reason | None = None
    post_channel_id: int | None = None
    post_message_id: int | None = None
    notice_channel_id: int | None = None
    notice_message_id: int | None = None


Case = ApprovalCase | UnconfirmedCase


class ChargeHint(StrEnum):
    """What the balance of the provider's account says about an unconfirmed job."""

    CHARGED = "charged"
    NOT_CHARGED = "not_charged"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class MemberUsage:
    """A member's limits and usage.

    Attributes:
        limits: what the member may use.
        usage: what the member uses.
        open_jobs: oldest first.
        session: the creative session that pays, if this is about one of its jobs.
    """

    limits: Limits
    usage: Usage
    open_jobs: tuple[Job, ...] = ()
    session: Session | None = None

    @property
    def credits_left(self) -> int | None:
        """What the member may still spend in the window, or in the session; None: no limit."""
        return self.session.available if self.session else credits_left(self.limits, self.usage)
