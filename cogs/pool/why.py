"""`/why` and `/pool why`: a member's limits now, and where they come from."""

from collections.abc import Collection

import discord
from discord import app_commands
from discord.ext import commands

from bot.client import VideoBot
from cogs.interactions.permissions import require_guild, require_manager, role_ids
from cogs.interactions.responses import deferred_when_slow, send_or_edit
from cogs.pool._changes import PoolCommand
from cogs.rendering import rules as _why_render

_Interaction = discord.Interaction[VideoBot]


@app_commands.command(name="why", description="Show a member's limits here, and where they come from")
@app_commands.describe(member="Whose limits")
async def why_member(interaction: _Interaction, member: discord.Member | discord.User) -> None:
    """Show a moderator a member's limits."""
    await require_manager(interaction)
    # Who has left the server has no roles there.
    roles = member.roles if isinstance(member, discord.Member) else []
    await _explain(interaction, member.id, frozenset(role.id for role in roles))


async def _explain(interaction: _Interaction, member_id: int, roles: Collection[int]) -> None:
    guild_id, services = require_guild(interaction), interaction.client.services
    here = interaction.channel_id or 0
    parent = getattr(interaction.channel, "parent_id", None) or here
    async with deferred_when_slow(interaction, ephemeral=True):
        rules = await services.pools.rules(guild_id, member_id, roles, (here, parent))
        overview = await services.jobs.overview(guild_id, member_id, roles)
    await send_or_edit(interaction, _why_render.member_rules(rules, overview), ephemeral=True)


POOL_COMMANDS: tuple[PoolCommand, ...] = (why_member,)


class Why(commands.Cog):
    """The members' own `/why`."""

    @app_commands.command(description="Show your limits here, and where they come from")
    async def why(self, interaction: _Interaction) -> None:
        """Show a member their limits."""
        await _explain(interaction, interaction.user.id, role_ids(interaction))
