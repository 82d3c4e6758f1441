"""The step of a queued job: submit it, at most once.

`submitting` is committed before the request. Only where it is certain that nothing was started is the job queued
again; anything unclear makes it `unconfirmed`, and it is never submitted again automatically.
"""

from dataclasses import replace
from datetime import timedelta

import structlog

from bot.clock import Clock
from bot.codes import Failure, Reason, WaitReason
from bot.errors import (
    HeldByRulesError,
    NotStartedError,
    PlaceRefusedError,
    ProviderAddressError,
    ProviderBusyError,
    ProviderKeyError,
    ProviderNotFoundError,
    ProviderOutOfCreditsError,
    ProviderRejectedError,
    ProviderUnclearError,
)
from bot.jobs.models import Job
from bot.jobs.ports import JobNotifier, JobStatus
from bot.jobs.queueing.flow_control import CircuitBreaker
from bot.jobs.store.repository import JobRepository
from bot.jobs.validation import picture_expires_at
from bot.jobs.worker.tracking import StepResult, TrackedJob
from bot.provider.ports import VideoProvider

_log = structlog.get_logger(__name__)

# A change of the rules ends a hold at once; this is for what no change ends, such as a clock that was set.
_HELD_RETRY_SECONDS = 300.0
# A price above so many list prices is a mistake, and is not booked.
_HIGHEST_PRICE_FACTOR = 10
# A picture's address that expires sooner is refreshed before the job is submitted.
_PICTURE_MARGIN = timedelta(hours=1)


class Submitter:
    """Submits queued jobs, through a circuit breaker.

    Before each step, call `reserve` while `capacity` is not 0.
    """

    def __init__(
        self,
        repository: JobRepository,
        provider: VideoProvider,
        clock: Clock,
        notifier: JobNotifier,
        *,
        wait_for_credits: bool,
    ) -> None:
        """Make a submitter.

        Args:
            repository: the jobs.
            provider: makes the videos.
            clock: the time.
            notifier: the Discord side.
            wait_for_credits: whether jobs wait while the provider's account is empty, or fail.
        """
        self._repository = repository
        self._provider = provider
        self._clock = clock
        self._notifier = notifier
        self._wait_for_credits = wait_for_credits
        self._breaker = CircuitBreaker()

    @property
    def reason(self) -> WaitReason | None:
        """Why the provider accepts no jobs; None: it does."""
        return WaitReason(self._breaker.reason) if self._breaker.reason else None

    def capacity(self, now: float) -> int | None:
        """Return how many jobs may be submitted now; None: any number."""
        return self._breaker.capacity(now)

    def retry_at(self, now: float) -> float | None:
        """Return when the pause after a refusal ends, by the monotonic clock; None: there is none."""
        return self._breaker.retry_at(now)

    def reserve(self, now: float) -> None:
        """Count a step as begun; after a refusal it is the only probe."""
        self._breaker.acquire(now)

    async def step(self, tracked: TrackedJob) -> StepResult:
        """Submit the job.

        Raises:
            TransitionError: it is not queued any more.
            StorageError: the database can't be written.
            DeliveryDelayedError: Discord can't refresh the picture's address now.
        """
        repository, job_id = self._repository, tracked.job.id
        try:
            if await self._picture_is_gone(tracked):
                return lambda: repository.fail(job_id, Reason(Failure.PICTURE_GONE))
            tracked.update(await repository.begin_submission(job_id))
            self._notifier.show(JobStatus(tracked.job))
            return await self._submit(tracked)
        except HeldByRulesError as held:
            return self._hold(tracked, held)
        finally:
            self._breaker.release()

    def _hold(self, tracked: TrackedJob, held: HeldByRulesError) -> float:
        """Leave a job queued that the rules hold; return when to try it again, unless they change before."""
        tracked.is_held = True
        self._notifier.show(JobStatus(tracked.job, waiting=held.reason, retry_at=held.until))
        pause = _HELD_RETRY_SECONDS
        if held.until is not None:
            pause = min(pause, max(1.0, (held.until - self._clock.now()).total_seconds()))
        return self._clock.monotonic() + pause

    async def _submit(self, tracked: TrackedJob) -> StepResult:
        job, repository = tracked.job, self._repository
        try:
            submission = await self._provider.submit(job.request)
        except NotStartedError as error:
            return self._not_started(job, error)
        except ProviderUnclearError as error:
            # While the provider has problems, one job at a time is tried: each may become unconfirmed like this one.
            self._breaker.record_refusal(self._clock.monotonic(), WaitReason.IN_TROUBLE)
            _log.error("submission without a clear answer: unconfirmed", job_id=job.id, error=str(error))
            return lambda: repository.mark_unconfirmed(job.id, Reason(Failure.UNCLEAR))
        except Exception:  # noqa: BLE001 - whatever it is, the request may have been carried out
            _log.exception("submission failed unexpectedly: unconfirmed", job_id=job.id)
            return lambda: repository.mark_unconfirmed(job.id, Reason(Failure.UNCLEAR))
        self._breaker.record_success()
        used = submission.credits_used
        if used is not None and used > _HIGHEST_PRICE_FACTOR * job.held_credits:
            _log.error("implausible price: the list price is booked", job_id=job.id, credits_used=used)
            submission = replace(submission, credits_used=None)
        _log.info("job submitted", job_id=job.id, task_id=submission.task_id, credits_used=submission.credits_used)
        return lambda: repository.accept(job.id, submission, tracked.job.thread_id)

    def _not_started(self, job: Job, error: NotStartedError) -> StepResult:
        repository = self._repository
        if failure := self._final_failure(error):
            _log.warning("provider refused the job", job_id=job.id, error=str(error))
            return lambda: repository.fail(job.id, failure)
        retry_after = error.retry_after_seconds if isinstance(error, ProviderBusyError) else None
        if self._breaker.record_refusal(self._clock.monotonic(), _waiting_reason(error), retry_after):
            _log.error("provider refuses jobs for now; they stay queued", job_id=job.id, error=str(error))
        return lambda: repository.requeue(job.id)

    def _final_failure(self, error: NotStartedError) -> Reason | None:
        match error:
            case ProviderOutOfCreditsError() if not self._wait_for_credits:
                return Reason(Failure.OUT_OF_CREDITS)
            case ProviderRejectedError():
                return Reason(Failure.REJECTED, {"reason": error.reason})
            case _:
                return None

    async def _picture_is_gone(self, tracked: TrackedJob) -> bool:
        """Refresh the picture's address if it expires soon; return whether Discord has the picture no more."""
        url = tracked.job.request.image_url
        expires_at = picture_expires_at(url) if url else None
        if expires_at is None or expires_at > self._clock.now() + _PICTURE_MARGIN:
            return False
        try:
            fresh = await self._notifier.fresh_picture(tracked.job)
        except PlaceRefusedError:
            return True
        tracked.update(await self._repository.record_picture(tracked.job.id, fresh))
        return False


def _waiting_reason(error: NotStartedError) -> WaitReason:
    match error:
        case ProviderBusyError():
            return WaitReason.BUSY
        case ProviderOutOfCreditsError():
            return WaitReason.OUT_OF_CREDITS
        case ProviderKeyError() | ProviderNotFoundError() | ProviderAddressError():
            return WaitReason.ACCOUNT_REFUSED
        case _:
            return WaitReason.UNREACHABLE
