"""Users, servers, channels, messages and commands in memory, with indexes to find them.

The world checks no permissions: its callers do.
"""

from __future__ import annotations

import bisect
import time
from collections.abc import Callable, Iterator
from itertools import islice

from sandbox.discord.world import permissions
from sandbox.discord.world.constants import ChannelType
from sandbox.discord.world.errors import ApiError
from sandbox.discord.world.events import Events
from sandbox.discord.world.models import Channel, Command, Guild, Message, User
from sandbox.discord.world.snowflakes import SnowflakeMint

Saver = Callable[[str, int], None]


class World:
    """The state of the local Discord, in memory.

    Attributes:
        command_rules: a server's overrides of who may use a command, by (server, command), then by member or role id.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.ids = SnowflakeMint(clock)
        self.events = Events()
        self.users: dict[int, User] = {}
        self.guilds: dict[int, Guild] = {}
        self.channels: dict[int, Channel] = {}
        self.messages: dict[int, Message] = {}
        self.commands: dict[int, Command] = {}
        self.command_rules: dict[tuple[int, int], dict[int, bool]] = {}
        self._order: dict[int, list[int]] = {}
        self._channels: dict[int, dict[int, None]] = {}
        self._threads: dict[int, dict[int, None]] = {}
        self._active_threads: dict[int, dict[int, None]] = {}
        self._dms: dict[frozenset[int], int] = {}
        self._saver: Saver | None = None

    def save_with(self, saver: Saver) -> None:
        """Call `saver` with the kind and id of each object that changes from now on."""
        self._saver = saver

    def touch(self, kind: str, object_id: int) -> None:
        """Mark an object as changed, to be saved."""
        if self._saver is not None:
            self._saver(kind, object_id)

    # Adding

    def put_user(self, user: User) -> User:
        """Add or replace a user."""
        self.users[user.id] = user
        self.touch("user", user.id)
        return user

    def put_guild(self, guild: Guild) -> Guild:
        """Add or replace a server, or save a changed one."""
        self.guilds[guild.id] = guild
        self.touch("guild", guild.id)
        return guild

    def put_channel(self, channel: Channel) -> Channel:
        """Add or replace a channel, or save a changed one."""
        self.channels[channel.id] = channel
        self._index_channel(channel)
        self.touch("channel", channel.id)
        return channel

    def put_message(self, message: Message) -> Message:
        """Add or replace a message, or save a changed one."""
        if message.id not in self.messages:
            bisect.insort(self._order.setdefault(message.channel_id, []), message.id)
        self.messages[message.id] = message
        self.touch("message", message.id)
        return message

    def put_command(self, command: Command) -> Command:
        """Add or replace an application command."""
        self.commands[command.id] = command
        self.touch("command", command.id)
        return command

    # Removing

    def remove_message(self, message: Message) -> None:
        """Remove a message, and mark the object as deleted for those who still hold it."""
        message.deleted = True
        order = self._order[message.channel_id]
        del order[bisect.bisect_left(order, message.id)]
        del self.messages[message.id]
        self.touch("message", message.id)

    def remove_channel(self, channel: Channel) -> None:
        """Remove a channel with its messages and threads."""
        for thread in list(self.threads_of(channel.id)):
            self.remove_channel(thread)
        for message in list(self.messages_of(channel.id)):
            self.remove_message(message)
        channel.deleted = True
        self._index_channel(channel)
        del self.channels[channel.id]
        self.touch("channel", channel.id)

    def remove_command(self, command: Command) -> None:
        """Remove a command."""
        del self.commands[command.id]
        self.touch("command", command.id)

    # Finding

    def user(self, user_id: int) -> User:
        """Return the user with an id.

        Raises:
            ApiError: 10013 if there is none.
        """
        if user_id not in self.users:
            raise ApiError(10013)
        return self.users[user_id]

    def guild(self, guild_id: int) -> Guild:
        """Return the server with an id.

        Raises:
            ApiError: 10004 if there is none.
        """
        if guild_id not in self.guilds:
            raise ApiError(10004)
        return self.guilds[guild_id]

    def channel(self, channel_id: int) -> Channel:
        """Return the channel with an id.

        Raises:
            ApiError: 10003 if there is none.
        """
        if channel_id not in self.channels:
            raise ApiError(10003)
        return self.channels[channel_id]

    def message(self, channel_id: int, message_id: int) -> Message:
        """Return a message of a channel.

        Raises:
            ApiError: 10008 if there is none.
        """
        message = self.messages.get(message_id)
        if message is None or message.channel_id != channel_id:
            raise ApiError(10008)
        return message

    def messages_of(self, channel_id: int) -> Iterator[Message]:
        """Return a channel's messages, oldest first."""
        return (self.messages[message_id] for message_id in self._order.get(channel_id, ()))

    def messages_before(self, channel_id: int, before: int | None) -> Iterator[Message]:
        """Return a channel's messages older than `before`, newest first; all of them if it is None."""
        order = self._order.get(channel_id, [])
        end = len(order) if before is None else bisect.bisect_left(order, before)
        return (self.messages[order[index]] for index in range(end - 1, -1, -1))

    def messages_after(self, channel_id: int, after: int) -> Iterator[Message]:
        """Return a channel's messages newer than `after`, oldest first."""
        order = self._order.get(channel_id, [])
        return (self.messages[message_id] for message_id in islice(order, bisect.bisect_right(order, after), None))

    def threads_of(self, channel_id: int) -> Iterator[Channel]:
        """Return a channel's threads, in the order they were made."""
        return (self.channels[thread_id] for thread_id in self._threads.get(channel_id, ()))

    def active_threads(self, guild_id: int) -> list[Channel]:
        """Return a server's threads that are not archived."""
        return [self.channels[thread_id] for thread_id in self._active_threads.get(guild_id, ())]

    def active_thread_count(self, guild_id: int) -> int:
        """Return how many threads of a server are not archived."""
        return len(self._active_threads.get(guild_id, ()))

    def channels_of(self, guild_id: int) -> list[Channel]:
        """Return a server's channels without threads, in the order of their position."""
        found = [self.channels[channel_id] for channel_id in self._channels.get(guild_id, ())]
        return sorted(found, key=lambda channel: (channel.position, channel.id))

    def dm_between(self, first: int, second: int) -> Channel | None:
        """Return the direct message channel of two users, if they have one."""
        channel_id = self._dms.get(frozenset({first, second}))
        return None if channel_id is None else self.channels[channel_id]

    def open_dm(self, first: int, second: int) -> Channel:
        """Return the direct message channel of two users; it is created if there is none."""
        found = self.dm_between(first, second)
        if found is not None:
            return found
        channel = self.put_channel(Channel(self.ids.next(), ChannelType.DM, recipient_ids=[first, second]))
        self.events.publish("CHANNEL_CREATE", channel)
        return channel

    def commands_of(self, guild_id: int | None) -> list[Command]:
        """Return the commands registered for a server, or the global ones."""
        return [command for command in self.commands.values() if command.guild_id == guild_id]

    # Permissions

    def permissions_in(self, channel: Channel, user_id: int) -> int:
        """Return a user's permissions in a channel, thread or direct message; 0 if they cannot see it."""
        if channel.guild_id is None:
            return permissions.IN_DM if user_id in channel.recipient_ids else 0
        guild = self.guilds[channel.guild_id]
        member = guild.members.get(user_id)
        if member is None:
            return 0
        if channel.thread is None:
            return permissions.in_channel(guild, member, channel)
        return self._permissions_in_thread(guild, channel, user_id)

    def _permissions_in_thread(self, guild: Guild, channel: Channel, user_id: int) -> int:
        parent = self.channels[channel.parent_id or 0]
        allowed = permissions.in_channel(guild, guild.members[user_id], parent, in_thread=True)
        if channel.type == ChannelType.PUBLIC_THREAD or allowed & permissions.MANAGE_THREADS:
            return allowed
        is_member = channel.thread is not None and user_id in channel.thread.member_ids
        return allowed if is_member else 0

    def can_see(self, channel: Channel, user_id: int) -> bool:
        """Return whether a user sees a channel."""
        return bool(self.permissions_in(channel, user_id) & permissions.VIEW_CHANNEL)

    def can_read(self, message: Message, user_id: int) -> bool:
        """Return whether a user sees a message: its channel, and the message if it is ephemeral."""
        if message.visible_to is not None and message.visible_to != user_id:
            return False
        channel = self.channels.get(message.channel_id)
        return channel is not None and self.can_see(channel, user_id)

    # Indexes

    def _index_channel(self, channel: Channel) -> None:
        if channel.is_dm:
            self._dms[frozenset(channel.recipient_ids)] = channel.id
        if channel.guild_id is None:
            return
        if channel.thread is None:
            self._set(self._channels, channel.guild_id, channel.id, present=not channel.deleted)
            return
        if channel.parent_id is None:
            return
        self._set(self._threads, channel.parent_id, channel.id, present=not channel.deleted)
        active = not (channel.deleted or channel.thread.archived)
        self._set(self._active_threads, channel.guild_id, channel.id, present=active)

    @staticmethod
    def _set(index: dict[int, dict[int, None]], key: int, value: int, *, present: bool) -> None:
        members = index.setdefault(key, {})
        if present:
            members[value] = None
        else:
            members.pop(value, None)
