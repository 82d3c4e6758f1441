"""The books, driven through the jobs' transitions in random order, on a real file."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import select

from bot.errors import RefusedError, TransitionError
from bot.jobs.models import Decision, Job, JobState, UnconfirmedDecision
from bot.jobs.moderation.decisions import DecisionRepository
from bot.jobs.store.queries import job_of
from bot.jobs.store.repository import JobRepository
from bot.pools.ledger import entries as ledger
from bot.pools.models import Balance
from bot.provider.models import Submission
from bot.storage.database import Database
from bot.storage.schema import jobs, ledger_entries
from tests.builders import FAILURE, GUILD, MEMBER, members_side, requester, take
from tests.clock import FakeClock
from tests.properties import STEPS

QUEUED, SUBMITTING, PROCESSING = JobState.QUEUED, JobState.SUBMITTING, JobState.PROCESSING
UNCONFIRMED = JobState.UNCONFIRMED
ENDED = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


@dataclass
class Expected:
    """What a job should be by now."""

    state: JobState
    price: int
    guild_id: int
    held: int
    spent: int = 0
    is_charged: bool = False

    def charge(self, credits_used: int) -> None:
        """Pay, unless it was paid before."""
        if not self.is_charged:
            self.held, self.spent, self.is_charged = 0, credits_used, True


class Books(RuleBasedStateMachine):
    """Any transition may be tried on any job at any time."""

    known: Bundle[int] = Bundle("known")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.open = AsyncExitStack()
        self.clock = FakeClock()
        self.expected: dict[int, Expected] = {}

    @initialize()
    def open_file(self) -> None:
        folder = self.open.enter_context(tempfile.TemporaryDirectory())
        opening = Database.open(f"sqlite+aiosqlite:///{Path(folder) / 'a.db'}")
        self.database = self.runner.run(self.open.enter_async_context(opening))
        self.repository = JobRepository(self.database, self.clock)
        self.decisions = DecisionRepository(self.database, self.clock)

    def teardown(self) -> None:
        self.runner.run(self.open.aclose())
        self.runner.close()

    @rule(target=known, price=st.integers(1, 300), guild_id=st.sampled_from([GUILD, GUILD + 1]))
    def take(self, price: int, guild_id: int) -> int:
        job = self.runner.run(take(self.repository, requester(guild_id), price=price))
        self.expected[job.id] = Expected(QUEUED, price, guild_id, held=price)
        return job.id

    @rule(job_id=known)
    def begin_submission(self, job_id: int) -> None:
        if self.attempt(job_id, {QUEUED}, lambda: self.repository.begin_submission(job_id)):
            self.expected[job_id].state = SUBMITTING

    @rule(job_id=known)
    def requeue(self, job_id: int) -> None:
        if self.attempt(job_id, {SUBMITTING}, lambda: self.repository.requeue(job_id)):
            self.expected[job_id].state = QUEUED

    @rule(job_id=known, used=st.one_of(st.none(), st.integers(0, 400)))
    def accept(self, job_id: int, used: int | None) -> None:
        submission = Submission(f"task-{job_id}", used)
        if self.attempt(job_id, {SUBMITTING}, lambda: self.repository.accept(job_id, submission)):
            job = self.expected[job_id]
            job.state = PROCESSING
            job.charge(job.price if used is None else used)

    @rule(job_id=known)
    def succeed(self, job_id: int) -> None:
        if self.attempt(job_id, {PROCESSING}, lambda: self.repository.succeed(job_id, "https://cdn/v.mp4")):
            self.expected[job_id].state = JobState.SUCCEEDED

    @rule(job_id=known, refunded=st.booleans())
    def fail(self, job_id: int, refunded: bool) -> None:
        sources = {QUEUED, SUBMITTING, PROCESSING}
        if self.attempt(job_id, sources, lambda: self.repository.fail(job_id, FAILURE, refunded=refunded)):
            job = self.expected[job_id]
            job.state, job.held, job.spent = JobState.FAILED, 0, 0 if refunded else job.spent

    @rule(job_id=known, is_owner=st.booleans())
    def cancel(self, job_id: int, is_owner: bool) -> None:
        sources = {QUEUED} if is_owner else set()
        guild_id = self.expected[job_id].guild_id
        member_id = MEMBER if is_owner else MEMBER + 1
        if self.attempt(job_id, sources, lambda: members_side(self.repository).cancel(job_id, guild_id, member_id)):
            self.expected[job_id].state, self.expected[job_id].held = JobState.CANCELLED, 0

    @rule(job_id=known)
    def mark_unconfirmed(self, job_id: int) -> None:
        sources = {SUBMITTING, PROCESSING}
        if self.attempt(job_id, sources, lambda: self.repository.mark_unconfirmed(job_id, FAILURE)):
            self.expected[job_id].state = UNCONFIRMED

    @rule(job_id=known)
    def settle_undecided(self, job_id: int) -> None:
        if self.attempt(job_id, {UNCONFIRMED}, lambda: self.repository.settle_undecided(job_id, FAILURE)):
            job = self.expected[job_id]
            job.state = JobState.FAILED
            job.charge(job.price)

    @rule(job_id=known, is_own=st.booleans())
    def confirm_made(self, job_id: int, is_own: bool) -> None:
        sources, guild_id = self.decision(job_id, is_own)
        if self.attempt(job_id, sources, lambda: self.decide(job_id, guild_id, UnconfirmedDecision.CHARGED)):
            job = self.expected[job_id]
            job.state = PROCESSING
            job.charge(job.price)

    @rule(job_id=known, is_own=st.booleans())
    def confirm_nothing(self, job_id: int, is_own: bool) -> None:
        sources, guild_id = self.decision(job_id, is_own)
        if self.attempt(job_id, sources, lambda: self.decide(job_id, guild_id, UnconfirmedDecision.NOT_CHARGED)):
            job = self.expected[job_id]
            job.state, job.held, job.spent = JobState.FAILED, 0, 0

    @rule(job_id=known, is_own=st.booleans())
    def send_again(self, job_id: int, is_own: bool) -> None:
        sources, guild_id = self.decision(job_id, is_own)
        if self.attempt(job_id, sources, lambda: self.decide(job_id, guild_id, UnconfirmedDecision.TRY_AGAIN)):
            job = self.expected[job_id]
            job.state, job.held, job.spent, job.is_charged = QUEUED, job.price, 0, False

    def decide(self, job_id: int, guild_id: int, decision: Decision) -> Awaitable[Job]:
        task_id = f"task-{job_id}" if decision is UnconfirmedDecision.CHARGED else None
        return self.decisions.decide(job_id, guild_id, 900, decision, task_id=task_id)

    def decision(self, job_id: int, is_own: bool) -> tuple[set[JobState], int]:
        """From where moderators can decide, and of which server they are."""
        guild_id = self.expected[job_id].guild_id
        return ({UNCONFIRMED}, guild_id) if is_own else (set(), guild_id + 5)

    @rule(seconds=st.integers(0, 100_000))
    def let_time_pass(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @invariant()
    def everything_adds_up(self) -> None:
        if self.expected:
            self.runner.run(self.check())

    async def check(self) -> None:
        async with self.database.reading() as connection:
            rows = {row["id"]: job_of(row) for row in (await connection.execute(select(jobs))).mappings()}
            for job_id, expected in self.expected.items():
                check_job(rows[job_id], expected, await ledger.balance(connection, job_id=job_id))
            servers = [await ledger.balance(connection, guild_id=guild_id) for guild_id in (GUILD, GUILD + 1)]
            whole = await ledger.balance(connection)
        assert whole == Balance(sum(each.held for each in servers), sum(each.spent for each in servers))
        assert whole.held == sum(each.held for each in self.expected.values())
        assert whole.spent == sum(each.spent for each in self.expected.values())

    def attempt(self, job_id: int, sources: set[JobState], move: Callable[[], Awaitable[Job]]) -> bool:
        """Try a transition; from a wrong state it must be refused and change nothing."""
        if self.expected[job_id].state in sources:
            self.runner.run(_moved(move))
            return True
        before = self.runner.run(self.contents())
        try:
            self.runner.run(_moved(move))
        except (TransitionError, RefusedError):
            assert self.runner.run(self.contents()) == before
            return False
        raise AssertionError(f"moved from {self.expected[job_id].state}")

    async def contents(self) -> list[Any]:
        async with self.database.reading() as connection:
            return [(await connection.execute(select(table))).all() for table in (jobs, ledger_entries)]


def check_job(job: Job, expected: Expected, balance: Balance) -> None:
    """A job is where it should be, its entries add up to what it says, and at its end it holds nothing."""
    assert job.state is expected.state
    assert balance == Balance(held=expected.held, spent=expected.spent)
    assert job.net_credits == balance.spent
    assert balance.held in (0, job.held_credits)
    assert not balance.held or job.state not in ENDED


async def _moved(move: Callable[[], Awaitable[Job]]) -> Job:
    return await move()


TestBooks = Books.TestCase
TestBooks.settings = STEPS
