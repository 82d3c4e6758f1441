"""Responses to interactions: in time, and after any error.

Every error becomes one private response: no command stays unanswered, and nobody sees a traceback.
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
from bot.errors import AnsweredElsewhereError, DuplicateInteractionError, ReelpoolError, RefusedError
from cogs.interactions.permissions import approve_own_server, require_guild
from cogs.rendering.refusals import ANSWERED_ELSEWHERE, sentence_of

_log = structlog.get_logger(__name__)


class CommandTree(app_commands.CommandTree[VideoBot]):
    """The command tree: checks and error handling of all commands."""

    async def interaction_check(self, interaction: discord.Interaction[VideoBot], /) -> bool:
        """Refuse commands outside servers, duplicates, and everything while the bot is stopping."""
        try:
            interaction.client.begin(interaction.id)
            guild_id = require_guild(interaction)
            async with deferred_when_slow(interaction):
                await approve_own_server(interaction, guild_id)
        except ReelpoolError as refusal:
            # discord.py passes only its own errors from here to `on_error`.
            await report_error(interaction, refusal)
            return False
        return True

    async def _call(self, interaction: discord.Interaction[VideoBot]) -> None:
        # discord.py parses a command's data first, and leaves what it can't parse unanswered.
        try:
            await super()._call(interaction)
        except UNREADABLE_ERRORS as error:
            await report_error(interaction, error)

    async def on_error(
        self, interaction: discord.Interaction[VideoBot], error: app_commands.AppCommandError, /
    ) -> None:
        """Answer privately with what went wrong."""
        await report_error(interaction, error)


async def answer_lost_form(interaction: discord.Interaction[VideoBot]) -> None:
    """Answer a form that was opened before a restart; forms are kept in memory."""
    if interaction.type is not discord.InteractionType.modal_submit or interaction.data is None:
        return
    if not str(interaction.data.get("custom_id")).startswith(interaction.client.form_prefix):
        await report_error(interaction, RefusedError(Refusal.FORM_LOST))


async def report_error(interaction: discord.Interaction[VideoBot], error: Exception) -> None:
    """Answer an interaction that failed. Never raises."""
    # The process is stopping, and its connection is closed.
    if interaction.client.is_closed():
        return
    cause = _cause(error)
    if isinstance(cause, AnsweredElsewhereError):
        _log.error("another process with this token answers; nothing was done here", interaction_id=interaction.id)
        await interaction.client.notify_operator(ANSWERED_ELSEWHERE)
        return
    if isinstance(cause, DuplicateInteractionError):
        _log.info("interaction delivered again: nothing was done", interaction_id=interaction.id)
        return
    if not isinstance(cause, ReelpoolError):
        _log.error("interaction failed", interaction_id=interaction.id, exc_info=cause)
        cause = ReelpoolError()
    if isinstance(cause, RefusedError) and cause.reason.code == Refusal.SERVER_NOT_APPROVED:
        cause = _with_operator(interaction.client)
    try:
        await answer_privately(interaction, sentence_of(cause))
    except (discord.HTTPException, *NETWORK_ERRORS) as failure:
        _log.warning("a member could not be answered", interaction_id=interaction.id, error=str(failure))


def _with_operator(bot: VideoBot) -> RefusedError:
    operator = bot.operator
    if operator is None:
        return RefusedError(Refusal.SERVER_NOT_APPROVED)
    return RefusedError(Refusal.SERVER_NOT_APPROVED, operator_id=operator.id, operator_name=operator.name)


def _cause(error: Exception) -> Exception:
    """Return the original error from discord.py's."""
    if isinstance(error, app_commands.TransformerError):
        return RefusedError(Refusal.CHOICE_GONE)
    if isinstance(error, app_commands.CommandInvokeError) and isinstance(error.__cause__, Exception):
        return error.__cause__
    return error


async def answer_privately(
    interaction: discord.Interaction[Any],
    text: str | None = None,
    view: discord.ui.View = discord.utils.MISSING,
    embed: discord.Embed = discord.utils.MISSING,
) -> int:
    """Answer so that only the member sees it, also after a public deferral, and return the message's id.

    Args:
        interaction: to answer.
        text: the answer.
        view: its buttons.
        embed: the answer, or a part of it.

    Raises:
        AnsweredElsewhereError: another process has answered with an embed of its own.
        HTTPException: Discord refused the answer.
    """
    response = interaction.response
    if not response.is_done():
        try:
            sent = await response.send_message(text, ephemeral=True, view=view, embed=embed)
        except discord.HTTPException as error:
            # An earlier answer arrived although its confirmation was lost.
            if error.code != ALREADY_ANSWERED:
                raise
            await _require_own_answer(interaction, embed)
        else:
            return sent.message_id or 0
    # A public deferral can't become private: it is deleted first.
    with contextlib.suppress(discord.HTTPException, *NETWORK_ERRORS):
        original = await interaction.original_response()
        if original.flags.loading:
            await original.delete()
    followup = await interaction.followup.send(
        text or discord.utils.MISSING, ephemeral=True, view=view, embed=embed, wait=True
    )
    return followup.id


async def _require_own_answer(interaction: discord.Interaction[Any], embed: discord.Embed) -> None:
    """Make sure that the answer that is there already is this process's: its card has the same time and footer.

    Raises:
        AnsweredElsewhereError: it is not.
    """
    if not embed or embed.timestamp is None:
        return
    original = await interaction.original_response()
    if original.flags.loading:
        is_own = bool(interaction.extras.get(_DEFERRAL_TRIED))
    else:
        own = (embed.timestamp, embed.footer.text)
        is_own = any((found.timestamp, found.footer.text) == own for found in original.embeds)
    if not is_own:
        raise AnsweredElsewhereError


_DEFERRAL_TRIED = "deferral_tried"
_DEFER_AFTER_SECONDS = 1.5


@asynccontextmanager
async def deferred_when_slow(
    interaction: discord.Interaction[VideoBot], *, ephemeral: bool = False, is_update: bool = False
) -> AsyncIterator[None]:
    """Defer the answer if the work inside takes long; Discord waits three seconds for a first answer.

    Usually the work takes milliseconds, and nothing is deferred. Then a refusal can still be private where success
    is public, which a deferral would fix in advance.

    Args:
        interaction: to answer.
        ephemeral: only the member sees the answer.
        is_update: the answer edits the message that has the button.
    """
    done = asyncio.Event()
    deferral = asyncio.create_task(_defer_unless(done, interaction, ephemeral=ephemeral, thinking=not is_update))
    try:
        yield
    finally:
        done.set()
        # Not cancelled: whether the answer was deferred must be known.
        await deferral


async def _defer_unless(
    done: asyncio.Event, interaction: discord.Interaction[VideoBot], *, ephemeral: bool, thinking: bool
) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_DEFER_AFTER_SECONDS):
            await done.wait()
    if done.is_set() or interaction.response.is_done():
        return
    interaction.extras[_DEFERRAL_TRIED] = True
    try:
        await interaction.response.defer(thinking=thinking, ephemeral=ephemeral)
    except (discord.HTTPException, *NETWORK_ERRORS) as error:
        # The work goes on; the answer itself finds out whether the deferral arrived.
        _log.warning("deferral not confirmed", interaction_id=interaction.id, error=str(error))


async def send_or_edit(
    interaction: discord.Interaction[VideoBot],
    embed: discord.Embed,
    *,
    ephemeral: bool = False,
    view: discord.ui.View = discord.utils.MISSING,
) -> int:
    """Send the answer, or fill in a deferred one, and return its message's id.

    Args:
        interaction: to answer.
        embed: the answer.
        ephemeral: only the member sees it; a deferred answer stays as it was deferred.
        view: its buttons.

    Raises:
        AnsweredElsewhereError: another process has answered.
        HTTPException: Discord refused the answer.
    """
    response = interaction.response
    if response.is_done():
        return (await interaction.edit_original_response(embed=embed, view=view)).id
    try:
        sent = await response.send_message(embed=embed, ephemeral=ephemeral, view=view)
    except discord.HTTPException as error:
        # A first try, or a deferral, arrived although its confirmation was lost.
        if error.code != ALREADY_ANSWERED:
            raise
        await _require_own_answer(interaction, embed)
        return (await interaction.edit_original_response(embed=embed, view=view)).id
    return sent.message_id or (await interaction.original_response()).id
