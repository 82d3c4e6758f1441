"""The commands for creative sessions."""

from contextlib import suppress

import discord
import structlog
from discord import app_commands
from discord.ext import commands

from bot.client import NETWORK_ERRORS, VideoBot
from bot.codes import Refusal
from bot.errors import DeliveryDelayedError, RefusedError, StorageError
from bot.jobs.validation import LOWEST_PRICE
from bot.pools.models import Session, SessionPlan
from bot.pools.rules.input_checks import MAX_CREDITS, clean_reason
from bot.sessions.service import MAX_MINUTES, MAX_TITLE, SessionService
from bot.sessions.worker import SessionWorker
from cogs.interactions.permissions import check_place, is_manager, require_guild, require_manager
from cogs.interactions.responses import deferred_when_slow, send_or_edit
from cogs.rendering import sessions as _session_render

_log = structlog.get_logger(__name__)

_Interaction = discord.Interaction[VideoBot]
_MAX_CHOICES = 25


class Sessions(commands.Cog):
    """Starting and ending sessions."""

    session = app_commands.Group(
        name="session", description="Creative sessions: threads with a shared budget for videos"
    )

    def __init__(self, sessions: SessionService, worker: SessionWorker) -> None:
        self.service = sessions
        self.worker = worker

    @commands.Cog.listener()
    async def on_guild_role_delete(self, _role: discord.Role) -> None:
        """Update the cards, as one may name the deleted role."""
        self.worker.role_gone()

    @session.command(description="Start a session: a thread with a shared budget for videos")
    @app_commands.describe(
        budget="Credits to set aside from this server's pool",
        minutes="How many minutes it lasts (default: until you end it)",
        role="Who may take part (default: everyone)",
        title="Its name, up to 100 characters",
    )
    async def start(
        self,
        interaction: _Interaction,
        budget: app_commands.Range[int, LOWEST_PRICE, MAX_CREDITS],
        minutes: app_commands.Range[int, 1, MAX_MINUTES] | None = None,
        role: discord.Role | None = None,
        title: app_commands.Range[str, 1, MAX_TITLE] = _session_render.DEFAULT_TITLE,
    ) -> None:
        """Set a budget aside and open the session's thread.

        Raises:
            RefusedError: a session can't start in a thread.
        """
        guild_id = await require_manager(interaction)
        if check_place(interaction):
            raise RefusedError(Refusal.SESSION_IN_THREAD)
        plan = SessionPlan(
            guild_id=guild_id,
            interaction_id=interaction.id,
            channel_id=interaction.channel_id or 0,
            started_by=interaction.user.id,
            # A title may consist of invisible characters only.
            title=clean_reason(title, is_needed=False) or _session_render.DEFAULT_TITLE,
            budget=budget,
            role_id=None if role is None or role.is_default() else role.id,
            minutes=minutes,
        )
        async with deferred_when_slow(interaction):
            session = await self.service.start(plan)
        _log.info("session started", session_id=session.id, guild_id=guild_id, budget=budget)
        await self._open(interaction, session, await self._announce(interaction, session))

    @session.command(description="End a session: what is left of its budget goes back to the pool")
    @app_commands.describe(session="Which one (default: this thread's, or the only open one)")
    async def end(self, interaction: _Interaction, session: int | None = None) -> None:
        """End a session now."""
        guild_id = await require_manager(interaction)
        async with deferred_when_slow(interaction, ephemeral=True):
            session_id = session if session is not None else await self._session_here(interaction, guild_id)
            ended = await self.worker.end(session_id, guild_id, interaction.user.id)
        await send_or_edit(interaction, _session_render.ended(ended), ephemeral=True)

    @end.autocomplete("session")
    async def _open_sessions(self, interaction: _Interaction, current: str) -> list[app_commands.Choice[int]]:
        try:
            found = await self.service.open_in(require_guild(interaction)) if await is_manager(interaction) else []
        except StorageError as error:
            _log.error("no sessions to choose from", error=str(error))
            return []
        choices = [app_commands.Choice(name=_session_render.choice(each), value=each.id) for each in found]
        return [each for each in choices if str(current).lower() in each.name.lower()][:_MAX_CHOICES]

    async def _session_here(self, interaction: _Interaction, guild_id: int) -> int:
        if here := await self.service.in_thread(interaction.channel_id or 0):
            return here.id
        found = await self.service.open_in(guild_id)
        if not found:
            raise RefusedError(Refusal.SESSION_NONE_OPEN)
        if len(found) > 1:
            raise RefusedError(Refusal.SESSION_AMBIGUOUS)
        return found[0].id

    async def _announce(self, interaction: _Interaction, session: Session) -> int:
        """Answer with the message from which the thread is made, and return its id.

        Raises:
            RefusedError: Discord took no answer: the session is over, and its budget back.
        """
        try:
            return await send_or_edit(interaction, _session_render.answer(session))
        except (discord.HTTPException, *NETWORK_ERRORS) as error:
            _log.warning("session not announced: it is over", session_id=session.id, error=str(error))
            await self.worker.give_up(session)
            # The answer may have arrived after all.
            with suppress(discord.HTTPException, *NETWORK_ERRORS):
                await interaction.edit_original_response(embed=_session_render.failed_answer(session))
            raise RefusedError(Refusal.SESSION_ANSWER_LOST, budget=session.budget) from error

    async def _open(self, interaction: _Interaction, session: Session, message_id: int) -> None:
        try:
            card = await self.worker.open(await self.service.record_thread(session.id, message_id))
        except (DeliveryDelayedError, StorageError) as error:
            _log.warning("session is opened later", session_id=session.id, error=str(error))
            self.worker.adopt(session)
            return
        if card is None:
            raise RefusedError(Refusal.SESSION_NOT_OPENED, budget=session.budget)
        if not card.is_pinned:
            with suppress(discord.HTTPException, *NETWORK_ERRORS):
                await interaction.followup.send(_session_render.pin_hint(), ephemeral=True)
