"""What the keeper does for sessions, when, and how often; with a Discord that is scripted and a real file."""

from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest

from bot.errors import DeliveryDelayedError, StorageError
from bot.jobs.models import Requester
from bot.jobs.ports import Posted
from bot.pools.models import SessionEnd
from bot.sessions.models import nonce
from bot.storage.database import Database
from tests.builders import FAILURE, GUILD, MEMBER, TEXT_REQUEST, members_side
from tests.sessions.discord_stand_in import AWAY, MANAGER, REFUSED, TERMS, Hall


@pytest.fixture
async def hall(tmp_path: Path) -> AsyncIterator[Hall]:
    async with Database.open(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}") as database:
        yield Hall(database)


async def test_opened_session_has_its_card_noted_and_shows_no_number_twice(hall: Hall) -> None:
    session = await hall.opened()
    assert session.card_message_id == 70_000 + session.id
    assert hall.discord.opened == [(session.id, False)]
    await hall.pass_time()
    await hall.take(session, 1)
    for _ in range(4):
        await hall.pass_time()
    assert [(each.session.held, each.making) for each in hall.discord.shown[-1:]] == [(55, 1)]
    assert hall.discord.calls["show"] <= 2


async def test_session_that_discord_has_no_place_for_is_over_and_its_budget_back(hall: Hall) -> None:
    session = await hall.service.record_thread((await hall.start()).id, 40_001)
    hall.discord.trouble["open"] = [REFUSED]
    assert await hall.keeper.open(session) is None
    await hall.pass_time(0)
    ((summary, _),) = hall.discord.closed
    assert (summary.session.end_cause, summary.session.returned) == (SessionEnd.FAILURE, 300)
    assert await hall.service.statuses() == []


async def test_session_is_opened_later_where_discord_is_away(hall: Hall) -> None:
    session = await hall.service.record_thread((await hall.start()).id, 40_001)
    hall.discord.trouble["open"] = [AWAY, AWAY]
    with pytest.raises(DeliveryDelayedError):
        await hall.keeper.open(session)
    await hall.pass_time(0)
    assert hall.discord.opened == []
    await hall.pass_time(3)
    assert hall.discord.opened == [(session.id, True)]
    assert (await hall.session(session.id)).card_message_id


async def test_session_whose_command_is_being_answered_is_left_alone(hall: Hall) -> None:
    await hall.keeper.recover()
    await hall.start()
    hall.keeper.nudge()
    for _ in range(3):
        await hall.pass_time()
    assert not hall.discord.calls


@pytest.mark.parametrize("answer", [41_000, None], ids=["answer is there", "answer never came"])
async def test_killed_before_the_answer_was_noted(hall: Hall, answer: int | None) -> None:
    session = await hall.start()
    hall.begin_anew()
    hall.discord.answer = answer
    await hall.keeper.recover()
    await hall.pass_time(0)
    await hall.pass_time()
    if answer:
        assert hall.discord.opened == [(session.id, True)]
        assert (await hall.session(session.id)).thread_id == answer
    else:
        ((summary, _),) = hall.discord.closed
        assert (summary.session.end_cause, summary.session.returned) == (SessionEnd.FAILURE, 300)


async def test_killed_before_the_answer_was_noted_and_the_channel_is_gone(hall: Hall) -> None:
    await hall.start()
    hall.begin_anew()
    hall.discord.trouble["find_answer"] = [AWAY, REFUSED]
    await hall.keeper.recover()
    await hall.pass_time(0)
    assert len(await hall.service.statuses()) == 1
    await hall.pass_time()
    assert await hall.service.statuses() == []


async def test_killed_before_the_card_was_noted(hall: Hall) -> None:
    session = await hall.service.record_thread((await hall.start()).id, 40_001)
    hall.begin_anew()
    await hall.keeper.recover()
    await hall.pass_time(0)
    assert hall.discord.opened == [(session.id, True)]


async def test_answer_that_was_lost_is_looked_for_if_its_end_can_not_be_written(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await hall.start()
    with monkeypatch.context() as patched:
        patched.setattr(hall.service, "give_up", refuse)
        with pytest.raises(StorageError):
            await hall.keeper.give_up(session)
    await hall.pass_time(0)
    assert hall.discord.calls["find_answer"] == 1
    assert await hall.service.statuses() == []


async def refuse(*_: object) -> None:
    raise StorageError("disk full")


async def test_time_over_ends_it_on_the_second_also_after_a_restart(hall: Hall) -> None:
    session = await hall.opened(minutes=1)
    await hall.pass_time(59.9)
    assert (await hall.session(session.id)).ended_at is None
    await hall.pass_time(0.1)
    ((summary, _),) = hall.discord.closed
    assert summary.session.end_cause is SessionEnd.TIME
    later = await hall.opened(2, minutes=1)
    hall.clock.advance(3600)
    hall.begin_anew()
    await hall.keeper.recover()
    await hall.pass_time(0)
    assert [each.session.id for each, _ in hall.discord.closed] == [later.id]


async def test_budget_used_up_ends_it_after_the_last_job(hall: Hall) -> None:
    session = await hall.opened(budget=99)
    job = await hall.take(session, 1)
    await hall.pass_time()
    assert not hall.discord.closed
    await hall.finish(job)
    await hall.pass_time()
    ((summary, _),) = hall.discord.closed
    assert (summary.session.end_cause, summary.session.returned, summary.videos) == (SessionEnd.BUDGET, 44, 1)


async def test_summary_waits_until_the_last_outcome_is_told(hall: Hall) -> None:
    session = await hall.opened()
    first, last = await hall.take(session, 1), await hall.take(session, 2)
    await hall.keeper.end(session.id, GUILD, MANAGER)
    await hall.pass_time(0)
    assert hall.discord.shown[-1].session.ended_at
    await hall.finish(first)
    await hall.finish(last, told=False)
    await hall.pass_time()
    assert not hall.discord.closed
    await hall.jobs.record_delivery(last.id, Posted(1, 2))
    await hall.pass_time()
    assert [summary.videos for summary, _ in hall.discord.closed] == [2]
    assert await hall.service.statuses() == []


async def test_unconfirmed_job_does_not_hold_up_the_summary(hall: Hall) -> None:
    session = await hall.opened()
    job = await hall.take(session, 1)
    await hall.jobs.begin_submission(job.id)
    await hall.jobs.mark_unconfirmed(job.id, FAILURE)
    await hall.jobs.record_delivery(job.id, Posted(1, 2))
    await hall.keeper.end(session.id, GUILD, MANAGER)
    await hall.pass_time(0)
    ((summary, _),) = hall.discord.closed
    assert summary.session.held == 55


async def test_end_wakes_those_who_waited_for_a_moderator(hall: Hall) -> None:
    session = await hall.opened()
    requester = Requester(80_001, GUILD, session.thread_id or 0, MEMBER, in_thread=True)
    job, _ = await members_side(hall.jobs, TERMS).create(requester, TEXT_REQUEST, 55, is_asked=True)
    await hall.keeper.end(session.id, GUILD, MANAGER)
    assert [(each.id, each.awaits_delivery) for each in hall.woken] == [(job.id, True)]


async def test_summary_is_looked_for_before_it_is_posted_again(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    session = await hall.opened()
    await hall.keeper.end(session.id, GUILD, MANAGER)
    with monkeypatch.context() as patched:
        patched.setattr(hall.service, "record_summary", refuse)
        await hall.pass_time(0)
    await hall.pass_time(3)
    assert [may_be_posted for _, may_be_posted in hall.discord.closed] == [False, True]


async def test_summary_is_looked_for_after_a_restart(hall: Hall) -> None:
    session = await hall.opened()
    await hall.service.end(session.id, GUILD, MANAGER)
    hall.begin_anew()
    await hall.keeper.recover()
    await hall.pass_time(0)
    assert [may_be_posted for _, may_be_posted in hall.discord.closed] == [True]


async def test_edits_of_all_cards_are_bounded_and_what_is_over_comes_first(hall: Hall) -> None:
    sessions = [await hall.opened(number) for number in range(1, 11)]
    await hall.pass_time()
    for number, session in enumerate(sessions):
        await hall.take(session, number)
    await hall.service.end(sessions[-1].id, GUILD, MANAGER)
    hall.discord.shown.clear()
    hall.clock.advance(3)
    await hall.keeper.run_once()
    await hall.keeper.idle()
    assert len(hall.discord.shown) == 6
    assert sessions[-1].id in {each.session.id for each in hall.discord.shown}
    await hall.pass_time()
    await hall.pass_time()
    assert {each.session.id for each in hall.discord.shown} == {session.id for session in sessions}


async def test_old_card_is_edited_seldom_and_its_end_is_shown_at_once(hall: Hall) -> None:
    session = await hall.opened()
    await hall.pass_time(3600)
    hall.discord.shown.clear()
    for number in range(4):
        await hall.take(session, number)
        await hall.pass_time(10)
    assert len(hall.discord.shown) == 1
    await hall.keeper.end(session.id, GUILD, MANAGER)
    await hall.pass_time(0)
    assert hall.discord.shown[-1].session.ended_at


async def test_card_that_is_gone_is_left_alone_and_the_session_goes_on(hall: Hall) -> None:
    session = await hall.opened(minutes=10)
    hall.discord.trouble["show"] = [REFUSED]
    for number in range(3):
        await hall.take(session, number)
        await hall.pass_time()
    assert hall.discord.calls["show"] == 1
    await hall.pass_time(600)
    assert (await hall.session(session.id)).end_cause is SessionEnd.TIME


@pytest.mark.parametrize("trouble", [AWAY, ValueError("a fault of ours")])
async def test_step_that_fails_is_tried_again_with_longer_and_longer_pauses(hall: Hall, trouble: Exception) -> None:
    session = await hall.opened()
    hall.discord.trouble["close"] = [trouble] * 4
    await hall.keeper.end(session.id, GUILD, MANAGER)
    times = []
    for second in range(60):
        before = hall.discord.calls["close"]
        await hall.pass_time(1)
        if hall.discord.calls["close"] > before:
            times.append(second)
    assert len(times) == 5
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps == sorted(gaps)
    assert len(set(gaps)) > 2
    assert await hall.service.statuses() == []


async def test_one_session_in_trouble_holds_up_no_other(hall: Hall) -> None:
    first, second = await hall.opened(1), await hall.opened(2)
    hall.discord.trouble["close"] = [AWAY]
    await hall.keeper.end(first.id, GUILD, MANAGER)
    await hall.pass_time(0)
    await hall.keeper.end(second.id, GUILD, MANAGER)
    await hall.pass_time(0)
    assert [summary.session.id for summary, _ in hall.discord.closed] == [second.id]


async def test_without_sessions_nothing_is_read(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    session = await hall.opened()
    await hall.keeper.end(session.id, GUILD, MANAGER)
    await hall.pass_time(0)
    await hall.pass_time(0)
    monkeypatch.setattr(hall.service, "statuses", refuse)
    await hall.pass_time(3600)


async def test_sessions_that_can_not_be_read_are_read_later(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    session = await hall.opened(minutes=1)
    with monkeypatch.context() as patched:
        patched.setattr(hall.service, "statuses", refuse)
        await hall.pass_time(60)
    await hall.pass_time(3)
    assert [summary.session.id for summary, _ in hall.discord.closed] == [session.id]


async def test_lost_role_is_shown_although_no_number_has_changed(hall: Hall) -> None:
    await hall.opened()
    await hall.pass_time()
    before = hall.discord.calls["show"]
    hall.keeper.role_gone()
    await hall.pass_time(3)
    assert hall.discord.calls["show"] == before + 1


@pytest.mark.parametrize(("step", "shows"), [("open", 1), ("show", 2)])
async def test_a_role_that_goes_while_a_card_is_sent_is_shown_on_the_next_one(
    hall: Hall, monkeypatch: pytest.MonkeyPatch, step: str, shows: int
) -> None:
    def play(name: str) -> None:
        hall.discord.calls[name] += 1
        if name == step and hall.discord.calls[name] == 1:
            hall.keeper.role_gone()

    monkeypatch.setattr(hall.discord, "play", play)
    await hall.opened()
    if step == "show":
        hall.keeper.role_gone()
    for _ in range(3):
        await hall.pass_time()
    assert hall.discord.calls["show"] == shows


async def test_nonces_are_short_and_differ(hall: Hall) -> None:
    session = await hall.opened()
    words = {nonce(session, number) for number in range(300)}
    assert len(words) == 300
    assert max(map(len, words)) <= 25


@pytest.mark.parametrize("step", [-7200.0, -45.0, 45.0, 26 * 3600.0, 30 * 86_400.0])
async def test_ten_wrong_seconds_of_the_machines_clock_end_no_session(hall: Hall, step: float) -> None:
    session = await hall.opened(minutes=10)
    hall.clock.jump(step)
    await hall.pass_time(10)
    assert (await hall.session(session.id)).ended_at is None
    hall.clock.jump(-step)
    await hall.pass_time(589)
    assert (await hall.session(session.id)).ended_at is None
    await hall.pass_time(1)
    ((summary, _),) = hall.discord.closed
    assert summary.session.end_cause is SessionEnd.TIME
