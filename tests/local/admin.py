"""Changes the world for tests: servers, channels, users, roles and permissions. The bot receives the usual events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.discord.world import permissions
from sandbox.discord.world.constants import ChannelType
from sandbox.discord.world.events import CommandsChange, MemberChange, RoleChange
from sandbox.discord.world.models import Channel, Guild, Member, Message, Overwrite, Role, User

if TYPE_CHECKING:
    from sandbox.discord.services import Services


class Admin:
    """Changes the world and publishes the changes."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._world = services.world

    def add_guild(self, name: str, *, with_bot: bool = True, owner_id: int | None = None) -> Guild:
        """Add a server with @everyone, its owner, and the bot with its own role."""
        world = self._world
        owner = owner_id or next(iter(world.guilds.values())).owner_id
        guild = Guild(world.ids.next(), name, owner)
        guild.roles[guild.id] = Role(guild.id, "@everyone", permissions.EVERYONE, position=0)
        guild.members[owner] = Member(owner, joined_at=world.clock())
        world.put_guild(guild)
        if with_bot:
            role = Role(world.ids.next(), "Reelpool", permissions.BOT_ROLE, managed=True)
            guild.roles[role.id] = role
            bot_id = self._services.application.bot_id
            guild.members[bot_id] = Member(bot_id, [role.id], joined_at=world.clock())
            world.events.publish("GUILD_CREATE", guild)
        return guild

    def remove_bot(self, guild_id: int) -> None:
        """Remove the bot from a server."""
        guild = self._world.guild(guild_id)
        del guild.members[self._services.application.bot_id]
        self._world.put_guild(guild)
        self._world.events.publish("GUILD_DELETE", guild)

    def edit_guild(
        self,
        guild_id: int,
        *,
        premium_tier: int | None = None,
        upload_limit_bytes: int | None = None,
        max_active_threads: int | None = None,
    ) -> Guild:
        """Change a server's boost tier, upload limit or cap of active threads; None leaves it."""
        guild = self._world.guild(guild_id)
        if premium_tier is not None:
            guild.premium_tier = premium_tier
        if upload_limit_bytes is not None:
            guild.upload_limit_override = upload_limit_bytes
        if max_active_threads is not None:
            guild.max_active_threads = max_active_threads
        self._world.put_guild(guild)
        self._world.events.publish("GUILD_UPDATE", guild)
        return guild

    def add_channel(self, guild_id: int, name: str, *, private: bool = False) -> Channel:
        """Add a text channel; a private one is hidden from @everyone, and so from the bot."""
        world = self._world
        position = len(world.channels_of(guild_id))
        channel = Channel(world.ids.next(), ChannelType.TEXT, guild_id, name, position=position)
        if private:
            channel.overwrites[guild_id] = Overwrite(guild_id, 0, deny=permissions.VIEW_CHANNEL)
        world.put_channel(channel)
        world.events.publish("CHANNEL_CREATE", channel)
        return channel

    def delete_channel(self, channel_id: int) -> None:
        """Delete a channel or thread with everything in it."""
        channel = self._world.channel(channel_id)
        name = "THREAD_DELETE" if channel.is_thread else "CHANNEL_DELETE"
        self._world.remove_channel(channel)
        self._world.events.publish(name, channel)

    def delete_message(self, message_id: int) -> Message:
        """Delete a message, as a moderator would."""
        message = self._world.messages[message_id]
        self._services.messages.delete(message)
        return message

    def set_overwrite(self, channel_id: int, target_id: int, *, allow: int = 0, deny: int = 0) -> None:
        """Set a channel's permission overwrite of a role or member; without any bits it is removed."""
        channel = self._world.channel(channel_id)
        is_role = channel.guild_id is not None and target_id in self._world.guilds[channel.guild_id].roles
        channel.overwrites.pop(target_id, None)
        if allow or deny:
            channel.overwrites[target_id] = Overwrite(target_id, 0 if is_role else 1, allow, deny)
        self._world.put_channel(channel)
        self._world.events.publish("CHANNEL_UPDATE", channel)

    def add_role(self, guild_id: int, name: str, rights: int = 0, *, mentionable: bool = False) -> Role:
        """Add a role."""
        guild = self._world.guild(guild_id)
        role = Role(self._world.ids.next(), name, rights, len(guild.roles), mentionable=mentionable)
        guild.roles[role.id] = role
        self._world.put_guild(guild)
        self._world.events.publish("GUILD_ROLE_CREATE", RoleChange(guild, role))
        return role

    def set_role_permissions(self, guild_id: int, role_id: int, rights: int) -> None:
        """Set a role's permissions; the role with the server's id is @everyone."""
        guild = self._world.guild(guild_id)
        role = guild.roles[role_id]
        role.permissions = rights
        self._world.put_guild(guild)
        self._world.events.publish("GUILD_ROLE_UPDATE", RoleChange(guild, role))

    def delete_role(self, guild_id: int, role_id: int) -> Role:
        """Delete a role: its members and the channels' overwrites lose it.

        Raises:
            ValueError: @everyone can't be deleted.
        """
        guild = self._world.guild(guild_id)
        if role_id == guild_id:
            message = "@everyone can't be deleted"
            raise ValueError(message)
        role = guild.roles.pop(role_id)
        for member in guild.members.values():
            member.role_ids = [held for held in member.role_ids if held != role_id]
        self._world.put_guild(guild)
        self._world.events.publish("GUILD_ROLE_DELETE", RoleChange(guild, role))
        for channel in self._world.channels_of(guild_id):
            if role_id in channel.overwrites:
                self.set_overwrite(channel.id, role_id)
        return role

    def give_role(self, guild_id: int, user_id: int, role_id: int) -> Member:
        """Give a member one more role."""
        held = self._world.guild(guild_id).members[user_id].role_ids
        return self.add_member(guild_id, user_id, role_ids=tuple(dict.fromkeys((*held, role_id))))

    def take_role(self, guild_id: int, user_id: int, role_id: int) -> Member:
        """Remove a role from a member; does nothing if they do not hold it."""
        held = self._world.guild(guild_id).members[user_id].role_ids
        return self.add_member(guild_id, user_id, role_ids=tuple(each for each in held if each != role_id))

    def set_command_rule(self, guild_id: int, command: str, target_id: int, *, allowed: bool) -> None:
        """Override who may use a command, as a server's administrators can.


        Args:
            guild_id: the server; as `target_id` it means everyone.
            command: its name without subcommands, such as "pool".
            target_id: the member or role.
            allowed: whether they may use it.

        Raises:
            KeyError: there is no such command.
        """
        commands = self._world.commands.values()
        found = next((c for c in commands if c.key[1] == command and c.guild_id in {None, guild_id}), None)
        if found is None:
            raise KeyError(command)
        self._world.command_rules.setdefault((guild_id, found.id), {})[target_id] = allowed
        self._world.events.publish("COMMANDS_UPDATE", CommandsChange(tuple(commands)))

    def set_application_owner(self, user_id: int, *, team_ids: tuple[int, ...] = ()) -> None:
        """Make a user the owner of the bot's application, or of the team that owns it."""
        application = self._services.application
        application.owner_id = user_id
        application.team_ids = team_ids

    def add_person(self, username: str, guild_id: int | None = None, *, role_ids: tuple[int, ...] = ()) -> User:
        """Add a person, in a server unless `guild_id` is None."""
        name = username.replace("-", " ").title()
        user = self._world.put_user(User(self._world.ids.next(), username, name))
        if guild_id is not None:
            self.add_member(guild_id, user.id, role_ids=role_ids)
        return user

    def set_dms(self, user_id: int, *, accepted: bool) -> None:
        """Set whether a user accepts direct messages (50007 if not)."""
        user = self._world.user(user_id)
        user.accepts_dms = accepted
        self._world.put_user(user)

    def add_member(self, guild_id: int, user_id: int, *, role_ids: tuple[int, ...] = ()) -> Member:
        """Add a user to a server, or set a member's roles."""
        guild = self._world.guild(guild_id)
        is_new = user_id not in guild.members
        member = guild.members.setdefault(user_id, Member(user_id, joined_at=self._world.clock()))
        member.role_ids = list(role_ids)
        self._world.put_guild(guild)
        name = "GUILD_MEMBER_ADD" if is_new else "GUILD_MEMBER_UPDATE"
        self._world.events.publish(name, MemberChange(guild, member))
        return member

    def remove_member(self, guild_id: int, user_id: int) -> None:
        """Remove a member from a server."""
        guild = self._world.guild(guild_id)
        member = guild.members.pop(user_id)
        self._world.put_guild(guild)
        self._world.events.publish("GUILD_MEMBER_REMOVE", MemberChange(guild, member))

    def set_thread(self, thread_id: int, *, archived: bool | None = None, locked: bool | None = None) -> None:
        """Archive or lock a thread, as a moderator would; None leaves it."""
        channel = self._world.channel(thread_id)
        if channel.thread is None:
            message = f"{thread_id} is not a thread"
            raise ValueError(message)
        if locked is not None:
            channel.thread.locked = locked
        self._services.threads.set_archived(channel, archived=channel.thread.archived if archived is None else archived)

    def expire_attachment_urls(self) -> None:
        """Make every attachment URL issued until now expire."""
        self._services.attachment_store.expire_all()
