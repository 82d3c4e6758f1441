"""Whom the provider gets now, of the jobs that are to be sent and the looks that are due.

Four things limit it: how many requests it may get in a second, how many jobs it may have, whether it takes any, and how
many are being sent just now. Where nothing does, nobody waits and nothing is read.
"""

import heapq
from datetime import timedelta

from bot.clock import Clock
from bot.codes import WaitReason
from bot.jobs.models import Job
from bot.jobs.ports import JobStatus
from bot.jobs.queueing.rate_limiter import AlternatingSplit, TokenBucket
from bot.jobs.store.repository import JobRepository
from bot.jobs.worker.pending_jobs import PendingJobs, ProviderCapacity, QueuePosition
from bot.jobs.worker.poll import Poller
from bot.jobs.worker.submit import Submitter
from bot.jobs.worker.tracked_job import TrackedJob

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
