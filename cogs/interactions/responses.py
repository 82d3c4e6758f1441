"""Answering interactions: in time, and whatever went wrong.

Every error becomes one private reply: the member is never left without an answer, and never sees a traceback.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import discord
import structlog
from discord import app_commands

from bot.client import ALREADY_ANSWERED, NETWORK_ERRORS, UNREADABLE_ERRORS, VideoBot
from bot.codes import Refusal
from bot.errors import DuplicateInteractionError, ReelpoolError, RefusedError
from cogs.interactions.permissions import let_in, require_guild
from cogs.rendering.refusals import sentence_of

_log = structlog.get_logger(__name__)


class CommandTree(app_commands.CommandTree[VideoBot]):
    """The commands, with one place for what is true of all of them."""

    async def interaction_check(self, interaction: discord.Interaction[VideoBot], /) -> bool:
        """Refuse commands outside servers, duplicates, and everything while the bot is stopping."""
        try:
            interaction.client.begin(interaction.id)
            guild_id = require_guild(interaction)
            async with deferred_when_slow(interaction):
                await let_in(interaction, guild_id)
        except ReelpoolError as refusal:
            # What is raised here would reach nobody: discord.py hands on its own errors only.
            await report_error(interaction, refusal)
            return False
        return True

    async def _call(self, interaction: discord.Interaction[VideoBot]) -> None:
        # discord.py reads a command's data before anything of ours, and lets what it can't read go unanswered.
        try:
            await super()._call(interaction)
        except UNREADABLE_ERRORS as error:
            await report_error(interaction, error)

    async def on_error(
        self, interaction: discord.Interaction[VideoBot], error: app_commands.AppCommandError, /
    ) -> None:
        """Tell the member what went wrong, in one or two sentences that only they see."""
        await report_error(interaction, error)


async def answer_lost_form(interaction: discord.Interaction[VideoBot]) -> None:
    """Answer a form that was opened before a restart, which nothing else does: forms live in memory."""
    if interaction.type is not discord.InteractionType.modal_submit or interaction.data is None:
        return
    if not str(interaction.data.get("custom_id")).startswith(interaction.client.form_prefix):
        await report_error(interaction, RefusedError(Refusal.FORM_LOST))


async def report_error(interaction: discord.Interaction[VideoBot], error: Exception) -> None:
    """Answer an interaction that failed; never raises."""
    # The process is being stopped: there is no way to Discord any more.
    if interaction.client.is_closed():
        return
    cause = _cause(error)
    if isinstance(cause, DuplicateInteractionError):
        _log.info("interaction delivered again: nothing was done", interaction_id=interaction.id)
        return
    if not isinstance(cause, ReelpoolError):
        _log.error("interaction failed", interaction_id=interaction.id, exc_info=cause)
        cause = ReelpoolError()
    if isinstance(cause, RefusedError) and cause.reason.code == Refusal.SERVER_NOT_LET_IN:
        cause = _with_operator(interaction.client)
    try:
        await answer_privately(interaction, sentence_of(cause))
    except (discord.HTTPException, *NETWORK_ERRORS) as failure:
        _log.warning("a member could not be answered", interaction_id=interaction.id, error=str(failure))


def _with_operator(bot: VideoBot) -> RefusedError:
    operator = bot.operator
    if operator is None:
        return RefusedError(Refusal.SERVER_NOT_LET_IN)
    return RefusedError(Refusal.SERVER_NOT_LET_IN, operator_id=operator.id, operator_name=operator.name)


def _cause(error: Exception) -> Exception:
    """Return what went wrong, from what discord.py made of it."""
    if isinstance(error, app_commands.TransformerError):
        return RefusedError(Refusal.CHOICE_GONE)
    if isinstance(error, app_commands.CommandInvokeError) and isinstance(error.__cause__, Exception):
        return error.__cause__
    return error


async def answer_privately(
    interaction: discord.Interaction[Any], text: str, view: discord.ui.View = discord.utils.MISSING
) -> None:
    """Answer so that only the member sees it, also where a public answer was begun already.

    Args:
        interaction: of the member; answered already or not.
        text: of the message.
        view: its buttons.

    Raises:
        HTTPException: Discord refused the answer.
    """
    response = interaction.response
    if not response.is_done():
        try:
            await response.send_message(text, ephemeral=True, view=view)
        except discord.HTTPException as error:
            # An answer had arrived although nothing confirmed it.
            if error.code != ALREADY_ANSWERED:
                raise
        else:
            return
    # Whether an answer is private is fixed when it is deferred: a public one has to go first.
    with contextlib.suppress(discord.HTTPException, *NETWORK_ERRORS):
        original = await interaction.original_response()
        if original.flags.loading:
            await original.delete()
    await interaction.followup.send(text, ephemeral=True, view=view)


_PATIENCE_SECONDS = 1.5


@asynccontextmanager
async def deferred_when_slow(
    interaction: discord.Interaction[VideoBot], *, ephemeral: bool = False, is_update: bool = False
) -> AsyncIterator[None]:
    """Defer the answer if the work inside takes long; Discord waits three seconds for a first answer.

    Args:
        interaction: what is answered.
        ephemeral: only the member sees the answer.
        is_update: the answer edits the message that was used.

    Nearly always the work is done in milliseconds, and the first answer is the real one. That also lets a
    refusal be private where success is public: a deferral would fix that before it is known.
    """
    done = asyncio.Event()
    watchman = asyncio.create_task(_defer_unless(done, interaction, ephemeral=ephemeral, thinking=not is_update))
    try:
        yield
    finally:
        done.set()
        # Not cancelled: a deferral that is under way must be known to have been one.
        await watchman


async def _defer_unless(
    done: asyncio.Event, interaction: discord.Interaction[VideoBot], *, ephemeral: bool, thinking: bool
) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await done.wait()
    if done.is_set() or interaction.response.is_done():
        return
    try:
        await interaction.response.defer(thinking=thinking, ephemeral=ephemeral)
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
    """Give the answer and return its message's id.

    Args:
        interaction: of the member; one that was answered or deferred already has its answer edited.
        embed: of the message.
        ephemeral: shows a first answer to the member only; a deferred one stays as it was deferred.
        view: its buttons.

    Raises:
        HTTPException: Discord refused the answer.
    """
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
