"""REST: servers, their channels, roles and members.

Source: Discord's API reference, "Guild" and "Channel".
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from aiohttp import web

from sandbox.discord.http.form_errors import FormErrors
from sandbox.discord.http.json_answers import json_answer
from sandbox.discord.rest.base import FORM, Rest, path_id, query_id, query_int
from sandbox.discord.world import permissions
from sandbox.discord.world.errors import ApiError
from sandbox.discord.world.payloads import channel_json, guild_json, member_with_user_json, role_json

if TYPE_CHECKING:
    from sandbox.discord.world.models import Channel, Guild, Member


class GuildRest(Rest):
    """Routes that read servers and edit channels."""

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of this group."""
        return [
            web.get("/guilds/{guild_id}", self.get),
            web.get("/guilds/{guild_id}/channels", self.channels),
            web.get("/guilds/{guild_id}/roles", self.roles),
            web.get("/guilds/{guild_id}/roles/{role_id}", self.role),
            web.get("/guilds/{guild_id}/members", self.members),
            web.get("/guilds/{guild_id}/members/search", self.search_members),
            web.get("/guilds/{guild_id}/members/{user_id}", self.member),
            web.get("/channels/{channel_id}", self.get_channel),
            web.patch("/channels/{channel_id}", self.edit_channel),
            web.delete("/channels/{channel_id}", self.delete_channel),
        ]

    async def get(self, request: web.Request) -> web.Response:
        """Respond with a server."""
        guild = self.guild(request)
        count = {"approximate_member_count": len(guild.members)} if "with_counts" in request.query else {}
        return json_answer(guild_json(guild) | count)

    async def channels(self, request: web.Request) -> web.Response:
        """Respond with a server's channels, without threads."""
        guild = self.guild(request)
        found = self.world.channels_of(guild.id)
        return json_answer([channel_json(self.world, channel) for channel in found])

    async def roles(self, request: web.Request) -> web.Response:
        """Respond with a server's roles."""
        return json_answer([role_json(role) for role in self.guild(request).roles.values()])

    async def role(self, request: web.Request) -> web.Response:
        """Respond with one role.

        Raises:
            ApiError: 10011: it has no such role.
        """
        roles = self.guild(request).roles
        role_id = path_id(request, "role_id")
        if role_id not in roles:
            raise ApiError(10011)
        return json_answer(role_json(roles[role_id]))

    async def members(self, request: web.Request) -> web.Response:
        """Respond with a server's members, by id."""
        guild = self.guild(request)
        after = query_id(request, "after") or 0
        limit = query_int(request, "limit", 1, 1, 1000)
        found = (guild.members[user_id] for user_id in sorted(guild.members) if user_id > after)
        return self._members(islice(found, limit))

    async def search_members(self, request: web.Request) -> web.Response:
        """Respond with the members whose name starts with a text."""
        guild = self.guild(request)
        start = request.query.get("query", "").lower()
        limit = query_int(request, "limit", 1, 1, 1000)
        names = {m.user_id: self.world.users[m.user_id].username for m in guild.members.values()}
        found = (guild.members[i] for i, name in names.items() if name.startswith(start))
        return self._members(islice(found, limit))

    async def member(self, request: web.Request) -> web.Response:
        """Respond with one member."""
        member = self._member(self.guild(request), path_id(request, "user_id"))
        return json_answer(member_with_user_json(self.world, member))

    async def get_channel(self, request: web.Request) -> web.Response:
        """Respond with a channel or thread."""
        return json_answer(channel_json(self.world, self.channel(request)))

    async def edit_channel(self, request: web.Request) -> web.Response:
        """Edit a thread, or a channel's name and topic."""
        channel = self.channel(request)
        payload = request[FORM].payload
        if channel.is_thread:
            self.services.threads.edit(channel, payload, self.bot_id)
        else:
            self._edit_text_channel(channel, payload)
        return json_answer(channel_json(self.world, channel))

    async def delete_channel(self, request: web.Request) -> web.Response:
        """Delete a thread or channel."""
        channel = self.channel(request)
        if channel.guild_id is not None:
            is_thread = channel.is_thread
            self.need(channel, permissions.MANAGE_THREADS if is_thread else permissions.MANAGE_CHANNELS)
            self.world.remove_channel(channel)
            name = "THREAD_DELETE" if is_thread else "CHANNEL_DELETE"
            self.world.events.publish(name, channel)
        return json_answer(channel_json(self.world, channel))

    def _edit_text_channel(self, channel: Channel, payload: dict[str, object]) -> None:
        self.need(channel, permissions.MANAGE_CHANNELS)
        errors = FormErrors()
        if "name" in payload:
            errors.check_length(("name",), payload["name"], 1, 100)
        errors.raise_if_any()
        channel.name = str(payload.get("name", channel.name))
        topic = payload.get("topic", channel.topic)
        channel.topic = None if topic is None else str(topic)
        self.world.put_channel(channel)
        self.world.events.publish("CHANNEL_UPDATE", channel)

    def _member(self, guild: Guild, user_id: int) -> Member:
        if user_id not in guild.members:
            raise ApiError(10007)
        return guild.members[user_id]

    def _members(self, members: islice[Member]) -> web.Response:
        return json_answer([member_with_user_json(self.world, member) for member in members])
