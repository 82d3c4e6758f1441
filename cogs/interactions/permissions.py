"""Who may do what. Discord's command permissions do not bind administrators, buttons or forms: each checks here."""

import discord

from bot.client import VideoBot
from bot.codes import Refusal
from bot.errors import RefusedError

_Interaction = discord.Interaction[VideoBot]


async def require_manager(interaction: _Interaction) -> int:
    """Return the server's id if the member manages its pool: by Manage Server, or by a role from `/pool managers`.

    Raises:
        RefusedError: MODERATORS_ONLY, SERVERS_ONLY.
    """
    guild_id = require_guild(interaction)
    if not await is_manager(interaction):
        raise RefusedError(Refusal.MODERATORS_ONLY)
    return guild_id


async def is_manager(interaction: _Interaction) -> bool:
    """Return whether the member manages the pool of the server."""
    if interaction.permissions.manage_guild:
        return True
    pool = await interaction.client.services.pools.pool(require_guild(interaction))
    return not pool.policy.manager_roles.isdisjoint(role_ids(interaction))


async def require_depositor(interaction: _Interaction) -> int:
    """Return the server's id if the member may deposit and withdraw credits there.

    Raises:
        RefusedError: OPERATOR_ONLY, MODERATORS_ONLY, SERVERS_ONLY.
    """
    if is_operator(interaction):
        return require_guild(interaction)
    if not interaction.client.services.pools.managers_may_deposit:
        raise RefusedError(Refusal.OPERATOR_ONLY)
    return await require_manager(interaction)


def is_operator(interaction: _Interaction) -> bool:
    """Return whether the member is the bot's operator: the owner of its Discord application, or of the owner's team."""
    return interaction.client.is_operator(interaction.user.id)


def require_guild(interaction: _Interaction) -> int:
    """Return the server's id.

    Raises:
        RefusedError: SERVERS_ONLY.
    """
    if interaction.guild_id is None:
        raise RefusedError(Refusal.SERVERS_ONLY)
    return interaction.guild_id


def role_ids(interaction: _Interaction) -> frozenset[int]:
    """Return the member's roles that still exist; @everyone has the server's id."""
    user = interaction.user
    return frozenset(role.id for role in user.roles) if isinstance(user, discord.Member) else frozenset()
