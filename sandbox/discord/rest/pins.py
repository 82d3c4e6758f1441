"""REST: pinned messages, by the routes of 2025 and the older ones.

Source: Discord's API reference, "Message": "Get Channel Pins", "Pin Message", "Unpin Message".
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from aiohttp import web

from sandbox.discord.http.form_errors import FormErrors
from sandbox.discord.http.json_answers import json_answer
from sandbox.discord.rest.base import Rest, no_content, query_int
from sandbox.discord.world import permissions
from sandbox.discord.world.errors import ApiError
from sandbox.discord.world.payloads import moment

if TYPE_CHECKING:
    from sandbox.discord.world.models import Channel, JsonObject, Message

_MAX_PAGE = 50


class PinRest(Rest):
    """Routes that list, pin and unpin messages."""

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of this group; added before those of messages, which would match "pins" as an id."""
        every = "/channels/{channel_id}/messages/pins"
        before_2025 = "/channels/{channel_id}/pins"
        routes = [web.get(every, self.list_all), web.get(before_2025, self.list_before_2025)]
        for path in (every + "/{message_id}", before_2025 + "/{message_id}"):
            routes += [web.put(path, self.pin), web.delete(path, self.unpin)]
        return routes

    async def list_all(self, request: web.Request) -> web.Response:
        """Respond with up to 50 pinned messages with the time of pinning, last pinned first."""
        channel = self._readable(request)
        limit = query_int(request, "limit", _MAX_PAGE, 1, _MAX_PAGE)
        before = _query_moment(request, "before")
        found = [m for m in self.services.pins.pinned(channel) if before is None or (m.pinned_at or 0) < before]
        items = [self._item(message) for message in found[:limit]]
        return json_answer({"items": items, "has_more": len(found) > limit})

    async def list_before_2025(self, request: web.Request) -> web.Response:
        """Respond with the pinned messages, by the older route."""
        found = self.services.pins.pinned(self._readable(request))
        return json_answer([self.services.writer.write(message) for message in found])

    async def pin(self, request: web.Request) -> web.Response:
        """Pin a message."""
        channel, message = self._to_change(request)
        self.services.pins.pin(channel, message, self.bot_id)
        return no_content()

    async def unpin(self, request: web.Request) -> web.Response:
        """Unpin a message."""
        self.services.pins.unpin(*self._to_change(request))
        return no_content()

    def _item(self, message: Message) -> JsonObject:
        return {"pinned_at": moment(message.pinned_at), "message": self.services.writer.write(message)}

    def _readable(self, request: web.Request) -> Channel:
        channel = self.channel(request)
        self.need(channel, permissions.READ_MESSAGE_HISTORY)
        return channel

    def _to_change(self, request: web.Request) -> tuple[Channel, Message]:
        channel = self.channel(request)
        message = self.message(request, channel)
        if channel.guild_id is not None:
            self.need(channel, permissions.PIN_MESSAGES)
        if channel.thread is not None and channel.thread.archived:
            raise ApiError(50083)
        return channel, message


def _query_moment(request: web.Request, name: str) -> float | None:
    text = request.query.get(name)
    if text is None:
        return None
    errors = FormErrors()
    found = None
    try:
        found = datetime.fromisoformat(text).timestamp()
    except ValueError:
        errors.add((name,), "DATE_TIME_TYPE_PARSE", f"Could not parse {text}. Should be ISO8601.")
    errors.raise_if_any()
    return found
