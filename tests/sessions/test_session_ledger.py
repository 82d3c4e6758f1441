"""The books of sessions that begin and end in random order, while their jobs go any way they can."""

import asyncio
import tempfile
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import select

from bot.codes import AuditAction, Reason
from bot.errors import RefusedError, TransitionError
from bot.jobs.models import Job, UnconfirmedDecision
from bot.jobs.validation import LOWEST_PRICE, list_price
from bot.pools.ledger import entries as ledger
from bot.pools.models import PoolSettings, Session
from bot.pools.queries import pool_of, session_of
from bot.provider.models import Submission
from bot.sessions.queries import read_jobs_of
from bot.storage.database import Database
from bot.storage.schema import audit_entries, ledger_entries, pools, sessions
from tests.builders import FAILURE, GUILD, MEMBER, TEXT_REQUEST, UNLIMITED, members_side
from tests.clock import FakeClock
from tests.properties import STEPS
from tests.sessions.session_setup import DEPOSIT, MANAGER, SessionSetup, asker_in, plan


class Money(RuleBasedStateMachine):
    """Any step may be tried at any time; what is refused changes nothing that counts."""

    opened: Bundle[int] = Bundle("opened")
    taken: Bundle[int] = Bundle("taken")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.open = AsyncExitStack()

    @initialize()
    def open_file(self) -> None:
        folder = self.open.enter_context(tempfile.TemporaryDirectory())
        opening = Database.open(f"sqlite+aiosqlite:///{Path(folder) / 'a.db'}")
        database = self.runner.run(self.open.enter_async_context(opening))
        self.setup = SessionSetup(database, FakeClock(), PoolSettings(UNLIMITED, DEPOSIT))

    def teardown(self) -> None:
        self.runner.run(self.open.aclose())
        self.runner.close()

    def attempt(self, step: Awaitable[object]) -> None:
        async def carry_out() -> None:
            try:
                await step
            except (RefusedError, TransitionError):
                return

        self.runner.run(carry_out())

    @rule(target=opened, budget=st.integers(LOWEST_PRICE, 500), minutes=st.sampled_from([None, 5]))
    def start(self, budget: int, minutes: int | None) -> int:
        try:
            return self.runner.run(self.setup.start(plan(budget, minutes=minutes))).id
        except RefusedError:
            return 0

    @rule(target=taken, session_id=opened, seconds=st.sampled_from([5, 10]), is_asked=st.booleans())
    def take(self, session_id: int, seconds: int, is_asked: bool) -> int:
        async def carry_out() -> int:
            if not session_id:
                return 0
            session = await self.setup.session(session_id)
            request = replace(TEXT_REQUEST, duration_seconds=seconds)
            requester = asker_in(session)
            price = list_price(request)
            try:
                job, _ = await members_side(self.setup.jobs, self.setup.settings).create(
                    requester, request, price, is_asked=is_asked
                )
            except RefusedError:
                return 0
            return job.id

        return self.runner.run(carry_out())

    @rule(job_id=taken, used=st.one_of(st.none(), st.integers(0, 200)))
    def submit(self, job_id: int, used: int | None) -> None:
        self.attempt(self.setup.jobs.begin_submission(job_id))
        self.attempt(self.setup.jobs.accept(job_id, Submission(f"task-{job_id}", used)))

    @rule(job_id=taken, refunded=st.booleans())
    def fail(self, job_id: int, refunded: bool) -> None:
        self.attempt(self.setup.jobs.fail(job_id, FAILURE, refunded=refunded))

    @rule(job_id=taken)
    def lose_and_send_again(self, job_id: int) -> None:
        self.attempt(self.setup.jobs.mark_unconfirmed(job_id, FAILURE))
        self.attempt(self.setup.decisions.decide(job_id, GUILD, MANAGER, UnconfirmedDecision.TRY_AGAIN))

    @rule(job_id=taken)
    def cancel(self, job_id: int) -> None:
        self.attempt(members_side(self.setup.jobs).cancel(job_id, GUILD, MEMBER))

    @rule(session_id=opened)
    def end(self, session_id: int) -> None:
        self.attempt(self.setup.service.end(session_id, GUILD, MANAGER))

    @rule(session_id=opened, is_time_over=st.booleans())
    def end_by_itself(self, session_id: int, is_time_over: bool) -> None:
        self.attempt(self.setup.service.end_by_itself(session_id, is_time_over=is_time_over))

    @invariant()
    def everything_adds_up(self) -> None:
        self.runner.run(self.check())

    async def check(self) -> None:
        async with self.setup.database.reading() as connection:
            rows = (await connection.execute(select(pools))).mappings().all()
            every = [session_of(row) for row in (await connection.execute(select(sessions))).mappings()]
            entries = (await connection.execute(select(ledger_entries))).all()
            counted = await ledger.recount(connection)
            jobs_of = {session.id: await read_jobs_of(connection, session.id) for session in every}
            ends = select(audit_entries.c.detail).where(audit_entries.c.action == AuditAction.SESSION_END)
            unconfirmed = (await connection.execute(ends)).scalars().all()
        for row in rows:
            funds = pool_of(row).funds
            assert funds == counted[GUILD]
            assert funds.budgeted == sum(session.available for session in every)
            put_in = sum(entry.credits for entry in entries if entry.kind in ("deposit", "adjustment"))
            assert funds.available + funds.budgeted + funds.held + funds.spent == put_in
        for session in every:
            check_session(session, [entry for entry in entries if entry.session_id == session.id], jobs_of[session.id])
        ended = sorted(session.id for session in every if session.ended_at)
        assert sorted(Reason.from_json(detail).data["session_id"] for detail in unconfirmed) == ended


def check_session(session: Session, entries: list[Any], its_jobs: list[Job]) -> None:
    """Its purse is what was put in and not taken out, an ended one keeps nothing, and its jobs cost what it spent."""
    signs = {"hold": 1, "release": -1}
    own = sum(signs[entry.kind] * entry.credits for entry in entries if entry.job_id is None)
    assert own == session.available + session.held + session.spent
    assert min(session.available, session.held, session.spent) >= 0
    assert session.returned == session.budget - own
    assert not session.ended_at or session.available == 0
    assert sum(job.net_credits for job in its_jobs) == session.spent


TestMoney = Money.TestCase
TestMoney.settings = settings(STEPS, max_examples=8)
