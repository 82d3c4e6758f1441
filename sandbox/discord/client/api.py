"""The client API, which the page calls on behalf of a user. Specified in docs/sandbox-client-api.md."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from aiohttp import web

from sandbox.discord.client.feed import ClientFeed, client_channel_json
from sandbox.discord.http.form import read_form
from sandbox.discord.http.json_answers import json_answer
from sandbox.discord.world import permissions
from sandbox.discord.world.errors import ApiError, ClientError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from aiohttp.typedefs import Handler

    from sandbox.discord.services import Services
    from sandbox.discord.world.models import Channel, JsonObject, Message, User

_MAX_MESSAGES = 100
_MAX_ARCHIVED_THREADS = 50


class ClientApi:
    """The routes below `/client`, and the page's files at `/`."""

    def __init__(self, services: Services, page: Path) -> None:
        self.feed = ClientFeed(services)
        self._services = services
        self._world = services.world
        self._page = page

    def add_routes(self, app: web.Application) -> None:
        """Add the routes; the page's files come last, since they match every path."""
        app.add_routes(
            [
                web.get("/client/bootstrap", self.bootstrap),
                web.get("/client/channels/{channel_id}/messages", self.messages),
                web.get("/client/channels/{channel_id}/pins", self.pins),
                web.post("/client/messages", self.say),
                web.post("/client/interactions", self.interact),
                web.get("/client/events", self.events),
                web.get("/", self.index),
                web.static("/", self._page),
            ]
        )

    @web.middleware
    async def explain(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Turn errors of the client API into JSON responses."""
        if not request.path.startswith("/client/"):
            return await handler(request)
        try:
            return await handler(request)
        except ClientError as error:
            return json_answer({"message": error.message}, status=error.status)
        except ApiError as error:
            return json_answer({"message": error.message}, status=error.status)

    async def index(self, _request: web.Request) -> web.StreamResponse:
        """Serve the page."""
        return web.FileResponse(self._page / "index.html", headers={"Cache-Control": "no-cache"})

    async def bootstrap(self, request: web.Request) -> web.Response:
        """Respond with the page's initial state."""
        user = self._user(request) if request.query.get("user") else self._first_person()
        guild = next(iter(self._world.guilds.values()))
        bot = self._world.users[self._services.application.bot_id]
        channels = [*self._visible(self._world.channels_of(guild.id), user.id), *self._dms(user.id)]
        threads = self._visible(self._threads(guild.id), user.id)
        roles = [{"id": str(r.id), "name": r.name, "color": r.color} for r in guild.roles.values()]
        body = {
            "me": str(user.id),
            "users": [self._user_json(each) for each in self._users() if each is user or each.id in guild.members],
            "guild": {"id": str(guild.id), "name": guild.name, "roles": roles},
            "channels": [client_channel_json(self._world, channel, user.id) for channel in channels],
            "threads": [client_channel_json(self._world, thread, user.id) for thread in threads],
            "commands": self.feed.commands_for(user.id),
            "bot": {"id": str(bot.id), "name": bot.display_name, "online": self._services.sessions.online},
        }
        return json_answer(body)

    async def messages(self, request: web.Request) -> web.Response:
        """Respond with a channel's messages, newest first."""
        user, channel = self._visible_channel(request)
        limit = min(_number(request, "limit") or 50, _MAX_MESSAGES)
        before = self._world.messages_before(channel.id, _number(request, "before"))
        found: Iterable[Message] = (m for m in before if self._world.can_read(m, user.id))
        write = self._services.writer.write_for_gateway
        return json_answer([write(message) for message in islice(found, limit)])

    async def pins(self, request: web.Request) -> web.Response:
        """Respond with a channel's pinned messages, the last pinned first."""
        _, channel = self._visible_channel(request)
        write = self._services.writer.write_for_gateway
        return json_answer([write(message) for message in self._services.pins.pinned(channel)])

    async def say(self, request: web.Request) -> web.Response:
        """Post a message."""
        user = self._user(request)
        form = await read_form(request)
        payload = form.payload
        given = str(payload.get("channel_id"))
        channel_id = int(given) if given.isdecimal() else 0
        message = self._services.user_actions.say(user.id, channel_id, payload, form.files)
        return json_answer(self._services.writer.write_for_gateway(message))

    async def interact(self, request: web.Request) -> web.Response:
        """Send an interaction to the bot."""
        user = self._user(request)
        form = await read_form(request)
        interaction = self._services.user_actions.act(user.id, form.payload, form.files)
        self.feed.opened(interaction)
        return json_answer({"interaction_id": str(interaction.id)})

    async def events(self, request: web.Request) -> web.WebSocketResponse:
        """Serve the page's websocket."""
        return await self.feed.handle(request, self._user(request).id)

    def _visible_channel(self, request: web.Request) -> tuple[User, Channel]:
        user = self._user(request)
        given = request.match_info["channel_id"]
        channel_id = int(given) if given.isdecimal() else 0
        return user, self._services.user_actions.visible_channel(user.id, channel_id)

    def _users(self) -> list[User]:
        """Return all users; the application's owner comes last, as the least used."""
        owner_id = self._services.application.owner_id
        return sorted(self._world.users.values(), key=lambda user: user.id == owner_id)

    def _first_person(self) -> User:
        return next(user for user in self._users() if user.listed)

    def _user(self, request: web.Request) -> User:
        given = request.query.get("user", "")
        user = self._world.users.get(int(given) if given.isdecimal() else 0)
        if user is None or user.bot:
            raise ClientError("Unknown user.", 403)
        return user

    def _visible(self, channels: Iterable[Channel], user_id: int) -> list[Channel]:
        return [channel for channel in channels if self._world.can_see(channel, user_id)]

    def _threads(self, guild_id: int) -> list[Channel]:
        """Return the active threads, and the newest archived ones, to which messages still link."""
        every = (t for channel in self._world.channels_of(guild_id) for t in self._world.threads_of(channel.id))
        archived = [thread for thread in every if thread.thread is not None and thread.thread.archived]
        newest = sorted(archived, key=lambda thread: thread.id)[-_MAX_ARCHIVED_THREADS:]
        return [*self._world.active_threads(guild_id), *newest]

    def _dms(self, user_id: int) -> list[Channel]:
        found = self._world.dm_between(self._services.application.bot_id, user_id)
        return [] if found is None else [found]

    def _user_json(self, user: User) -> JsonObject:
        member = next(iter(self._world.guilds.values())).members.get(user.id)
        return {
            "id": str(user.id),
            "username": user.username,
            "global_name": user.global_name,
            "bot": user.bot,
            "moderator": self._is_moderator(user.id),
            "operator": user.id == self._services.application.owner_id,
            "roles": [] if member is None else [str(role_id) for role_id in member.role_ids],
            "color": user.color if user.bot or user.listed else None,
        }

    def _is_moderator(self, user_id: int) -> bool:
        guild = next(iter(self._world.guilds.values()))
        member = guild.members.get(user_id)
        return member is not None and bool(permissions.in_guild(guild, member) & permissions.MANAGE_GUILD)


def _number(request: web.Request, name: str) -> int | None:
    given = request.query.get(name, "")
    return int(given) if given.isdecimal() else None
