"""The moderators' channel: where it may be, what happens when it is gone, and which low balances it is notified of."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
import pytest_asyncio

from bot.codes import Refusal
from sandbox.discord.world import permissions
from sandbox.discord.world.errors import ClientError
from sandbox.discord.world.models import Message
from tests.e2e.moderation import (
    MODERATOR,
    PROMPT,
    approval_card,
    ask_expensive,
    audited,
    moderators_channel,
    pool,
    press,
    set_up,
)
from tests.e2e.stage import GENERATE, MESSAGES, Stage, refusal_of, running_bot, servers, staged, text_of
from tests.local.faults import Fault
from tests.refusals import sentence

RIGHTS = {
    "View Channel": permissions.VIEW_CHANNEL,
    "Send Messages": permissions.SEND_MESSAGES,
    "Embed Links": permissions.EMBED_LINKS,
    "Read Message History": permissions.READ_MESSAGE_HISTORY,
}
CHEAPEST, APPROVAL, NONE = (
    "only 5-second silent videos",
    "every video needs approval",
    "All kinds of videos can be made again",
)


def take_away(stage: Stage, rights: int) -> None:
    """Take rights away from the bot in the moderators' channel."""
    bot_role = stage.discord.world.guild(stage.discord.guild_id).members[stage.discord.bot_id].role_ids[0]
    view = permissions.VIEW_CHANNEL & ~rights
    stage.discord.admin.set_overwrite(moderators_channel(stage), bot_role, allow=view, deny=rights)


@pytest.mark.parametrize("name", RIGHTS)
async def test_a_channel_that_the_bot_cannot_use_is_refused_with_what_is_missing(stage: Stage, name: str) -> None:
    take_away(stage, RIGHTS[name])
    answer = refusal_of(await pool(stage, "approvals", price=100, channel=moderators_channel(stage)))
    assert f"**{name}**" in answer
    assert stage.rows("SELECT * FROM audit_entries") == []


@pytest.mark.parametrize("price", [0, -5, 1_000_000_001, 1.5])
async def test_an_invalid_price_is_refused(stage: Stage, price: float) -> None:
    with pytest.raises(ClientError):
        await pool(stage, "approvals", price=price)


async def test_setting_and_switching_off_are_not_mixed(stage: Stage) -> None:
    assert "not both" in refusal_of(await pool(stage, "approvals", price=5, off="channel"))


async def test_members_set_nothing(stage: Stage) -> None:
    for command in ("approvals", "waiting"):
        assert "Only moderators" in refusal_of(await pool(stage, command, who="member-one"))


async def test_what_is_set_is_shown_and_switched_off(stage: Stage) -> None:
    await set_up(stage)
    shown = text_of((await pool(stage, "approvals")).message)
    assert "100 credits or more need approval" in shown
    assert f"<#{moderators_channel(stage)}>" in shown
    assert "No price needs approval" in text_of((await pool(stage, "approvals", off="price")).message)
    assert "no moderators' channel" in text_of((await pool(stage, "approvals", off="channel")).message)
    assert [row["action"] for row in stage.rows("SELECT action FROM audit_entries")] == ["approvals"] * 3
    await ask_expensive(stage)
    await stage.delivered()


async def approve_in_list(stage: Stage, job_id: int = 1) -> None:
    """Approve by `/pool waiting`."""
    listing = await pool(stage, "waiting")
    assert listing.ephemeral
    await press(stage, listing.message, f"#{job_id}: Approve")


async def test_without_a_channel_a_note_without_the_prompt_is_posted_where_the_command_was_used(stage: Stage) -> None:
    await pool(stage, "approvals", price=100)
    status = await ask_expensive(stage)
    note = await approval_card(stage, stage.videos)
    assert "`/pool waiting`" in text_of(note)
    assert PROMPT not in text_of(note)
    assert note.components == []
    assert stage.public_messages(stage.videos) == [note]
    assert stage.discord.threads(stage.videos) == []
    await approve_in_list(stage)
    await stage.outcome(status)
    # Only the card of the approved video is left.
    await stage.seen(lambda: note.deleted)
    assert stage.public_messages(stage.videos) == [stage.card(status)]


async def test_in_a_thread_moderators_are_asked_in_that_thread(stage: Stage) -> None:
    thread = await stage.thread(await stage.ask())
    await stage.delivered()
    await pool(stage, "approvals", price=100)
    await (await stage.member.slash(thread.id, "video", prompt="a expensive one", duration=10)).finished()
    await approval_card(stage, thread.id)
    await approve_in_list(stage, 2)
    await stage.delivered(2)


@pytest.mark.parametrize("trouble", ["deleted", "Send Messages"])
async def test_an_unusable_channel_is_skipped_and_reported(stage: Stage, trouble: str) -> None:
    await set_up(stage)
    if trouble == "deleted":
        stage.discord.admin.delete_channel(moderators_channel(stage))
    else:
        take_away(stage, RIGHTS[trouble])
    await ask_expensive(stage)
    await approval_card(stage, stage.videos)
    told = text_of((await pool(stage, "waiting")).message)
    assert "I can't post in <#" in told
    assert ("it was deleted" if trouble == "deleted" else "**Send Messages**") in told
    await approve_in_list(stage)
    await stage.delivered()


async def test_a_channel_that_discord_refuses_is_skipped(stage: Stage) -> None:
    await set_up(stage)
    refused = Fault(status=403, body={"code": 50013, "message": "Missing Permissions"})
    stage.discord.faults.add("POST", f"/api/v10/channels/{moderators_channel(stage)}/messages", refused, times=None)
    await ask_expensive(stage)
    await approval_card(stage, stage.videos)


async def test_a_card_whose_answer_was_lost_is_posted_once(stage: Stage) -> None:
    await set_up(stage)
    stage.discord.faults.add("POST", MESSAGES, Fault(cut="after"))
    await ask_expensive(stage)
    await approval_card(stage)
    assert len(stage.public_messages(moderators_channel(stage))) == 1


async def test_the_card_is_posted_after_a_discord_outage(stage: Stage) -> None:
    await set_up(stage)
    stage.discord.faults.add("POST", MESSAGES, Fault(status=429, body={"message": "no", "retry_after": 0.01}))
    stage.discord.faults.add("POST", MESSAGES, Fault(cut="before"), times=2)
    await ask_expensive(stage)
    await press(stage, await approval_card(stage), "Approve")
    await stage.delivered()


@pytest.mark.parametrize("is_open", [True, False])
async def test_unconfirmed_videos_are_announced_in_the_channel_if_possible(stage: Stage, is_open: bool) -> None:
    await set_up(stage)
    if not is_open:
        take_away(stage, RIGHTS["Send Messages"])
    stage.ulazai.faults.add("POST", GENERATE, Fault(cut="before"))
    outcome = await stage.outcome(await stage.ask())
    await stage.delivered()
    notices = [message.content for message in stage.public_messages(moderators_channel(stage))]
    assert len(notices) == is_open
    assert all(f"/{outcome.channel_id}/{outcome.id} " in notice for notice in notices)


# Asking a moderator about a refused prompt


@pytest_asyncio.fixture
async def strict(stage: Stage) -> Stage:
    """A server that does not want to see mice."""
    await pool(stage, "approvals", channel=moderators_channel(stage))
    await pool(stage, "words add", words="mouse")
    return stage


async def refused(stage: Stage) -> Message:
    """Ask for a mouse; returns the private answer."""
    record = await (await stage.member.slash(stage.videos, "video", prompt="a MOUSE in space")).answered()
    answer = refusal_of(record)
    assert "may not fit this server's rules" in answer
    assert "mouse" not in answer.lower()
    return record.message


async def test_a_refused_prompt_holds_nothing_until_a_moderator_is_asked(strict: Stage) -> None:
    message = await refused(strict)
    strict.assert_nothing_came_of_it()
    asked = await (await strict.member.press(message.id, "Ask a moderator")).answered()
    assert asked.ephemeral
    assert "Waiting for a moderator" in await strict.card_says(asked, "a MOUSE in space")
    assert strict.balance == (55, 0)
    card = await approval_card(strict)
    assert "`/pool words`" in text_of(card)
    await press(strict, card, "Approve")
    assert "your video is ready" in (await strict.outcome(asked)).content


async def test_a_slow_refusal_can_be_appealed_too(strict: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cogs.interactions.responses._DEFER_AFTER_SECONDS", 0.05)
    with closing(sqlite3.connect(strict.settings.database_path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        record = await (await strict.member.slash(strict.videos, "video", prompt="a mouse")).answered()
        assert record.message.thinking
    await strict.discord.wait_for(lambda: [message for message in record.messages if message.ephemeral], 10)
    (message,) = record.messages
    await (await strict.member.press(message.id, "Ask a moderator")).answered()
    await strict.until(lambda: strict.states == ["awaiting_approval"])


async def test_it_is_asked_once(strict: Stage) -> None:
    message = await refused(strict)
    first = await (
        await strict.member.click(message.id, message.components[0]["components"][0]["custom_id"])
    ).answered()
    assert first.ephemeral
    assert "Waiting for a moderator" in text_of(first.message)
    await strict.until(lambda: not message.components)
    assert len(strict.jobs) == 1


async def test_a_second_click_at_once_is_refused(strict: Stage) -> None:
    message = await refused(strict)
    presses = [await strict.member.press(message.id, "Ask a moderator") for _ in range(2)]
    answers = [await each.answered() for each in presses]
    assert "Waiting for a moderator" in text_of(answers[0].message)
    assert "asked already" in refusal_of(answers[1])
    assert len(strict.jobs) == 1


async def test_a_request_that_could_not_be_accepted_may_be_sent_again(tmp_path: Path) -> None:
    async with staged(tmp_path, limit_active_jobs=1) as stage:
        await pool(stage, "approvals", price=100, channel=moderators_channel(stage))
        await pool(stage, "words add", words="mouse")
        await ask_expensive(stage)
        message = await refused(stage)
        answer = await (await stage.member.press(message.id, "Ask a moderator")).answered()
        assert "1 of 1 videos open" in refusal_of(answer)
        await (await stage.member.slash(stage.videos, "cancel")).answered()
        await (await stage.member.press(message.id, "Ask a moderator")).answered()
        await stage.until(lambda: stage.states == ["cancelled", "awaiting_approval"])


async def test_after_a_restart_the_request_is_to_be_sent_again(tmp_path: Path) -> None:
    async with servers(tmp_path) as stage:
        async with running_bot(stage):
            await pool(stage, "words add", words="mouse")
            message = await refused(stage)
        async with running_bot(stage):
            answer = await (await stage.member.press(message.id, "Ask a moderator")).answered()
            assert refusal_of(answer) == sentence(Refusal.REQUEST_FORGOTTEN)
            stage.assert_nothing_came_of_it()


# Low balances


@pytest_asyncio.fixture
async def small(tmp_path: Path) -> AsyncIterator[Stage]:
    """A server with 1000 credits: under 250 only the cheapest kind is made, under 100 all needs approval."""
    async with staged(tmp_path, pool_starting_credits=1000, pool_managers_may_deposit=True) as stage:
        await pool(stage, "approvals", channel=moderators_channel(stage))
        yield stage


def announced(stage: Stage) -> list[str]:
    """The low balances that the moderators' channel was notified of."""
    return [m.content for m in stage.public_messages(moderators_channel(stage)) if "are left in the pool" in m.content]


async def told(stage: Stage, count: int, words: str) -> str:
    """Wait for the newest announcement, and until it is written down."""
    step = {CHEAPEST: "cheapest", APPROVAL: "approval", NONE: "none"}[words]
    await stage.until(lambda: len(announced(stage)) == count)
    await stage.until(
        lambda: stage.rows("SELECT announced_low_balance FROM pools") == [{"announced_low_balance": step}]
    )
    assert words in announced(stage)[-1]
    return announced(stage)[-1]


async def test_each_low_balance_is_announced_once(small: Stage) -> None:
    await pool(small, "withdraw", credits=850, reason="for later")
    assert "**150 credits** are left" in await told(small, 1, CHEAPEST)
    assert "only 5-second silent" in refusal_of(await small.ask("a expensive one", duration=10))
    await small.ask()
    assert "**95 credits** are left" in await told(small, 2, APPROVAL)
    await small.delivered()
    for _ in range(3):
        await (await small.member.slash(small.videos, "usage")).answered()
    await pool(small, "deposit", credits=1000, reason="more")
    assert "**1095 credits** are left" in await told(small, 3, NONE)


async def test_levels_are_announced_once_across_a_restart_and_a_lost_answer(tmp_path: Path) -> None:
    async with servers(tmp_path, pool_starting_credits=300, pool_managers_may_deposit=True) as stage:
        async with running_bot(stage):
            await pool(stage, "approvals", channel=moderators_channel(stage))
            stage.discord.faults.add("POST", MESSAGES, Fault(cut="after"))
            await pool(stage, "withdraw", credits=230, reason="for later")
            await told(stage, 1, CHEAPEST)
            await stage.until(
                lambda: stage.rows("SELECT announced_low_balance FROM pools") == [{"announced_low_balance": "cheapest"}]
            )
        async with running_bot(stage):
            await pool(stage, "withdraw", credits=45, reason="for later")
            await told(stage, 2, APPROVAL)


async def test_an_unsent_announcement_is_sent_after_a_restart(tmp_path: Path) -> None:
    async with servers(tmp_path, pool_starting_credits=300, pool_managers_may_deposit=True) as stage:
        async with running_bot(stage):
            await pool(stage, "approvals", channel=moderators_channel(stage))
            stage.discord.faults.add("POST", MESSAGES, Fault(cut="before"), times=None)
            await pool(stage, "withdraw", credits=230, reason="for later")
        stage.discord.faults.clear()
        assert announced(stage) == []
        async with running_bot(stage):
            await told(stage, 1, CHEAPEST)


async def test_without_a_channel_nothing_is_announced_until_there_is_one(tmp_path: Path) -> None:
    async with staged(tmp_path, pool_starting_credits=60) as stage:
        await stage.ask()
        await stage.delivered()
        assert stage.rows("SELECT announced_low_balance FROM pools") == [{"announced_low_balance": "none"}]
        await pool(stage, "approvals", channel=moderators_channel(stage))
        await told(stage, 1, APPROVAL)


async def test_in_a_nearly_empty_pool_every_video_waits(tmp_path: Path) -> None:
    async with staged(tmp_path, pool_starting_credits=1000, pool_managers_may_deposit=True) as stage:
        await pool(stage, "approvals", channel=moderators_channel(stage))
        await pool(stage, "withdraw", credits=930, reason="for later")
        status = await stage.ask()
        card = await approval_card(stage)
        assert "nearly empty" in text_of(card)
        await press(stage, card, "Approve", MODERATOR)
        await stage.outcome(status)
        assert ("approve", f"#1 of <@{stage.member.id}>, 55 credits") in audited(stage)
