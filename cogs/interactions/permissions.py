"""Permissions of members, and of the bot in channels.

Discord's command permissions do not bind administrators, buttons or forms: each checks here.
"""

import discord

from bot.client import VideoBot
from bot.codes import Reason, Refusal
from bot.errors import RefusedError

# To post a card and to find it again after a restart.
_NEEDED = ("view_channel", "send_messages", "embed_links", "read_message_history")


def trouble_with(bot: VideoBot, guild_id: int, channel_id: int) -> Reason | None:
    """Return why the bot can't post cards in a channel, without a request to Discord; None: no reason is known.

    Args:
        bot: the client.
        guild_id: of the server.
        channel_id: of the channel.
    """
    guild = bot.get_guild(guild_id)
    if guild is None:
        return None
    channel = guild.get_channel(channel_id)
    if channel is None:
        return Reason(Refusal.CHANNEL_HIDDEN, {"channel_id": channel_id})
    allowed = channel.permissions_for(guild.me)
    missing = [name for name in _NEEDED if not getattr(allowed, name)]
    if not missing:
        return None
    return Reason(Refusal.CHANNEL_PERMISSIONS, {"channel_id": channel_id, "permissions": " ".join(missing)})


_THREADED = (discord.ChannelType.text, discord.ChannelType.news)
_THREADS = (discord.ChannelType.public_thread, discord.ChannelType.private_thread, discord.ChannelType.news_thread)

# Discord's documentation, "Permissions" and "Start Thread from Message".
_IN_CHANNEL = discord.Permissions(
    view_channel=True, send_messages=True, create_public_threads=True, send_messages_in_threads=True
)
_IN_THREAD = discord.Permissions(view_channel=True, send_messages_in_threads=True)
_ELSEWHERE = discord.Permissions(view_channel=True, send_messages=True)


def check_place(interaction: discord.Interaction[VideoBot]) -> bool:
    """Check the bot's permissions to post here, and to create a thread where the result needs one.

    Returns:
        Whether the result is posted right here: in the thread in which the command was used, or in a channel
        without threads, such as a voice channel's chat.

    Raises:
        RefusedError: MISSING_PERMISSIONS.
    """
    kind = interaction.channel.type if interaction.channel else None
    needed = _IN_THREAD if kind in _THREADS else _IN_CHANNEL if kind in _THREADED else _ELSEWHERE
    missing = [name for name, wanted in needed if wanted and not getattr(_permissions(interaction), name)]
    if missing:
        raise RefusedError(Refusal.MISSING_PERMISSIONS, permissions=" ".join(missing))
    return kind not in _THREADED


def _permissions(interaction: discord.Interaction[VideoBot]) -> discord.Permissions:
    """Return the bot's permissions here, from the interaction or else from its roles."""
    if interaction.app_permissions.value or interaction.guild is None:
        return interaction.app_permissions
    channel = interaction.channel
    if isinstance(channel, discord.abc.GuildChannel | discord.Thread):
        return channel.permissions_for(interaction.guild.me)
    return interaction.app_permissions


_Interaction = discord.Interaction[VideoBot]


async def require_manager(interaction: _Interaction) -> int:
    """Return the server's id if the member manages its pool: by Manage Server, or by a role from `/pool managers`.

    Raises:
        RefusedError: MODERATORS_ONLY, SERVERS_ONLY.
    """
    guild_id = require_guild(interaction)
    if not await is_manager(interaction):
        raise RefusedError(Refusal.MODERATORS_ONLY)
    return guild_id


async def is_manager(interaction: _Interaction) -> bool:
    """Return whether the member manages the pool of the server."""
    if interaction.permissions.manage_guild:
        return True
    pool = await interaction.client.services.pools.pool(require_guild(interaction))
    return not pool.policy.manager_roles.isdisjoint(role_ids(interaction))


async def require_decider(interaction: _Interaction) -> int:
    """Return the server's id if the member may decide about others' jobs: a manager of the pool, or the operator.

    Raises:
        RefusedError: MODERATORS_ONLY, SERVERS_ONLY.
    """
    return require_guild(interaction) if is_operator(interaction) else await require_manager(interaction)


async def require_depositor(interaction: _Interaction) -> int:
    """Return the server's id if the member may deposit and withdraw credits there.

    Raises:
        RefusedError: OPERATOR_ONLY, MODERATORS_ONLY, SERVERS_ONLY.
    """
    if is_operator(interaction):
        return require_guild(interaction)
    if not interaction.client.services.pools.managers_may_deposit:
        raise RefusedError(Refusal.OPERATOR_ONLY)
    return await require_manager(interaction)


async def approve_own_server(interaction: _Interaction, guild_id: int) -> None:
    """Open the pool of a server that belongs to the operator, or where the operator uses a command with Manage Server.

    Raises:
        StorageError: the database can't be read or written.
    """
    guild, bot = interaction.guild, interaction.client
    is_own = guild is not None and guild.owner_id is not None and bot.is_operator(guild.owner_id)
    if is_own or (is_operator(interaction) and interaction.permissions.manage_guild):
        await bot.services.pools.approve_server(guild_id)


def is_operator(interaction: _Interaction) -> bool:
    """Return whether the member is the bot's operator: the owner of its Discord application, or of the owner's team."""
    return interaction.client.is_operator(interaction.user.id)


def require_guild(interaction: _Interaction) -> int:
    """Return the server's id.

    Raises:
        RefusedError: SERVERS_ONLY.
    """
    if interaction.guild_id is None:
        raise RefusedError(Refusal.SERVERS_ONLY)
    return interaction.guild_id


def role_ids(interaction: _Interaction) -> frozenset[int]:
    """Return the member's roles that still exist; @everyone has the server's id."""
    user = interaction.user
    return frozenset(role.id for role in user.roles) if isinstance(user, discord.Member) else frozenset()
