"""Requests of which nobody knows whether they were made: the moderators decide."""

from pathlib import Path

import pytest

from tests.e2e.stage import GENERATE, Stage, running_bot, servers, staged, text_of
from tests.local.faults import Fault
from tests.local.people import InteractionRecord

CUT_AFTER = Fault(cut="after")
CUT_BEFORE = Fault(cut="before")


async def unconfirmed(stage: Stage, fault: Fault = CUT_AFTER) -> tuple[InteractionRecord, int]:
    """Ask for a video whose answer never comes; returns its card and the message with the buttons."""
    stage.ulazai.faults.add("POST", GENERATE, fault)
    card = await stage.ask()
    message = await stage.outcome(card)
    await stage.delivered()
    return card, message.id


async def decide(stage: Stage, message_id: int, label: str, who: str = "moderator") -> InteractionRecord:
    record = await stage.discord.person(who).press(message_id, label)
    return await record.answered()


async def test_the_member_is_notified_and_the_hold_stays(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        _, message_id = await unconfirmed(stage)
        text = stage.discord.world.messages[message_id].content
        assert "did not say whether it started this video" in text
        assert "55 credits stay held until a moderator decides" in text
        assert stage.states == ["unconfirmed"]
        assert stage.balance == (55, 0)
        assert len(stage.ulazai.tasks) == 1


async def test_charged_continues_from_the_task_id(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        card, message_id = await unconfirmed(stage)
        opened = await decide(stage, message_id, "Charged")
        (task_id,) = stage.ulazai.tasks
        stage.ulazai.finish(task_id)
        moderator = stage.discord.person("moderator")
        await (await moderator.submit(opened.id, {"task_id": task_id})).answered()
        thread = await stage.thread(card)
        assert "55" in (await stage.message_in(thread.id, "your video is ready")).content
        await stage.delivered()
        assert "**Charged**: decided by" in stage.discord.world.messages[message_id].content
        assert stage.discord.world.messages[message_id].components == []
        assert stage.balance == (0, 55)


async def test_an_unknown_task_id_changes_nothing(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        _, message_id = await unconfirmed(stage, CUT_BEFORE)
        opened = await decide(stage, message_id, "Charged")
        answer = await stage.discord.person("moderator").submit(opened.id, {"task_id": "no-such-task"})
        await stage.until(lambda: answer.messages)
        (refused,) = answer.messages
        assert refused.ephemeral
        assert "UlazAI knows no task with this id" in refused.content
        assert stage.states == ["unconfirmed"]


async def test_not_charged_gives_the_credits_back(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        card, message_id = await unconfirmed(stage, CUT_BEFORE)
        await decide(stage, message_id, "Not charged")
        thread = await stage.thread(card)
        assert "Your 55 credits came back" in (await stage.message_in(thread.id, "there is no video")).content
        assert stage.states == ["failed"]
        assert stage.balance == (0, 0)


async def test_try_again_sends_a_new_request(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        card, message_id = await unconfirmed(stage, CUT_BEFORE)
        await decide(stage, message_id, "Try again")
        thread = await stage.thread(card)
        await stage.message_in(thread.id, "your video is ready")
        assert len(stage.ulazai.tasks) == 1
        await stage.until(lambda: stage.balance == (0, 55))


@pytest.mark.parametrize("label", ["Charged", "Not charged", "Try again"])
async def test_only_moderators_decide(tmp_path: Path, label: str) -> None:
    async with staged(tmp_path) as stage:
        _, message_id = await unconfirmed(stage)
        answer = await decide(stage, message_id, label, who="member-one")
        assert answer.ephemeral
        assert "Only moderators" in answer.message.content
        assert stage.states == ["unconfirmed"]


async def test_the_second_decision_is_refused_as_too_late(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        _, message_id = await unconfirmed(stage, CUT_BEFORE)
        moderator = stage.discord.person("moderator")
        listing = await (await moderator.slash(stage.videos, "unconfirmed")).answered()
        assert listing.ephemeral
        await decide(stage, message_id, "Not charged")
        late = await (await moderator.click(listing.message.id, "unconfirmed:again:1")).answered()
        assert late.ephemeral
        assert "decided that #1 was not charged already" in late.message.content
        assert stage.states == ["failed"]


@pytest.mark.parametrize(
    ("fault", "words"), [(CUT_AFTER, "credits were charged"), (CUT_BEFORE, "it was **not** charged")]
)
async def test_the_next_balance_hints_whether_it_was_charged(tmp_path: Path, fault: Fault, words: str) -> None:
    async with staged(tmp_path) as stage:
        await stage.ask("the one before")
        await stage.delivered()
        stage.ulazai.faults.add("POST", GENERATE, fault)
        card = await stage.ask("the one in doubt")
        message = await stage.outcome(card)
        await stage.delivered(2)
        await stage.ask("the one after")
        await stage.discord.wait_for(lambda: words in stage.discord.world.messages[message.id].content, 10)
        listing = await (await stage.discord.person("moderator").slash(stage.videos, "unconfirmed")).answered()
        assert words in text_of(listing.message)


async def test_the_buttons_work_after_a_restart(tmp_path: Path) -> None:
    async with servers(tmp_path) as stage:
        async with running_bot(stage):
            card, message_id = await unconfirmed(stage, CUT_BEFORE)
        async with running_bot(stage):
            await decide(stage, message_id, "Not charged")
            thread = await stage.thread(card)
            await stage.message_in(thread.id, "there is no video")
            assert stage.states == ["failed"]
