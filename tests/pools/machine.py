"""The stage of the pools' state machine: a real file that can be opened again, a provider, a model, and the checks."""

import asyncio
import itertools
import tempfile
from collections.abc import Awaitable, Callable, Collection
from contextlib import AsyncExitStack
from dataclasses import astuple
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant
from sqlalchemy import select

from bot.errors import RefusedError, TransitionError
from bot.jobs.models import UNPAID_STATES, Job, JobState
from bot.jobs.moderation.decisions import DecisionRepository
from bot.jobs.store.queries import job_of
from bot.jobs.store.repository import JobRepository
from bot.pools.ledger import entries as ledger
from bot.pools.ledger.entries import job_recount_query
from bot.pools.models import Balance, PoolSettings, Session
from bot.pools.queries import pool_of, session_of
from bot.pools.reconciliation.service import reconcile
from bot.pools.service import PoolService
from bot.sessions.service import SessionService
from bot.storage.database import Database
from bot.storage.schema import jobs, pools, sessions
from tests.builders import GUILD
from tests.clock import FakeClock
from tests.pools.model import LIMITS, STARTING, BooksModel, Budget, JobModel

_T = TypeVar("_T")

TERMS = PoolSettings(LIMITS, STARTING)
SERVERS = (GUILD, GUILD + 1)
ENDED = {*UNPAID_STATES, JobState.SUCCEEDED}


class TickingClock(FakeClock):
    """No two moments are the same."""

    def now(self) -> datetime:
        self.advance(0.001)
        return super().now()


class Machine(RuleBasedStateMachine):
    """What the rules work with."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "a.db"
        self.clock = TickingClock()
        self.model = BooksModel()
        self.ids = itertools.count(1_000)
        self.account = 100_000
        # Whether moderators, or time, decided otherwise than the provider: then the account may differ.
        self.is_decided_wrongly = False

    @initialize()
    def begin(self) -> None:
        self.open_file()
        # As at the bot's start: every server that it is in.
        self.runner.run(self.pools.open_all(SERVERS))
        for guild_id in SERVERS:
            self.model.pool(guild_id)

    def open_file(self) -> None:
        """Open the database, as a new process does."""
        self.opened = AsyncExitStack()
        opening = Database.open(f"sqlite+aiosqlite:///{self.path}")
        self.database = self.runner.run(self.opened.enter_async_context(opening))
        self.jobs = JobRepository(self.database, self.clock)
        self.decisions = DecisionRepository(self.database, self.clock)
        self.sessions = SessionService(self.database, self.clock, TERMS)
        self.pools = PoolService(self.database, self.clock, TERMS)

    def teardown(self) -> None:
        self.reconcile()
        self.runner.run(self.opened.aclose())
        self.runner.close()
        self.folder.cleanup()

    def tried(self, step: Awaitable[_T]) -> _T | Exception:
        """Carry out a step; what refuses it is the result."""

        async def carry_out() -> _T | Exception:
            try:
                return await step
            except (RefusedError, TransitionError) as error:
                return error

        return self.runner.run(carry_out())

    def moved(
        self, job_id: int, sources: Collection[JobState], step: Callable[[], Awaitable[object]]
    ) -> JobModel | None:
        """Try a transition; it succeeds from these states and from no other."""
        job = self.model.jobs[job_id]
        result = self.tried(step())
        is_refused = isinstance(result, TransitionError | RefusedError)
        assert is_refused is (job.state not in sources), (job.state, result)
        return None if isinstance(result, Exception) else job

    @invariant()
    def every_step_adds_up(self) -> None:
        self.runner.run(self.check())

    async def check(self) -> None:
        """Rows, sums and entries say what the model says."""
        async with self.database.reading() as connection:
            entered = {
                row.job_id: Balance(row.held, row.spent) for row in await connection.execute(job_recount_query())
            }
            for row in (await connection.execute(select(jobs))).mappings():
                check_job(job_of(row), self.model.jobs[row["id"]], entered[row["id"]])
            assert entered.keys() == self.model.jobs.keys()
            for row in (await connection.execute(select(sessions))).mappings():
                check_session(session_of(row), self.model.sessions[row["id"]])
            recounted = await ledger.recount(connection)
            found = [pool_of(row) for row in (await connection.execute(select(pools))).mappings()]
        assert {pool.guild_id for pool in found} == recounted.keys() == self.model.pools.keys()
        for pool in found:
            model = self.model.pools[pool.guild_id]
            assert pool.funds == recounted[pool.guild_id] == self.model.funds(model)
            assert min(astuple(pool.funds)) >= 0
            assert sum(astuple(pool.funds)) == model.deposited - model.withdrawn + model.adjusted

    def reconcile(self) -> None:
        """What the operator is told agrees, and the account with it."""
        report = reconcile(self.path)
        assert report.is_sound
        for books in report.servers:
            pool = self.model.pools[books.guild_id]
            assert (books.deposited, books.withdrawn, books.adjusted) == (pool.deposited, pool.withdrawn, pool.adjusted)
        if not self.is_decided_wrongly:
            assert report.drift.steps == ()


def check_job(job: Job, model: JobModel, entered: Balance) -> None:
    """A job is where it should be, and its entries add up to what it has cost."""
    assert (job.state, job.held_credits, job.net_credits) == (model.state, model.price, model.spent)
    assert entered == Balance(model.held, model.spent)
    assert model.held in (0, model.price)
    assert not model.held or model.state not in ENDED


def check_session(session: Session, model: Budget) -> None:
    """A session has what it should have, and nothing once it is over."""
    assert (session.available, session.held, session.spent) == (model.available, model.held, model.spent)
    assert (session.ended_at is not None) is model.is_over
    assert not (model.is_over and model.available)
