"""Creative sessions and their money: budgets come out of the pool, pay for jobs, and go back exactly once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from bot.codes import Refusal
from bot.errors import RefusedError
from bot.jobs.models import JobState
from bot.jobs.validation import LOWEST_PRICE
from bot.pools.models import Funds, SessionEnd
from bot.pools.rules.input_checks import MAX_CREDITS
from bot.provider.models import Submission
from bot.sessions.models import MemberShare, Summary
from bot.sessions.queries import read_session_statuses
from bot.storage.database import Database
from tests.builders import FAILURE, GUILD, MEMBER, TEXT_REQUEST, members_side
from tests.clock import FakeClock
from tests.refusals import refused
from tests.sessions.session_setup import CHEAPEST, DEPOSIT, MANAGER, OTHER, SessionSetup, asker_in, plan


@pytest.fixture
async def setup(tmp_path: Path) -> AsyncIterator[SessionSetup]:
    async with Database.open(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}") as database:
        yield SessionSetup(database, FakeClock())


async def test_budget_is_set_aside_and_written_down(setup: SessionSetup) -> None:
    session = await setup.service.start(plan(300, minutes=30, role_id=7))
    assert session == replace(await setup.session(session.id))
    assert (session.available, session.budget, session.ends_at) == (300, 300, setup.clock.now() + timedelta(minutes=30))
    assert await setup.funds() == Funds(available=700, budgeted=300)
    assert await setup.audit() == [("session_start", MANAGER)]
    _, (*_, entry), _ = await setup.contents()
    assert (entry.kind, entry.credits, entry.actor_id, entry.reason) == (
        "hold",
        300,
        MANAGER,
        '{"code": "session", "session_id": 1, "title": "Night"}',
    )


@pytest.mark.parametrize(
    ("changes", "data"),
    [
        ({"budget": 1001}, {"budget": 1001, "available": 1000, "least": LOWEST_PRICE}),
        *(
            ({"budget": budget}, {"least": LOWEST_PRICE, "most": MAX_CREDITS, "unit": "credits"})
            for budget in (LOWEST_PRICE - 1, 0, -5, 99.5, 10**12)
        ),
        *(({"minutes": minutes}, {"least": 1, "most": 1440, "unit": "minutes"}) for minutes in (0, -1, 1441)),
    ],
)
async def test_a_refused_start_changes_nothing(
    setup: SessionSetup, changes: dict[str, Any], data: dict[str, Any]
) -> None:
    with refused(Refusal.NOT_A_NUMBER if "unit" in data else Refusal.BUDGET_TOO_LARGE, **data):
        await setup.service.start(plan(**{"budget": 300, **changes}))
    assert [list(rows) for rows in await setup.contents()][0::2] == [[], []]


async def test_whole_pool_can_be_a_budget_and_the_next_session_finds_nothing(setup: SessionSetup) -> None:
    await setup.start(plan(DEPOSIT))
    with refused(Refusal.BUDGET_TOO_LARGE, budget=LOWEST_PRICE, available=0):
        await setup.start(plan(LOWEST_PRICE))


async def test_same_interaction_starts_no_second_session(setup: SessionSetup) -> None:
    wanted = plan()
    await setup.service.start(wanted)
    with refused(Refusal.SESSION_STARTED_ALREADY):
        await setup.service.start(wanted)
    assert await setup.funds() == Funds(available=700, budgeted=300)


@pytest.mark.parametrize(
    ("typed", "kept"), [("  a \n\tnight ", "a night"), ("a\u200b \n", "a"), ("x" * 300, "x" * 100)]
)
async def test_title_is_one_line_that_can_be_seen(setup: SessionSetup, typed: str, kept: str) -> None:
    assert (await setup.start(plan(title=typed))).title == kept


async def test_jobs_are_paid_from_the_budget_outside_the_members_limits(setup: SessionSetup) -> None:
    session = await setup.start(plan(300))
    for number in range(1, 4):
        _, overview = await setup.take(asker_in(session))
        assert overview.session
        assert (overview.credits_left, overview.session.held) == (300 - 55 * number, 55 * number)
    assert await setup.funds() == Funds(available=700, budgeted=135, held=165)


async def test_only_the_role_may_take_part(setup: SessionSetup) -> None:
    session = await setup.start(plan(300, role_id=7))
    await setup.take(asker_in(session, MEMBER, 7))
    with refused(Refusal.SESSION_FOR_ROLE, role_id=7):
        await setup.take(asker_in(session, OTHER, 8))


async def test_a_job_over_the_budget_is_refused_though_the_pool_has_enough(setup: SessionSetup) -> None:
    session = await setup.start(plan(100))
    await setup.take(asker_in(session))
    with refused(Refusal.SESSION_EMPTY, price=55, available=45, fits_price=45, fits_if_published=True):
        await setup.take(asker_in(session))
    await setup.take(asker_in(session), CHEAPEST)
    assert (await setup.session(session.id)).available == 0


async def test_end_returns_what_is_left_and_running_jobs_are_still_paid_from_it(setup: SessionSetup) -> None:
    session = await setup.start(plan(300))
    running = await setup.submitted(asker_in(session))
    failing = await setup.submitted(asker_in(session))
    ended = await setup.service.end(session.id, GUILD, MANAGER)
    assert ended.status.open_jobs == 2
    assert await setup.funds() == Funds(available=890, held=110)
    await setup.jobs.accept(running.id, Submission("task", 50))
    await setup.jobs.fail(failing.id, FAILURE)
    after = await setup.session(session.id)
    assert (after.available, after.held, after.spent, after.returned) == (0, 0, 50, 250)
    assert await setup.funds() == Funds(available=950, spent=50)


async def test_a_charge_over_the_ended_budget_is_paid_by_the_pool(setup: SessionSetup) -> None:
    session = await setup.start(plan(55))
    running = await setup.submitted(asker_in(session))
    await setup.service.end(session.id, GUILD, MANAGER)
    await setup.jobs.accept(running.id, Submission("task", 80))
    ended = await setup.session(session.id)
    assert (ended.available, ended.spent, ended.returned) == (0, 80, -25)
    assert await setup.funds() == Funds(available=920, spent=80)


async def test_a_session_is_ended_once_and_only_by_its_own_server(setup: SessionSetup) -> None:
    session = await setup.start(plan(300))
    with refused(Refusal.SESSION_UNKNOWN):
        await setup.service.end(session.id, GUILD + 1, MANAGER)
    with refused(Refusal.SESSION_UNKNOWN):
        await setup.service.end(session.id + 1, GUILD, MANAGER)
    results = await asyncio.gather(
        *(setup.service.end(session.id, GUILD, manager_id) for manager_id in (MANAGER, OTHER)), return_exceptions=True
    )
    (refusal,) = [result for result in results if isinstance(result, RefusedError)]
    winner = (await setup.session(session.id)).ended_by
    assert (refusal.reason.code, refusal.reason.data["ended_by"]) == (Refusal.SESSION_ENDED_ALREADY, winner)
    assert await setup.service.end_by_itself(session.id, is_time_over=False) is None
    assert await setup.service.give_up(session.id) is None
    assert await setup.funds() == Funds(available=DEPOSIT)
    assert await setup.audit() == [("session_start", MANAGER), ("session_end", winner)]


async def test_end_expires_what_waits_for_a_moderator(setup: SessionSetup) -> None:
    session = await setup.start(plan(300))
    waiting, _ = await members_side(setup.jobs, setup.settings).create(
        asker_in(session), TEXT_REQUEST, 55, is_asked=True
    )
    ended = await setup.service.end(session.id, GUILD, MANAGER)
    assert [(job.id, job.state) for job in ended.expired] == [(waiting.id, JobState.EXPIRED)]
    assert ended.status.session.returned == 300
    assert await setup.funds() == Funds(available=DEPOSIT)


async def test_no_job_is_accepted_after_the_end_time_even_before_the_end_is_recorded(setup: SessionSetup) -> None:
    session = await setup.start(plan(300, minutes=10))
    assert await setup.service.end_by_itself(session.id, is_time_over=False) is None
    setup.clock.advance(600)
    with refused(Refusal.SESSION_IS_OVER):
        await setup.take(asker_in(session))
    assert await setup.service.end_by_itself(session.id, is_time_over=True)
    ended = await setup.session(session.id)
    assert (ended.end_cause, ended.ended_by, ended.returned) == (SessionEnd.TIME, None, 300)
    # What ends by itself was set up like that by whoever started it.
    assert await setup.audit() == [("session_start", MANAGER), ("session_end", MANAGER)]


async def test_a_used_up_budget_ends_it_once_no_job_can_release_credits(setup: SessionSetup) -> None:
    session = await setup.start(plan(99))
    job = await setup.submitted(asker_in(session))
    assert (await setup.session(session.id)).available < LOWEST_PRICE
    assert await setup.service.end_by_itself(session.id, is_time_over=False) is None
    await setup.jobs.fail(job.id, FAILURE)
    assert await setup.service.end_by_itself(session.id, is_time_over=False) is None
    await setup.made(asker_in(session))
    assert await setup.service.end_by_itself(session.id, is_time_over=False)
    assert (await setup.session(session.id)).end_cause is SessionEnd.BUDGET
    assert await setup.funds() == Funds(available=945, spent=55)


async def test_a_budget_that_pays_the_cheapest_video_keeps_it_open(setup: SessionSetup) -> None:
    session = await setup.start(plan(55 + LOWEST_PRICE))
    await setup.made(asker_in(session))
    assert await setup.service.end_by_itself(session.id, is_time_over=False) is None


async def test_sessions_side_by_side_have_budgets_of_their_own(setup: SessionSetup) -> None:
    first, second = await setup.start(plan(300)), await setup.start(plan(200))
    await setup.made(asker_in(first))
    await setup.made(asker_in(second), CHEAPEST)
    await setup.service.end(first.id, GUILD, MANAGER)
    assert [each.id for each in await setup.service.open_in(GUILD)] == [second.id]
    assert await setup.service.open_in(GUILD + 1) == []
    assert await setup.funds() == Funds(available=DEPOSIT - 200 - 55, budgeted=155, spent=100)


async def test_status_counts_ready_videos_open_jobs_and_undelivered_outcomes(setup: SessionSetup) -> None:
    session = await setup.start(plan(500))
    await setup.made(asker_in(session))
    unconfirmed = await setup.submitted(asker_in(session))
    await setup.take(asker_in(session))
    status = await setup.status(session.id)
    assert (status.ready, status.open_jobs, status.undelivered, status.is_settled) == (1, 2, 0, False)
    await setup.jobs.mark_unconfirmed(unconfirmed.id, FAILURE)
    status = await setup.status(session.id)
    assert (status.open_jobs, status.undelivered) == (1, 1)
    await setup.service.record_summary(session.id)
    assert await setup.service.statuses() == []


async def test_summary_has_every_job_and_adds_up_per_member(setup: SessionSetup) -> None:
    session = await setup.start(plan(500))
    made = [
        await setup.made(asker_in(session)),
        await setup.made(asker_in(session, OTHER), CHEAPEST),
        await setup.made(asker_in(session)),
    ]
    failed = await setup.submitted(asker_in(session, OTHER))
    await setup.jobs.fail(failed.id, FAILURE)
    await setup.service.end(session.id, GUILD, MANAGER)
    summary = await setup.service.summary(session)
    assert [job.id for job in summary.jobs] == [*(job.id for job in made), failed.id]
    assert summary.videos == 3
    assert summary.shares() == [MemberShare(MEMBER, 2, 110), MemberShare(OTHER, 1, 45)]
    assert sum(share.credits for share in summary.shares()) == summary.session.spent
    assert Summary(session).shares() == []


@pytest.mark.parametrize(
    ("session_ids", "scans"), [(None, ["SCAN sessions USING INDEX ix_sessions_open"]), ([1, 2], [])]
)
async def test_no_session_that_is_done_is_read(
    setup: SessionSetup, session_ids: list[int] | None, scans: list[str]
) -> None:
    asked: list[tuple[str, Any]] = []
    async with setup.database.reading() as connection:
        event.listen(connection.sync_connection, "before_cursor_execute", lambda *what: asked.append(what[2:4]))
        await read_session_statuses(connection, session_ids)
        statement, values = asked[-1]
        steps = (await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)).all()
    assert [step.detail for step in steps if step.detail.startswith("SCAN")] == scans
