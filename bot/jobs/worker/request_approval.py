"""The step of a job that awaits approval: post one card for the moderators, and expire the job in time.

The card is posted once as an outcome is: the same nonce at every try, recorded after it was posted, and searched for
before another try once Discord has forgotten the nonce.
"""

from contextlib import suppress
from datetime import timedelta

import structlog

from bot.clock import Clock
from bot.codes import Failure, Reason
from bot.errors import PlaceRefusedError, TransitionError
from bot.jobs.models import ApprovalCase, Job, JobState
from bot.jobs.moderation.decisions import DecisionRepository
from bot.jobs.ports import JobNotifier, Posted
from bot.jobs.worker.tracking import StepResult, TrackedJob

_log = structlog.get_logger(__name__)

# Discord's documentation, "Create Message": an enforced nonce is checked against "the past few minutes".
_NONCE_LIFE_SECONDS = 60.0
# Where every channel refuses the card, `/pool waiting` has the job; it is tried again in case permissions change.
_RETRY_SECONDS = 3600.0


class ApprovalRequester:
    """Posts approval cards, and expires jobs that nobody decided."""

    def __init__(
        self,
        decisions: DecisionRepository,
        clock: Clock,
        notifier: JobNotifier,
        *,
        approval_after: timedelta,
    ) -> None:
        """Make a requester of approvals.

        Args:
            decisions: what moderators decide.
            clock: the time.
            notifier: the Discord side.
            approval_after: after which a job that no moderator decided expires.
        """
        self._decisions = decisions
        self._clock = clock
        self._notifier = notifier
        self._approval_after = approval_after

    async def step(self, tracked: TrackedJob) -> StepResult:
        """Post the job's approval card, wait for the decision, or expire the job.

        Raises:
            TransitionError: it was decided meanwhile.
            DeliveryDelayedError: not possible now.
        """
        job, now = tracked.job, self._clock.monotonic()
        left = self._approval_after.total_seconds() - self._clock.age(job.created_at)
        if left <= 0:
            return self._expiry(job)
        case = await self._decisions.approval(job.id)
        if case is None or case.job.state is not JobState.AWAITING_APPROVAL:
            raise TransitionError(job.id, JobState.EXPIRED)
        if case.approval.card_message_id is not None:
            return now + left
        posted = await self._find_or_post(tracked, case)
        if posted is None:
            return now + min(left, _RETRY_SECONDS)
        return lambda: self._record(job, posted)

    def _expiry(self, job: Job) -> StepResult:
        hours = self._approval_after / timedelta(hours=1)
        _log.info("nobody decided: the job expires", job_id=job.id)
        return lambda: self._decisions.expire(job.id, Reason(Failure.APPROVAL_EXPIRED, {"hours": hours}))

    async def _find_or_post(self, tracked: TrackedJob, case: ApprovalCase) -> Posted | None:
        channels = approval_card_channels(
            case.job, await self._decisions.moderators_channel(case.job.requester.guild_id)
        )
        is_forgotten = self._clock.age(case.job.created_at) > _NONCE_LIFE_SECONDS
        if tracked.may_be_posted and is_forgotten and (found := await self._find(case.job, channels)):
            return found
        tracked.may_be_posted = True
        return await self._post(case, channels)

    async def _find(self, job: Job, channels: list[int]) -> Posted | None:
        for channel_id in channels:
            with suppress(PlaceRefusedError):
                if found := await self._notifier.find_approval_card(job, channel_id):
                    return found
        return None

    async def _post(self, case: ApprovalCase, channels: list[int]) -> Posted | None:
        job = case.job
        for channel_id in channels:
            try:
                posted = await self._notifier.post_approval_card(job, case.approval, channel_id)
            except PlaceRefusedError as error:
                _log.warning(
                    "a channel refused an approval card", job_id=job.id, channel_id=channel_id, error=str(error)
                )
            else:
                _log.info("approval requested", job_id=job.id, cause=case.approval.cause.value, channel_id=channel_id)
                return posted
        _log.error("every channel refused the approval card; /pool waiting has the job", job_id=job.id)
        return None

    async def _record(self, job: Job, posted: Posted) -> Job:
        row = await self._decisions.record_card(job.id, posted.channel_id, posted.message_id)
        if row.state is not JobState.AWAITING_APPROVAL:
            self._notifier.close_case(job.id)
        return row


def approval_card_channels(job: Job, moderators_channel: int | None) -> list[int]:
    """Return the channels for an approval card, in the order in which they are tried.

    No thread is created for it, since the job may be denied.
    """
    channels = (moderators_channel, job.thread_id, job.requester.channel_id)
    return list(dict.fromkeys(channel_id for channel_id in channels if channel_id))
