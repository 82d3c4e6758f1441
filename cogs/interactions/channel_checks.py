"""Checks the bot's permissions where a command was used."""

import discord

from bot.client import VideoBot
from bot.codes import Refusal
from bot.errors import RefusedError

_THREADED = (discord.ChannelType.text, discord.ChannelType.news)
_THREADS = (discord.ChannelType.public_thread, discord.ChannelType.private_thread, discord.ChannelType.news_thread)

# Discord's documentation, "Permissions" and "Start Thread from Message".
_IN_CHANNEL = discord.Permissions(
    view_channel=True, send_messages=True, create_public_threads=True, send_messages_in_threads=True
)
_IN_THREAD = discord.Permissions(view_channel=True, send_messages_in_threads=True)
_ELSEWHERE = discord.Permissions(view_channel=True, send_messages=True)


def check_place(interaction: discord.Interaction[VideoBot]) -> bool:
    """Check that the bot may post here, and make a thread where there is none.

    Returns:
        Whether the result goes right here: into the thread in which the command was used, or into a channel
        that can't have threads, such as a voice channel's chat.

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
    """Return what Discord says that the bot may do here; where it says nothing, what its roles allow."""
    if interaction.app_permissions.value or interaction.guild is None:
        return interaction.app_permissions
    channel = interaction.channel
    if isinstance(channel, discord.abc.GuildChannel | discord.Thread):
        return channel.permissions_for(interaction.guild.me)
    return interaction.app_permissions
