"""What the worker keeps in memory: the open jobs, and when each is due."""

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from bot.backoff import Backoff
from bot.clock import Clock
from bot.jobs.models import Job
from bot.jobs.polling import PollState

PendingWrite = Callable[[], Awaitable[Job]]
"""Writes down what happened. It may be called again until the database takes it."""

StepResult = float | PendingWrite
"""What follows a step: the next one at this monotonic time, or something to write down."""


@dataclass(slots=True)
class TrackedJob:
    """What the worker knows of a job beyond its row.

    Attributes:
        failures: how many steps in a row came to nothing.
        odd_looks: how many looks in a row showed what cannot be, since `odd_since`.
        may_be_posted: a post of the outcome was tried, by this process or an earlier one.
        wants_hint: the account's balance may by now tell more about an unconfirmed job.
        unwritten: an outcome that is known but not written yet; it outlives a database that can't be written.
    """

    job: Job
    poll_state: PollState
    failures: int = 0
    odd_looks: int = 0
    odd_since: float | None = None
    unwritten: PendingWrite | None = None
    wants_hint: bool = False
    may_be_posted: bool = False

    def update(self, row: Job) -> None:
        """Go by the job's row, and by the thread that may have been made while it was read."""
        self.job = replace(row, thread_id=row.thread_id or self.job.thread_id)

    def later(self, now: float, shortest_seconds: float) -> float:
        """Count a failure and return when to try again: later with each one in a row, at most five minutes."""
        self.failures += 1
        return now + Backoff(2 * shortest_seconds).pause(self.failures)


# However wrong a plan may be, the queue is checked again after this long.
_LONGEST_SLEEP_SECONDS = 30.0


class TimerQueue:
    """Holds at most one time per job; the earliest comes first, and at the same time the oldest job."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int]] = []
        self._due: dict[int, float] = {}
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, job_id: int) -> bool:
        return job_id in self._due

    def put(self, job_id: int, due: float) -> None:
        """Plan a job for a monotonic time, in place of an earlier plan for it."""
        self._due[job_id] = due
        heapq.heappush(self._heap, (due, job_id))
        self._changed.set()

    def nudge(self) -> None:
        """Wake who waits, though nothing is due."""
        self._changed.set()

    def pop_due(self) -> list[int]:
        """Take out the jobs whose time has come."""
        now = self._clock.monotonic()
        found = []
        while self._heap and self._heap[0][0] <= now:
            due, job_id = heapq.heappop(self._heap)
            # A plan that was replaced is still in the heap: only the newest counts.
            if self._due.get(job_id) == due:
                del self._due[job_id]
                found.append(job_id)
        return found

    async def wait(self, at_most_until: float | None = None) -> None:
        """Sleep until something is due, or may be, or until the time given."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        self._changed.clear()
        pause = _LONGEST_SLEEP_SECONDS
        ends = [self._heap[0][0]] if self._heap else []
        if at_most_until is not None:
            ends.append(at_most_until)
        if ends:
            pause = min(pause, min(ends) - self._clock.monotonic())
        if pause <= 0:
            return
        try:
            async with asyncio.timeout(pause):
                await self._changed.wait()
        except TimeoutError:
            return
