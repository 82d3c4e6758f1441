"""Discord's API errors as ours, and threads: creating and unarchiving them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import discord

from bot.client import NETWORK_ERRORS, VideoBot
from bot.errors import DeliveryDelayedError, PlaceRefusedError

THREAD_EXISTS = 160004
THREAD_ARCHIVED = 50083
INVALID_FORM = 50035


@asynccontextmanager
async def discord_errors() -> AsyncIterator[None]:
    """Translate Discord's errors: permanent here, or temporary.

    Raises:
        PlaceRefusedError: Discord refuses this here.
        DeliveryDelayedError: not possible now.
    """
    try:
        yield
    except discord.HTTPException as error:
        if error.status >= 500 or error.status in (401, 408, 429):
            raise DeliveryDelayedError(f"Discord answered with status {error.status}") from error
        raise PlaceRefusedError(f"Discord answered with status {error.status}, code {error.code}") from error
    except (discord.RateLimited, *NETWORK_ERRORS) as error:
        raise DeliveryDelayedError(f"no answer from Discord ({type(error).__name__})") from error


def code_of(error: PlaceRefusedError) -> int:
    """Return Discord's code of a refusal; 0 if it gave none."""
    cause = error.__cause__
    return cause.code if isinstance(cause, discord.HTTPException) else 0


async def make_thread(
    bot: VideoBot, channel_id: int, message_id: int, name: str, neutral_name: str | None = None
) -> int:
    """Create a message's thread, unless it has one, and return its id, which is the message's.

    Source: Discord's documentation, "Start Thread from Message".

    Args:
        bot: sends the request.
        channel_id: of the message.
        message_id: of the message that the thread hangs from.
        name: of the thread, up to 100 characters.
        neutral_name: where Discord refuses the name, as servers in Server Discovery do for listed words; None: that
            is a refusal.

    Raises:
        PlaceRefusedError: Discord allows no thread here.
        DeliveryDelayedError: not possible now.
    """
    try:
        async with discord_errors():
            channel = await _threaded(bot, channel_id)
            message = channel.get_partial_message(message_id)
            return (await message.create_thread(name=name, auto_archive_duration=1440)).id
    except PlaceRefusedError as error:
        if code_of(error) == INVALID_FORM and neutral_name and name != neutral_name:
            return await make_thread(bot, channel_id, message_id, neutral_name)
        if code_of(error) != THREAD_EXISTS:
            raise
        return message_id


async def _threaded(bot: VideoBot, channel_id: int) -> discord.TextChannel:
    channel = bot.get_channel(channel_id) or await bot.fetch_channel(channel_id)
    if not isinstance(channel, discord.TextChannel):
        raise PlaceRefusedError("this kind of channel has no threads")
    return channel


async def unarchive(bot: VideoBot, thread_id: int) -> None:
    """Unarchive a thread.

    Raises:
        PlaceRefusedError: Discord refuses it.
        DeliveryDelayedError: not possible now.
    """
    async with discord_errors():
        thread = await bot.fetch_channel(thread_id)
        if isinstance(thread, discord.Thread):
            await thread.edit(archived=False)
