"""Which submissions and polls go to the provider now.

Four limits apply: requests per second, jobs in flight, the circuit breaker, and submissions under way. While none of
them binds, nothing is queued and nothing is read. The queue is in memory, and is built again at start; what members
used is read only while more jobs are queued than may be submitted.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from bot.clock import Clock
from bot.codes import WaitReason
from bot.errors import StorageError
from bot.jobs.models import Job, JobState
from bot.jobs.ports import JobStatus
from bot.jobs.queueing.fair_queue import FairQueue, QueuedJob, expected_starts
from bot.jobs.queueing.flow_control import AlternatingSplit, TokenBucket
from bot.jobs.store.repository import JobRepository
from bot.jobs.worker.poll import Poller
from bot.jobs.worker.submit import Submitter
from bot.jobs.worker.tracking import TrackedJob

_log = structlog.get_logger(__name__)

_AT_PROVIDER = (JobState.SUBMITTING, JobState.PROCESSING)
# What members used changes by the minute, as their credits leave the window.
_USAGE_VALID_SECONDS = 30.0
# To order the queue costs some microseconds per job: with this pause it takes a hundredth of a core at most.
_UPDATE_PAUSE_SECONDS_PER_JOB = 0.002
_LONGEST_UPDATE_PAUSE_SECONDS = 30.0
# An expected start that moves less than this is not worth an edit.
_SAME_START_SECONDS = 5.0
_SAME_START_SHARE = 0.1
_CONCURRENT_SUBMISSIONS = 32


@dataclass(frozen=True, slots=True)
class QueuePosition:
    """What the card of a queued job shows.

    Attributes:
        place: in its server's queue; 1 is the next one.
        start_at: when it should be submitted, by the monotonic clock.
    """

    reason: WaitReason
    place: int
    start_at: float

    def is_about(self, other: "QueuePosition | None", now: float) -> bool:
        """Return whether both say the same to a reader."""
        if other is None or (self.reason, self.place) != (other.reason, other.place):
            return False
        tolerance = max(_SAME_START_SECONDS, (self.start_at - now) * _SAME_START_SHARE)
        return abs(self.start_at - other.start_at) <= tolerance


@dataclass(frozen=True, slots=True)
class ProviderCapacity:
    """What the expected starts of queued jobs are computed from; times are by the monotonic clock.

    Attributes:
        reason: why jobs wait.
        available_at: when the provider should accept the first of them.
        ends: when the jobs at the provider should end.
        seconds_of: how long a job takes once it is submitted.
        per_second: how many may be submitted in a second; 0: any number.
    """

    reason: WaitReason
    available_at: float
    ends: Sequence[float]
    seconds_of: Callable[[Job], float]
    per_second: float


class SubmissionQueue:
    """The jobs that wait to be submitted: ids only; the worker's tracked jobs are the one place where a job is held."""

    def __init__(
        self,
        repository: JobRepository,
        tracked_jobs: Mapping[int, TrackedJob],
        *,
        active_jobs: int,
        window: timedelta,
    ) -> None:
        """Make an empty queue.

        Args:
            repository: where to read what members used.
            tracked_jobs: the worker's, by id; every queued job is among them.
            active_jobs: how many jobs the provider may have at once; 0: any number.
            window: for how long credits count as used.
        """
        self.active_jobs = active_jobs
        self._repository = repository
        self._tracked_jobs = tracked_jobs
        self._window = window
        self._queue = FairQueue()
        self._shown: dict[int, QueuePosition] = {}
        self._usage_read_at: float | None = None
        self._updated_at: float | None = None
        self._changed = False

    def __len__(self) -> int:
        return len(self._queue)

    def __contains__(self, job_id: int) -> bool:
        return job_id in self._queue

    @property
    def free_slots(self) -> int | None:
        """How many more jobs the provider may have; None: any number."""
        return max(0, self.active_jobs - self._queue.in_flight_count) if self.active_jobs else None

    @property
    def at_provider(self) -> Sequence[int]:
        """Ids of the jobs at the provider."""
        return self._queue.in_flight

    async def load(self) -> None:
        """Read when each server was last served, so that a restart favours nobody.

        Raises:
            StorageError: the database can't be read.
        """
        for guild_id, at in (await self._repository.last_served()).items():
            self._queue.set_served(guild_id, at)

    def enqueue(self, job: Job) -> None:
        """Add a tracked job, or place it again, as when it was moved to the front."""
        self._queue.enqueue(_queued(job))
        self._changed = True

    def pop(self, now: datetime) -> int:
        """Return the id of the next job, and count it as at the provider.

        Raises:
            IndexError: the queue is empty.
        """
        job_id = self._queue.pop(now).job_id
        self._shown.pop(job_id, None)
        self._changed = True
        return job_id

    def sync(self, job: Job) -> None:
        """Count a job that is not queued as at the provider or not, by its state."""
        before = self._queue.in_flight_count
        if job.state is JobState.QUEUED:
            self._queue.undo_pop(job.id)
        elif job.state in _AT_PROVIDER:
            self._queue.add_in_flight(_queued(job), job.submitted_at or job.created_at)
        else:
            self._queue.remove(job.id)
        self._changed |= self._queue.in_flight_count != before

    def remove(self, job_id: int) -> None:
        """Remove a job, queued or at the provider."""
        self._queue.remove(job_id)
        self._shown.pop(job_id, None)
        self._changed = True

    def has_unknown_usage(self) -> bool:
        """Return whether a member's used credits are not known, so that no slot can be given fairly."""
        return bool(self._queue.unknown_members)

    def is_usage_outdated(self, now: float) -> bool:
        """Return whether members' used credits were read too long ago, or never."""
        return self._usage_read_at is None or now - self._usage_read_at > _USAGE_VALID_SECONDS

    async def read_usage(self, now: float, wall_time: datetime) -> None:
        """Read what the members with queued jobs have used; whoever can't be read counts with none. Never raises.

        Args:
            now: by the monotonic clock.
            wall_time: where the window ends.
        """
        unknown = members = self._queue.unknown_members
        if self.is_usage_outdated(now):
            members, self._usage_read_at = self._queue.competing_members, now
        if not members:
            return
        try:
            used = await self._repository.used_credits(members, wall_time - self._window)
        except StorageError as error:
            _log.error("used credits can't be read: the queue goes by age for now", error=str(error))
            self._queue.set_used_credits(dict.fromkeys(unknown, 0))
            return
        self._queue.set_used_credits({member: used.get(member, 0) for member in members})
        self._changed = True

    def next_update_at(self, now: float) -> float | None:
        """Return when to call `changed_positions` again; None: not before something changes."""
        if not self._queue:
            return None
        pause = len(self._queue) * _UPDATE_PAUSE_SECONDS_PER_JOB
        if not self._changed:
            pause = max(pause, _LONGEST_UPDATE_PAUSE_SECONDS)
        return now if self._updated_at is None else self._updated_at + pause

    def changed_positions(self, now: float, capacity: ProviderCapacity) -> Iterator[tuple[Job, QueuePosition]]:
        """Yield the queued jobs whose position or expected start has changed since it was last yielded."""
        self._updated_at, self._changed = now, False
        order = [self._tracked_jobs[queued.job_id].job for queued in self._queue.order()]
        seconds = [capacity.seconds_of(job) for job in order] if self.active_jobs else [0.0] * len(order)
        starts = expected_starts(seconds, capacity.available_at, capacity.ends, self.active_jobs, capacity.per_second)
        places: Counter[int] = Counter()
        for job, start_at in zip(order, starts, strict=True):
            places[job.requester.guild_id] += 1
            position = QueuePosition(capacity.reason, places[job.requester.guild_id], start_at)
            if not position.is_about(self._shown.get(job.id), now):
                self._shown[job.id] = position
                yield job, position


def _queued(job: Job) -> QueuedJob:
    return QueuedJob(job.id, job.requester.guild_id, job.requester.member_id, job.held_credits, job.moved_to_front_at)


class Dispatcher:
    """Chooses the submissions and polls that are made now."""

    def __init__(
        self,
        tracked_jobs: Mapping[int, TrackedJob],
        repository: JobRepository,
        clock: Clock,
        submitter: Submitter,
        poller: Poller,
        *,
        per_second: float,
        active_jobs: int,
        window: timedelta,
    ) -> None:
        """Make a dispatcher with an empty queue.

        Args:
            tracked_jobs: the worker's, by id.
            repository: where to read what members used.
            clock: the time.
            submitter: knows whether the provider accepts jobs.
            poller: knows what a poll is worth, and when jobs should end.
            per_second: how many requests the provider gets in all; 0: no limit.
            active_jobs: how many jobs it has at once; 0: no limit.
            window: for how long credits count as used.
        """
        self.queue = SubmissionQueue(repository, tracked_jobs, active_jobs=active_jobs, window=window)
        self._tracked_jobs = tracked_jobs
        self._clock = clock
        self._submitter = submitter
        self._poller = poller
        self._per_second = per_second
        self._bucket = TokenBucket(per_second, clock.monotonic())
        self._split = AlternatingSplit()
        self._polls: dict[int, TrackedJob] = {}
        self._submitting: set[int] = set()
        self._is_reading_usage = False

    def add_poll(self, tracked: TrackedJob) -> None:
        """Let a poll of this job wait until it may be made."""
        self._polls[tracked.job.id] = tracked

    def next_submissions(self, now: float) -> list[int]:
        """Return the ids of the jobs to submit now; call `submission_ended` for each, and `next_polls` next."""
        submissions, polls = self._allowed_submissions(now), len(self._polls)
        tokens = self._bucket.available(now)
        if tokens is not None:
            submissions, _ = self._split.split(tokens, submissions, polls)
            self._bucket.take(submissions)
        job_ids = [self.queue.pop(self._clock.now()) for _ in range(submissions)]
        for job_id in job_ids:
            self._submitting.add(job_id)
            self._submitter.reserve(now)
        return job_ids

    def next_polls(self, now: float) -> list[TrackedJob]:
        """Return the jobs to poll now: where not all can be, those whose poll is expected to save most waiting."""
        tokens = self._bucket.available(now)
        chosen = list(self._polls.values())
        if tokens is not None and tokens < len(chosen):
            chosen = heapq.nlargest(tokens, chosen, key=lambda tracked: self._poller.expected_wait(tracked, now))
        self._bucket.take(len(chosen))
        for tracked in chosen:
            del self._polls[tracked.job.id]
        return chosen

    def submission_ended(self, job_id: int) -> None:
        """Count a job's submission as under way no longer, whatever its result."""
        self._submitting.discard(job_id)

    def _allowed_submissions(self, now: float) -> int:
        """Return how many jobs may be submitted, requests per second aside."""
        if self.queue.has_unknown_usage() and self._is_crowded(now):
            return 0
        return self._free_slots(now)

    def _free_slots(self, now: float) -> int:
        limits = (
            len(self.queue),
            _CONCURRENT_SUBMISSIONS - len(self._submitting),
            self._submitter.capacity(now),
            self.queue.free_slots,
        )
        return max(0, min(limit for limit in limits if limit is not None))

    def _is_crowded(self, now: float) -> bool:
        """Return whether more jobs are queued than may be submitted."""
        tokens = self._bucket.available(now)
        slots = self._free_slots(now)
        return len(self.queue) > (slots if tokens is None else min(slots, tokens))

    def needs_usage(self, now: float) -> bool:
        """Return whether `read_usage` is to be called: more jobs are queued than may be submitted."""
        is_missing = self.queue.has_unknown_usage() or self.queue.is_usage_outdated(now)
        return not self._is_reading_usage and is_missing and self._is_crowded(now)

    async def read_usage(self) -> None:
        """Read what the members with queued jobs have used. Never raises."""
        self._is_reading_usage = True
        try:
            await self.queue.read_usage(self._clock.monotonic(), self._clock.now())
        finally:
            self._is_reading_usage = False

    def next_at(self, now: float) -> float | None:
        """Return when a request may be made again, or positions be updated; None: not known."""
        moments = [self.queue.next_update_at(now), self._submitter.retry_at(now) if self.queue else None]
        if self._polls or self._allowed_submissions(now):
            moments.append(self._bucket.next_at(now))
        return min((moment for moment in moments if moment is not None), default=None)

    def changed_statuses(self, now: float) -> list[JobStatus]:
        """Return the new statuses of queued jobs; empty while the last update is too recent."""
        update_at = self.queue.next_update_at(now)
        if update_at is None or update_at > now:
            return []
        changed = self.queue.changed_positions(now, self._capacity(now))
        return [self._status_of(job, position, now) for job, position in changed]

    def _capacity(self, now: float) -> ProviderCapacity:
        at_provider = self.queue.at_provider if self.queue.active_jobs else ()
        return ProviderCapacity(
            reason=self._submitter.reason or WaitReason.BUSY,
            available_at=self._submitter.retry_at(now) or now,
            ends=[self._poller.expected_end(self._tracked_jobs[job_id].job, now) for job_id in at_provider],
            seconds_of=self._poller.typical_seconds,
            # The other half are polls.
            per_second=self._per_second / 2,
        )

    def _status_of(self, job: Job, position: QueuePosition, now: float) -> JobStatus:
        start_at = self._clock.now() + timedelta(seconds=position.start_at - now)
        # Nobody knows when trouble ends: then there is only a next try.
        if position.reason is WaitReason.BUSY:
            return JobStatus(job, waiting=position.reason, place=position.place, expected_at=start_at)
        return JobStatus(job, waiting=position.reason, place=position.place, retry_at=start_at)
