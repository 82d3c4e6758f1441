"""The step of a processing job: poll the provider.

A late job is polled ever less often, for `job_max`; then it is unconfirmed, and moderators decide. An implausible
answer (task unknown, done without a video) is believed only after minutes of the same; an undocumented state counts as
processing.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import structlog

from bot.backoff import Backoff
from bot.clock import Clock
from bot.codes import Failure, Reason
from bot.errors import (
    ProviderBusyError,
    ProviderError,
    ProviderKeyError,
    ProviderNotFoundError,
    ProviderRejectedError,
)
from bot.jobs.models import Job
from bot.jobs.polling import StatisticsByKind, VideoKind, expected_wait, next_poll
from bot.jobs.ports import JobNotifier, JobStatus
from bot.jobs.queueing.flow_control import CircuitBreaker
from bot.jobs.store.repository import JobRepository
from bot.jobs.worker.tracking import StepResult, TrackedJob
from bot.provider.models import TaskState, TaskStatus
from bot.provider.ports import VideoProvider

_log = structlog.get_logger(__name__)

# A late job is expected to end after this share of its usual duration.
_LATE_SHARE = 0.1
_IMPLAUSIBLE_POLLS = 3
_IMPLAUSIBLE_SECONDS = 240.0
_IMPLAUSIBLE_BACKOFF = Backoff(3.0, 60.0)
# An error without a final state may pass: it is believed after so many polls, the first ones seconds apart.
_REFUSED_POLLS = 5
# One refused poll is one job's: the polls of the others go on within this.
_LONGEST_POLL_PAUSE_SECONDS = 30.0


class Poller:
    """Polls processing jobs, and knows how long they take."""

    def __init__(
        self,
        repository: JobRepository,
        provider: VideoProvider,
        clock: Clock,
        notifier: JobNotifier,
        *,
        min_interval_seconds: float,
        job_max: timedelta,
    ) -> None:
        """Make a poller without statistics.

        Args:
            repository: the jobs.
            provider: makes the videos.
            clock: the time.
            notifier: the Discord side.
            min_interval_seconds: the shortest time between two polls of a job.
            job_max: after which a job that is still processing is unconfirmed.
        """
        self._repository = repository
        self._provider = provider
        self._clock = clock
        self._notifier = notifier
        self._min_interval = min_interval_seconds
        self._job_max = job_max
        self._breaker = CircuitBreaker()
        self._statistics = StatisticsByKind(min_interval_seconds)

    def load_statistics(self, durations: Mapping[VideoKind, Sequence[float]]) -> None:
        """Load the durations of earlier jobs, in seconds, newest first."""
        self._statistics.load(durations)

    def first_poll(self, tracked: TrackedJob) -> float:
        """Return when to poll a job that was just submitted, by the monotonic clock."""
        self._statistics.start(tracked.job.request, tracked.job.id)
        return self._next_poll(tracked, self._clock.monotonic())

    def _next_poll(self, tracked: TrackedJob, now: float) -> float:
        return next_poll(tracked.poll_state, now, self._min_interval, self._statistics.of(tracked.job.request))

    def resumed_poll(self, tracked: TrackedJob) -> float:
        """Return when to poll a job that an earlier process submitted: now, if it may be done."""
        now = self._clock.monotonic()
        self._statistics.start(tracked.job.request, tracked.job.id)
        if now - tracked.poll_state.sent_at >= tracked.poll_state.estimate.low_seconds:
            return now
        return self._next_poll(tracked, now)

    def typical_seconds(self, job: Job) -> float:
        """Return the median duration, in seconds, of this kind of job."""
        return self._statistics.typical_seconds(job.request)

    def expected_end(self, job: Job, now: float) -> float:
        """Return when a job at the provider should end, by the monotonic clock; soon, if it is late."""
        seconds = self.typical_seconds(job)
        age = self._clock.age(job.submitted_at) if job.submitted_at else 0.0
        return now + max(seconds - age, _LATE_SHARE * seconds)

    def may_poll(self, now: float) -> bool:
        """Return whether the circuit breaker lets a poll through now."""
        return self._breaker.allows_request(now)

    def expected_wait(self, tracked: TrackedJob, now: float) -> float:
        """Return for how long a finished video is expected to have waited, in seconds; it grows until the next poll."""
        return expected_wait(tracked.poll_state, now, self._min_interval, self._statistics.of(tracked.job.request))

    async def step(self, tracked: TrackedJob) -> StepResult:
        """Poll the job."""
        now = self._clock.monotonic()
        if retry_at := self._breaker.acquire(now):
            return retry_at
        try:
            status = await self._provider.status(tracked.job.task_id or "")
        except ProviderNotFoundError:
            return self._implausible(tracked, Failure.LOST)
        except ProviderRejectedError as error:
            return self._task_refused(tracked, TaskStatus(TaskState.REFUSED, error_message=error.reason))
        except (ProviderBusyError, ProviderKeyError) as error:
            return self._refused(tracked, error)
        except ProviderError as error:
            _log.warning("poll failed; it will be tried again", job_id=tracked.job.id, error=str(error))
            return self._too_late(tracked) or tracked.retry_at(self._clock.monotonic(), self._min_interval)
        finally:
            self._breaker.release()
        self._breaker.record_success()
        tracked.failures = 0
        return self._evaluate(tracked, status)

    def _refused(self, tracked: TrackedJob, error: ProviderBusyError | ProviderKeyError) -> StepResult:
        now = self._clock.monotonic()
        retry_after = error.retry_after_seconds if isinstance(error, ProviderBusyError) else None
        if retry_after is not None:
            retry_after = min(retry_after, _LONGEST_POLL_PAUSE_SECONDS)
        if self._breaker.record_refusal(now, str(error), retry_after):
            _log.error("provider refuses polls for now", job_id=tracked.job.id, error=str(error))
        return self._after_interval(self._breaker.acquire(now) or now)

    def _evaluate(self, tracked: TrackedJob, status: TaskStatus) -> StepResult:
        repository, job_id = self._repository, tracked.job.id
        if status.state is TaskState.FAILED:
            return self._failed(tracked, status)
        if status.state is TaskState.REFUSED:
            return self._task_refused(tracked, status)
        if status.state is TaskState.COMPLETED:
            url = status.video_url
            if url is None:
                return self._implausible(tracked, Failure.NO_VIDEO)
            _log.info("video is ready", job_id=job_id)
            self._statistics.finish(tracked.job.request, job_id, tracked.poll_state, self._clock.monotonic())
            return lambda: repository.succeed(job_id, url)
        return self._still_processing(tracked, status)

    def _failed(self, tracked: TrackedJob, status: TaskStatus) -> StepResult:
        repository, job_id = self._repository, tracked.job.id
        reason, refunded = status.error_message, status.credits_refunded is not False
        _log.warning("provider failed the job", job_id=job_id, error=reason, refunded=refunded)
        self._statistics.drop(tracked.job.request, job_id)
        failure = Reason(Failure.FAILED_AT_PROVIDER, {"reason": reason})
        return lambda: repository.fail(job_id, failure, refunded=refunded)

    def _task_refused(self, tracked: TrackedJob, status: TaskStatus) -> StepResult:
        """Poll again soon: an error that has no final state may pass; one that stays is the job's failure."""
        tracked.implausible_polls += 1
        if tracked.implausible_polls >= _REFUSED_POLLS:
            return self._failed(tracked, status)
        pause = _IMPLAUSIBLE_BACKOFF.pause(tracked.implausible_polls)
        return self._after_interval(self._clock.monotonic() + pause)

    def _still_processing(self, tracked: TrackedJob, status: TaskStatus) -> StepResult:
        now = self._clock.monotonic()
        tracked.implausible_polls, tracked.implausible_since = 0, None
        if status.unknown_word and tracked.unknown_word != status.unknown_word:
            _log.warning("unknown state: it counts as processing", job_id=tracked.job.id, word=status.unknown_word)
            tracked.unknown_word = status.unknown_word
        tracked.poll_state = tracked.poll_state.after_poll(now, status.progress)
        self._notifier.show(JobStatus(tracked.job, tracked.poll_state))
        return self._too_late(tracked) or self._next_poll(tracked, now)

    def _too_late(self, tracked: TrackedJob) -> StepResult | None:
        if self._clock.monotonic() - tracked.poll_state.sent_at < self._job_max.total_seconds():
            return None
        repository, job_id = self._repository, tracked.job.id
        _log.error("job took too long: it is unconfirmed now", job_id=job_id, task_id=tracked.job.task_id)
        self._statistics.drop(tracked.job.request, job_id)
        failure = Reason(Failure.TOO_LATE, {"hours": self._job_max / timedelta(hours=1)})
        return lambda: repository.mark_unconfirmed(job_id, failure)

    def _implausible(self, tracked: TrackedJob, failure: Failure) -> StepResult:
        repository, job_id, now = self._repository, tracked.job.id, self._clock.monotonic()
        tracked.implausible_polls += 1
        tracked.implausible_since = tracked.implausible_since or now
        is_persistent = now - tracked.implausible_since >= _IMPLAUSIBLE_SECONDS
        if tracked.implausible_polls >= _IMPLAUSIBLE_POLLS and is_persistent:
            _log.error(
                "implausible answers: the job is unconfirmed now",
                job_id=job_id,
                task_id=tracked.job.task_id,
                error=failure.value,
            )
            self._statistics.drop(tracked.job.request, job_id)
            return lambda: repository.mark_unconfirmed(job_id, Reason(failure))
        return self._after_interval(now + _IMPLAUSIBLE_BACKOFF.pause(tracked.implausible_polls))

    def _after_interval(self, due: float) -> float:
        """Return a time not before the shortest interval between two polls of a job is over."""
        return max(due, self._clock.monotonic() + self._min_interval)
