"""Which submissions and polls go to the provider now.

Four things limit them: requests per second, jobs in flight, the circuit breaker, and submissions under way. Where none
of them does, no job waits and nothing is read. Queued jobs are kept in memory and are read again at start; what their
members used is read only where more jobs are queued than may go.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
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
_KNOWN_FOR_SECONDS = 30.0
# To look through the line costs some microseconds for each job in it: so it takes a hundredth of a core at most.
_LOOK_PAUSE_SECONDS_PER_JOB = 0.002
_LONGEST_LOOK_PAUSE_SECONDS = 30.0
# An expected start that moves less than this is not worth an edit.
_ABOUT_SECONDS = 5.0
_ABOUT_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class QueuePosition:
    """What is to be said of a job that waits.

    Attributes:
        place: in its server's line; 1 is the next one.
        start_at: when it should be sent, by the monotonic clock.
    """

    reason: WaitReason
    place: int
    start_at: float

    def is_about(self, other: "QueuePosition | None", now: float) -> bool:
        """Tell whether both say the same to a reader."""
        if other is None or (self.reason, self.place) != (other.reason, other.place):
            return False
        return abs(self.start_at - other.start_at) <= max(_ABOUT_SECONDS, (self.start_at - now) * _ABOUT_SHARE)


@dataclass(frozen=True, slots=True)
class ProviderCapacity:
    """What the line goes by when it says how long it takes.

    Attributes:
        reason: why jobs wait.
        opens_at: when the first may go, as far as it is up to the provider, by the monotonic clock.
        ends: when the jobs at the provider should end, by the same.
        seconds_of: how long a job takes, once it is sent.
        per_second: how many may be sent in a second; 0: any number.
    """

    reason: WaitReason
    opens_at: float
    ends: Sequence[float]
    seconds_of: Callable[[Job], float]
    per_second: float


class PendingJobs:
    """The jobs that wait to be sent.

    Args:
        repository: where to read what members used.
        active_jobs: how many jobs the provider may have at once; 0: any number.
        window: for how long credits count as used.
    """

    def __init__(self, repository: JobRepository, *, active_jobs: int, window: timedelta) -> None:
        self.active_jobs = active_jobs
        self._repository = repository
        self._window = window
        self._queue = FairQueue()
        self._jobs: dict[int, Job] = {}
        self._shown: dict[int, QueuePosition] = {}
        self._learned_at: float | None = None
        self._looked_at: float | None = None
        self._changed = False

    def __len__(self) -> int:
        return len(self._queue)

    def __contains__(self, job_id: int) -> bool:
        return job_id in self._queue

    @property
    def room(self) -> int | None:
        """How many more jobs the provider may have; None: any number."""
        return max(0, self.active_jobs - self._queue.in_flight_count) if self.active_jobs else None

    @property
    def at_provider(self) -> Sequence[int]:
        """The jobs that are at the provider."""
        return self._queue.in_flight

    async def recall(self) -> None:
        """Go on with the turns of an earlier process.

        Raises:
            StorageError: the database can't be read.
        """
        for guild_id, at in (await self._repository.last_served()).items():
            self._queue.set_served(guild_id, at)

    def join(self, job: Job) -> None:
        """Let a queued job wait; also one that waits already and was moved to the front."""
        self._jobs[job.id] = job
        self._queue.enqueue(_queued(job))
        self._changed = True

    def take(self, now: datetime) -> int:
        """Return the job whose turn it is; it is at the provider from now on.

        Raises:
            IndexError: nobody waits.
        """
        job_id = self._queue.pop(now).job_id
        self._drop(job_id)
        return job_id

    def note(self, job: Job) -> None:
        """Go by where a job stands now, that does not wait in the line."""
        before = self._queue.in_flight_count
        if job.state is JobState.QUEUED:
            self._queue.undo_pop(job.id)
        elif job.state in _AT_PROVIDER:
            self._queue.add_in_flight(_queued(job), job.submitted_at or job.created_at)
        else:
            self._queue.remove(job.id)
        self._changed |= self._queue.in_flight_count != before

    def leave(self, job_id: int) -> None:
        """Forget a job."""
        self._queue.remove(job_id)
        self._drop(job_id)

    def _drop(self, job_id: int) -> None:
        self._jobs.pop(job_id, None)
        self._shown.pop(job_id, None)
        self._changed = True

    def is_blind(self) -> bool:
        """Tell whether somebody waits of whom it is not known what they used, so that no turn can be given."""
        return bool(self._queue.unknown_members)

    def is_stale(self, now: float) -> bool:
        """Tell whether it has been some time since it was read what members used."""
        return self._learned_at is None or now - self._learned_at > _KNOWN_FOR_SECONDS

    async def learn(self, now: float, today: datetime) -> None:
        """Read what the members who wait have used. Never raises: who can't be read has used nothing.

        Args:
            now: by the monotonic clock.
            today: the time of day, at which the window ends.
        """
        unknown = members = self._queue.unknown_members
        if self.is_stale(now):
            members, self._learned_at = self._queue.competing_members, now
        if not members:
            return
        try:
            used = await self._repository.used_credits(members, today - self._window)
        except StorageError as error:
            _log.error("turns go by age alone for now", error=str(error))
            self._queue.set_used_credits(dict.fromkeys(unknown, 0))
            return
        self._queue.set_used_credits({member: used.get(member, 0) for member in members})
        self._changed = True

    def looks_at(self, now: float) -> float | None:
        """Return when `news` should be asked again; None: not before something changes."""
        if not self._queue:
            return None
        pause = len(self._queue) * _LOOK_PAUSE_SECONDS_PER_JOB
        if not self._changed:
            pause = max(pause, _LONGEST_LOOK_PAUSE_SECONDS)
        if self._looked_at is None:
            return now
        return self._looked_at + pause

    def news(self, now: float, prospect: ProviderCapacity) -> Iterator[tuple[int, QueuePosition]]:
        """Yield the jobs of whose waiting there is something new to say."""
        self._looked_at, self._changed = now, False
        order = [self._jobs[queued.job_id] for queued in self._queue.order()]
        seconds = [prospect.seconds_of(job) for job in order] if self.active_jobs else [0.0] * len(order)
        starts = expected_starts(seconds, prospect.opens_at, prospect.ends, self.active_jobs, prospect.per_second)
        places: Counter[int] = Counter()
        for job, start_at in zip(order, starts, strict=True):
            places[job.requester.guild_id] += 1
            wait = QueuePosition(prospect.reason, places[job.requester.guild_id], start_at)
            if not wait.is_about(self._shown.get(job.id), now):
                self._shown[job.id] = wait
                yield job.id, wait


def _queued(job: Job) -> QueuedJob:
    return QueuedJob(job.id, job.requester.guild_id, job.requester.member_id, job.held_credits, job.moved_to_front_at)


_SENDS_AT_ONCE = 32


class Dispatcher:
    """Gives turns to jobs that wait to be sent, and to looks.

    Args:
        per_second: how many requests the provider gets in all; 0: no limit.
        active_jobs: how many jobs it has at once; 0: no limit.
        window: for how long what a member used counts.
    """

    def __init__(
        self,
        repository: JobRepository,
        clock: Clock,
        submitter: Submitter,
        poller: Poller,
        *,
        per_second: float,
        active_jobs: int,
        window: timedelta,
    ) -> None:
        self.pending = PendingJobs(repository, active_jobs=active_jobs, window=window)
        self._clock = clock
        self._submitter = submitter
        self._poller = poller
        self._per_second = per_second
        self._bucket = TokenBucket(per_second, clock.monotonic())
        self._share = AlternatingSplit()
        self._polls: dict[int, TrackedJob] = {}
        self._sending: set[int] = set()
        self._is_learning = False

    def add_look(self, tracked: TrackedJob) -> None:
        """Let a look wait for its turn."""
        self._polls[tracked.job.id] = tracked

    def sends(self, now: float) -> list[int]:
        """Give turns, and return the jobs that are sent now; `looks` says the rest, `sent` is to be told of each."""
        sends, looks = self._room(now), len(self._polls)
        tokens = self._bucket.available(now)
        if tokens is not None:
            sends, _ = self._share.split(tokens, sends, looks)
            self._bucket.take(sends)
        jobs = [self.pending.take(self._clock.now()) for _ in range(sends)]
        for job_id in jobs:
            self._sending.add(job_id)
            self._submitter.enter(now)
        return jobs

    def looks(self, now: float) -> list[TrackedJob]:
        """Return the looks that are made now: those that save most waiting, where not all can be."""
        tokens = self._bucket.available(now)
        chosen = list(self._polls.values())
        if tokens is not None and tokens < len(chosen):
            chosen = heapq.nlargest(tokens, chosen, key=lambda tracked: self._poller.urgency(tracked, now))
        self._bucket.take(len(chosen))
        for tracked in chosen:
            del self._polls[tracked.job.id]
        return chosen

    def sent(self, job_id: int) -> None:
        """A job's sending has come to an end, whatever came of it."""
        self._sending.discard(job_id)

    def _room(self, now: float) -> int:
        """Return how many jobs may be sent, requests per second aside."""
        if self.pending.is_blind() and self._is_crowded(now):
            return 0
        return self._places(now)

    def _places(self, now: float) -> int:
        rooms = (len(self.pending), _SENDS_AT_ONCE - len(self._sending), self._submitter.room(now), self.pending.room)
        return max(0, min(room for room in rooms if room is not None))

    def _is_crowded(self, now: float) -> bool:
        """Whether more jobs wait than may go."""
        tokens = self._bucket.available(now)
        places = self._places(now)
        return len(self.pending) > (places if tokens is None else min(places, tokens))

    def wants_to_learn(self, now: float) -> bool:
        """Tell whether `learn` is to be called, since more jobs wait than may go."""
        return (
            not self._is_learning and self._is_crowded(now) and (self.pending.is_blind() or self.pending.is_stale(now))
        )

    async def learn(self) -> None:
        """Read what turns go by. Never raises."""
        self._is_learning = True
        try:
            await self.pending.learn(self._clock.monotonic(), self._clock.now())
        finally:
            self._is_learning = False

    def next_at(self, now: float) -> float | None:
        """Return when a turn can be given again, or a card of the line be brought up to date; None: not known."""
        moments = [self.pending.looks_at(now), self._submitter.opens_at(now) if self.pending else None]
        if self._polls or self._room(now):
            moments.append(self._bucket.next_at(now))
        return min((moment for moment in moments if moment is not None), default=None)

    def news(self, now: float, tracked_jobs: dict[int, TrackedJob]) -> list[JobStatus]:
        """Return what there is new to tell the members who wait, seldom enough to be cheap."""
        look_at = self.pending.looks_at(now)
        if look_at is None or look_at > now:
            return []
        news = self.pending.news(now, self._prospect(now, tracked_jobs))
        return [self._status_of(tracked_jobs[job_id].job, wait, now) for job_id, wait in news]

    def _prospect(self, now: float, tracked_jobs: dict[int, TrackedJob]) -> ProviderCapacity:
        at_provider = self.pending.at_provider if self.pending.active_jobs else ()
        return ProviderCapacity(
            reason=self._submitter.reason or WaitReason.BUSY,
            opens_at=self._submitter.opens_at(now) or now,
            ends=[self._poller.expected_end(tracked_jobs[job_id].job, now) for job_id in at_provider],
            seconds_of=self._poller.typical_seconds,
            # The others are looks.
            per_second=self._per_second / 2,
        )

    def _status_of(self, job: Job, wait: QueuePosition, now: float) -> JobStatus:
        start_at = self._clock.now() + timedelta(seconds=wait.start_at - now)
        # Nobody knows when trouble ends: then there is only a next try.
        if wait.reason is WaitReason.BUSY:
            return JobStatus(job, waiting=wait.reason, place=wait.place, expected_at=start_at)
        return JobStatus(job, waiting=wait.reason, place=wait.place, retry_at=start_at)
