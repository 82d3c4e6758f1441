"""The step of a job with an outcome: tell its member, once.

An outbox: the outcome is in the database before anything is posted, the post has a nonce that is the same at
every try, and only then it is marked as delivered. Discord honours a nonce for a few minutes; after that the bot
looks for its own message before it posts again.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import structlog

from bot.clock import Clock
from bot.codes import Failure, Reason
from bot.errors import PlaceRefusedError
from bot.jobs.models import Job
from bot.jobs.ports import DeliveryTarget, JobNotifier, Posted
from bot.jobs.store.repository import JobRepository
from bot.jobs.worker.tracking import StepResult, TrackedJob

_log = structlog.get_logger(__name__)

# Discord's documentation, "Create Message": an enforced nonce is checked against "the past few minutes".
_NONCE_LIFE_SECONDS = 60.0


class Deliverer:
    """Posts outcomes, and settles what moderators left undecided."""

    def __init__(
        self,
        repository: JobRepository,
        clock: Clock,
        notifier: JobNotifier,
        *,
        unconfirmed_after: timedelta,
    ) -> None:
        self._repository = repository
        self._clock = clock
        self._notifier = notifier
        self._unconfirmed_after = unconfirmed_after

    async def step(self, tracked: TrackedJob) -> StepResult:
        """Post the job's outcome in the first place that takes it.

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
        return self._note(job, posted)

    async def undecided_step(self, tracked: TrackedJob) -> StepResult:
        """Count an unconfirmed job as charged when nobody has decided in time."""
        repository, job = self._repository, tracked.job
        if tracked.wants_hint:
            with suppress(PlaceRefusedError):
                await self._notifier.show_hint(job)
            tracked.wants_hint = False
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
                _log.warning("a place refused the outcome", job_id=job.id, place=place.value, error=str(error))
        return None

    def _note(self, job: Job, posted: Posted | None) -> StepResult:
        repository = self._repository
        if posted is None:
            _log.error("no place takes the outcome; it is kept for /history", job_id=job.id)
            return lambda: repository.keep(job.id)
        _log.info("outcome posted", job_id=job.id, state=job.state.value, message_id=posted.message_id)
        return lambda: repository.record_delivery(job.id, posted)


def delivery_targets(job: Job) -> Iterator[DeliveryTarget]:
    """Yield where a job's outcome can be posted, the best first."""
    if job.thread_id or job.card_message_id:
        yield DeliveryTarget.THREAD
    yield DeliveryTarget.CHANNEL
    yield DeliveryTarget.DIRECT
