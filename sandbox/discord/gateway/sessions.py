"""The bot's gateway sessions: who is connected, and which events each session receives."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

from sandbox.discord.gateway.events import PRIVILEGED, GatewayEvent, GatewayTranslator, intents_for
from sandbox.discord.gateway.session import GatewaySession
from sandbox.discord.world.events import Event
from sandbox.discord.world.payloads import user_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.discord.settings import Settings
    from sandbox.discord.world.models import Application, JsonObject
    from sandbox.discord.world.world import World


class GatewaySessions:
    """Holds the sessions and dispatches the world's events to them.

    Args:
        world: the world whose events are dispatched.
        translator: turns those events into gateway events.
        application: the application that may connect.
        settings: privileged intents.

    Attributes:
        url: the gateway's address, which READY gives for a resume.
        identified: how many IDENTIFYs were accepted.
    """

    def __init__(
        self, world: World, translator: GatewayTranslator, application: Application, settings: Settings
    ) -> None:
        self.url = ""
        self.identified = 0
        self._world = world
        self._translator = translator
        self._application = application
        self._settings = settings
        self._sessions: dict[str, GatewaySession] = {}
        self._status_listeners: list[Callable[[bool], None]] = []
        world.events.listen(self._on_event)

    @property
    def online(self) -> bool:
        """Whether the bot is connected and has received READY."""
        return any(session.connected and session.ready for session in self._sessions.values())

    def on_status(self, listener: Callable[[bool], None]) -> None:
        """Call `listener` when the bot connects or disconnects."""
        self._status_listeners.append(listener)

    def report_status(self) -> None:
        """Call the listeners with whether the bot is online."""
        online = self.online
        for listener in self._status_listeners:
            listener(online)
        self._world.events.wake()

    def get(self, session_id: object) -> GatewaySession | None:
        """Return the session with this id, if it can still be resumed."""
        return self._sessions.get(str(session_id))

    def open(self, shard: tuple[int, int], intents: int) -> GatewaySession:
        """Open a session after IDENTIFY; the shard's disconnected sessions are dropped."""
        session = GatewaySession(shard, intents)
        left = [s.id for s in self._sessions.values() if s.shard == shard and not s.connected]
        for session_id in left:
            del self._sessions[session_id]
        self._sessions[session.id] = session
        self.identified += 1
        return session

    async def send_ready(self, session: GatewaySession) -> None:
        """Send READY and a GUILD_CREATE for each server of the shard; yields to the event loop after each."""
        guilds = [g for g in self._world.guilds.values() if self._is_in(g.id) and session.covers(g.id)]
        session.dispatch("READY", self._ready(session, [guild.id for guild in guilds]))
        for guild in guilds:
            if event := self._translator.translate(Event("GUILD_CREATE", guild)):
                session.dispatch(event.name, event.data)
            await asyncio.sleep(0)
        session.ready = True

    def dispatch(self, name: str, data: JsonObject, guild_id: int | None) -> None:
        """Send an event that needs no intent, such as INTERACTION_CREATE.

        Args:
            name: the event's name.
            data: its payload.
            guild_id: its server; None for direct messages.
        """
        self._send(GatewayEvent(name, data, 0, guild_id))

    def allows_intents(self, intents: int) -> bool:
        """Return whether the application may have these intents."""
        return not intents & PRIVILEGED & ~self._settings.privileged_intents

    def disconnect(self, code: int = 4000, *, resumable: bool = True) -> None:
        """Close the bot's connections.

        Args:
            code: the close code sent.
            resumable: whether the sessions are kept, so that the bot can resume.
        """
        for session in self._sessions.values():
            session.close(code)
        if not resumable:
            self.clear()

    def clear(self) -> None:
        """Drop every session: none can be resumed."""
        self._sessions.clear()

    def _is_in(self, guild_id: int) -> bool:
        return self._application.bot_id in self._world.guilds[guild_id].members

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

    def _ready(self, session: GatewaySession, guild_ids: list[int]) -> JsonObject:
        bot = self._world.users[self._application.bot_id]
        own = user_json(bot) | {"verified": True, "mfa_enabled": True, "email": None, "flags": 0}
        return {
            "v": 10,
            "user": own,
            "guilds": [{"id": str(guild_id), "unavailable": True} for guild_id in guild_ids],
            "session_id": session.id,
            "session_type": "normal",
            "resume_gateway_url": self.url,
            "shard": list(session.shard),
            "application": {"id": str(self._application.id), "flags": 0},
            "private_channels": [],
            "relationships": [],
            "user_settings": {},
            "geo_ordered_rtc_regions": [],
            "_trace": [secrets.token_hex(4)],
        }
