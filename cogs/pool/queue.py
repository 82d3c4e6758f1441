"""`/pool front`: the line in which videos wait where UlazAI takes fewer than are asked for."""

import discord
import structlog
from discord import app_commands

from bot.client import VideoBot
from bot.errors import StorageError
from cogs.interactions.permissions import is_manager, require_guild, require_manager
from cogs.interactions.responses import deferred_when_slow
from cogs.pool._changes import PoolCommand, tell
from cogs.rendering import jobs as _render
from cogs.rendering.text import quoted

_log = structlog.get_logger(__name__)

_Interaction = discord.Interaction[VideoBot]


@app_commands.command(description="Give a video that waits for its turn the next one")
@app_commands.describe(job="Which one")
async def front(interaction: _Interaction, job: int) -> None:
    """Move a job to the front of the line."""
    guild_id = await require_manager(interaction)
    services = interaction.client.services
    async with deferred_when_slow(interaction, ephemeral=True):
        moved = await services.jobs.move_to_front(job, guild_id, interaction.user.id)
    services.worker.moved_to_front(moved)
    text = f"Job {moved.id} of <@{moved.requester.member_id}> has this server's next turn."
    await tell(interaction, f"{text}\n{quoted(moved.request.prompt, 200)}")


@front.autocomplete("job")
async def _waiting(interaction: _Interaction, typed: str) -> list[app_commands.Choice[int]]:
    # A refusal of an autocomplete would reach nobody.
    try:
        if not await is_manager(interaction):
            return []
        jobs = await interaction.client.services.jobs.waiting(require_guild(interaction), str(typed).strip())
    except StorageError as error:
        _log.error("no jobs to choose from", error=str(error))
        return []
    return [app_commands.Choice(name=_render.choice(job), value=job.id) for job in jobs]


POOL_COMMANDS: tuple[PoolCommand, ...] = (front,)
