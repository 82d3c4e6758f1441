"""The step of a job that the provider is working on: look at it.

Late is not lost: looks go on, ever less often, for `job_max`; then the job is handed to the moderators. An answer
that cannot be is believed only when it stays the same for minutes, and a state that nobody documented counts as
still processing.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import structlog

from bot.clock import Clock
from bot.codes import Failure, Reason
from bot.errors import ProviderBusyError, ProviderError, ProviderKeyError, ProviderNotFoundError
from bot.jobs.models import Job
from bot.jobs.polling import StatisticsByKind, VideoKind, expected_wait, next_poll
from bot.jobs.ports import JobNotifier, JobStatus
from bot.jobs.queueing.flow_control import CircuitBreaker
from bot.jobs.store.repository import JobRepository
from bot.jobs.worker.tracking import StepResult, TrackedJob
from bot.provider.models import TaskState, TaskStatus
from bot.provider.ports import VideoProvider

_log = structlog.get_logger(__name__)

# A late job is expected after a share of its time.
_SOON = 0.1
_ODD_LOOKS = 3
_ODD_AFTER_SECONDS = 240.0


class Poller:
    """Looks at processing jobs."""

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
        self._repository = repository
        self._provider = provider
        self._clock = clock
        self._notifier = notifier
        self._min_interval = min_interval_seconds
        self._job_max = job_max
        self._breaker = CircuitBreaker()
        self._statistics = StatisticsByKind(min_interval_seconds)

    def load_statistics(self, durations: Mapping[VideoKind, Sequence[float]]) -> None:
        """Go by how long earlier jobs took, in seconds, newest first."""
        self._statistics.load(durations)

    def first_poll(self, tracked: TrackedJob) -> float:
        """Return when to look at a job that was just sent."""
        self._statistics.start(tracked.job.request, tracked.job.id)
        return self._next_poll(tracked, self._clock.monotonic())

    def _next_poll(self, tracked: TrackedJob, now: float) -> float:
        return next_poll(tracked.poll_state, now, self._min_interval, self._statistics.of(tracked.job.request))

    def resumed_poll(self, tracked: TrackedJob) -> float:
        """Return when to look at a job that an earlier process sent: at once, if it may be done by now."""
        now = self._clock.monotonic()
        self._statistics.start(tracked.job.request, tracked.job.id)
        if now - tracked.poll_state.sent_at >= tracked.poll_state.estimate.low_seconds:
            return now
        return self._next_poll(tracked, now)

    def typical_seconds(self, job: Job) -> float:
        """Return how long the provider usually takes for a job such as this."""
        return self._statistics.typical_seconds(job.request)

    def expected_end(self, job: Job, now: float) -> float:
        """Return when a job that the provider has should be done: soon, if it is late."""
        seconds = self.typical_seconds(job)
        age = self._clock.age(job.submitted_at) if job.submitted_at else 0.0
        return now + max(seconds - age, _SOON * seconds)

    def would_ask(self, now: float) -> bool:
        """Tell whether a step would send a request now."""
        return self._breaker.allows_request(now)

    def urgency(self, tracked: TrackedJob, now: float) -> float:
        """Return the waiting, in seconds, that a look is expected to end; it grows without bound until there is one."""
        return expected_wait(tracked.poll_state, now, self._min_interval, self._statistics.of(tracked.job.request))

    async def step(self, tracked: TrackedJob) -> StepResult:
        """Look at the job."""
        now = self._clock.monotonic()
        if come_back := self._breaker.acquire(now):
            return come_back
        try:
            status = await self._provider.status(tracked.job.task_id or "")
        except ProviderNotFoundError:
            return self._odd(tracked, Failure.LOST)
        except (ProviderBusyError, ProviderKeyError) as error:
            return self._refused(tracked, error)
        except ProviderError as error:
            _log.warning("look failed; it will be tried again", job_id=tracked.job.id, error=str(error))
            return self._too_late(tracked) or tracked.later(self._clock.monotonic(), self._min_interval)
        finally:
            self._breaker.release()
        self._breaker.record_success()
        tracked.failures = 0
        return self._judge(tracked, status)

    def _refused(self, tracked: TrackedJob, error: ProviderBusyError | ProviderKeyError) -> StepResult:
        now = self._clock.monotonic()
        wish = error.retry_after_seconds if isinstance(error, ProviderBusyError) else None
        if self._breaker.record_refusal(now, str(error), wish):
            _log.error("provider answers no looks for now", job_id=tracked.job.id, error=str(error))
        return self._not_too_soon(self._breaker.acquire(now) or now)

    def _judge(self, tracked: TrackedJob, status: TaskStatus) -> StepResult:
        repository, job_id = self._repository, tracked.job.id
        if status.state is TaskState.FAILED:
            reason, refunded = status.error_message, status.credits_refunded is not False
            _log.warning("provider failed the job", job_id=job_id, error=reason, refunded=refunded)
            self._statistics.drop(tracked.job.request, job_id)
            failure = Reason(Failure.FAILED_AT_PROVIDER, {"reason": reason})
            return lambda: repository.fail(job_id, failure, refunded=refunded)
        if status.state is TaskState.COMPLETED:
            url = status.video_url
            if url is None:
                return self._odd(tracked, Failure.NO_VIDEO)
            _log.info("video is ready", job_id=job_id)
            self._statistics.finish(tracked.job.request, job_id, tracked.poll_state, self._clock.monotonic())
            return lambda: repository.succeed(job_id, url)
        return self._still_processing(tracked, status)

    def _still_processing(self, tracked: TrackedJob, status: TaskStatus) -> StepResult:
        now = self._clock.monotonic()
        tracked.odd_looks, tracked.odd_since = 0, None
        tracked.poll_state = tracked.poll_state.after_poll(now, status.progress)
        self._notifier.show(JobStatus(tracked.job, tracked.poll_state))
        return self._too_late(tracked) or self._next_poll(tracked, now)

    def _too_late(self, tracked: TrackedJob) -> StepResult | None:
        if self._clock.monotonic() - tracked.poll_state.sent_at < self._job_max.total_seconds():
            return None
        repository, job_id = self._repository, tracked.job.id
        _log.error("job took too long: it is in the moderators' hands", job_id=job_id, task_id=tracked.job.task_id)
        self._statistics.drop(tracked.job.request, job_id)
        failure = Reason(Failure.TOO_LATE, {"hours": self._job_max / timedelta(hours=1)})
        return lambda: repository.mark_unconfirmed(job_id, failure)

    def _odd(self, tracked: TrackedJob, failure: Failure) -> StepResult:
        repository, job_id, now = self._repository, tracked.job.id, self._clock.monotonic()
        tracked.odd_looks += 1
        tracked.odd_since = tracked.odd_since or now
        if tracked.odd_looks >= _ODD_LOOKS and now - tracked.odd_since >= _ODD_AFTER_SECONDS:
            _log.error("job given up", job_id=job_id, task_id=tracked.job.task_id, error=failure.value)
            self._statistics.drop(tracked.job.request, job_id)
            return lambda: repository.mark_unconfirmed(job_id, Reason(failure))
        return self._not_too_soon(now + _ODD_AFTER_SECONDS / (_ODD_LOOKS - 1))

    def _not_too_soon(self, due: float) -> float:
        """Keep the shortest time between two looks at a job."""
        return max(due, self._clock.monotonic() + self._min_interval)
