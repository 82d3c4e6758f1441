"""What the commands of `/pool` have in common."""

from collections.abc import Callable
from typing import Any

import discord
import structlog
from discord import app_commands

from bot.client import VideoBot
from bot.errors import StorageError
from bot.pools.policy import Policy
from cogs.interactions.permissions import is_manager, require_guild, require_manager
from cogs.interactions.responses import deferred_when_slow, send_or_edit
from cogs.rendering import pool as _pool_render

_log = structlog.get_logger(__name__)

_Interaction = discord.Interaction[VideoBot]

PoolCommand = app_commands.Command[Any, ..., Any] | app_commands.Group
"""A command of `/pool`."""


async def change_rules(
    interaction: _Interaction,
    action: str,
    detail: str | Callable[[Policy], str],
    change: Callable[[Policy], Policy],
    answer: Callable[[Policy], str],
) -> None:
    """Change a server's rules for a moderator, and say what holds now.

    Args:
        interaction: the command.
        action: it, in a word or two, for the audit trail.
        detail: for the audit trail; or what says how the part in question looks, before and after.
        change: returns the rules as they shall be, or refuses.
        answer: says what holds now.

    Raises:
        RightsError: the member is no moderator.
        ChangeRefusedError: the rules can't be changed like this.
    """
    guild_id = await require_manager(interaction)
    async with deferred_when_slow(interaction, ephemeral=True):
        policy = await interaction.client.services.pools.change(guild_id, interaction.user.id, action, detail, change)
    await tell(interaction, answer(policy))


async def rules_for_choices(interaction: _Interaction) -> Policy:
    """Return the rules from which a moderator chooses while typing; nobody's, if the member may not know them.

    Never raises: nobody would be told.
    """
    try:
        if await is_manager(interaction):
            return (await interaction.client.services.pools.pool(require_guild(interaction))).policy
    except StorageError as error:
        _log.error("no rules to choose from", error=str(error))
    return Policy()


async def tell(interaction: _Interaction, text: str, title: str | None = None) -> None:
    """Answer so that only the moderator sees it."""
    await send_or_edit(interaction, _pool_render.holds_now(text, title), ephemeral=True)
