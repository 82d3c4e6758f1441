"""Creative sessions and their money: budgets come out of the pool, pay for jobs, and go back exactly once."""

import asyncio
import itertools
import tempfile
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import event, select

from bot.errors import ChangeRefusedError, NotAllowedError, PoolEmptyError, RefusedError, TransitionError
from bot.jobs.checks import LOWEST_PRICE, list_price
from bot.jobs.decisions import DecisionRepository
from bot.jobs.models import Asker, Job, JobState, Overview
from bot.jobs.repository import JobRepository
from bot.jobs.session_rows import read_jobs_of, read_standings
from bot.jobs.session_service import SessionService
from bot.jobs.sessions import SessionStanding, Share, Summary
from bot.pools import ledger
from bot.pools.models import Funds, Limits, Session, SessionEnd, SessionPlan, Terms
from bot.pools.rows import pool_of, read_session, session_of
from bot.provider.models import GenerationMode, GenerationRequest, Submission
from bot.storage.database import Database
from bot.storage.schema import audit_entries, ledger_entries, pools, sessions
from tests.builders import CHANNEL, GUILD, MEMBER, TEXT_REQUEST, UNLIMITED
from tests.clock import FakeClock
from tests.properties import STEPS

MANAGER, OTHER = 900, 301
DEPOSIT = 1000
# A member's own allowance, which sessions are outside of.
TERMS = Terms(Limits(active_jobs=1, window_credits=60, window_hours=24), starting_credits=DEPOSIT)
CHEAPEST = GenerationRequest(GenerationMode.TEXT, "a cat", share=True)

_ids = itertools.count(5_000)


def plan(
    budget: int = 300, *, minutes: int | None = None, role_id: int | None = None, title: str = "Night"
) -> SessionPlan:
    return SessionPlan(GUILD, next(_ids), CHANNEL, MANAGER, title, budget, role_id, minutes)


def asker_in(session: Session, member_id: int = MEMBER, *roles: int) -> Asker:
    thread_id = session.thread_id or 0
    return Asker(next(_ids), GUILD, thread_id, member_id, in_thread=True, parent_id=CHANNEL, role_ids=frozenset(roles))


class Desk:
    """Sessions and jobs on one file."""

    def __init__(self, database: Database, clock: FakeClock, terms: Terms = TERMS) -> None:
        self.database, self.clock, self.terms = database, clock, terms
        self.jobs = JobRepository(database, clock)
        self.decisions = DecisionRepository(database, clock)
        self.service = SessionService(database, clock, terms)

    async def start(self, wanted: SessionPlan) -> Session:
        session = await self.service.start(wanted)
        return await self.service.record_thread(session.id, next(_ids))

    async def take(self, asker: Asker, request: GenerationRequest = TEXT_REQUEST) -> tuple[Job, Overview]:
        return await self.jobs.take(asker, request, list_price(request), self.terms)

    async def submitted(self, asker: Asker, request: GenerationRequest = TEXT_REQUEST) -> Job:
        job, _ = await self.take(asker, request)
        return await self.jobs.begin_submission(job.id)

    async def made(self, asker: Asker, request: GenerationRequest = TEXT_REQUEST) -> Job:
        job = await self.submitted(asker, request)
        await self.jobs.accept(job.id, Submission(f"task-{job.id}", list_price(request)))
        job = await self.jobs.succeed(job.id, "https://cdn/v.mp4")
        return await self.jobs.record_delivery(job.id, asker.channel_id, next(_ids))

    async def session(self, session_id: int) -> Session:
        async with self.database.reading() as connection:
            found = await read_session(connection, session_id)
        assert found
        return found

    async def standing(self, session_id: int) -> SessionStanding:
        (found,) = [each for each in await self.service.standings() if each.session.id == session_id]
        return found

    async def funds(self) -> Funds:
        async with self.database.reading() as connection:
            return pool_of((await connection.execute(select(pools))).mappings().one()).funds

    async def contents(self) -> list[Any]:
        async with self.database.reading() as connection:
            tables = (sessions, ledger_entries, audit_entries)
            return [(await connection.execute(select(table))).all() for table in tables]

    async def audit(self) -> list[tuple[str, int]]:
        async with self.database.reading() as connection:
            columns = select(audit_entries.c.action, audit_entries.c.actor_id).order_by(audit_entries.c.id)
            return [(action, actor_id) for action, actor_id in await connection.execute(columns)]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with Database.open(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}") as database:
        yield Desk(database, FakeClock())


async def test_budget_is_set_aside_and_written_down(desk: Desk) -> None:
    session = await desk.service.start(plan(300, minutes=30, role_id=7))
    assert session == replace(await desk.session(session.id))
    assert (session.available, session.budget, session.ends_at) == (300, 300, desk.clock.now() + timedelta(minutes=30))
    assert await desk.funds() == Funds(available=700, budgeted=300)
    assert await desk.audit() == [("session start", MANAGER)]
    _, (*_, entry), _ = await desk.contents()
    assert (entry.kind, entry.credits, entry.actor_id, entry.reason) == ("hold", 300, MANAGER, "session 1: Night")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"budget": 1001}, "would need 1001 credits, and this server's pool has 1000 left"),
        ({"budget": LOWEST_PRICE - 1}, "from 45 to"),
        ({"budget": 0}, "from 45 to"),
        ({"budget": -5}, "from 45 to"),
        ({"budget": 99.5}, "from 45 to"),
        ({"budget": 10**12}, "from 45 to"),
        ({"minutes": 0}, "from 1 to 1440 minutes"),
        ({"minutes": -1}, "from 1 to 1440 minutes"),
        ({"minutes": 1441}, "from 1 to 1440 minutes"),
    ],
)
async def test_what_can_not_be_started_changes_nothing(desk: Desk, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(RefusedError, match=words):
        await desk.service.start(plan(**{"budget": 300, **changes}))
    assert [list(rows) for rows in await desk.contents()][0::2] == [[], []]


async def test_whole_pool_can_be_a_budget_and_the_next_session_finds_nothing(desk: Desk) -> None:
    await desk.start(plan(DEPOSIT))
    with pytest.raises(PoolEmptyError) as refusal:
        await desk.start(plan(LOWEST_PRICE))
    assert (refusal.value.needed, refusal.value.available) == (LOWEST_PRICE, 0)


async def test_same_interaction_starts_no_second_session(desk: Desk) -> None:
    wanted = plan()
    await desk.service.start(wanted)
    with pytest.raises(ChangeRefusedError, match="already"):
        await desk.service.start(wanted)
    assert await desk.funds() == Funds(available=700, budgeted=300)


@pytest.mark.parametrize(
    ("typed", "kept"), [("  a \n\tnight ", "a night"), ("\u200b \n", "Creative session"), ("x" * 300, "x" * 100)]
)
async def test_title_is_one_line_that_can_be_seen(desk: Desk, typed: str, kept: str) -> None:
    assert (await desk.start(plan(title=typed))).title == kept


async def test_jobs_are_paid_from_the_budget_outside_of_the_member_s_allowance(desk: Desk) -> None:
    session = await desk.start(plan(300))
    for number in range(1, 4):
        _, overview = await desk.take(asker_in(session))
        assert overview.session
        assert (overview.credits_left, overview.session.held) == (300 - 55 * number, 55 * number)
    assert await desk.funds() == Funds(available=700, budgeted=135, held=165)


async def test_only_the_role_may_take_part(desk: Desk) -> None:
    session = await desk.start(plan(300, role_id=7))
    await desk.take(asker_in(session, MEMBER, 7))
    with pytest.raises(NotAllowedError, match="<@&7>"):
        await desk.take(asker_in(session, OTHER, 8))


async def test_what_a_budget_has_no_room_for_is_refused_though_the_pool_has_it(desk: Desk) -> None:
    session = await desk.start(plan(100))
    await desk.take(asker_in(session))
    with pytest.raises(PoolEmptyError, match="costs 55 credits, and this session has 45 left"):
        await desk.take(asker_in(session))
    await desk.take(asker_in(session), CHEAPEST)
    assert (await desk.session(session.id)).available == 0


async def test_end_gives_back_what_is_left_and_what_runs_is_still_paid_by_it(desk: Desk) -> None:
    session = await desk.start(plan(300))
    running = await desk.submitted(asker_in(session))
    failing = await desk.submitted(asker_in(session))
    ending = await desk.service.end(session.id, GUILD, MANAGER)
    assert ending.standing.making == 2
    assert await desk.funds() == Funds(available=890, held=110)
    await desk.jobs.accept(running.id, Submission("task", 50))
    await desk.jobs.fail(failing.id, "no")
    ended = await desk.session(session.id)
    assert (ended.available, ended.held, ended.spent, ended.returned) == (0, 0, 50, 250)
    assert await desk.funds() == Funds(available=950, spent=50)


async def test_dearer_than_its_budget_after_the_end_is_paid_by_the_pool(desk: Desk) -> None:
    session = await desk.start(plan(55))
    running = await desk.submitted(asker_in(session))
    await desk.service.end(session.id, GUILD, MANAGER)
    await desk.jobs.accept(running.id, Submission("task", 80))
    ended = await desk.session(session.id)
    assert (ended.available, ended.spent, ended.returned) == (0, 80, -25)
    assert await desk.funds() == Funds(available=920, spent=80)


async def test_a_session_is_ended_once_and_only_by_its_own_server(desk: Desk) -> None:
    session = await desk.start(plan(300))
    with pytest.raises(ChangeRefusedError, match="no such session here"):
        await desk.service.end(session.id, GUILD + 1, MANAGER)
    with pytest.raises(ChangeRefusedError, match="no such session here"):
        await desk.service.end(session.id + 1, GUILD, MANAGER)
    results = await asyncio.gather(
        *(desk.service.end(session.id, GUILD, manager_id) for manager_id in (MANAGER, OTHER)), return_exceptions=True
    )
    (refusal,) = [result for result in results if isinstance(result, ChangeRefusedError)]
    winner = (await desk.session(session.id)).ended_by
    assert f"<@{winner}> has ended this session <t:" in str(refusal)
    assert await desk.service.end_by_itself(session.id) is None
    assert await desk.service.give_up(session.id) is None
    assert await desk.funds() == Funds(available=DEPOSIT)
    assert await desk.audit() == [("session start", MANAGER), ("session end", winner)]


async def test_end_expires_what_waits_for_a_moderator(desk: Desk) -> None:
    session = await desk.start(plan(300))
    waiting, _ = await desk.jobs.take(asker_in(session), TEXT_REQUEST, 55, desk.terms, is_asked=True)
    ending = await desk.service.end(session.id, GUILD, MANAGER)
    assert [(job.id, job.state) for job in ending.expired] == [(waiting.id, JobState.EXPIRED)]
    assert ending.standing.session.returned == 300
    assert await desk.funds() == Funds(available=DEPOSIT)


async def test_no_job_is_taken_once_the_time_is_over_though_nobody_has_noticed(desk: Desk) -> None:
    session = await desk.start(plan(300, minutes=10))
    assert await desk.service.end_by_itself(session.id) is None
    desk.clock.advance(600)
    with pytest.raises(NotAllowedError, match="over"):
        await desk.take(asker_in(session))
    assert await desk.service.end_by_itself(session.id)
    ended = await desk.session(session.id)
    assert (ended.end_cause, ended.ended_by, ended.returned) == (SessionEnd.TIME, None, 300)
    # What ends by itself was set up like that by whoever started it.
    assert await desk.audit() == [("session start", MANAGER), ("session end", MANAGER)]


async def test_a_budget_that_pays_nothing_more_ends_it_once_no_job_can_give_back(desk: Desk) -> None:
    session = await desk.start(plan(99))
    job = await desk.submitted(asker_in(session))
    assert (await desk.session(session.id)).available < LOWEST_PRICE
    assert await desk.service.end_by_itself(session.id) is None
    await desk.jobs.fail(job.id, "no")
    assert await desk.service.end_by_itself(session.id) is None
    await desk.made(asker_in(session))
    assert await desk.service.end_by_itself(session.id)
    assert (await desk.session(session.id)).end_cause is SessionEnd.BUDGET
    assert await desk.funds() == Funds(available=945, spent=55)


async def test_a_budget_that_pays_the_cheapest_video_keeps_it_open(desk: Desk) -> None:
    session = await desk.start(plan(55 + LOWEST_PRICE))
    await desk.made(asker_in(session))
    assert await desk.service.end_by_itself(session.id) is None


async def test_sessions_side_by_side_have_purses_of_their_own(desk: Desk) -> None:
    first, second = await desk.start(plan(300)), await desk.start(plan(200))
    await desk.made(asker_in(first))
    await desk.made(asker_in(second), CHEAPEST)
    await desk.service.end(first.id, GUILD, MANAGER)
    assert [each.id for each in await desk.service.open_in(GUILD)] == [second.id]
    assert await desk.service.open_in(GUILD + 1) == []
    assert await desk.funds() == Funds(available=DEPOSIT - 200 - 55, budgeted=155, spent=100)


async def test_standing_counts_what_is_ready_in_the_making_and_untold(desk: Desk) -> None:
    session = await desk.start(plan(500))
    await desk.made(asker_in(session))
    told = await desk.submitted(asker_in(session))
    await desk.take(asker_in(session))
    standing = await desk.standing(session.id)
    assert (standing.ready, standing.making, standing.untold, standing.is_settled) == (1, 2, 0, False)
    await desk.jobs.mark_unconfirmed(told.id, "who knows")
    standing = await desk.standing(session.id)
    assert (standing.making, standing.untold) == (1, 1)
    await desk.service.record_summary(session.id)
    assert await desk.service.standings() == []


async def test_summary_has_every_job_and_adds_up_per_member(desk: Desk) -> None:
    session = await desk.start(plan(500))
    made = [
        await desk.made(asker_in(session)),
        await desk.made(asker_in(session, OTHER), CHEAPEST),
        await desk.made(asker_in(session)),
    ]
    failed = await desk.submitted(asker_in(session, OTHER))
    await desk.jobs.fail(failed.id, "no")
    await desk.service.end(session.id, GUILD, MANAGER)
    summary = await desk.service.summary(session)
    assert [job.id for job in summary.jobs] == [*(job.id for job in made), failed.id]
    assert summary.videos == 3
    assert summary.shares() == [Share(MEMBER, 2, 110), Share(OTHER, 1, 45)]
    assert sum(share.credits for share in summary.shares()) == summary.session.spent
    assert Summary(session).shares() == []


async def test_what_is_asked_every_few_seconds_reads_no_session_that_is_done(desk: Desk) -> None:
    asked: list[tuple[str, Any]] = []
    async with desk.database.reading() as connection:
        event.listen(connection.sync_connection, "before_cursor_execute", lambda *what: asked.append(what[2:4]))
        await read_standings(connection)
        statement, values = asked[-1]
        steps = (await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)).all()
    assert [step.detail for step in steps if step.detail.startswith("SCAN")] == [
        "SCAN sessions USING INDEX ix_sessions_open"
    ]


class Money(RuleBasedStateMachine):
    """Sessions begin and end while their jobs go any way they can."""

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
        self.desk = Desk(database, FakeClock(), Terms(UNLIMITED, DEPOSIT))

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
            return self.runner.run(self.desk.start(plan(budget, minutes=minutes))).id
        except PoolEmptyError:
            return 0

    @rule(target=taken, session_id=opened, seconds=st.sampled_from([5, 10]), is_asked=st.booleans())
    def take(self, session_id: int, seconds: int, is_asked: bool) -> int:
        async def carry_out() -> int:
            if not session_id:
                return 0
            session = await self.desk.session(session_id)
            request = replace(TEXT_REQUEST, duration_seconds=seconds)
            asker = asker_in(session)
            price = list_price(request)
            try:
                job, _ = await self.desk.jobs.take(asker, request, price, self.desk.terms, is_asked=is_asked)
            except RefusedError:
                return 0
            return job.id

        return self.runner.run(carry_out())

    @rule(job_id=taken, used=st.one_of(st.none(), st.integers(0, 200)))
    def submit(self, job_id: int, used: int | None) -> None:
        self.attempt(self.desk.jobs.begin_submission(job_id))
        self.attempt(self.desk.jobs.accept(job_id, Submission(f"task-{job_id}", used)))

    @rule(job_id=taken, refunded=st.booleans())
    def fail(self, job_id: int, refunded: bool) -> None:
        self.attempt(self.desk.jobs.fail(job_id, "no", refunded=refunded))

    @rule(job_id=taken)
    def lose_and_send_again(self, job_id: int) -> None:
        self.attempt(self.desk.jobs.mark_unconfirmed(job_id, "who knows"))
        self.attempt(self.desk.decisions.send_again(job_id, GUILD))

    @rule(job_id=taken)
    def cancel(self, job_id: int) -> None:
        self.attempt(self.desk.jobs.cancel(job_id, GUILD, MEMBER))

    @rule(session_id=opened)
    def end(self, session_id: int) -> None:
        self.attempt(self.desk.service.end(session_id, GUILD, MANAGER))

    @rule(session_id=opened, seconds=st.integers(0, 400))
    def end_by_itself(self, session_id: int, seconds: int) -> None:
        self.desk.clock.advance(seconds)
        self.attempt(self.desk.service.end_by_itself(session_id))

    @invariant()
    def everything_adds_up(self) -> None:
        self.runner.run(self.check())

    async def check(self) -> None:
        async with self.desk.database.reading() as connection:
            rows = (await connection.execute(select(pools))).mappings().all()
            every = [session_of(row) for row in (await connection.execute(select(sessions))).mappings()]
            entries = (await connection.execute(select(ledger_entries))).all()
            counted = await ledger.recount(connection)
            jobs_of = {session.id: await read_jobs_of(connection, session.id) for session in every}
            ends = select(audit_entries.c.detail).where(audit_entries.c.action == "session end")
            told = (await connection.execute(ends)).scalars().all()
        for row in rows:
            funds = pool_of(row).funds
            assert funds == counted[GUILD]
            assert funds.budgeted == sum(session.available for session in every)
            put_in = sum(entry.credits for entry in entries if entry.kind in ("deposit", "adjustment"))
            assert funds.available + funds.budgeted + funds.held + funds.spent == put_in
        for session in every:
            check_session(session, [entry for entry in entries if entry.session_id == session.id], jobs_of[session.id])
        assert sorted(detail.split(":")[0] for detail in told) == sorted(
            str(session.id) for session in every if session.ended_at
        )


def check_session(session: Session, entries: list[Any], its_jobs: list[Job]) -> None:
    """Its purse is what was put in and not taken out, an ended one keeps nothing, and its jobs cost what it spent."""
    signs = {"hold": 1, "release": -1}
    own = sum(signs[entry.kind] * entry.credits for entry in entries if entry.job_id is None)
    assert own == session.available + session.held + session.spent
    assert min(session.available, session.held, session.spent) >= 0
    assert session.returned == session.budget - own
    assert not session.ended_at or session.available == 0
    assert sum(job.credits_kept for job in its_jobs) == session.spent


TestMoney = Money.TestCase
TestMoney.settings = STEPS
