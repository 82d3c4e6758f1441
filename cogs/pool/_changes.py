"""What the commands of `/pool` have in common."""

from collections.abc import Callable
from typing import Any

import discord
import structlog
from discord import app_commands

from bot.client import VideoBot
from bot.codes import AuditAction
from bot.errors import StorageError
from bot.pools.policy import Policy
from bot.pools.queries import PolicyChange
from cogs.interactions.permissions import is_manager, require_guild, require_manager
from cogs.interactions.responses import deferred_when_slow, send_or_edit
from cogs.rendering import pool as _pool_render

_log = structlog.get_logger(__name__)

_Interaction = discord.Interaction[VideoBot]

PoolCommand = app_commands.Command[Any, ..., Any] | app_commands.Group
"""A command of `/pool`."""


async def change_rules(
    interaction: _Interaction,
    action: AuditAction,
    change: Callable[[Policy], Policy],
    answer: Callable[[Policy], str],
) -> None:
    """Change a server's rules for a moderator, and answer with the new ones.

    Args:
        interaction: the command.
        action: it, for the audit trail.
        change: returns the new rules; it may raise `RefusedError`.
        answer: returns what the moderator is answered.

    Raises:
        RefusedError: the member is no moderator, or the rules can't be changed like this.
    """
    guild_id = await require_manager(interaction)
    async with deferred_when_slow(interaction, ephemeral=True):
        policy = await interaction.client.services.pools.change(
            guild_id, interaction.user.id, PolicyChange(action, change), interaction.id
        )
    await send_or_edit(interaction, _pool_render.answer(answer(policy)), ephemeral=True)


async def rules_for_choices(interaction: _Interaction) -> Policy:
    """Return the rules whose parts are listed while a moderator types; empty ones for other members.

    Never raises: Discord shows no error of an autocomplete.
    """
    try:
        if await is_manager(interaction):
            return (await interaction.client.services.pools.pool(require_guild(interaction))).policy
    except StorageError as error:
        _log.error("no rules to choose from", error=str(error))
    return Policy()
