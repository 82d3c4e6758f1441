"""Interactions as Discord's JSON, with the objects their data refers to.

Source: Discord's API reference, "Interaction Object" and "Resolved Data Structure".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sandbox.discord.world.payloads import channel_json, member_json, resolved_member_json, role_json, user_json

if TYPE_CHECKING:
    from sandbox.discord.interactions.registry import Interaction
    from sandbox.discord.messages.payloads import MessageWriter
    from sandbox.discord.world.models import Application, Attachment, Channel, Guild, JsonObject, Member, Message
    from sandbox.discord.world.world import World

_IN_GUILD, _IN_BOT_DM = 0, 1


@dataclass(slots=True)
class Resolved:
    """The objects that an interaction's data refers to."""

    users: set[int] = field(default_factory=set)
    roles: set[int] = field(default_factory=set)
    channels: set[int] = field(default_factory=set)
    messages: list[Message] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)


class InteractionWriter:
    """Writes interactions as the gateway sends them.

    Args:
        world: holds channels, members and messages.
        writer: writes messages as JSON.
        application: the bot's application, with its id and the bot's.
    """

    def __init__(self, world: World, writer: MessageWriter, application: Application) -> None:
        self._world = world
        self._writer = writer
        self._application = application

    def write(self, interaction: Interaction) -> JsonObject:
        """Return the data of INTERACTION_CREATE."""
        channel = interaction.channel
        user_id = interaction.user_id
        body: JsonObject = {
            "id": str(interaction.id),
            "application_id": str(self._application.id),
            "type": int(interaction.type),
            "token": interaction.token,
            "version": 1,
            "data": interaction.data,
            "channel_id": str(channel.id),
            "channel": self._channel(channel, user_id),
            "app_permissions": str(self._world.permissions_in(channel, self._application.bot_id)),
            "locale": self._world.users[user_id].locale,
            "entitlements": [],
            "entitlement_sku_ids": [],
        }
        if interaction.message is not None:
            body["message"] = self._writer.write(interaction.message)
        if channel.guild_id is None:
            return body | self._in_dm(user_id)
        return body | self._in_guild(self._world.guilds[channel.guild_id], channel, user_id)

    def resolve(self, resolved: Resolved, channel: Channel, user_id: int) -> JsonObject:
        """Return the `resolved` object of an interaction's data, without empty kinds.

        Members have their permissions in the interaction's channel, channels have the user's permissions.

        Args:
            resolved: the objects.
            channel: the interaction's channel.
            user_id: the user.
        """
        users = sorted(resolved.users)
        guild = None if channel.guild_id is None else self._world.guilds[channel.guild_id]
        body: JsonObject = {
            "users": {str(u): user_json(self._world.users[u]) for u in users},
            "messages": {str(m.id): self._writer.write(m) for m in resolved.messages},
            "attachments": {str(a.id): self._writer.attachment(a) for a in resolved.attachments},
        }
        if guild is not None:
            body["members"] = {str(u): self._member(guild.members[u], channel) for u in users if u in guild.members}
            body["roles"] = {str(r): role_json(guild.roles[r]) for r in resolved.roles}
            body["channels"] = {str(c): self._channel(self._world.channels[c], user_id) for c in resolved.channels}
        return {kind: found for kind, found in body.items() if found}

    def _in_dm(self, user_id: int) -> JsonObject:
        return {
            "user": user_json(self._world.users[user_id]),
            "context": _IN_BOT_DM,
            "authorizing_integration_owners": {"0": "0"},
            "attachment_size_limit": 10 * 1024 * 1024,
        }

    def _in_guild(self, guild: Guild, channel: Channel, user_id: int) -> JsonObject:
        rights = self._world.permissions_in(channel, user_id)
        member = member_json(guild.members[user_id])
        return {
            "guild_id": str(guild.id),
            "guild": {"id": str(guild.id), "locale": guild.locale, "features": []},
            "guild_locale": guild.locale,
            "member": member | {"user": user_json(self._world.users[user_id]), "permissions": str(rights)},
            "context": _IN_GUILD,
            "authorizing_integration_owners": {"0": str(guild.id)},
            "attachment_size_limit": guild.upload_limit_bytes,
        }

    def _member(self, member: Member, channel: Channel) -> JsonObject:
        return resolved_member_json(member, self._world.permissions_in(channel, member.user_id))

    def _channel(self, channel: Channel, user_id: int) -> JsonObject:
        body = channel_json(self._world, channel)
        return body | {"permissions": str(self._world.permissions_in(channel, user_id))}
