"""Checks the bot's permissions in the moderators' channel."""

from bot.client import VideoBot
from bot.codes import Reason, Refusal

# What a card needs: to be seen, sent and found again after a restart.
_NEEDED = ("view_channel", "send_messages", "embed_links", "read_message_history")


def trouble_with(bot: VideoBot, guild_id: int, channel_id: int) -> Reason | None:
    """Return what keeps cards out of a channel, without a request to Discord; None: nothing that is known here."""
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
