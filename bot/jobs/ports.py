"""What the worker needs of Discord, and the values that pass between them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from bot.codes import WaitReason
from bot.jobs.models import Approval, Job
from bot.jobs.polling import PollState


class DeliveryTarget(StrEnum):
    """Where an outcome can be posted, in the order in which it is tried."""

    THREAD = "thread"
    CHANNEL = "channel"
    DIRECT = "direct message"


@dataclass(frozen=True, slots=True)
class JobStatus:
    """What a job's status card shows.

    Attributes:
        poll_state: of a processing job.
        waiting: why a queued job is not submitted yet.
        retry_at: when it will be tried again.
        place: of a queued job in its server's queue; 1 is the next one.
        expected_at: when it should be submitted.
        expires_at: until when a job can be approved.
    """

    job: Job
    poll_state: PollState | None = None
    waiting: WaitReason | None = None
    retry_at: datetime | None = None
    place: int | None = None
    expected_at: datetime | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Posted:
    """A message of the bot's: Discord's ids.

    Attributes:
        thread_id: of the job's own thread, if it was posted there.
    """

    channel_id: int
    message_id: int
    thread_id: int | None = None


class JobNotifier(Protocol):
    """Posts outcomes and approval cards, and keeps status cards up to date."""

    async def post_card(self, job: Job) -> int:
        """Post the status card of a job that was approved, and return the message's id.

        Its command was answered so that only the member saw the prompt.

        Raises:
            PlaceRefusedError: not possible in the channel of the command.
            DeliveryDelayedError: not possible now.
        """
        ...

    async def open_thread(self, job: Job) -> int:
        """Create the job's thread from its card, unless it has one, and return its id.

        Raises:
            PlaceRefusedError: Discord allows no thread here.
            DeliveryDelayedError: not possible now.
        """
        ...

    async def prepare_outcome(self, job: Job) -> None:
        """Begin to get what the post of an outcome needs, and wait a few seconds for it at most. Never raises."""
        ...

    async def post_outcome(self, job: Job, place: DeliveryTarget) -> Posted:
        """Post how a job ended, under `job.nonce`.

        Raises:
            PlaceRefusedError: not possible in this place.
            DeliveryDelayedError: not possible now.
        """
        ...

    async def find_outcome(self, job: Job) -> Posted | None:
        """Search for a post of this outcome that was made since the delivery began.

        Raises:
            DeliveryDelayedError: not possible now.
        """
        ...

    async def show_hint(self, job: Job) -> None:
        """Add to the post of an unconfirmed job what the provider account's balance suggests.

        Raises:
            PlaceRefusedError: the post was deleted.
            DeliveryDelayedError: not possible now.
        """
        ...

    async def fresh_picture(self, job: Job) -> str:
        """Return a fresh address of the job's picture.

        Raises:
            PlaceRefusedError: Discord does not have the picture any more.
            DeliveryDelayedError: not possible now.
        """
        ...

    async def post_approval_card(self, job: Job, approval: Approval, channel_id: int) -> Posted:
        """Post an approval card, under `job.card_nonce`.

        Args:
            job: awaiting approval.
            approval: why it needs approval.
            channel_id: where to post it.

        Raises:
            PlaceRefusedError: not possible in this channel.
            DeliveryDelayedError: not possible now.
        """
        ...

    async def find_approval_card(self, job: Job, channel_id: int) -> Posted | None:
        """Search for a job's approval card in this channel.

        Raises:
            PlaceRefusedError: not possible in this channel.
            DeliveryDelayedError: not possible now.
        """
        ...

    def close_case(self, job_id: int) -> None:
        """Have the messages that asked moderators about a job show what was decided, soon. Never fails or waits."""
        ...

    def show(self, status: JobStatus) -> None:
        """Have a job's status card show this, soon. Never raises or waits."""
        ...
