"""The gateway's route and its open connections.

Source: Discord's documentation, "Gateway", with its opcodes and close codes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.discord.gateway.connection import GatewayConnection

if TYPE_CHECKING:
    from aiohttp import web

    from sandbox.discord.gateway.sessions import GatewaySessions
    from sandbox.discord.settings import Settings
    from sandbox.discord.world.models import Application, JsonObject
    from sandbox.discord.world.world import World


class Gateway:
    """Serves the bot's websockets.

    Args:
        sessions: the sessions that connections open and resume.
        world: the world that members are read from.
        application: the application that may connect.
        settings: heartbeat interval.
    """

    def __init__(self, sessions: GatewaySessions, world: World, application: Application, settings: Settings) -> None:
        self._sessions = sessions
        self._world = world
        self._application = application
        self._settings = settings
        self._connections: set[GatewayConnection] = set()

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one gateway connection."""
        connection = GatewayConnection(request, self._sessions, self._world, self._application, self._settings)
        self._connections.add(connection)
        try:
            return await connection.run()
        finally:
            self._connections.discard(connection)

    def request_reconnect(self) -> None:
        """Send opcode 7, as Discord does before it shuts a gateway down."""
        self._broadcast({"op": 7, "d": None})

    def invalidate(self, *, resumable: bool = False) -> None:
        """Send opcode 9: the session is invalid, and may or may not be resumed."""
        self._broadcast({"op": 9, "d": resumable})
        if not resumable:
            self._sessions.clear()

    async def close(self) -> None:
        """Close all connections with 1001, as a server that shuts down does."""
        for connection in list(self._connections):
            await connection.close(1001)

    def _broadcast(self, payload: JsonObject) -> None:
        for connection in self._connections:
            connection.send(payload)
