"""Validates the values chosen in a select, and resolves their ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.discord.world.constants import ComponentType
from sandbox.discord.world.errors import ClientError

if TYPE_CHECKING:
    from sandbox.discord.interactions.payloads import Resolved
    from sandbox.discord.world.models import Channel, JsonObject
    from sandbox.discord.world.world import World


def read_select_values(
    world: World, channel: Channel, select: JsonObject, values: list[object], resolved: Resolved
) -> list[object]:
    """Return the chosen values for the bot.

    Args:
        world: holds channels, members and messages.
        channel: where the select menu was used.
        select: the component, as the bot sent it.
        values: what the user chose: ids or texts.
        resolved: collects the users, roles and channels that were chosen.

    Raises:
        ClientError: one was not offered.
    """
    chosen = [str(value) for value in values]
    if select["type"] == ComponentType.STRING_SELECT:
        offered = {option["value"] for option in select["options"]}
        if not offered.issuperset(chosen):
            raise ClientError("This choice is not offered.")
        return list(chosen)
    for value in chosen:
        _resolve(world, channel, select["type"], int(value) if value.isdecimal() else 0, resolved)
    return list(chosen)


def _resolve(world: World, channel: Channel, kind: int, value: int, resolved: Resolved) -> None:
    guild = world.guilds.get(channel.guild_id or 0)
    may_be_user = kind in {ComponentType.USER_SELECT, ComponentType.MENTIONABLE_SELECT}
    may_be_role = kind in {ComponentType.ROLE_SELECT, ComponentType.MENTIONABLE_SELECT}
    if may_be_user and value in world.users:
        resolved.users.add(value)
    elif may_be_role and guild is not None and value in guild.roles:
        resolved.roles.add(value)
    elif kind == ComponentType.CHANNEL_SELECT and value in world.channels:
        resolved.channels.add(value)
    else:
        raise ClientError("This choice is not offered.")
