"""Videos that wait for a moderator: cards, decisions, expiry, and what the moderators' channel is told."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from bot.sandbox.discord.models import Message
from bot.sandbox.discord.people import InteractionRecord, Person
from tests.e2e.stage import Stage, staged, text_of

PROMPT = "a whale over the city"


@pytest_asyncio.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """A server in which a video of 100 credits waits for a moderator."""
    async with staged(tmp_path) as ready:
        await set_up(ready)
        yield ready


def moderator(stage: Stage) -> Person:
    return stage.discord.person("moderator")


def channel(stage: Stage) -> int:
    return stage.discord.channel("moderators").id


async def pool(stage: Stage, command: str, who: str = "moderator", **options: str | int | bool) -> InteractionRecord:
    record = await stage.discord.person(who).slash(stage.videos, f"pool {command}", files=None, **options)
    return await record.answered()


async def set_up(stage: Stage, price: int = 100) -> None:
    answer = await pool(stage, "approvals", price=price, channel=channel(stage))
    assert "wait for a moderator" in text_of(answer.message)


async def ask(stage: Stage, prompt: str = PROMPT, **options: str | int | bool) -> InteractionRecord:
    """Ask for a video that has to wait."""
    return await stage.ask(prompt, **{"duration": 10, **options})


async def card_in(stage: Stage, channel_id: int | None = None) -> Message:
    """Wait for a card on which moderators decide, in their channel or another one."""
    message = await stage.message_in(channel_id or channel(stage), "asks for a video")
    await stage.until(lambda: stage.rows("SELECT card_message_id FROM approvals")[-1]["card_message_id"])
    return message


async def press(stage: Stage, message: Message, label: str, who: str = "moderator") -> InteractionRecord:
    return await (await stage.discord.person(who).press(message.id, label)).answered()


async def closed(stage: Stage, message: Message, words: str) -> None:
    """Wait until a card shows a decision and asks no more."""
    world = stage.discord.world.messages
    await stage.discord.wait_for(lambda: words in text_of(world[message.id]), 10)
    assert world[message.id].components == []


async def test_a_dear_video_waits_with_its_credits_held_and_a_card_that_tells_all(stage: Stage) -> None:
    card = await ask(stage)
    message = await card_in(stage)
    shown = text_of(message)
    assert f"<@{stage.member.id}> asks for a video of 110 credits" in shown
    assert PROMPT in shown
    assert "999890 credits left; the last deposit was 1000000" in shown
    assert "110 of 550 credits in 24 hours, 1 of 3 open" in shown
    assert "from 100 on a moderator decides" in shown
    assert message.pinged_user_ids == []
    assert stage.states == ["awaiting_approval"]
    assert stage.balance == (110, 0)
    status = await stage.card_says(card, "Waiting for a moderator")
    assert "it expires <t:" in status
    assert stage.discord.threads(stage.videos) == []
    assert not stage.ulazai.tasks


async def test_approve_makes_the_video(stage: Stage) -> None:
    card = await ask(stage)
    message = await card_in(stage)
    await press(stage, message, "Approve")
    assert "your video is ready" in (await stage.outcome(card)).content
    await closed(stage, message, f"by <@{moderator(stage).id}>")
    await stage.card_says(card, "Ready")
    await stage.until(lambda: stage.balance == (0, 110))
