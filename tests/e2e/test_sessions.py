"""Creative sessions: a thread with a budget, for those with a role, until its time, its budget or a word ends it."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest
import pytest_asyncio

from bot.clock import SteadyClock
from sandbox.discord.world import permissions
from tests.e2e import schema
from tests.e2e.moderation import approval_card, pool
from tests.e2e.sessions import CREATORS, Party, footer_of
from tests.e2e.stage import (
    CALLBACK,
    MESSAGES,
    THREADS,
    WAIT_SECONDS,
    Stage,
    hold_finish,
    refusal_of,
    running_bot,
    servers,
    staged,
    text_of,
)
from tests.local.faults import Fault

REFUSED = Fault(status=403, body={"code": 50013, "message": "Missing Permissions"})


@pytest.fixture(autouse=True)
def _quick_edits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.sessions.worker._INTERVAL_SECONDS", 0.1)


@pytest_asyncio.fixture
async def party(tmp_path: Path) -> AsyncIterator[Party]:
    async with staged(tmp_path, pool_starting_credits=1000) as stage:
        yield Party(stage)


def let_minutes_pass(stage: Stage) -> None:
    """Set the running bot's clock, both the time of day and the monotonic one, ahead by five minutes."""
    assert stage.bot
    clock, worker = stage.bot.services.clock, stage.bot.services.session_worker
    assert isinstance(clock, SteadyClock)
    wall, monotonic = clock._wall, clock._monotonic
    clock._wall = lambda: wall() + timedelta(minutes=5)
    clock._monotonic = lambda: monotonic() + 300
    # It sleeps by the event loop's clock.
    worker._timers.wake()


def let_time_be_over_at_the_next_start(stage: Stage) -> None:
    """Set the end of every session that has one to its start."""
    with closing(sqlite3.connect(stage.settings.database_path)) as connection, connection:
        connection.execute("UPDATE sessions SET ends_at = started_at WHERE ends_at IS NOT NULL")


async def test_session_from_its_start_to_its_summary(party: Party) -> None:
    stage = party.stage
    answer = await party.start(stage.videos, budget=300, minutes=30, role=CREATORS, title="Night *of* cats")
    thread_id = answer.message.id
    for words in ("Night \\*of\\* cats", "300 credits", f"<@{party.moderator.id}>", f"<@&{CREATORS}>", "Ends <t:"):
        assert words in text_of(answer.message)
    assert not answer.ephemeral
    card = await party.card(thread_id)
    assert (await stage.thread(answer)).name == "Night *of* cats"
    await stage.until(lambda: party.rows[0]["card_message_id"] == card.id)
    assert card.pinned
    for words in ("of 300 credits", "Spent: 0 credits", "Left: 300 credits", f"<@&{CREATORS}>", "0 ready"):
        assert words in text_of(card)
    assert party.funds == {"available": 700, "budgeted": 300, "held": 0, "spent": 0}

    people = [stage.member, stage.discord.person("member-two")]
    for number, person in enumerate(people):
        made = await party.make(thread_id, person, f"cat number {number}")
        assert f"Left in this session: {300 - 55 * (number + 1)} credits" in text_of(made.message)
    await stage.delivered(2)
    assert "This session has 190 of 300 credits left." in (await stage.message_in(thread_id, "has 190")).content
    await party.card(thread_id, "Spent: 110 credits")
    await party.card(thread_id, "2 ready")
    # Outside of what members may spend by themselves.
    usage = await (await stage.member.slash(stage.videos, "usage")).finished()
    assert "**0 of 550** used" in text_of(usage)

    ended = await party.end(thread_id)
    assert ended.ephemeral
    assert "190 of 300 credits went back to the pool" in text_of(ended.message)
    summary = await party.summary(thread_id)
    await party.summarised()
    for words in ("2 videos for **110 credits**", "190 of 300 credits went back", "cat number 0", "cat number 1"):
        assert words in text_of(summary)
    for person in people:
        assert f"<@{person.id}>: 1 video, 55 credits" in text_of(summary)
    for job in stage.jobs:
        assert f"[video]({job['video_url']})" in text_of(summary)
        assert f"/{job['result_channel_id']}/{job['result_message_id']})" in text_of(summary)
    over = await party.card(thread_id, "A moderator ended it")
    assert (over.id, over.pinned) == (card.id, True)
    assert "Back in the pool: 190 credits" in text_of(over)
    assert party.funds == {"available": 890, "budgeted": 0, "held": 0, "spent": 110}
    assert "This session is over" in refusal_of(await party.make(thread_id))
    assert len(party.pages(thread_id)) == 1
    assert summary.pinged_user_ids == []
    if schema.PATH.exists():
        assert [fault for request in stage.discord.requests for fault in schema.official().faults(request)] == []


async def test_members_without_the_role_are_refused_in_the_thread_only(party: Party) -> None:
    stage = party.stage
    thread_id = await party.opened(role=CREATORS)
    outsider = stage.discord.person("operator")
    assert f"This session is for <@&{CREATORS}>" in refusal_of(await party.make(thread_id, outsider))
    await party.make(thread_id)
    assert [job["member_id"] for job in stage.jobs] == [stage.member.id]
    record = await outsider.slash(stage.videos, "video", prompt="a cat")
    await record.finished()
    assert stage.jobs[-1]["session_id"] is None


async def test_deleted_role_is_shown_on_the_card_and_admits_nobody(party: Party) -> None:
    stage = party.stage
    thread_id = await party.opened(role=CREATORS)
    # Also where the thread has gone to sleep, in which no message can be edited.
    stage.discord.admin.set_thread(thread_id, archived=True)
    stage.discord.admin.delete_role(stage.discord.guild_id, CREATORS)
    await party.card(thread_id, "Nobody: its role was deleted")
    assert "This session is for" in refusal_of(await party.make(thread_id))
    assert "300 of 300 credits went back" in text_of((await party.end(thread_id)).message)
    await party.summarised()


async def test_session_closes_by_itself_when_its_budget_is_used_up(party: Party) -> None:
    stage = party.stage
    thread_id = await party.opened(budget=99)
    await party.make(thread_id)
    assert "left of this session's budget (44)" in refusal_of(await party.make(thread_id))
    summary = await party.summary(thread_id)
    await party.summarised()
    assert "Its budget is used up. 1 video for **55 credits**. 44 of 99 credits went back" in text_of(summary)
    # The summary comes after the last of the results.
    posts = [message.id for message in stage.public_messages(thread_id)]
    assert posts.index(stage.jobs[0]["result_message_id"]) < posts.index(summary.id)


async def test_job_that_runs_at_the_end_is_still_paid_by_it_and_listed(party: Party) -> None:
    stage = party.stage
    thread_id = await party.opened()
    hold = hold_finish(stage)
    await party.make(thread_id)
    await stage.until(lambda: stage.states == ["processing"])
    ended = await party.end(thread_id)
    assert "1 video still generating, paid by this session." in text_of(ended.message)
    await party.card(thread_id, "The summary follows after the last one")
    assert party.funds == {"available": 945, "budgeted": 0, "held": 0, "spent": 55}
    assert party.pages(thread_id) == []
    hold.release()
    summary = await party.summary(thread_id)
    await party.summarised()
    assert f"[video]({stage.jobs[0]['video_url']})" in text_of(summary)
    assert party.rows[0]["spent_credits"] == 55


async def test_session_ends_when_its_time_is_over(party: Party) -> None:
    thread_id = await party.opened(minutes=5)
    let_minutes_pass(party.stage)
    assert "Its time is over." in text_of(await party.summary(thread_id))
    await party.summarised()
    assert "Nobody made a video." in text_of(party.pages(thread_id)[0])
    assert party.funds["available"] == 1000


async def test_two_sessions_at_once_are_kept_apart(party: Party) -> None:
    stage = party.stage
    first, second = await party.opened(title="First"), await party.opened(title="Second", budget=200)
    await party.make(first)
    await party.make(second, stage.discord.person("member-two"))
    assert [job["session_id"] for job in stage.jobs] == [1, 2]
    assert "Several sessions are open" in refusal_of(await party.end(stage.videos))
    choosing = await party.moderator.autocomplete(stage.videos, "session end", "session", "fir")
    await choosing.answered()
    assert choosing.choices == [{"name": "1: First", "value": 1}]
    await party.end(stage.videos, session=1)
    await party.summary(first)
    assert [row["ended_at"] is None for row in party.rows] == [False, True]
    # The only one that is left need not be chosen.
    assert "**Second** is over" in text_of((await party.end(stage.videos)).message)
    await party.summarised(2)
    assert party.funds == {"available": 890, "budgeted": 0, "held": 0, "spent": 110}


async def test_two_moderators_end_it_at_once_and_one_of_them_does(party: Party) -> None:
    stage = party.stage
    thread_id = await party.opened()
    owner = stage.discord.person("operator")
    records = [await person.slash(thread_id, "session end") for person in (party.moderator, owner)]
    texts = [text_of(await record.finished(WAIT_SECONDS)) for record in records]
    winner = party.rows[0]["ended_by"]
    assert sum("went back to the pool" in text for text in texts) == 1
    assert sum(f"<@{winner}> has ended this session" in text for text in texts) == 1
    await party.summarised()
    assert "has ended this session" in refusal_of(await party.end(thread_id))
    assert len(party.pages(thread_id)) == 1


async def test_members_may_neither_start_nor_end(party: Party) -> None:
    stage = party.stage
    thread_id = await party.opened()
    for command, options in (("session start", {"budget": 100}), ("session end", {})):
        record = await stage.member.slash(thread_id, command, files=None, **options)
        await record.finished()
        assert "Only moderators can do this" in refusal_of(record)
    choosing = await stage.member.autocomplete(thread_id, "session end", "session")
    await choosing.answered()
    assert choosing.choices == []
    assert [row["ended_at"] for row in party.rows] == [None]


async def test_an_invalid_start_is_refused_with_a_sentence(party: Party) -> None:
    stage = party.stage
    refusal = refusal_of(await party.start(stage.videos, budget=1001))
    assert "left in this server's pool (1000). Up to 1000 works." in refusal
    assert "No session is open here" in refusal_of(await party.end(stage.videos))
    assert "no such session here" in refusal_of(await party.end(stage.videos, session=77))
    thread_id = await party.opened()
    assert "in a text channel" in refusal_of(await party.start(thread_id))
    assert len(party.rows) == 1


async def test_without_the_permission_to_pin_it_continues_and_its_manager_gets_a_hint(party: Party) -> None:
    stage = party.stage
    role_id = stage.discord.world.guild(stage.discord.guild_id).members[stage.discord.bot_id].role_ids[0]
    rights = permissions.BOT_ROLE & ~permissions.PIN_MESSAGES
    stage.discord.admin.set_role_permissions(stage.discord.guild_id, role_id, rights)
    answer = await party.start(stage.videos)
    card = await party.card(answer.message.id)
    hint = await stage.seen(lambda: next((m for m in answer.messages if m.ephemeral), None))
    assert "**Pin Messages**" in hint.content
    assert not card.pinned
    await party.make(answer.message.id)
    await stage.delivered()


async def test_session_without_a_thread_is_over_and_its_budget_returned(party: Party) -> None:
    stage = party.stage
    stage.discord.faults.add("POST", THREADS, REFUSED, times=None)
    answer = await party.start(stage.videos)
    told = await stage.seen(lambda: next((m for m in answer.messages if m.ephemeral), None))
    assert "so its 300 credits are back in the pool" in told.content
    await stage.card_says(answer, "could not be opened")
    await party.summarised()
    assert (party.rows[0]["end_cause"], party.funds["available"]) == ("failure", 1000)
    actions = [row["action"] for row in stage.rows("SELECT action FROM audit_entries ORDER BY id")]
    assert actions == ["session_start", "session_end"]


async def test_session_whose_thread_must_wait_for_discord_is_opened_later(party: Party) -> None:
    stage = party.stage
    stage.discord.faults.add("POST", THREADS, Fault(status=502, answer_after_effect=True))
    stage.discord.faults.add("POST", MESSAGES, Fault(status=500, answer_after_effect=True))
    thread_id = await party.opened()
    await party.make(thread_id)
    await stage.delivered()
    assert len([m for m in stage.public_messages(thread_id) if "Session 1" in text_of(m)]) == 1


@pytest.mark.parametrize("cut", ["before", "after"])
async def test_session_whose_answer_is_lost_is_over(party: Party, cut: Literal["before", "after"]) -> None:
    stage = party.stage
    stage.discord.faults.add("POST", CALLBACK, Fault(cut=cut))
    record = await party.moderator.slash(stage.videos, "session start", budget=300)
    told = await stage.seen(lambda: next((m for m in record.messages if m.ephemeral), None))
    assert "Discord lost my answer, so I ended the session; its 300 credits are back in the pool." in text_of(told)
    await party.summarised()
    assert (party.rows[0]["end_cause"], party.funds["available"]) == ("failure", 1000)
    # Where the answer had arrived, it says what became of it.
    assert [text_of(m) for m in stage.public_messages() if "could not be opened" not in text_of(m)] == []


async def test_session_with_a_deleted_thread_ends_at_its_time_and_posts_in_the_channel(party: Party) -> None:
    stage = party.stage
    thread_id = await party.opened(minutes=5)
    await party.make(thread_id)
    await stage.delivered()
    stage.discord.admin.delete_channel(thread_id)
    let_minutes_pass(stage)
    summary = await party.summary(stage.videos)
    await party.summarised()
    assert "1 video for **55 credits**" in text_of(summary)
    assert party.funds == {"available": 945, "budgeted": 0, "held": 0, "spent": 55}


@pytest.mark.parametrize("takes_messages", [True, False])
async def test_with_thread_and_channel_closed_its_manager_is_notified_if_possible(
    party: Party, *, takes_messages: bool
) -> None:
    stage = party.stage
    thread_id = await party.opened(minutes=5)
    stage.discord.admin.delete_channel(thread_id)
    stage.discord.faults.add("POST", rf"/api/v10/channels/{stage.videos}/messages", REFUSED, times=None)
    stage.discord.admin.set_dms(party.moderator.id, accepted=takes_messages)
    let_minutes_pass(stage)
    await party.summarised()
    assert len(party.pages(party.moderator.dm().id)) == takes_messages
    assert party.funds["available"] == 1000


async def test_deleted_card_does_no_harm(party: Party) -> None:
    stage = party.stage
    thread_id = await party.opened()
    stage.discord.admin.delete_message((await party.card(thread_id)).id)
    await party.make(thread_id)
    await stage.delivered()
    await party.end(thread_id)
    assert "1 video for **55 credits**" in text_of(await party.summary(thread_id))
    await party.summarised()


async def test_archived_thread_is_woken_for_the_summary(party: Party) -> None:
    stage = party.stage
    thread_id = await party.opened(minutes=5)
    stage.discord.admin.set_thread(thread_id, archived=True)
    let_minutes_pass(stage)
    await party.summary(thread_id)
    await party.card(thread_id, "Its time is over")


async def test_summary_has_every_video_however_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cogs.rendering.sessions._PAGE", 400)
    async with staged(tmp_path, rate_limits=False) as stage:
        party = Party(stage)
        thread_id = await party.opened(budget=330)
        for number in range(6):
            await party.make(thread_id, prompt=f"cat number {number}")
        await party.summarised()
    pages = party.pages(thread_id)
    text = "\n".join(map(text_of, pages))
    assert len(pages) > 2
    assert all(text.count(f"cat number {number}") == 1 for number in range(6))
    assert [footer_of(page) for page in pages] == [
        f"Session 1, page {number} of {len(pages)}" for number in range(1, len(pages) + 1)
    ]


async def ask_a_moderator(party: Party, thread_id: int) -> None:
    """Have a member's prompt refused in a session, and a moderator asked about it."""
    stage = party.stage
    await pool(stage, "words add", words="mouse")
    refused = await party.make(thread_id, prompt="a mouse")
    await (await stage.member.press(refused.message.id, "Ask a moderator")).answered()
    await approval_card(stage, thread_id)
    assert stage.states == ["awaiting_approval"]


async def test_what_waits_for_a_moderator_expires_with_the_session(party: Party) -> None:
    stage = party.stage
    thread_id = await party.opened()
    await ask_a_moderator(party, thread_id)
    ended = await party.end(thread_id)
    assert "300 of 300 credits went back" in text_of(ended.message)
    assert "1 request expired, as no moderator had decided." in text_of(ended.message)
    await party.summarised()
    summary = text_of(party.pages(thread_id)[0])
    assert f"expired, as no moderator decided · 0 credits · <@{stage.member.id}>" in summary
    assert "mouse" not in summary
    assert (stage.states, party.funds["available"]) == (["expired"], 1000)
    await stage.direct_message("Its session ended before")


async def test_what_waits_for_a_moderator_expires_with_a_session_that_ended_while_the_bot_was_stopped(
    tmp_path: Path,
) -> None:
    async with servers(tmp_path, pool_starting_credits=1000) as stage:
        party = Party(stage)
        async with running_bot(stage):
            thread_id = await party.opened(minutes=5)
            await ask_a_moderator(party, thread_id)
        let_time_be_over_at_the_next_start(stage)
        async with running_bot(stage):
            await party.summarised()
            await stage.direct_message("Its session ended before")
        assert (stage.states, party.funds["available"]) == (["expired"], 1000)
        assert "expired" in text_of(party.pages(thread_id)[0])


async def test_restart_changes_nothing(tmp_path: Path) -> None:
    async with servers(tmp_path, pool_starting_credits=1000) as stage:
        party = Party(stage)
        hold = hold_finish(stage)
        async with running_bot(stage):
            goes_on, is_over = await party.opened(title="Goes on"), await party.opened(title="Is over", minutes=5)
            for thread_id in (goes_on, is_over):
                await party.make(thread_id)
            await stage.until(lambda: stage.states == ["processing"] * 2)
        let_time_be_over_at_the_next_start(stage)
        hold.release()
        async with running_bot(stage):
            assert "1 video for **55 credits**" in text_of(await party.summary(is_over))
            await party.card(is_over, "Its time is over")
            await party.card(goes_on, "1 ready")
            await party.make(goes_on)
            await party.card(goes_on, "2 ready")
        assert [row["end_cause"] for row in party.rows] == [None, "time"]
        assert party.funds == {"available": 645, "budgeted": 190, "held": 0, "spent": 165}
        assert [len(party.pages(thread_id)) for thread_id in (goes_on, is_over)] == [0, 1]
