"""Subcommands, every type of option and what is resolved for it, with the real discord.py client."""

from collections.abc import AsyncIterator
from typing import Any

import discord
import pytest
from discord.ext import commands

from sandbox.discord.world import permissions, seed
from sandbox.discord.world.errors import ClientError
from tests.local.people import Value
from tests.sandbox.discord.tools import Stage, real_bot
from tests.sandbox.page.pool_commands import GROUPS


def add_groups(bot: commands.AutoShardedBot) -> None:
    for group in GROUPS:
        bot.tree.add_command(group)


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    async with real_bot(monkeypatch, add_groups) as stage:
        yield stage


async def said(stage: Stage, command: str, who: str = "moderator", **options: Value) -> str:
    arguments: dict[str, Any] = options
    record = await stage.local.person(who).slash(stage.videos, command, **arguments)
    return (await record.answered()).message.content


@pytest.mark.parametrize(
    ("target", "told"),
    [
        (seed.MEMBER_ONE_ID, "member member-one, writes, 2 roles"),
        (seed.MODERATOR_ID, "member moderator, manages, 2 roles"),
        (seed.CREATORS_ROLE_ID, "role Creators, default False"),
        (seed.GUILD_ID, "role @everyone, default True"),
    ],
)
async def test_a_mentionable_is_a_member_a_role_or_everyone(stage: Stage, target: int, told: str) -> None:
    answer = await said(stage, "pool allow", target=target, credits=500, factor=0.5, notify=True)
    assert answer == f"{told}: 500 x 0.5, True"


async def test_a_members_permissions_are_those_in_the_channel(stage: Stage) -> None:
    stage.local.admin.set_overwrite(stage.videos, seed.MEMBER_ONE_ID, deny=permissions.SEND_MESSAGES)
    answer = await said(stage, "pool allow", target=seed.MEMBER_ONE_ID, credits=0)
    assert answer == "member member-one, reads, 2 roles: 0 x 1.0, False"


async def test_a_channels_permissions_are_those_of_the_acting_user(stage: Stage) -> None:
    stage.local.admin.set_overwrite(seed.GENERAL_ID, seed.BOT_ROLE_ID, deny=permissions.SEND_MESSAGES)
    assert await said(stage, "pool channels", channel=seed.GENERAL_ID) == "general, manages"
    stage.local.admin.delete_role(stage.local.guild_id, seed.MODERATOR_ROLE_ID)
    with pytest.raises(ClientError, match="permission"):
        await said(stage, "pool channels", channel=seed.GENERAL_ID)


async def test_only_channels_of_the_wanted_type_that_one_sees(stage: Stage) -> None:
    videos = await stage.bot.fetch_channel(stage.videos)
    assert isinstance(videos, discord.TextChannel)
    thread = await videos.create_thread(name="t", type=discord.ChannelType.public_thread)
    hidden = stage.local.admin.add_channel(stage.local.guild_id, "hidden", private=True)
    for channel_id in (thread.id, hidden.id):
        with pytest.raises(ClientError, match="valid channel"):
            await said(stage, "pool channels", channel=channel_id)


async def test_a_user_may_have_left(stage: Stage) -> None:
    assert await said(stage, "pool why", member=seed.MEMBER_TWO_ID) == "Member member-two"
    stage.local.admin.remove_member(stage.local.guild_id, seed.MEMBER_TWO_ID)
    assert await said(stage, "pool why", member=seed.MEMBER_TWO_ID) == "User member-two"


async def test_a_role_comes_with_its_permissions(stage: Stage) -> None:
    assert await said(stage, "pool managers", role=seed.POOL_MANAGER_ROLE_ID) == "Pool manager, 0, 3"


async def test_a_subcommand_in_a_group(stage: Stage) -> None:
    assert await said(stage, "pool words add", word="thunder") == "added thunder"
    record = await stage.local.person("moderator").autocomplete(stage.videos, "pool words remove", "word", "berry")
    await record.answered()
    assert [choice["value"] for choice in record.choices] == ["raspberry", "strawberry"]


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("pool allow", {"target": seed.MEMBER_ONE_ID, "credits": 1.5}),
        ("pool allow", {"target": seed.MEMBER_ONE_ID, "credits": -1}),
        ("pool allow", {"target": seed.MEMBER_ONE_ID, "credits": 5001}),
        ("pool allow", {"target": seed.MEMBER_ONE_ID, "credits": 2**53 + 1}),
        ("pool allow", {"target": seed.MEMBER_ONE_ID, "credits": "many"}),
        ("pool allow", {"target": seed.MEMBER_ONE_ID, "credits": True}),
        ("pool allow", {"target": seed.MEMBER_ONE_ID, "credits": 1, "factor": 2.01}),
        ("pool allow", {"target": seed.VIDEOS_ID, "credits": 1}),
        ("pool allow", {"credits": 1}),
        ("pool managers", {"role": seed.MEMBER_ONE_ID}),
        ("pool words add", {"word": "x"}),
        ("pool words add", {"word": "x" * 21}),
        ("pool words", {}),
        ("pool", {}),
        ("pool nothing", {}),
    ],
)
async def test_invalid_options_never_reach_the_bot(stage: Stage, command: str, options: dict[str, Any]) -> None:
    with pytest.raises(ClientError):
        await said(stage, command, **options)


async def test_a_command_is_hidden_and_refused_without_its_default_permissions(stage: Stage) -> None:
    assert stage.local.person("moderator").offered(stage.videos) == ["pool", "session"]
    assert stage.local.person("operator").offered(stage.videos) == ["pool", "session"]
    member = stage.local.person("member-one")
    assert member.offered(stage.videos) == ["session"]
    with pytest.raises(ClientError) as refused:
        await said(stage, "pool show", "member-one")
    assert refused.value.status == 403
    stage.local.admin.set_role_permissions(stage.local.guild_id, seed.CREATORS_ROLE_ID, permissions.MANAGE_GUILD)
    assert await said(stage, "pool show", "member-one") == "1000 credits"


async def test_a_session_opens_a_thread_and_pins_its_card(stage: Stage) -> None:
    answer = await said(stage, "session start", budget=300, role=seed.CREATORS_ROLE_ID, title="Night")
    assert answer == "Night: 300 credits, 60 minutes, Creators"
    (thread,) = await stage.local.wait_for(lambda: stage.local.threads(stage.videos))
    pinned = await stage.local.wait_for(lambda: stage.local.services.pins.pinned(thread))
    assert [message.content for message in pinned] == ["300 credits left"]
    assert (thread.type, thread.name) == (11, "Night")
