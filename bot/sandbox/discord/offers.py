"""Which commands Discord's apps offer a person in a channel.

Source: Discord's documentation, "Application Commands": contexts and permissions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.sandbox.discord import permissions

if TYPE_CHECKING:
    from bot.sandbox.discord.models import Channel, Command
    from bot.sandbox.discord.world import World

_GUILD, _BOT_DM = 0, 1


class CommandOffers:
    """Decides what is offered."""

    def __init__(self, world: World) -> None:
        self._world = world

    def is_offered(self, command: Command, channel: Channel, user_id: int) -> bool:
        """Whether a person finds a command in the list of a channel."""
        if not self._fits(command, channel):
            return False
        rights = self._world.permissions_in(channel, user_id)
        if not rights & permissions.USE_APPLICATION_COMMANDS:
            return False
        needed = command.body.get("default_member_permissions")
        if needed is None or channel.guild_id is None:
            return True
        if int(needed) == 0:
            return bool(rights & permissions.ADMINISTRATOR)
        return rights & int(needed) == int(needed)

    def anywhere(self, user_id: int, guild_id: int) -> list[Command]:
        """The commands a person may use in at least one channel of a server."""
        channels = self._world.channels_of(guild_id)
        offered = [*self._world.commands_of(None), *self._world.commands_of(guild_id)]
        return [c for c in offered if any(self.is_offered(c, channel, user_id) for channel in channels)]

    def _fits(self, command: Command, channel: Channel) -> bool:
        if command.guild_id is not None:
            return command.guild_id == channel.guild_id
        contexts = command.body.get("contexts")
        if contexts is not None:
            return (_BOT_DM if channel.guild_id is None else _GUILD) in contexts
        return channel.guild_id is not None or command.body.get("dm_permission") is not False
