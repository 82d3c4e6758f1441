"""Sends events to the page's websockets. Specified in docs/sandbox-client-api.md."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

from sandbox.discord.interactions.registry import Interaction, InteractionState
from sandbox.discord.world import permissions
from sandbox.discord.world.constants import CallbackType
from sandbox.discord.world.events import CommandsChange, Event
from sandbox.discord.world.models import Channel, JsonObject, Message
from sandbox.discord.world.payloads import channel_json, command_json

if TYPE_CHECKING:
    from sandbox.discord.services import Services
    from sandbox.discord.world.world import World

_SHOWN_CHANNEL_EVENTS = {
    "THREAD_CREATE": "THREAD_CREATE",
    "THREAD_UPDATE": "THREAD_UPDATE",
    "CHANNEL_CREATE": "CHANNEL_UPDATE",
    "CHANNEL_UPDATE": "CHANNEL_UPDATE",
}
# CHANNEL_UPDATE too: a change of permissions can hide a channel
_HIDING = {"THREAD_DELETE", "CHANNEL_DELETE", "CHANNEL_UPDATE"}


@dataclass(slots=True, eq=False)
class _Page:
    user_id: int
    outbox: asyncio.Queue[JsonObject] = field(default_factory=asyncio.Queue)


class ClientFeed:
    """Sends each user the events of what they may see."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._world = services.world
        self._pages: set[_Page] = set()
        self._sockets: set[web.WebSocketResponse] = set()
        services.world.events.listen(self._on_event)
        services.registry.listen(self._on_settled)
        services.sessions.on_status(self._on_status)

    async def handle(self, request: web.Request, user_id: int) -> web.WebSocketResponse:
        """Serve one page's websocket."""
        socket = web.WebSocketResponse(heartbeat=30.0)
        page = _Page(user_id)
        self._pages.add(page)  # before the handshake ends, so that no event after it is missed
        self._sockets.add(socket)
        try:
            await socket.prepare(request)
            await self._serve(socket, page)
        finally:
            self._pages.discard(page)
            self._sockets.discard(socket)
        return socket

    async def _serve(self, socket: web.WebSocketResponse, page: _Page) -> None:
        writer = asyncio.create_task(self._write(socket, page))
        try:
            async for _ in socket:  # a page sends nothing; this waits for the close
                pass
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)

    async def close(self) -> None:
        """Close all websockets."""
        for socket in list(self._sockets):
            await socket.close(code=1001)

    def opened(self, interaction: Interaction) -> None:
        """Send INTERACTION_CREATE for an interaction that awaits its response."""
        if interaction.state == InteractionState.PENDING:
            self._send(interaction.user_id, "INTERACTION_CREATE", {"interaction_id": str(interaction.id)})

    async def _write(self, socket: web.WebSocketResponse, page: _Page) -> None:
        while True:
            try:
                await socket.send_json(await page.outbox.get())
            except ConnectionError:
                return

    def _send(self, user_id: int, name: str, data: object) -> None:
        for page in self._pages:
            if page.user_id == user_id:
                page.outbox.put_nowait({"t": name, "d": data})

    def _on_event(self, event: Event) -> None:
        if not self._pages:
            return
        subject = event.subject
        if isinstance(subject, Message):
            self._on_message(event.name, subject)
        elif isinstance(subject, Channel):
            self._on_channel(event.name, subject)
        elif isinstance(subject, CommandsChange):
            self._on_commands()
        else:
            self._on_guild()

    def _on_message(self, name: str, message: Message) -> None:
        data: JsonObject | None = None
        for page in self._pages:
            if self._world.can_read(message, page.user_id):
                data = data or self._message_data(name, message)
                page.outbox.put_nowait({"t": name, "d": data})
            if name == "MESSAGE_CREATE" and (others := self._others_concerned(message, page.user_id)):
                page.outbox.put_nowait({"t": "NEWS_FOR_OTHERS", "d": {"user_ids": others}})

    def _others_concerned(self, message: Message, user_id: int) -> list[str]:
        """Return the other users to notify: they are mentioned, or see a message that this user does not.

        The application's owner sees everything, and is notified only of mentions.
        """
        hidden = not self._world.can_read(message, user_id)
        uninvolved = {user_id, message.author_id}
        concerned = set(message.pinged_user_ids)
        if hidden:
            concerned |= {user.id for user in self._world.users.values() if self._world.can_read(message, user.id)}
            uninvolved |= {self._services.application.owner_id} - set(message.pinged_user_ids)
        people = (user for user in self._world.users.values() if user.listed and not user.bot)
        return [str(user.id) for user in people if user.id in concerned - uninvolved]

    def _message_data(self, name: str, message: Message) -> JsonObject:
        if name == "MESSAGE_DELETE":
            return {"id": str(message.id), "channel_id": str(message.channel_id)}
        return self._services.writer.write_for_gateway(message)

    def _on_channel(self, name: str, channel: Channel) -> None:
        pins_changed = "THREAD_UPDATE" if channel.is_thread else "CHANNEL_UPDATE"
        shown = _SHOWN_CHANNEL_EVENTS.get(name, pins_changed)
        for page in self._pages:
            if not channel.deleted and self._world.can_see(channel, page.user_id):
                data = client_channel_json(self._world, channel, page.user_id)
                page.outbox.put_nowait({"t": shown, "d": data})
            elif name in _HIDING:
                page.outbox.put_nowait({"t": "CHANNEL_DELETE", "d": _gone(channel)})

    def _on_commands(self) -> None:
        for page in self._pages:
            page.outbox.put_nowait({"t": "COMMANDS_UPDATE", "d": self.commands_for(page.user_id)})

    def commands_for(self, user_id: int) -> list[JsonObject]:
        """Return the commands that a user may use somewhere in the server."""
        guild_id = next(iter(self._world.guilds))
        offered = self._services.user_actions.offers.anywhere(user_id, guild_id)
        return [command_json(command, self._services.application.id) for command in offered]

    def _on_guild(self) -> None:
        for page in self._pages:
            page.outbox.put_nowait({"t": "GUILD_UPDATE", "d": {}})

    def _on_status(self, online: bool) -> None:
        for page in self._pages:
            page.outbox.put_nowait({"t": "BOT_STATUS", "d": {"online": online}})

    def _on_settled(self, interaction: Interaction) -> None:
        data: JsonObject = {"interaction_id": str(interaction.id)}
        user_id = interaction.user_id
        if interaction.state == InteractionState.FAILED:
            self._send(user_id, "INTERACTION_FAILURE", data | {"message": interaction.failure})
        elif interaction.answer == CallbackType.AUTOCOMPLETE:
            self._send(user_id, "INTERACTION_AUTOCOMPLETE", data | {"choices": interaction.choices})
        elif interaction.modal is not None:
            modal = {key: interaction.modal[key] for key in ("custom_id", "title", "components")}
            self._send(user_id, "INTERACTION_MODAL", data | modal)
        else:
            self._send(user_id, "INTERACTION_SUCCESS", data)


def _gone(channel: Channel) -> JsonObject:
    parent_id = None if channel.parent_id is None else str(channel.parent_id)
    return {"id": str(channel.id), "type": int(channel.type), "parent_id": parent_id}


def client_channel_json(world: World, channel: Channel, user_id: int) -> JsonObject:
    """Return a channel object with `can_send`.

    Args:
        world: the world.
        channel: the channel.
        user_id: whose permission `can_send` is.
    """
    rights = world.permissions_in(channel, user_id)
    needed = permissions.SEND_MESSAGES_IN_THREADS if channel.is_thread else permissions.SEND_MESSAGES
    return channel_json(world, channel) | {"can_send": bool(rights & needed)}
