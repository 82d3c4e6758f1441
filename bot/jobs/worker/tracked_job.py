"""What is known of a job in memory, and what one step of it may lead to."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.backoff import Backoff
from bot.jobs.models import Job
from bot.jobs.polling.policy import PollState

PendingWrite = Callable[[], Awaitable[Job]]
"""Writes down what happened. It may be called again until the database takes it."""

StepResult = datetime | PendingWrite
"""What follows a step: come back then, or write this down."""


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
    watch: PollState
    failures: int = 0
    odd_looks: int = 0
    odd_since: datetime | None = None
    unwritten: PendingWrite | None = None
    wants_hint: bool = False
    may_be_posted: bool = False

    def update(self, row: Job) -> None:
        """Go by the job's row, and by the thread that may have been made while it was read."""
        self.job = replace(row, thread_id=row.thread_id or self.job.thread_id)

    def later(self, now: datetime, shortest_seconds: float) -> datetime:
        """Count a failure and return when to try again: later with each one in a row, at most five minutes."""
        self.failures += 1
        return now + timedelta(seconds=Backoff(2 * shortest_seconds).pause(self.failures))
