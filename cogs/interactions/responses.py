"""Answering interactions in time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import discord
import structlog

from bot.client import ALREADY_ANSWERED, NETWORK_ERRORS, VideoBot

_log = structlog.get_logger(__name__)

_PATIENCE_SECONDS = 1.5


@asynccontextmanager
async def deferred_when_slow(
    interaction: discord.Interaction[VideoBot], *, ephemeral: bool = False
) -> AsyncIterator[None]:
    """Defer the answer if the work inside takes long; Discord waits three seconds for a first answer.

    Nearly always the work is done in milliseconds, and the first answer is the real one. That also lets a
    refusal be private where success is public: a deferral would fix that before it is known.
    """
    done = asyncio.Event()
    watchman = asyncio.create_task(_defer_unless(done, interaction, ephemeral))
    try:
        yield
    finally:
        done.set()
        # Not cancelled: a deferral that is under way must be known to have been one.
        await watchman


async def _defer_unless(done: asyncio.Event, interaction: discord.Interaction[VideoBot], ephemeral: bool) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await done.wait()
    if done.is_set():
        return
    try:
        await interaction.response.defer(thinking=True, ephemeral=ephemeral)
    except (discord.HTTPException, *NETWORK_ERRORS) as error:
        # Whether it arrived after all shows when the answer itself is given; the work must not end here.
        _log.warning("deferral not confirmed", interaction_id=interaction.id, error=str(error))


async def send_or_edit(
    interaction: discord.Interaction[VideoBot],
    embed: discord.Embed,
    *,
    ephemeral: bool = False,
    view: discord.ui.View = discord.utils.MISSING,
) -> int:
    """Give the answer and return its message's id."""
    response = interaction.response
    if response.is_done():
        return (await interaction.edit_original_response(embed=embed, view=view)).id
    try:
        sent = await response.send_message(embed=embed, ephemeral=ephemeral, view=view)
    except discord.HTTPException as error:
        # A first try, or a deferral, had arrived although nothing confirmed it.
        if error.code != ALREADY_ANSWERED:
            raise
        return (await interaction.edit_original_response(embed=embed, view=view)).id
    return sent.message_id or (await interaction.original_response()).id
