"""The step of a job with an outcome: post it, once.

Transactional outbox: the outcome is committed before it is posted, the post has the same nonce at every try, and the
job is marked as delivered afterwards. Discord honours a nonce for a few minutes; later, the bot searches for its own
post before it posts again.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import structlog

from bot.clock import Clock
from bot.codes import Failure, Reason
from bot.errors import PlaceRefusedError
from bot.jobs.models import Job, JobState
from bot.jobs.ports import DeliveryTarget, JobNotifier, Posted
from bot.jobs.store.repository import JobRepository
from bot.jobs.worker.tracking import StepResult, TrackedJob

_log = structlog.get_logger(__name__)

# Discord's documentation, "Create Message": an enforced nonce is checked against "the past few minutes".
_NONCE_LIFE_SECONDS = 60.0
# Ends of a job that no moderator approved, and whose command was answered so that only its member saw it.
_NEVER_PUBLIC = (JobState.DENIED, JobState.EXPIRED, JobState.CANCELLED)


class Deliverer:
    """Posts outcomes, and settles unconfirmed jobs that nobody decided."""

    def __init__(
        self,
        repository: JobRepository,
        clock: Clock,
        notifier: JobNotifier,
        *,
        unconfirmed_after: timedelta,
    ) -> None:
        """Make a deliverer.

        Args:
            repository: the jobs.
            clock: the time.
            notifier: the Discord side.
            unconfirmed_after: after which an unconfirmed job that nobody decided counts as charged.
        """
        self._repository = repository
        self._clock = clock
        self._notifier = notifier
        self._unconfirmed_after = unconfirmed_after

    async def step(self, tracked: TrackedJob) -> StepResult:
        """Post the job's outcome in the first place that accepts it.

        Raises:
            DeliveryDelayedError: not possible now.
        """
        job = tracked.job
        posted = None
        began_at = job.delivery_began_at or job.finished_at or job.created_at
        if tracked.may_be_posted and self._clock.age(began_at) > _NONCE_LIFE_SECONDS:
            posted = await self._notifier.find_outcome(job)
        tracked.may_be_posted = True
        posted = posted or await self._post(job)
        return self._record(job, posted)

    async def undecided_step(self, tracked: TrackedJob) -> StepResult:
        """Count an unconfirmed job as charged when nobody has decided in time.

        Raises:
            DeliveryDelayedError: Discord can't be asked to show the hint now.
        """
        repository, job = self._repository, tracked.job
        if tracked.needs_hint:
            with suppress(PlaceRefusedError):
                await self._notifier.show_hint(job)
            tracked.needs_hint = False
        left = self._unconfirmed_after.total_seconds() - self._clock.age(job.finished_at or job.created_at)
        if left > 0:
            return self._clock.monotonic() + left
        hours = self._unconfirmed_after / timedelta(hours=1)
        _log.error("nobody decided: the job counts as charged", job_id=job.id, credits=job.credits)
        failure = Reason(Failure.NOBODY_DECIDED, {"hours": hours})
        return lambda: repository.settle_undecided(job.id, failure)

    async def _post(self, job: Job) -> Posted | None:
        for place in delivery_targets(job):
            try:
                return await self._notifier.post_outcome(job, place)
            except PlaceRefusedError as error:
                _log.warning("the outcome was refused in one place", job_id=job.id, place=place.value, error=str(error))
        return None

    def _record(self, job: Job, posted: Posted | None) -> StepResult:
        repository = self._repository
        if posted is None:
            _log.error("the outcome could not be posted anywhere; /history has it", job_id=job.id)
            return lambda: repository.mark_undeliverable(job.id)
        _log.info("outcome posted", job_id=job.id, state=job.state.value, message_id=posted.message_id)
        return lambda: repository.record_delivery(job.id, posted)


def delivery_targets(job: Job) -> Iterator[DeliveryTarget]:
    """Yield where a job's outcome can be posted, in the order in which it is tried."""
    if job.card_message_id is None and job.state in _NEVER_PUBLIC:
        yield DeliveryTarget.DIRECT
        return
    if job.thread_id or job.card_message_id:
        yield DeliveryTarget.THREAD
    yield DeliveryTarget.CHANNEL
    yield DeliveryTarget.DIRECT
