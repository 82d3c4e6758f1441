"""Servers, members and rights, as the real client reads them; and the events that tell of changes."""

from collections.abc import AsyncIterator

import discord
import pytest
from discord.ext import commands

from sandbox.discord.world import permissions, seed
from sandbox.discord.world.models import Channel, Guild, Member, Overwrite, Role
from tests.sandbox.discord.tools import RawBot, Stage, raw_bot, real_bot


def no_commands(_bot: commands.AutoShardedBot) -> None:
    """This bot has none."""


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    async with real_bot(monkeypatch, no_commands) as stage:
        await stage.local.wait_for(lambda: len(stage.bot.guilds) == 1)
        yield stage


async def test_everything_can_be_fetched(stage: Stage) -> None:
    guild = await stage.bot.fetch_guild(seed.GUILD_ID)
    assert guild.name == "Reelpool Studio"
    assert guild.approximate_member_count == 5
    assert [channel.name for channel in await guild.fetch_channels()] == ["videos", "general", "moderators"]
    roles = {role.name for role in await guild.fetch_roles()}
    assert roles == {"@everyone", "Moderator", "Pool manager", "Creators", "Reelpool"}
    assert (await guild.fetch_role(seed.MODERATOR_ROLE_ID)).permissions.manage_guild
    member = await guild.fetch_member(seed.MODERATOR_ID)
    assert (member.name, member.display_name) == ("moderator", "Moderator")
    with pytest.raises(discord.NotFound):
        await guild.fetch_member(1)
    found = await stage.bot.guilds[0].query_members(user_ids=[seed.MEMBER_ONE_ID])
    assert [member.name for member in found] == ["member-one"]
    information = await stage.bot.application_info()
    assert information.id == seed.APPLICATION_ID


async def test_changes_are_sent_to_the_bot(stage: Stage) -> None:
    guild = stage.bot.guilds[0]
    admin, local = stage.local.admin, stage.local
    admin.edit_guild(guild.id, premium_tier=2)
    await local.wait_for(lambda: guild.premium_tier == 2)
    role = admin.add_role(guild.id, "crew", permissions.MANAGE_MESSAGES)
    admin.add_member(guild.id, seed.BOT_ID, role_ids=(seed.BOT_ROLE_ID, role.id))
    channel = admin.add_channel(guild.id, "new")
    admin.set_overwrite(channel.id, seed.BOT_ROLE_ID, deny=permissions.SEND_MESSAGES)
    await local.wait_for(lambda: (known := guild.get_channel(channel.id)) is not None and known.overwrites)
    known = guild.get_channel(channel.id)
    assert isinstance(known, discord.TextChannel)
    rights = known.permissions_for(guild.me)
    assert rights.manage_messages
    assert not rights.send_messages
    assert rights.value == local.world.permissions_in(channel, seed.BOT_ID)
    assert guild.filesize_limit == local.world.guilds[guild.id].upload_limit_bytes


async def test_editing_a_channel_needs_the_permission(stage: Stage) -> None:
    channel = await stage.bot.fetch_channel(seed.GENERAL_ID)
    assert isinstance(channel, discord.TextChannel)
    with pytest.raises(discord.Forbidden):
        await channel.edit(topic="new")
    stage.local.admin.set_overwrite(channel.id, seed.BOT_ROLE_ID, allow=permissions.MANAGE_CHANNELS)
    await channel.edit(topic="new", name="talk")
    assert stage.local.world.channels[channel.id].topic == "new"
    await channel.delete()
    assert channel.id not in stage.local.world.channels


async def test_bulk_delete(stage: Stage) -> None:
    channel = await stage.bot.fetch_channel(seed.GENERAL_ID)
    assert isinstance(channel, discord.TextChannel)
    sent = [await channel.send(str(number)) for number in range(3)]
    stage.local.admin.set_overwrite(channel.id, seed.BOT_ROLE_ID, allow=permissions.MANAGE_MESSAGES)
    await channel.delete_messages(sent[:2])
    assert [message.content for message in stage.local.messages(channel.id)] == ["2"]


class EveryComponent(discord.ui.LayoutView):
    """One of each component that a message can have."""

    top = discord.ui.TextDisplay["EveryComponent"]("# Title")
    part = discord.ui.Section["EveryComponent"](
        "Section", accessory=discord.ui.Thumbnail["EveryComponent"]("https://example.com/a.png")
    )
    line = discord.ui.Separator["EveryComponent"]()
    file = discord.ui.File["EveryComponent"]("attachment://a.txt")
    row = discord.ui.ActionRow["EveryComponent"]()

    @row.select(cls=discord.ui.UserSelect, custom_id="user")
    async def user(self, interaction: discord.Interaction, select: discord.ui.UserSelect["EveryComponent"]) -> None:
        """Tell who was chosen."""
        self.top.content = select.values[0].name
        await interaction.response.edit_message(view=self)


async def test_every_component_and_a_user_select(stage: Stage) -> None:
    channel = stage.bot.get_partial_messageable(seed.VIDEOS_ID)
    file = discord.File(fp=__file__, filename="a.txt")
    sent = await channel.send(view=EveryComponent(), file=file)
    message = stage.local.world.messages[sent.id]
    assert [component["type"] for component in message.components] == [10, 9, 14, 13, 1]
    person = stage.local.person("member-one")
    record = await person.click(sent.id, "user", (str(seed.MEMBER_TWO_ID),))
    await record.answered()
    assert message.components[0]["content"] == "member-two"
    assert message.attachments[0].filename == "a.txt"


# The rules of rights, without a network

_VIEW, _SEND, _ATTACH = permissions.VIEW_CHANNEL, permissions.SEND_MESSAGES, permissions.ATTACH_FILES
_ROLE_A, _ROLE_B, _MEMBER = 2, 3, 4


def rights_with(*overwrites: Overwrite, roles: tuple[int, ...] = (_ROLE_A, _ROLE_B), base: int = _VIEW) -> int:
    """What a member with two roles may do in a channel with these overwrites."""
    guild = Guild(1, "g", owner_id=99)
    guild.roles = {1: Role(1, "@everyone", base), 2: Role(2, "a"), 3: Role(3, "b", _SEND)}
    channel = Channel(5, 0, 1, overwrites={overwrite.id: overwrite for overwrite in overwrites})
    return permissions.in_channel(guild, Member(_MEMBER, list(roles)), channel)


def test_roles_add_up() -> None:
    assert rights_with() == _VIEW | _SEND
    assert rights_with(roles=(_ROLE_A,)) == _VIEW


def test_overwrites_apply_in_their_order() -> None:
    everyone = Overwrite(1, 0, deny=_SEND)
    assert not rights_with(everyone) & _SEND
    allowed = Overwrite(_ROLE_A, 0, allow=_SEND)
    denied = Overwrite(_ROLE_B, 0, deny=_SEND)
    assert rights_with(everyone, allowed, denied) & _SEND  # among roles, allow is stronger
    assert not rights_with(allowed, Overwrite(_MEMBER, 1, deny=_SEND)) & _SEND
    assert rights_with(denied, Overwrite(_MEMBER, 1, allow=_SEND)) & _SEND


def test_implied_permissions() -> None:
    assert rights_with(Overwrite(1, 0, deny=_VIEW)) == 0
    assert not rights_with(Overwrite(1, 0, deny=_SEND, allow=_ATTACH)) & _ATTACH
    assert rights_with(base=permissions.ADMINISTRATOR) == permissions.ALL


async def test_moderators_only_channel() -> None:
    async with raw_bot() as bot:
        world, channel = bot.local.world, bot.local.channel("moderators")
        assert world.can_see(channel, seed.MODERATOR_ID)
        assert world.can_see(channel, seed.BOT_ID)
        assert not world.can_see(channel, seed.MEMBER_ONE_ID)


async def test_fixed_ids() -> None:
    async with raw_bot() as first, raw_bot() as second:
        assert list(first.local.world.channels) == list(second.local.world.channels)
        assert ids(first) == ids(second)


def ids(bot: RawBot) -> list[int]:
    """The ids a test may rely on."""
    return [bot.local.guild_id, bot.local.bot_id, *bot.local.world.users]
