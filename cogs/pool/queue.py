"""`/pool prioritize` and `/pool cancel`: videos that UlazAI has not started yet."""

from collections.abc import Collection

import discord
import structlog
from discord import app_commands

from bot.client import VideoBot
from bot.errors import StorageError
from bot.jobs.models import ApprovalDecision, JobState
from bot.pools.rules.input_checks import MAX_REASON
from cogs.interactions.permissions import is_manager, require_guild, require_manager
from cogs.interactions.responses import deferred_when_slow, send_or_edit
from cogs.pool._changes import PoolCommand
from cogs.rendering import jobs as _render
from cogs.rendering import pool as _pool_render

_log = structlog.get_logger(__name__)

_Interaction = discord.Interaction[VideoBot]


@app_commands.command(description="Make a queued video the next one of this server")
@app_commands.describe(job="Which video")
async def prioritize(interaction: _Interaction, job: int) -> None:
    """Move a job to the front of its server's queue."""
    guild_id = await require_manager(interaction)
    services = interaction.client.services
    async with deferred_when_slow(interaction, ephemeral=True):
        moved = await services.jobs.prioritize(job, guild_id, interaction.user.id)
    services.worker.moved_to_front(moved)
    await send_or_edit(interaction, _pool_render.prioritized(moved), ephemeral=True)


@app_commands.command(description="Cancel a member's video that UlazAI has not started yet")
@app_commands.describe(job="Which video", reason="Why; the member sees it")
async def cancel(interaction: _Interaction, job: int, reason: app_commands.Range[str, 1, MAX_REASON]) -> None:
    """Cancel a job that is queued or awaits approval."""
    guild_id = await require_manager(interaction)
    services = interaction.client.services
    async with deferred_when_slow(interaction, ephemeral=True):
        cancelled = await services.moderation.decide(
            job, guild_id, interaction.user.id, ApprovalDecision.CANCELLED, reason=reason
        )
    services.worker.track(cancelled)
    services.outbox.close(job)
    await send_or_edit(interaction, _pool_render.cancelled(cancelled), ephemeral=True)


@prioritize.autocomplete("job")
async def _queued(interaction: _Interaction, typed: str) -> list[app_commands.Choice[int]]:
    return await _choices(interaction, typed, {JobState.QUEUED})


@cancel.autocomplete("job")
async def _cancellable(interaction: _Interaction, typed: str) -> list[app_commands.Choice[int]]:
    return await _choices(interaction, typed, {JobState.AWAITING_APPROVAL, JobState.QUEUED})


async def _choices(
    interaction: _Interaction, typed: str, states: Collection[JobState]
) -> list[app_commands.Choice[int]]:
    # Discord shows no error of an autocomplete.
    try:
        if not await is_manager(interaction):
            return []
        jobs = await interaction.client.services.jobs.in_states(require_guild(interaction), states, str(typed).strip())
    except StorageError as error:
        _log.error("no jobs to choose from", error=str(error))
        return []
    return [app_commands.Choice(name=_render.choice(job), value=job.id) for job in jobs]


POOL_COMMANDS: tuple[PoolCommand, ...] = (prioritize, cancel)
