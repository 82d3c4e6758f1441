"""Videos that wait for a moderator: the card, each decision, and what becomes of the job."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.moderation import (
    MODERATOR,
    OTHER_MODERATOR,
    PROMPT,
    approval_card,
    ask_expensive,
    audited,
    closed,
    decision,
    deny,
    mention,
    moderators_channel,
    pool,
    press,
    set_up,
)
from tests.e2e.stage import Stage, picture, refusal_of, running_bot, servers, staged, text_of
from tests.local.faults import Fault

EDIT = r"/api/v10/channels/\d+/messages/\d+"


@pytest_asyncio.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """A server in which a video of 100 credits waits for a moderator."""
    async with staged(tmp_path) as ready:
        await set_up(ready)
        yield ready


async def test_an_expensive_video_waits_with_its_credits_held_and_a_complete_card(stage: Stage) -> None:
    status = await ask_expensive(stage)
    message = await approval_card(stage)
    shown = text_of(message)
    assert f"<@{stage.member.id}> requests a video for 110 credits" in shown
    assert PROMPT in shown
    assert "999890 credits left; the last deposit was 1000000" in shown
    assert "110 of 550 credits in the last 24 hours; 1 of 3 videos open" in shown
    assert "videos of 100 credits or more need approval" in shown
    assert f"in <#{stage.videos}>" in shown
    assert "Expires: <t:" in shown
    assert message.pinged_user_ids == []
    assert stage.states == ["awaiting_approval"]
    assert stage.balance == (110, 0)
    assert "expires <t:" in await stage.card_says(status, "Waiting for a moderator")
    assert status.ephemeral
    assert stage.public_messages(stage.videos) == []
    assert stage.discord.threads(stage.videos) == []
    assert not stage.ulazai.tasks


async def test_the_card_shows_the_picture(stage: Stage) -> None:
    files = {"image": ("cat.png", picture())}
    await stage.member.slash(stage.videos, "animate", files=files, prompt="it blinks", duration=10)
    message = await approval_card(stage)
    assert message.embeds[0]["image"]["url"] == stage.jobs[0]["image_url"]


async def test_a_cheaper_video_does_not_wait(stage: Stage) -> None:
    await stage.ask()
    await stage.delivered()
    assert stage.rows("SELECT * FROM approvals") == []


async def test_approve_makes_the_video(stage: Stage) -> None:
    status = await ask_expensive(stage)
    message = await approval_card(stage)
    await press(stage, message, "Approve")
    assert "your video is ready" in (await stage.outcome(status)).content
    await closed(stage, message, f"Approved: by {mention(stage)}")
    await stage.card_says(status, "Ready")
    await stage.until(lambda: stage.balance == (0, 110))
    assert stage.entries == [("hold", 110), ("charge", 110)]
    assert audited(stage) == [("approve", f"#1 of <@{stage.member.id}>, 110 credits")]


async def test_an_approved_video_has_its_thread_before_it_is_ready(stage: Stage) -> None:
    stage.ulazai.faults.add("GET", "/kling26/api/status/.*", Fault(status=503), times=None)
    status = await ask_expensive(stage)
    await press(stage, await approval_card(stage), "Approve")
    await stage.thread(status)
    await stage.card_says(status, "Generating")


async def test_approve_cheaper_makes_the_cheaper_video_and_gives_the_difference_back(stage: Stage) -> None:
    status = await ask_expensive(stage)
    message = await approval_card(stage)
    await press(stage, message, "Approve cheaper: 5 s silent (55 credits)")
    await stage.outcome(status)
    await closed(stage, message, "Approved, but cheaper")
    (task,) = stage.ulazai.tasks.values()
    assert (task.generation.duration_seconds, task.generation.sound) == (5, False)
    await stage.until(lambda: stage.balance == (0, 55))
    assert stage.entries == [("hold", 110), ("release", 55), ("charge", 55)]
    assert "5 s" in await stage.card_says(status, "55 used")
    assert [action for action, _ in audited(stage)] == ["approve_cheaper"]


async def test_the_cheaper_kind_drops_sound_before_seconds(stage: Stage) -> None:
    await ask_expensive(stage, sound=True)
    await press(stage, await approval_card(stage), "Approve cheaper: 10 s silent (110 credits)")
    await stage.delivered()
    assert stage.balance == (0, 110)


async def test_the_cheapest_kind_has_no_cheaper_one(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        await set_up(stage, price=1)
        await stage.ask()
        labels = [button["label"] for row in (await approval_card(stage)).components for button in row["components"]]
        assert labels == ["Approve", "Deny"]


@pytest.mark.parametrize(
    ("reason", "told", "shown"),
    [
        (
            "Too **expensive**\nfor now",
            "denied this video: Too \\*\\*expensive\\*\\* for now",
            "Too \\*\\*expensive\\*\\* for now",
        ),
        ("", "denied this video.", "Denied: by"),
    ],
)
async def test_deny_releases_the_credits_and_sends_the_reason(stage: Stage, reason: str, told: str, shown: str) -> None:
    status = await ask_expensive(stage)
    message = await approval_card(stage)
    await deny(stage, message, reason)
    outcome = await stage.direct_message()
    assert told in outcome.content
    assert "Your 110 credits came back. You have 550 of 550 credits left" in outcome.content
    await closed(stage, message, shown)
    assert mention(stage) in text_of(stage.discord.world.messages[message.id])
    await stage.card_says(status, "Denied")
    assert stage.public_messages(stage.videos) == []
    assert (stage.states, stage.balance) == (["denied"], (0, 0))
    assert not stage.ulazai.tasks
    assert [action for action, _ in audited(stage)] == ["deny"]


async def test_nobody_decides_on_their_own_request_not_even_the_operator(stage: Stage) -> None:
    operator = stage.discord.person(OTHER_MODERATOR)
    await (await operator.slash(stage.videos, "video", prompt=PROMPT, duration=10)).finished()
    message = await approval_card(stage)
    for label in ("Approve", "Approve cheaper: 5 s silent (55 credits)", "Deny"):
        assert "your own request" in refusal_of(await press(stage, message, label, OTHER_MODERATOR))
    assert (stage.states, decision(stage), audited(stage)) == (["awaiting_approval"], None, [])
    await press(stage, message, "Approve", MODERATOR)
    await stage.delivered()


@pytest.mark.parametrize("label", ["Approve", "Approve cheaper: 5 s silent (55 credits)", "Deny"])
async def test_members_decide_nothing(stage: Stage, label: str) -> None:
    await ask_expensive(stage)
    message = await approval_card(stage)
    stage.discord.admin.set_overwrite(moderators_channel(stage), stage.discord.guild_id, allow=1 << 10)
    for who in ("member-one", "member-two"):
        assert "Only moderators can do this" in refusal_of(await press(stage, message, label, who))
    assert (stage.states, decision(stage)) == (["awaiting_approval"], None)


async def test_of_two_at_once_one_wins_and_the_other_sees_who_decided(stage: Stage) -> None:
    await ask_expensive(stage)
    message = await approval_card(stage)
    presses = [await stage.discord.person(who).press(message.id, "Approve") for who in (MODERATOR, OTHER_MODERATOR)]
    answers = await asyncio.gather(*(each.answered() for each in presses))
    lost = [answer for answer in answers if answer.ephemeral]
    assert len(lost) == 1
    winner = OTHER_MODERATOR if answers[0] is lost[0] else MODERATOR
    assert f"{mention(stage, winner)} approved #1 already" in refusal_of(lost[0])
    await closed(stage, message, f"by {mention(stage, winner)}")
    await stage.delivered()
    assert len(stage.ulazai.tasks) == 1
    assert len(audited(stage)) == 1


async def test_a_form_sent_after_another_decision_changes_nothing(stage: Stage) -> None:
    await ask_expensive(stage)
    message = await approval_card(stage)
    opened = await press(stage, message, "Deny")
    await press(stage, message, "Approve", OTHER_MODERATOR)
    late = await (await stage.discord.person(MODERATOR).submit(opened.id, {"reason": "no"})).answered()
    assert f"{mention(stage, OTHER_MODERATOR)} approved #1 already" in refusal_of(late)
    await stage.delivered()
    assert stage.states == ["succeeded"]


async def test_a_form_sent_by_somebody_who_manages_no_longer_changes_nothing(stage: Stage) -> None:
    await ask_expensive(stage)
    opened = await press(stage, await approval_card(stage), "Deny")
    moderator = stage.discord.person(MODERATOR)
    roles = stage.discord.world.guild(stage.discord.guild_id).members[moderator.id].role_ids
    # What was opened stays open, whatever becomes of its opener's rights.
    stage.discord.admin.set_role_permissions(stage.discord.guild_id, roles[0], 1 << 10)
    answer = await (await moderator.submit(opened.id, {"reason": "no"})).answered()
    assert "Only moderators can do this" in refusal_of(answer)
    assert stage.states == ["awaiting_approval"]


async def test_undecided_it_expires_and_the_member_is_notified(tmp_path: Path) -> None:
    async with staged(tmp_path, approval_hours=2 / 3600) as stage:
        await set_up(stage)
        status = await ask_expensive(stage)
        message = await approval_card(stage)
        outcome = await stage.direct_message()
        assert "there is no video: No moderator decided within" in outcome.content
        assert "Your 110 credits came back" in outcome.content
        await closed(stage, message, "No moderator decided")
        await stage.card_says(status, "Expired")
        assert (stage.states, stage.balance, decision(stage)) == (["expired"], (0, 0), "expired")
        listing = await pool(stage, "waiting")
        assert "Nothing is waiting for approval" in text_of(listing.message)


async def test_a_press_on_the_card_of_an_expired_job_says_so(tmp_path: Path) -> None:
    async with staged(tmp_path, approval_hours=1 / 3600) as stage:
        await set_up(stage)
        await ask_expensive(stage)
        message = await approval_card(stage)
        listing = await pool(stage, "waiting")
        await stage.delivered()
        await closed(stage, message, "Expired")
        assert "The time to decide about #1 ended" in refusal_of(await press(stage, listing.message, "#1: Approve"))
        assert stage.states == ["expired"]


async def test_the_member_can_cancel_it(stage: Stage) -> None:
    status = await ask_expensive(stage)
    message = await approval_card(stage)
    listing = await pool(stage, "waiting")
    offered = await stage.member.autocomplete(stage.videos, "cancel", "job", "")
    await offered.answered()
    assert [choice["value"] for choice in offered.choices] == [1]
    answer = await (await stage.member.slash(stage.videos, "cancel")).answered()
    assert "Your 110 credits came back" in text_of(answer.message)
    await closed(stage, message, f"Cancelled: by <@{stage.member.id}>")
    await stage.card_says(status, "Cancelled")
    assert f"{mention(stage, 'member-one')} cancelled #1 already" in refusal_of(
        await press(stage, listing.message, "#1: Deny")
    )
    assert (stage.states, stage.balance, decision(stage)) == (["cancelled"], (0, 0), "cancelled")


async def test_pool_waiting_lists_what_waits_and_decides_it(stage: Stage) -> None:
    await ask_expensive(stage, "the first")
    await ask_expensive(stage, "the second")
    await stage.until(lambda: len(stage.public_messages(moderators_channel(stage))) == 2)
    # Which of the two is posted first is left open.
    first, second = sorted(
        stage.public_messages(moderators_channel(stage)), key=lambda card: "the second" in text_of(card)
    )
    listing = await pool(stage, "waiting")
    assert listing.ephemeral
    shown = text_of(listing.message)
    assert "the first" in shown
    assert "the second" in shown
    await press(stage, listing.message, "#2: Approve")
    assert "the second" not in text_of(listing.message)
    assert "the first" in text_of(listing.message)
    await stage.discord.wait_for(lambda: "Approved" in text_of(second), 10)
    await deny(stage, listing.message, "not today", "#1: Deny")
    await stage.discord.wait_for(lambda: "not today" in text_of(first), 10)
    assert "Nothing is waiting for approval" in text_of(listing.message)
    await stage.delivered(2)
    assert stage.states == ["denied", "succeeded"]


async def test_cards_work_after_a_restart(tmp_path: Path) -> None:
    async with servers(tmp_path) as stage:
        async with running_bot(stage):
            await set_up(stage)
            status = await ask_expensive(stage)
            message = await approval_card(stage)
        async with running_bot(stage):
            await press(stage, message, "Approve")
            await stage.outcome(status)
            await closed(stage, message, f"by {mention(stage)}")
            assert len(stage.public_messages(moderators_channel(stage))) == 1
            await stage.delivered()


async def test_a_form_opened_before_a_restart_says_so(tmp_path: Path) -> None:
    async with servers(tmp_path) as stage:
        async with running_bot(stage):
            await set_up(stage)
            await ask_expensive(stage)
            opened = await press(stage, await approval_card(stage), "Deny")
        async with running_bot(stage):
            late = await (await stage.discord.person(MODERATOR).submit(opened.id, {"reason": "no"})).answered()
            assert "restarted" in refusal_of(late)
            assert stage.states == ["awaiting_approval"]


async def test_a_card_that_could_not_be_closed_is_closed_by_the_next_process(tmp_path: Path) -> None:
    async with servers(tmp_path) as stage:
        async with running_bot(stage):
            await set_up(stage)
            await ask_expensive(stage)
            message = await approval_card(stage)
            stage.discord.faults.add("PATCH", EDIT, Fault(status=500), times=None)
            listing = await pool(stage, "waiting")
            await press(stage, listing.message, "#1: Approve")
            await stage.delivered()
        stage.discord.faults.clear()
        assert "Approve this video" in text_of(message)
        async with running_bot(stage):
            await closed(stage, message, f"by {mention(stage)}")


async def test_a_slow_decision_is_acknowledged_and_the_card_is_closed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cogs.interactions.responses._DEFER_AFTER_SECONDS", 0.05)
    await ask_expensive(stage)
    message = await approval_card(stage)
    with closing(sqlite3.connect(stage.settings.database_path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        # Deferred: the card stays as it is until the decision is written.
        pressed = await press(stage, message, "Approve")
        assert pressed.message.id == message.id
        assert "Approved" not in text_of(pressed.message)
    await stage.discord.wait_for(lambda: "Approved" in text_of(pressed.message), 10)
    await closed(stage, message, f"by {mention(stage)}")
    await stage.delivered()


async def test_a_deleted_card_does_no_harm(stage: Stage) -> None:
    await ask_expensive(stage)
    message = await approval_card(stage)
    listing = await pool(stage, "waiting")
    stage.discord.admin.delete_message(message.id)
    await press(stage, listing.message, "#1: Approve")
    await stage.delivered()
    await stage.until(lambda: stage.rows("SELECT card_closed_at FROM approvals")[0]["card_closed_at"])
