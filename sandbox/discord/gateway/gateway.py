"""The gateway: the websocket on which the bot hears what happens.

Source: Discord's documentation, "Gateway", with its opcodes and close codes.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.discord.gateway.connection import GatewayConnection
from sandbox.discord.gateway.events import PRIVILEGED, GatewayEvent, GatewayTranslator, intents_for
from sandbox.discord.gateway.session import GatewaySession
from sandbox.discord.world.events import Event
from sandbox.discord.world.payloads import user_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from sandbox.discord.settings import Settings
    from sandbox.discord.world.models import JsonObject
    from sandbox.discord.world.world import World


@dataclass(slots=True)
class Application:
    """The one bot application that may connect.

    Attributes:
        owner_id: the person it belongs to; of a team, the member who owns that.
        team_ids: everyone in the team it belongs to; nobody if it is one person's.
    """

    id: int
    bot_id: int
    token: str
    owner_id: int
    team_ids: tuple[int, ...] = ()


class Gateway:
    """Keeps the bot's sessions and passes the world's events on to them."""

    def __init__(
        self, world: World, translator: GatewayTranslator, application: Application, settings: Settings
    ) -> None:
        self.world = world
        self.application = application
        self.settings = settings
        self.url = ""
        self.identified = 0
        self._translator = translator
        self._sessions: dict[str, GatewaySession] = {}
        self._connections: set[GatewayConnection] = set()
        self._status_listeners: list[Callable[[bool], None]] = []
        world.events.listen(self._on_event)

    @property
    def online(self) -> bool:
        """Whether the bot is connected."""
        return any(session.connected and session.greeted for session in self._sessions.values())

    def on_status(self, listener: Callable[[bool], None]) -> None:
        """Call `listener` when the bot comes or goes."""
        self._status_listeners.append(listener)

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one gateway connection."""
        connection = GatewayConnection(self, request)
        self._connections.add(connection)
        try:
            return await connection.run()
        finally:
            self._connections.discard(connection)

    def drop(self, code: int = 4000, *, resumable: bool = True) -> None:
        """Cut the bot's connections with a close code.

        Args:
            code: the close code sent.
            resumable: whether the sessions are kept, so that the bot can resume.
        """
        for session in list(self._sessions.values()):
            session.close(code)
            if not resumable:
                del self._sessions[session.id]

    def ask_to_reconnect(self) -> None:
        """Send opcode 7, as Discord does before it takes a gateway down."""
        self._broadcast({"op": 7, "d": None})

    def invalidate(self, *, resumable: bool = False) -> None:
        """Send opcode 9: the session is invalid, and may or may not be resumed."""
        self._broadcast({"op": 9, "d": resumable})
        if not resumable:
            self._sessions.clear()

    async def close(self) -> None:
        """Close all connections as a server that goes away."""
        for connection in list(self._connections):
            await connection.close(1001)

    def open_session(self, shard: tuple[int, int], intents: int) -> GatewaySession:
        """A new session for a bot that identified itself; those its shard left behind are forgotten."""
        session = GatewaySession(shard, intents)
        left = [s.id for s in self._sessions.values() if s.shard == shard and not s.connected]
        for session_id in left:
            del self._sessions[session_id]
        self._sessions[session.id] = session
        self.identified += 1
        return session

    def session(self, session_id: object) -> GatewaySession | None:
        """The session with an id, if it can still be resumed."""
        return self._sessions.get(str(session_id))

    async def greet(self, session: GatewaySession) -> None:
        """Send READY, and GUILD_CREATE for each server of the shard; others are served in between."""
        guilds = [g for g in self.world.guilds.values() if self._is_in(g.id) and session.covers(g.id)]
        session.dispatch("READY", self._ready(session, [guild.id for guild in guilds]))
        for guild in guilds:
            if event := self._translator.translate(Event("GUILD_CREATE", guild)):
                session.dispatch(event.name, event.data)
            await asyncio.sleep(0)
        session.greeted = True

    def dispatch(self, name: str, data: JsonObject, guild_id: int | None) -> None:
        """Send an event that needs no intent, such as INTERACTION_CREATE."""
        self._send(GatewayEvent(name, data, 0, guild_id))

    def allows_intents(self, intents: int) -> bool:
        """Whether the application may have these intents."""
        return not intents & PRIVILEGED & ~self.settings.privileged_intents

    def tell_status(self) -> None:
        """Tell the listeners whether the bot is here."""
        online = self.online
        for listener in self._status_listeners:
            listener(online)
        self.world.events.wake()

    def _is_in(self, guild_id: int) -> bool:
        return self.application.bot_id in self.world.guilds[guild_id].members

    def _on_event(self, event: Event) -> None:
        wanted = intents_for(event)
        if not any(session.intents & wanted for session in self._sessions.values()):
            return
        translated = self._translator.translate(event)
        if translated is not None:
            self._send(translated)

    def _send(self, event: GatewayEvent) -> None:
        for session in self._sessions.values():
            wanted = not event.intents or event.intents & session.intents
            if wanted and session.covers(event.guild_id):
                session.dispatch(event.name, event.data_for(session.intents))

    def _broadcast(self, payload: JsonObject) -> None:
        for connection in self._connections:
            connection.send(payload)

    def _ready(self, session: GatewaySession, guild_ids: list[int]) -> JsonObject:
        bot = self.world.users[self.application.bot_id]
        own = user_json(bot) | {"verified": True, "mfa_enabled": True, "email": None, "flags": 0}
        return {
            "v": 10,
            "user": own,
            "guilds": [{"id": str(guild_id), "unavailable": True} for guild_id in guild_ids],
            "session_id": session.id,
            "session_type": "normal",
            "resume_gateway_url": self.url,
            "shard": list(session.shard),
            "application": {"id": str(self.application.id), "flags": 0},
            "private_channels": [],
            "relationships": [],
            "user_settings": {},
            "geo_ordered_rtc_regions": [],
            "_trace": [secrets.token_hex(4)],
        }
