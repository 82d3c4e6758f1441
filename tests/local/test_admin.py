"""Changes of the world in the midst of it: roles, members, channels, and a second server on the same bot."""

from collections.abc import AsyncIterator

import discord
import pytest
from discord import app_commands
from discord.ext import commands

from sandbox.discord.gateway.events import GUILD_MEMBERS, GUILDS
from sandbox.discord.world import permissions, seed
from sandbox.discord.world.errors import ClientError
from tests.local.servers import LocalDiscord
from tests.sandbox.discord.test_gateway import connected, identity
from tests.sandbox.discord.tools import Stage, real_bot, running
from tests.sandbox.page.pool_commands import GROUPS


def add_commands(bot: commands.AutoShardedBot) -> None:
    for group in GROUPS:
        bot.tree.add_command(group)

    @bot.tree.command(description="Show who I am")
    @app_commands.guild_only()
    async def who(interaction: discord.Interaction) -> None:
        member = interaction.user
        assert isinstance(member, discord.Member)
        roles = ", ".join(role.name for role in member.roles[1:])
        assert interaction.guild is not None
        manages = interaction.permissions.manage_guild
        await interaction.response.send_message(f"{interaction.guild.name}: {member.name}, {roles}, {manages}")


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    async with real_bot(monkeypatch, add_commands) as stage:
        yield stage


async def whoami(stage: Stage, username: str, channel_id: int) -> str:
    return (await (await stage.local.person(username).slash(channel_id, "who")).answered()).message.content


async def test_a_deleted_role_is_gone_from_members_channels_and_the_bot(stage: Stage) -> None:
    admin, local, guild_id = stage.local.admin, stage.local, stage.local.guild_id
    guild = stage.bot.guilds[0]
    assert await whoami(stage, "moderator", stage.videos) == "Reelpool Studio: moderator, Moderator, True"
    admin.delete_role(guild_id, seed.MODERATOR_ROLE_ID)
    await local.wait_for(lambda: guild.get_role(seed.MODERATOR_ROLE_ID) is None)
    assert await whoami(stage, "moderator", stage.videos) == "Reelpool Studio: moderator, , False"
    assert local.person("moderator").offered(stage.videos) == ["session", "who"]
    with pytest.raises(ClientError, match="access"):
        local.person("moderator").offered(seed.MODERATORS_ID)
    known = guild.get_channel(seed.MODERATORS_ID)
    assert isinstance(known, discord.TextChannel)
    assert {role.id for role in known.overwrites if isinstance(role, discord.Role)} == {guild_id, seed.BOT_ROLE_ID}
    with pytest.raises(ValueError, match="@everyone"):
        admin.delete_role(guild_id, guild_id)


async def test_a_role_is_given_and_taken(stage: Stage) -> None:
    admin, guild_id = stage.local.admin, stage.local.guild_id
    admin.give_role(guild_id, seed.MEMBER_ONE_ID, seed.POOL_MANAGER_ROLE_ID)
    admin.give_role(guild_id, seed.MEMBER_ONE_ID, seed.POOL_MANAGER_ROLE_ID)
    assert (
        await whoami(stage, "member-one", stage.videos) == "Reelpool Studio: member-one, Creators, Pool manager, False"
    )
    admin.take_role(guild_id, seed.MEMBER_ONE_ID, seed.CREATORS_ROLE_ID)
    admin.take_role(guild_id, seed.MEMBER_ONE_ID, seed.CREATORS_ROLE_ID)
    assert await whoami(stage, "member-one", stage.videos) == "Reelpool Studio: member-one, Pool manager, False"


async def test_only_a_bot_with_the_intent_receives_members() -> None:
    async with running() as local, connected(local) as few, connected(local) as many:
        local.settings.privileged_intents = GUILD_MEMBERS
        for socket, intents in ((few, GUILDS), (many, GUILDS | GUILD_MEMBERS)):
            await socket.send(2, identity(local, intents))
            await socket.receive_event("GUILD_CREATE")
        local.admin.take_role(local.guild_id, seed.MEMBER_ONE_ID, seed.CREATORS_ROLE_ID)
        local.admin.remove_member(local.guild_id, seed.MEMBER_TWO_ID)
        local.admin.delete_role(local.guild_id, seed.CREATORS_ROLE_ID)
        changed, left = await many.receive(), await many.receive()
        assert (changed["t"], changed["d"]["roles"]) == ("GUILD_MEMBER_UPDATE", [])
        assert (left["t"], set(left["d"]), left["d"]["user"]["username"]) == (
            "GUILD_MEMBER_REMOVE",
            {"guild_id", "user"},
            "member-two",
        )
        deleted = await few.receive()
        assert deleted["t"] == "GUILD_ROLE_DELETE"
        assert deleted["d"] == {"guild_id": str(seed.GUILD_ID), "role_id": str(seed.CREATORS_ROLE_ID)}


async def test_a_member_who_left_can_do_nothing(stage: Stage) -> None:
    stage.local.admin.remove_member(stage.local.guild_id, seed.MEMBER_ONE_ID)
    with pytest.raises(ClientError, match="access"):
        await whoami(stage, "member-one", stage.videos)


async def test_the_bot_can_neither_post_in_nor_see_what_was_removed(stage: Stage) -> None:
    channel = stage.bot.get_partial_messageable(seed.MODERATORS_ID)
    stage.local.admin.set_overwrite(seed.MODERATORS_ID, seed.BOT_ROLE_ID, deny=permissions.SEND_MESSAGES)
    with pytest.raises(discord.Forbidden) as hidden:
        await channel.send("card")
    assert hidden.value.code == 50001  # the overwrite that showed it the channel is replaced as well
    allow, deny = permissions.VIEW_CHANNEL, permissions.SEND_MESSAGES
    stage.local.admin.set_overwrite(seed.MODERATORS_ID, seed.BOT_ROLE_ID, allow=allow, deny=deny)
    with pytest.raises(discord.Forbidden) as refused:
        await channel.send("card")
    assert refused.value.code == 50013
    stage.local.admin.delete_channel(seed.MODERATORS_ID)
    with pytest.raises(discord.NotFound):
        await channel.send("card")


async def test_a_second_server_has_its_own_people_roles_and_permissions(stage: Stage) -> None:
    admin, local = stage.local.admin, stage.local
    other = admin.add_guild("Other studio")
    channel = admin.add_channel(other.id, "talk")
    manager = admin.add_role(other.id, "Owner", permissions.MANAGE_GUILD)
    admin.add_person("guest", other.id)
    admin.add_person("host", other.id, role_ids=(manager.id,))
    await local.wait_for(lambda: len(stage.bot.guilds) == 2)
    assert await whoami(stage, "host", channel.id) == "Other studio: host, Owner, True"
    assert await whoami(stage, "guest", channel.id) == "Other studio: guest, , False"
    assert local.person("host").offered(channel.id) == ["pool", "session", "who"]
    assert local.person("guest").offered(channel.id) == ["session", "who"]
    for username, place in (("host", stage.videos), ("moderator", channel.id)):
        with pytest.raises(ClientError, match="access"):
            await whoami(stage, username, place)
    with pytest.raises(ClientError, match="valid role"):
        await local.person("host").slash(channel.id, "pool managers", role=seed.CREATORS_ROLE_ID)


async def test_a_servers_own_rules_for_a_command_come_before_its_default(stage: Stage) -> None:
    admin, guild_id = stage.local.admin, stage.local.guild_id
    member, other = stage.local.person("member-one"), stage.local.person("member-two")
    admin.set_command_rule(guild_id, "pool", guild_id, allowed=True)
    assert "pool" in member.offered(stage.videos)
    record = await (await member.slash(stage.videos, "pool show")).answered()
    assert record.message.content == "1000 credits"
    admin.set_command_rule(guild_id, "pool", seed.CREATORS_ROLE_ID, allowed=False)
    assert "pool" not in member.offered(stage.videos)
    admin.set_command_rule(guild_id, "pool", other.id, allowed=True)
    assert ("pool" in other.offered(stage.videos), "pool" in member.offered(stage.videos)) == (True, False)
    admin.set_command_rule(guild_id, "pool", seed.OWNER_ID, allowed=False)
    assert "pool" in stage.local.person("operator").offered(stage.videos)
    (pool,) = [command for command in await stage.bot.tree.fetch_commands() if command.name == "pool"]
    rules = await pool.fetch_permissions(stage.bot.guilds[0])
    assert {(rule.id, rule.type.name, rule.permission) for rule in rules.permissions} == {
        (guild_id, "role", True),
        (seed.CREATORS_ROLE_ID, "role", False),
        (other.id, "user", True),
        (seed.OWNER_ID, "user", False),
    }
    with pytest.raises(KeyError):
        admin.set_command_rule(guild_id, "nothing", guild_id, allowed=True)


async def test_the_application_belongs_to_a_person_or_a_team(stage: Stage) -> None:
    found = await stage.bot.application_info()
    assert (found.owner.id, found.owner.name, found.team) == (seed.OWNER_ID, "operator", None)
    team = (seed.MEMBER_ONE_ID, seed.MEMBER_TWO_ID)
    stage.local.admin.set_application_owner(seed.MEMBER_ONE_ID, team_ids=team)
    found = await stage.bot.application_info()
    assert found.team is not None
    assert found.team.owner is not None
    assert (found.team.owner.id, [member.id for member in found.team.members]) == (seed.MEMBER_ONE_ID, list(team))
    assert found.owner.id not in local_ids(stage.local)


def local_ids(local: LocalDiscord) -> set[int]:
    return set(local.world.users)
