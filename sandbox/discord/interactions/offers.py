"""Decides which commands a user is offered in a channel.

Source: Discord's documentation, "Application Commands": contexts and permissions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.discord.world import permissions

if TYPE_CHECKING:
    from sandbox.discord.world.models import Channel, Command, Guild
    from sandbox.discord.world.world import World

_GUILD, _BOT_DM = 0, 1


class CommandOffers:
    """Decides which commands a user is offered."""

    def __init__(self, world: World) -> None:
        self._world = world

    def is_offered(self, command: Command, channel: Channel, user_id: int) -> bool:
        """Return whether a user is offered a command in a channel.

        Args:
            command: the command.
            channel: the channel.
            user_id: the user.
        """
        if not self._fits(command, channel):
            return False
        rights = self._world.permissions_in(channel, user_id)
        if not rights & permissions.USE_APPLICATION_COMMANDS:
            return False
        if channel.guild_id is None or rights & permissions.ADMINISTRATOR:
            return True
        ruled = self._ruled(command, self._world.guilds[channel.guild_id], user_id)
        return self._by_default(command, rights) if ruled is None else ruled

    def _by_default(self, command: Command, rights: int) -> bool:
        needed = command.body.get("default_member_permissions")
        if needed is None:
            return True
        if int(needed) == 0:
            return bool(rights & permissions.ADMINISTRATOR)
        return rights & int(needed) == int(needed)

    def anywhere(self, user_id: int, guild_id: int) -> list[Command]:
        """Return the commands a person may use in at least one channel of a server."""
        channels = self._world.channels_of(guild_id)
        offered = [*self._world.commands_of(None), *self._world.commands_of(guild_id)]
        return [c for c in offered if any(self.is_offered(c, channel, user_id) for channel in channels)]

    def _ruled(self, command: Command, guild: Guild, user_id: int) -> bool | None:
        """Return the server's override for a user: the member's own, else their roles', else everyone's."""
        rules = self._world.command_rules.get((guild.id, command.id), {})
        if user_id in rules:
            return rules[user_id]
        of_roles = [rules[role_id] for role_id in guild.members[user_id].role_ids if role_id in rules]
        return any(of_roles) if of_roles else rules.get(guild.id)

    def _fits(self, command: Command, channel: Channel) -> bool:
        if command.guild_id is not None:
            return command.guild_id == channel.guild_id
        contexts = command.body.get("contexts")
        if contexts is not None:
            return (_BOT_DM if channel.guild_id is None else _GUILD) in contexts
        return channel.guild_id is not None or command.body.get("dm_permission") is not False
