"""What the worker does for sessions, when, and how often; with a Discord that is scripted and a real file."""

from collections.abc import AsyncIterator, Collection, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import event

from bot.errors import DeliveryDelayedError, StorageError
from bot.jobs.models import Requester
from bot.jobs.ports import Posted
from bot.pools.models import SessionEnd
from bot.sessions.models import SessionStatus, nonce
from bot.storage.database import Database
from tests.builders import FAILURE, GUILD, MEMBER, TEXT_REQUEST, members_side
from tests.sessions.scripted_discord import AWAY, MANAGER, REFUSED, SETTINGS, WorkerSetup


@pytest.fixture
async def setup(tmp_path: Path) -> AsyncIterator[WorkerSetup]:
    async with Database.open(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}") as database:
        yield WorkerSetup(database)


async def test_opened_session_has_its_card_recorded_and_shows_no_number_twice(setup: WorkerSetup) -> None:
    session = await setup.opened()
    assert session.card_message_id == 70_000 + session.id
    assert setup.discord.opened == [(session.id, False)]
    await setup.pass_time()
    await setup.take(session, 1)
    for _ in range(4):
        await setup.pass_time()
    assert [(each.session.held, each.open_jobs) for each in setup.discord.shown[-1:]] == [(55, 1)]
    assert setup.discord.calls["show"] <= 2


async def test_session_that_discord_refuses_is_over_and_its_budget_returned(setup: WorkerSetup) -> None:
    session = await setup.service.record_thread((await setup.start()).id, 40_001)
    setup.discord.trouble["open"] = [REFUSED]
    assert await setup.worker.open(session) is None
    await setup.pass_time(0)
    ((summary, _),) = setup.discord.closed
    assert (summary.session.end_cause, summary.session.returned) == (SessionEnd.FAILURE, 300)
    assert await setup.service.statuses() == []


async def test_session_is_opened_later_where_discord_is_away(setup: WorkerSetup) -> None:
    session = await setup.service.record_thread((await setup.start()).id, 40_001)
    setup.discord.trouble["open"] = [AWAY, AWAY]
    with pytest.raises(DeliveryDelayedError):
        await setup.worker.open(session)
    await setup.pass_time(0)
    assert setup.discord.opened == []
    await setup.pass_time(3)
    assert setup.discord.opened == [(session.id, True)]
    assert (await setup.session(session.id)).card_message_id


async def test_session_whose_command_is_being_answered_is_left_alone(setup: WorkerSetup) -> None:
    await setup.worker.recover()
    await setup.start()
    for _ in range(3):
        await setup.pass_time()
    assert not setup.discord.calls


@pytest.mark.parametrize("answer", [41_000, None], ids=["answer is there", "answer never came"])
async def test_killed_before_the_answer_was_recorded(setup: WorkerSetup, answer: int | None) -> None:
    session = await setup.start()
    setup.restart()
    setup.discord.answer = answer
    await setup.worker.recover()
    await setup.pass_time(0)
    await setup.pass_time()
    if answer:
        assert setup.discord.opened == [(session.id, True)]
        assert (await setup.session(session.id)).thread_id == answer
    else:
        ((summary, _),) = setup.discord.closed
        assert (summary.session.end_cause, summary.session.returned) == (SessionEnd.FAILURE, 300)


async def test_killed_before_the_answer_was_recorded_and_the_channel_is_gone(setup: WorkerSetup) -> None:
    await setup.start()
    setup.restart()
    setup.discord.trouble["find_answer"] = [AWAY, REFUSED]
    await setup.worker.recover()
    await setup.pass_time(0)
    assert len(await setup.service.statuses()) == 1
    await setup.pass_time()
    assert await setup.service.statuses() == []


async def test_killed_before_the_card_was_recorded(setup: WorkerSetup) -> None:
    session = await setup.service.record_thread((await setup.start()).id, 40_001)
    setup.restart()
    await setup.worker.recover()
    await setup.pass_time(0)
    assert setup.discord.opened == [(session.id, True)]


async def test_answer_that_was_lost_is_searched_for_if_its_end_can_not_be_written(
    setup: WorkerSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await setup.start()
    with monkeypatch.context() as patched:
        patched.setattr(setup.service, "give_up", refuse)
        with pytest.raises(StorageError):
            await setup.worker.give_up(session)
    await setup.pass_time(0)
    assert setup.discord.calls["find_answer"] == 1
    assert await setup.service.statuses() == []


async def refuse(*_: object) -> None:
    raise StorageError("disk full")


async def test_it_ends_on_the_second_of_its_end_time_also_after_a_restart(setup: WorkerSetup) -> None:
    session = await setup.opened(minutes=1)
    await setup.pass_time(59.9)
    assert (await setup.session(session.id)).ended_at is None
    await setup.pass_time(0.1)
    ((summary, _),) = setup.discord.closed
    assert summary.session.end_cause is SessionEnd.TIME
    later = await setup.opened(2, minutes=1)
    setup.clock.advance(3600)
    setup.restart()
    await setup.worker.recover()
    await setup.pass_time(0)
    assert [each.session.id for each, _ in setup.discord.closed] == [later.id]


async def test_budget_used_up_ends_it_after_the_last_job(setup: WorkerSetup) -> None:
    session = await setup.opened(budget=99)
    job = await setup.take(session, 1)
    await setup.pass_time()
    assert not setup.discord.closed
    await setup.finish(job)
    await setup.pass_time()
    ((summary, _),) = setup.discord.closed
    assert (summary.session.end_cause, summary.session.returned, summary.videos) == (SessionEnd.BUDGET, 44, 1)


async def test_summary_waits_until_the_last_outcome_is_delivered(setup: WorkerSetup) -> None:
    session = await setup.opened()
    first, last = await setup.take(session, 1), await setup.take(session, 2)
    await setup.worker.end(session.id, GUILD, MANAGER)
    await setup.pass_time(0)
    assert setup.discord.shown[-1].session.ended_at
    await setup.finish(first)
    await setup.finish(last, delivered=False)
    await setup.pass_time()
    assert not setup.discord.closed
    await setup.jobs.record_delivery(last.id, Posted(1, 2))
    await setup.pass_time()
    assert [summary.videos for summary, _ in setup.discord.closed] == [2]
    assert await setup.service.statuses() == []


async def test_unconfirmed_job_does_not_hold_up_the_summary(setup: WorkerSetup) -> None:
    session = await setup.opened()
    job = await setup.take(session, 1)
    await setup.jobs.begin_submission(job.id)
    await setup.jobs.mark_unconfirmed(job.id, FAILURE)
    await setup.jobs.record_delivery(job.id, Posted(1, 2))
    await setup.worker.end(session.id, GUILD, MANAGER)
    await setup.pass_time(0)
    ((summary, _),) = setup.discord.closed
    assert summary.session.held == 55


async def test_end_wakes_those_who_waited_for_a_moderator(setup: WorkerSetup) -> None:
    session = await setup.opened()
    requester = Requester(80_001, GUILD, session.thread_id or 0, MEMBER, in_thread=True)
    job, _ = await members_side(setup.jobs, SETTINGS).create(requester, TEXT_REQUEST, 55, is_asked=True)
    await setup.worker.end(session.id, GUILD, MANAGER)
    assert [(each.id, each.awaits_delivery) for each in setup.woken] == [(job.id, True)]


async def test_summary_is_searched_for_before_the_next_try(setup: WorkerSetup, monkeypatch: pytest.MonkeyPatch) -> None:
    session = await setup.opened()
    await setup.worker.end(session.id, GUILD, MANAGER)
    with monkeypatch.context() as patched:
        patched.setattr(setup.service, "record_summary", refuse)
        await setup.pass_time(0)
    await setup.pass_time(3)
    assert [may_be_posted for _, may_be_posted in setup.discord.closed] == [False, True]


async def test_summary_is_searched_for_after_a_restart(setup: WorkerSetup) -> None:
    session = await setup.opened()
    await setup.service.end(session.id, GUILD, MANAGER)
    setup.restart()
    await setup.worker.recover()
    await setup.pass_time(0)
    assert [may_be_posted for _, may_be_posted in setup.discord.closed] == [True]


async def test_edits_of_all_cards_are_bounded_and_ended_sessions_come_first(setup: WorkerSetup) -> None:
    sessions = [await setup.opened(number) for number in range(1, 11)]
    await setup.pass_time()
    for number, session in enumerate(sessions):
        await setup.take(session, number)
    await setup.service.end(sessions[-1].id, GUILD, MANAGER)
    setup.discord.shown.clear()
    setup.clock.advance(3)
    await setup.worker.run_once()
    await setup.worker.idle()
    await setup.pass_time(0)
    assert len(setup.discord.shown) == 6
    assert sessions[-1].id in {each.session.id for each in setup.discord.shown}
    await setup.pass_time()
    await setup.pass_time()
    assert {each.session.id for each in setup.discord.shown} == {session.id for session in sessions}


async def test_old_card_is_edited_seldom_and_its_end_is_shown_at_once(setup: WorkerSetup) -> None:
    session = await setup.opened()
    await setup.pass_time(3600)
    setup.discord.shown.clear()
    for number in range(4):
        await setup.take(session, number)
        await setup.pass_time(10)
    assert len(setup.discord.shown) == 1
    await setup.worker.end(session.id, GUILD, MANAGER)
    await setup.pass_time(0)
    assert setup.discord.shown[-1].session.ended_at


async def test_deleted_card_is_left_alone_and_the_session_continues(setup: WorkerSetup) -> None:
    session = await setup.opened(minutes=10)
    setup.discord.trouble["show"] = [REFUSED]
    for number in range(3):
        await setup.take(session, number)
        await setup.pass_time()
    assert setup.discord.calls["show"] == 1
    await setup.pass_time(600)
    assert (await setup.session(session.id)).end_cause is SessionEnd.TIME


@pytest.mark.parametrize("trouble", [AWAY, ValueError("a fault of ours")])
async def test_failing_step_is_retried_with_backoff(setup: WorkerSetup, trouble: Exception) -> None:
    session = await setup.opened()
    setup.discord.trouble["close"] = [trouble] * 4
    await setup.worker.end(session.id, GUILD, MANAGER)
    times = []
    for second in range(60):
        before = setup.discord.calls["close"]
        await setup.pass_time(1)
        if setup.discord.calls["close"] > before:
            times.append(second)
    assert len(times) == 5
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps == sorted(gaps)
    assert len(set(gaps)) > 2
    assert await setup.service.statuses() == []


async def test_an_error_of_one_session_delays_no_other(setup: WorkerSetup) -> None:
    first, second = await setup.opened(1), await setup.opened(2)
    setup.discord.trouble["close"] = [AWAY]
    await setup.worker.end(first.id, GUILD, MANAGER)
    await setup.pass_time(0)
    await setup.worker.end(second.id, GUILD, MANAGER)
    await setup.pass_time(0)
    assert [summary.session.id for summary, _ in setup.discord.closed] == [second.id]


@pytest.fixture
def statements(setup: WorkerSetup) -> Iterator[list[str]]:
    """The statements that are executed from now on."""
    found: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        found.append(statement)

    engine = setup.database._engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    yield found
    event.remove(engine, "before_cursor_execute", note)


async def test_idle_session_executes_no_statement(setup: WorkerSetup, statements: list[str]) -> None:
    session = await setup.opened(minutes=60)
    await setup.take(session, 1)
    await setup.settle()
    statements.clear()
    for _ in range(100):
        await setup.pass_time(30)
    assert statements == []
    # It can be counted at all.
    await setup.pass_time(600)
    assert statements


async def test_restart_reads_once_and_an_idle_session_not_again(setup: WorkerSetup, statements: list[str]) -> None:
    session = await setup.opened()
    setup.restart()
    await setup.worker.recover()
    await setup.settle()
    assert setup.discord.calls["show"] == 1
    statements.clear()
    await setup.pass_time(3600)
    assert statements == []
    await setup.worker.end(session.id, GUILD, MANAGER)
    await setup.settle()
    statements.clear()
    await setup.pass_time(3600)
    assert statements == []


async def test_card_follows_a_change_at_once_and_the_next_one_within_the_interval(setup: WorkerSetup) -> None:
    session = await setup.opened()
    await setup.settle()
    setup.discord.shown.clear()
    for number in range(3):
        await setup.take(session, number)
        await setup.pass_time(0)
    assert [each.open_jobs for each in setup.discord.shown] == [1]
    await setup.pass_time(2.9)
    assert [each.open_jobs for each in setup.discord.shown] == [1]
    await setup.pass_time(0.1)
    assert [each.open_jobs for each in setup.discord.shown] == [1, 3]


async def test_change_of_one_session_reads_no_other(setup: WorkerSetup, monkeypatch: pytest.MonkeyPatch) -> None:
    _, session = await setup.opened(1), await setup.opened(2)
    await setup.settle()
    read: list[object] = []
    statuses = setup.service.statuses

    async def noted(session_ids: Collection[int] | None = None) -> list[SessionStatus]:
        read.append(session_ids)
        return await statuses(session_ids)

    monkeypatch.setattr(setup.service, "statuses", noted)
    await setup.take(session, 1)
    await setup.settle()
    assert read
    assert all(each == [session.id] for each in read)


@pytest.mark.parametrize("step", [-7200.0, 7200.0])
async def test_clock_that_stays_wrong_changes_no_session_s_length(setup: WorkerSetup, step: float) -> None:
    session = await setup.opened(minutes=30)
    setup.clock.jump(step)
    # Every half minute, as in the running bot: a step counts once it was seen to last.
    for _ in range(59):
        await setup.pass_time(30)
        setup.clock.now()
    assert (await setup.session(session.id)).ended_at is None
    await setup.pass_time(30)
    ((summary, _),) = setup.discord.closed
    assert summary.session.end_cause is SessionEnd.TIME


async def test_unreadable_sessions_are_read_later(setup: WorkerSetup, monkeypatch: pytest.MonkeyPatch) -> None:
    session = await setup.opened(minutes=1)
    with monkeypatch.context() as patched:
        patched.setattr(setup.service, "statuses", refuse)
        await setup.pass_time(60)
    await setup.pass_time(3)
    assert [summary.session.id for summary, _ in setup.discord.closed] == [session.id]


async def test_lost_role_is_shown_although_no_number_has_changed(setup: WorkerSetup) -> None:
    await setup.opened()
    await setup.pass_time()
    before = setup.discord.calls["show"]
    setup.worker.role_gone()
    await setup.pass_time(3)
    assert setup.discord.calls["show"] == before + 1


@pytest.mark.parametrize(("step", "shows"), [("open", 1), ("show", 2)])
async def test_a_role_that_goes_while_a_card_is_sent_is_shown_on_the_next_one(
    setup: WorkerSetup, monkeypatch: pytest.MonkeyPatch, step: str, shows: int
) -> None:
    def play(name: str) -> None:
        setup.discord.calls[name] += 1
        if name == step and setup.discord.calls[name] == 1:
            setup.worker.role_gone()

    monkeypatch.setattr(setup.discord, "play", play)
    await setup.opened()
    if step == "show":
        setup.worker.role_gone()
    for _ in range(3):
        await setup.pass_time()
    assert setup.discord.calls["show"] == shows


async def test_nonces_are_short_and_differ(setup: WorkerSetup) -> None:
    session = await setup.opened()
    words = {nonce(session, number) for number in range(300)}
    assert len(words) == 300
    assert max(map(len, words)) <= 25


@pytest.mark.parametrize("step", [-7200.0, -45.0, 45.0, 26 * 3600.0, 30 * 86_400.0])
async def test_ten_wrong_seconds_of_the_machines_clock_end_no_session(setup: WorkerSetup, step: float) -> None:
    session = await setup.opened(minutes=10)
    setup.clock.jump(step)
    await setup.pass_time(10)
    assert (await setup.session(session.id)).ended_at is None
    setup.clock.jump(-step)
    await setup.pass_time(589)
    assert (await setup.session(session.id)).ended_at is None
    await setup.pass_time(1)
    ((summary, _),) = setup.discord.closed
    assert summary.session.end_cause is SessionEnd.TIME
