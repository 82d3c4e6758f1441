"""Answering interactions in time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import discord

from bot.client import VideoBot

_PATIENCE_SECONDS = 1.5
_ALREADY_ANSWERED = 40060


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
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await done.wait()
    except TimeoutError:
        await interaction.response.defer(thinking=True, ephemeral=ephemeral)


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
        # discord.py tries again after a 5xx; then Discord says so if the first try had arrived.
        if error.code != _ALREADY_ANSWERED:
            raise
        return (await interaction.original_response()).id
    return sent.message_id or (await interaction.original_response()).id
