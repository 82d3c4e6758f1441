"""`/pool prioritize`: the queue in which videos wait where UlazAI accepts fewer than are asked for."""

import discord
import structlog
from discord import app_commands

from bot.client import VideoBot
from bot.errors import StorageError
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


@prioritize.autocomplete("job")
async def _waiting(interaction: _Interaction, typed: str) -> list[app_commands.Choice[int]]:
    # Discord shows no error of an autocomplete.
    try:
        if not await is_manager(interaction):
            return []
        jobs = await interaction.client.services.jobs.queued(require_guild(interaction), str(typed).strip())
    except StorageError as error:
        _log.error("no jobs to choose from", error=str(error))
        return []
    return [app_commands.Choice(name=_render.choice(job), value=job.id) for job in jobs]


POOL_COMMANDS: tuple[PoolCommand, ...] = (prioritize,)
