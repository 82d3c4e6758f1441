"""REST: threads.

Source: Discord's API reference, "Channel": the thread routes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from sandbox.discord.http.json_answers import json_answer
from sandbox.discord.messages.threads import read_plan
from sandbox.discord.rest.base import FORM, Rest, no_content, path_id
from sandbox.discord.world import permissions
from sandbox.discord.world.constants import ChannelType
from sandbox.discord.world.errors import ApiError
from sandbox.discord.world.payloads import channel_json, timestamp

if TYPE_CHECKING:
    from sandbox.discord.world.models import Channel, JsonObject


class ThreadRest(Rest):
    """Routes that start threads, and list them and their members."""

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of this group."""
        members = "/channels/{channel_id}/thread-members"
        return [
            web.post("/channels/{channel_id}/messages/{message_id}/threads", self.start_from_message),
            web.post("/channels/{channel_id}/threads", self.start_alone),
            web.get("/guilds/{guild_id}/threads/active", self.active),
            web.get("/channels/{channel_id}/threads/archived/{kind}", self.archived),
            web.get(members, self.members),
            web.get(members + "/{user_id}", self.member),
            web.put(members + "/{user_id}", self.add_member),
            web.delete(members + "/{user_id}", self.remove_member),
        ]

    async def start_from_message(self, request: web.Request) -> web.Response:
        """Start a thread from a message.

        Raises:
            ApiError: 50024: the channel has no threads.
        """
        channel = self.channel(request)
        message = self.message(request, channel)
        if channel.guild_id is None or channel.is_thread:
            raise ApiError(50024)
        self.need(channel, permissions.CREATE_PUBLIC_THREADS)
        plan = read_plan(request[FORM].payload, ChannelType.PUBLIC_THREAD)
        thread = self.services.threads.start_from(message, plan, self.bot_id)
        return json_answer(self._write(thread), status=201)

    async def start_alone(self, request: web.Request) -> web.Response:
        """Start a thread without a message: private by default.

        Raises:
            ApiError: 50024: the channel has no threads.
        """
        channel = self.channel(request)
        if channel.guild_id is None or channel.is_thread:
            raise ApiError(50024)
        plan = read_plan(request[FORM].payload, ChannelType.PRIVATE_THREAD)
        is_public = plan.type == ChannelType.PUBLIC_THREAD
        wanted = permissions.CREATE_PUBLIC_THREADS if is_public else permissions.CREATE_PRIVATE_THREADS
        self.need(channel, wanted)
        return json_answer(self._write(self.services.threads.start_alone(channel, plan, self.bot_id)), status=201)

    async def active(self, request: web.Request) -> web.Response:
        """Respond with the server's active threads the bot sees."""
        guild = self.guild(request)
        found = [t for t in self.world.active_threads(guild.id) if self.world.can_see(t, self.bot_id)]
        return self._list(found)

    async def archived(self, request: web.Request) -> web.Response:
        """Respond with a channel's archived threads of one kind, last archived first."""
        channel = self.channel(request)
        self.need(channel, permissions.READ_MESSAGE_HISTORY)
        public = request.match_info["kind"] == "public"
        kind = ChannelType.PUBLIC_THREAD if public else ChannelType.PRIVATE_THREAD
        found = [t for t in self.world.threads_of(channel.id) if t.thread and t.thread.archived]
        found = [t for t in found if t.type == kind]
        return self._list(sorted(found, key=_archived_at, reverse=True), has_more=False)

    async def members(self, request: web.Request) -> web.Response:
        """Respond with a thread's members."""
        channel = self._thread(request)
        ids = [] if channel.thread is None else channel.thread.member_ids
        return json_answer([self._member(channel, user_id) for user_id in ids])

    async def member(self, request: web.Request) -> web.Response:
        """Respond with one member of a thread.

        Raises:
            ApiError: 10007: the user is not in it.
        """
        channel = self._thread(request)
        user_id = self._user_id(request)
        if channel.thread is None or user_id not in channel.thread.member_ids:
            raise ApiError(10007)
        return json_answer(self._member(channel, user_id))

    async def add_member(self, request: web.Request) -> web.Response:
        """Add a user to a thread, or join it.

        Raises:
            ApiError: 50083 for an archived thread, 50001 for a user who does not see its channel.
        """
        channel = self._thread(request)
        user_id = self._user_id(request)
        thread = channel.thread
        if thread is None or thread.archived:
            raise ApiError(50083)
        if not self.world.permissions_in(self.world.channel(channel.parent_id or 0), user_id):
            raise ApiError(50001)
        if user_id not in thread.member_ids:
            thread.member_ids.append(user_id)
            self.services.threads.changed(channel)
        return no_content()

    async def remove_member(self, request: web.Request) -> web.Response:
        """Leave a thread, or remove a user with Manage Threads."""
        channel = self._thread(request)
        user_id = self._user_id(request)
        if user_id != self.bot_id:
            self.need(channel, permissions.MANAGE_THREADS)
        if channel.thread is not None and user_id in channel.thread.member_ids:
            channel.thread.member_ids.remove(user_id)
            self.services.threads.changed(channel)
        return no_content()

    def _thread(self, request: web.Request) -> Channel:
        channel = self.channel(request)
        if not channel.is_thread:
            raise ApiError(50024)
        return channel

    def _user_id(self, request: web.Request) -> int:
        if request.match_info["user_id"] == "@me":
            return self.bot_id
        return self.world.user(path_id(request, "user_id")).id

    def _write(self, thread: Channel) -> JsonObject:
        body = channel_json(self.world, thread)
        if thread.thread is not None and self.bot_id in thread.thread.member_ids:
            body["member"] = self._member(thread, self.bot_id)
        return body

    def _member(self, thread: Channel, user_id: int) -> JsonObject:
        joined = 0.0 if thread.thread is None else thread.thread.created_at
        return {
            "id": str(thread.id),
            "user_id": str(user_id),
            "join_timestamp": timestamp(joined),
            "flags": 1,
        }

    def _list(self, threads: list[Channel], **more: bool) -> web.Response:
        own = [t for t in threads if t.thread and self.bot_id in t.thread.member_ids]
        body = {
            "threads": [self._write(thread) for thread in threads],
            "members": [self._member(thread, self.bot_id) for thread in own],
        }
        return json_answer(body | more)


def _archived_at(thread: Channel) -> float:
    return 0.0 if thread.thread is None else thread.thread.archive_changed_at
