"""What the worker keeps in memory: the open jobs, and when each is due."""

import asyncio
import heapq
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from bot.backoff import Backoff
from bot.clock import Clock
from bot.jobs.models import Job
from bot.jobs.polling import PollState

PendingWrite = Callable[[], Awaitable[Job]]
"""Writes what happened, and returns the job's row. It may be called again until the database accepts it."""

StepResult = float | PendingWrite
"""What follows a step: the next one at this monotonic time, or a write."""


@dataclass(slots=True)
class TrackedJob:
    """A job that the worker drives, with what its row does not hold.

    Attributes:
        failures: failed steps in a row.
        implausible_polls: polls in a row that showed what can't be, since `implausible_since` (monotonic clock).
        may_be_posted: a post of the outcome or of the approval card was tried, by this process or an earlier one.
        is_held: moderators' rules keep the queued job from being submitted, so it is not in the queue.
        needs_hint: the provider account's balance may say more about an unconfirmed job by now.
        unknown_word: an undocumented word for its state, which is in the log.
        unwritten: a result that is known but not written yet; kept while the database can't be written.
    """

    job: Job
    poll_state: PollState
    failures: int = 0
    implausible_polls: int = 0
    implausible_since: float | None = None
    unwritten: PendingWrite | None = None
    is_held: bool = False
    needs_hint: bool = False
    may_be_posted: bool = False
    unknown_word: str | None = None

    def update(self, row: Job) -> None:
        """Replace the job by its row; a card or thread that was made while the row was read stays."""
        card_id, thread_id = row.card_message_id or self.job.card_message_id, row.thread_id or self.job.thread_id
        self.job = replace(row, card_message_id=card_id, thread_id=thread_id)

    def retry_at(self, now: float, shortest_seconds: float) -> float:
        """Count a failure, and return when to try again: exponential backoff, at most five minutes."""
        self.failures += 1
        return now + Backoff(2 * shortest_seconds).pause(self.failures)


# A safeguard: whatever the timers say, they are checked again after this long.
_LONGEST_SLEEP_SECONDS = 30.0


class TimerQueue:
    """Timers by the monotonic clock, at most one per job; the earliest comes first, among equals the oldest job."""

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
        """Set a job's timer, in place of an earlier one."""
        self._due[job_id] = due
        heapq.heappush(self._heap, (due, job_id))
        self._changed.set()

    def put_if_earlier(self, job_id: int, due: float) -> None:
        """Set a job's timer to a monotonic time, unless it is set to an earlier one."""
        if due < self._due.get(job_id, math.inf):
            self.put(job_id, due)

    def wake(self) -> None:
        """End `wait`, though no timer is due."""
        self._changed.set()

    def pop_due(self) -> list[int]:
        """Remove the timers that are due, and return their jobs."""
        now = self._clock.monotonic()
        found = []
        while self._heap and self._heap[0][0] <= now:
            due, job_id = heapq.heappop(self._heap)
            # A timer that was replaced is still in the heap: only the newest counts.
            if self._due.get(job_id) == due:
                del self._due[job_id]
                found.append(job_id)
        return found

    async def wait(self, at_most_until: float | None = None) -> None:
        """Sleep until a timer is due or changes, or until the time given."""
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
