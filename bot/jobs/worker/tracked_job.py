"""What is known of a job in memory, and what one step of it may lead to."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from bot.backoff import Backoff
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
