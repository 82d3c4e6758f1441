"""The moderators' channel: may the bot post there?"""

from bot.client import VideoBot

# What a card needs: to be seen, sent and found again after a restart.
_NEEDED = ("view_channel", "send_messages", "embed_links", "read_message_history")


def trouble_with(bot: VideoBot, guild_id: int, channel_id: int) -> str | None:
    """Say, without asking Discord, what keeps cards out of a channel; None: nothing that is known here."""
    guild = bot.get_guild(guild_id)
    if guild is None:
        return None
    channel = guild.get_channel(channel_id)
    if channel is None:
        return f"I can't post in <#{channel_id}>: it is gone, or hidden from me."
    allowed = channel.permissions_for(guild.me)
    missing = [name for name in _NEEDED if not getattr(allowed, name)]
    if not missing:
        return None
    names = ", ".join(f"**{name.replace('_', ' ').title()}**" for name in missing)
    return f"I can't post in <#{channel_id}>: I am missing the permission {names} there."
