"""Translates events of the world to gateway events for the bot.

Source: Discord's documentation, "Gateway Intents" and "Gateway Events".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sandbox.discord.world.events import Event, MemberChange, RoleChange
from sandbox.discord.world.models import Channel, Guild, JsonObject, Message
from sandbox.discord.world.payloads import (
    channel_json,
    guild_create_json,
    guild_json,
    member_with_user_json,
    moment,
    role_json,
    user_json,
)

if TYPE_CHECKING:
    from sandbox.discord.messages.payloads import MessageWriter
    from sandbox.discord.world.world import World

GUILDS: Final = 1 << 0
GUILD_MEMBERS: Final = 1 << 1
GUILD_PRESENCES: Final = 1 << 8
GUILD_MESSAGES: Final = 1 << 9
DIRECT_MESSAGES: Final = 1 << 12
MESSAGE_CONTENT: Final = 1 << 15
PRIVILEGED: Final = GUILD_MEMBERS | GUILD_PRESENCES | MESSAGE_CONTENT
EVERY_INTENT: Final = (1 << 26) - 1

_CONTENT_FIELDS: JsonObject = {"content": "", "embeds": [], "attachments": [], "components": []}


@dataclass(frozen=True, slots=True)
class GatewayEvent:
    """An event for the bot: one of the bits in `intents` is required; 0 requires none."""

    name: str
    data: JsonObject
    intents: int
    guild_id: int | None
    data_without_content: JsonObject | None = None

    def data_for(self, intents: int) -> JsonObject:
        """Return the data for a session with these intents."""
        if self.data_without_content is None or intents & MESSAGE_CONTENT:
            return self.data
        return self.data_without_content


def intents_for(event: Event) -> int:
    """Return the intents of which a session needs one for an event; cheap, before its data is built."""
    if isinstance(event.subject, Message):
        return DIRECT_MESSAGES if event.subject.guild_id is None else GUILD_MESSAGES
    if isinstance(event.subject, MemberChange):
        return GUILDS | GUILD_MEMBERS
    if isinstance(event.subject, Channel) and event.subject.guild_id is None:
        return DIRECT_MESSAGES
    return GUILDS


class GatewayTranslator:
    """Builds gateway events from the world's events that the bot may see.

    Args:
        world: holds channels, members and messages.
        writer: writes messages as JSON.
        bot_id: of the bot, which sees what its permissions allow.
    """

    def __init__(self, world: World, writer: MessageWriter, bot_id: int) -> None:
        self._world = world
        self._writer = writer
        self._bot_id = bot_id

    def translate(self, event: Event) -> GatewayEvent | None:
        """Return the gateway event, or None if the bot does not receive it."""
        subject = event.subject
        if isinstance(subject, Message):
            return self._message(event.name, subject)
        if isinstance(subject, Channel):
            return self._channel(event.name, subject)
        if isinstance(subject, Guild):
            return self._guild(event.name, subject)
        if isinstance(subject, RoleChange) and self._is_in(subject.guild):
            return GatewayEvent(event.name, _role_data(event.name, subject), GUILDS, subject.guild.id)
        if isinstance(subject, MemberChange) and self._is_in(subject.guild):
            return self._member(event.name, subject)
        return None

    def _message(self, name: str, message: Message) -> GatewayEvent | None:
        channel = self._world.channels.get(message.channel_id)
        if message.ephemeral or channel is None or not self._world.can_see(channel, self._bot_id):
            return None
        intents = intents_for(Event(name, message))
        if name == "MESSAGE_DELETE":
            return GatewayEvent(name, _deletion(message), intents, message.guild_id)
        data = self._writer.write_for_gateway(message)
        reads_all = message.author_id == self._bot_id or self._bot_id in message.mention_ids
        bare = None if reads_all or message.guild_id is None else data | _CONTENT_FIELDS
        return GatewayEvent(name, data, intents, message.guild_id, bare)

    def _channel(self, name: str, channel: Channel) -> GatewayEvent | None:
        if name == "CHANNEL_PINS_UPDATE":
            return self._pins(channel)
        if channel.guild_id is None or not self._is_in(self._world.guilds[channel.guild_id]):
            return None  # a bot receives a direct message channel with its first message only
        data = channel_json(self._world, channel)
        if not channel.is_thread:
            return GatewayEvent(name, data, GUILDS, channel.guild_id)
        if not self._world.can_see(channel, self._bot_id):
            return None
        if name == "THREAD_CREATE":
            data["newly_created"] = True
        return GatewayEvent(name, data, GUILDS, channel.guild_id)

    def _pins(self, channel: Channel) -> GatewayEvent | None:
        if not self._world.can_see(channel, self._bot_id):
            return None
        data: JsonObject = {"channel_id": str(channel.id), "last_pin_timestamp": moment(channel.last_pin_at)}
        if channel.guild_id is None:
            return GatewayEvent("CHANNEL_PINS_UPDATE", data, DIRECT_MESSAGES, None)
        data["guild_id"] = str(channel.guild_id)
        return GatewayEvent("CHANNEL_PINS_UPDATE", data, GUILDS, channel.guild_id)

    def _is_in(self, guild: Guild) -> bool:
        return self._bot_id in guild.members

    def _guild(self, name: str, guild: Guild) -> GatewayEvent | None:
        if name != "GUILD_DELETE" and not self._is_in(guild):
            return None
        if name == "GUILD_CREATE":
            data = guild_create_json(self._world, guild, self._bot_id)
        elif name == "GUILD_DELETE":
            return GatewayEvent(name, {"id": str(guild.id)}, GUILDS, guild.id)
        else:
            data = guild_json(guild)
        return GatewayEvent(name, data, GUILDS, guild.id)

    def _member(self, name: str, change: MemberChange) -> GatewayEvent:
        data: JsonObject = {"guild_id": str(change.guild.id)}
        if name == "GUILD_MEMBER_REMOVE":
            data["user"] = user_json(self._world.users[change.member.user_id])
        else:
            data |= member_with_user_json(self._world, change.member)
        own = change.member.user_id == self._bot_id
        return GatewayEvent(name, data, GUILDS if own else GUILD_MEMBERS, change.guild.id)


def _role_data(name: str, change: RoleChange) -> JsonObject:
    data: JsonObject = {"guild_id": str(change.guild.id)}
    if name == "GUILD_ROLE_DELETE":
        return data | {"role_id": str(change.role.id)}
    return data | {"role": role_json(change.role)}


def _deletion(message: Message) -> JsonObject:
    data: JsonObject = {"id": str(message.id), "channel_id": str(message.channel_id)}
    return data if message.guild_id is None else data | {"guild_id": str(message.guild_id)}


def members_chunk(world: World, query: JsonObject) -> JsonObject:
    """Return the response to a request for guild members by ids or name prefix."""
    guild = world.guilds.get(int(query.get("guild_id") or 0))
    members = [] if guild is None else list(guild.members.values())
    if query.get("user_ids"):
        listed = query["user_ids"] if isinstance(query["user_ids"], list) else [query["user_ids"]]
        wanted = {int(user_id) for user_id in listed}
        members = [member for member in members if member.user_id in wanted]
    else:
        start = str(query.get("query") or "").lower()
        members = [m for m in members if world.users[m.user_id].username.lower().startswith(start)]
    most = int(query.get("limit") or len(members))
    return {
        "guild_id": str(query.get("guild_id")),
        "members": [member_with_user_json(world, member) for member in members[:most]],
        "chunk_index": 0,
        "chunk_count": 1,
        "not_found": [],
        "nonce": query.get("nonce"),
    }
