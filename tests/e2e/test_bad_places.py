"""Commands where the bot can't work: direct messages, and places in which it lacks a permission."""

from typing import Any

import pytest

from sandbox.discord.interactions.payloads import InteractionWriter
from sandbox.discord.interactions.registry import Interaction
from sandbox.discord.world import permissions
from tests.e2e.stage import Stage, picture, refusal_of
from tests.local.people import InteractionRecord

RIGHTS = {
    "Send Messages": permissions.SEND_MESSAGES,
    "Create Public Threads": permissions.CREATE_PUBLIC_THREADS,
    "Send Messages in Threads": permissions.SEND_MESSAGES_IN_THREADS,
}


def deny(stage: Stage, rights: int, channel_id: int | None = None) -> None:
    """Take rights away from the bot in a channel."""
    bot_role = stage.discord.world.guild(stage.discord.guild_id).members[stage.discord.bot_id].role_ids[0]
    stage.discord.admin.set_overwrite(channel_id or stage.videos, bot_role, deny=rights)


async def ask_in(stage: Stage, channel_id: int) -> InteractionRecord:
    record = await stage.member.slash(channel_id, "video", prompt="a cat")
    await record.finished()
    return record


@pytest.mark.parametrize("name", RIGHTS)
async def test_missing_permission_is_named(stage: Stage, name: str) -> None:
    deny(stage, RIGHTS[name])
    answer = refusal_of(await ask_in(stage, stage.videos))
    assert f"**{name}**" in answer
    assert "moderator" in answer
    stage.assert_nothing_came_of_it()


async def test_missing_permission_is_named_for_pictures_too(stage: Stage) -> None:
    message = await stage.member.say(stage.videos, "look", [("cat.png", picture())])
    deny(stage, permissions.CREATE_PUBLIC_THREADS)
    record = await (await stage.member.menu(message.id, "Animate image")).answered()
    assert "Create Public Threads" in refusal_of(record)
    files = {"image": ("cat.png", picture())}
    record = await stage.member.slash(stage.videos, "animate", files=files, prompt="it blinks")
    await record.finished()
    assert "Create Public Threads" in refusal_of(record)
    stage.assert_nothing_came_of_it()


async def test_inside_a_thread_only_posting_there_is_needed(stage: Stage) -> None:
    thread = await stage.thread(await stage.ask())
    await stage.delivered()
    deny(stage, permissions.SEND_MESSAGES | permissions.CREATE_PUBLIC_THREADS)
    record = await ask_in(stage, thread.id)
    assert not record.ephemeral
    deny(stage, permissions.SEND_MESSAGES_IN_THREADS)
    assert "**Send Messages in Threads**" in refusal_of(await ask_in(stage, thread.id))


@pytest.mark.parametrize("command", ["video", "animate", "usage", "history", "cancel"])
async def test_direct_message_is_refused(stage: Stage, command: str) -> None:
    prompt = {"prompt": "a cat"} if command in ("video", "animate") else {}
    files = {"image": ("cat.png", picture())} if command == "animate" else None
    record = await stage.member.dm_slash(command, files=files, **prompt)
    await record.answered()
    assert "only work in servers" in refusal_of(record)
    stage.assert_nothing_came_of_it()


async def test_commands_are_not_offered_in_direct_messages(stage: Stage) -> None:
    channel = stage.discord.world.open_dm(stage.discord.bot_id, stage.member.id)
    assert stage.member.offered(channel.id) == []


@pytest.mark.parametrize("allowed", [True, False])
async def test_without_app_permissions_the_roles_count(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, *, allowed: bool
) -> None:
    write = InteractionWriter.write

    def without(self: InteractionWriter, interaction: Interaction) -> dict[str, Any]:
        return write(self, interaction) | {"app_permissions": "0"}

    monkeypatch.setattr(InteractionWriter, "write", without)
    if not allowed:
        deny(stage, permissions.CREATE_PUBLIC_THREADS)
        assert "Create Public Threads" in refusal_of(await ask_in(stage, stage.videos))
        stage.assert_nothing_came_of_it()
        return
    record = await ask_in(stage, stage.videos)
    await stage.outcome(record)


async def test_the_requesters_permissions_do_not_help_the_bot(stage: Stage) -> None:
    deny(stage, permissions.SEND_MESSAGES)
    moderator = stage.discord.person("moderator")
    record = await moderator.slash(stage.videos, "video", prompt="a cat")
    await record.finished()
    assert "**Send Messages**" in refusal_of(record)
