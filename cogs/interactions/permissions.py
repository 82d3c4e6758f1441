"""Who may do what. Discord's own gates do not bind everybody, and no button or form has one: each asks here."""

import discord

from bot.client import VideoBot
from bot.errors import PlaceError, RightsError

_Interaction = discord.Interaction[VideoBot]


async def require_manager(interaction: _Interaction) -> int:
    """Return the server's id, if the member manages its pool: by Manage Server, or by a role named for it.

    Raises:
        RightsError: they don't.
        PlaceError: it was not used in a server.
    """
    guild_id = require_guild(interaction)
    if not await is_manager(interaction):
        raise RightsError(
            "Only moderators can do this: members with **Manage Server**, or with a role from `/pool managers`."
        )
    return guild_id


async def is_manager(interaction: _Interaction) -> bool:
    """Tell whether the member manages the pool of the server."""
    if interaction.permissions.manage_guild:
        return True
    pool = await interaction.client.services.pools.pool(require_guild(interaction))
    return not pool.policy.manager_roles.isdisjoint(role_ids(interaction))


async def require_depositor(interaction: _Interaction) -> int:
    """Return the server's id, if the member may deposit and withdraw credits there.

    Raises:
        RightsError: they may not.
        PlaceError: it was not used in a server.
    """
    if is_operator(interaction):
        return require_guild(interaction)
    if not interaction.client.services.pools.managers_may_deposit:
        raise RightsError("Only the bot's operator, who pays for the credits, can do this.")
    return await require_manager(interaction)


def is_operator(interaction: _Interaction) -> bool:
    """Tell whether the member is the bot's operator: the owner of its Discord application, or of the owner's team."""
    return interaction.client.is_operator(interaction.user.id)


def require_guild(interaction: _Interaction) -> int:
    """Return the server's id.

    Raises:
        PlaceError: it was not used in a server.
    """
    if interaction.guild_id is None:
        raise PlaceError("I only work in servers.")
    return interaction.guild_id


def role_ids(interaction: _Interaction) -> frozenset[int]:
    """Return the roles of the member who used this, without those that are gone; @everyone has the server's id."""
    user = interaction.user
    return frozenset(role.id for role in user.roles) if isinstance(user, discord.Member) else frozenset()
