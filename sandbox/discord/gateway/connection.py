"""One websocket of the gateway: its opcodes, its heartbeat, and its queue of outgoing messages."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from hmac import compare_digest
from typing import TYPE_CHECKING

from aiohttp import WSMsgType, web

from sandbox.discord.gateway.compression import Compressor, compressor_for
from sandbox.discord.gateway.events import EVERY_INTENT, members_chunk
from sandbox.discord.gateway.session import Closing, GatewaySession, Outgoing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sandbox.discord.gateway.sessions import GatewaySessions
    from sandbox.discord.settings import Settings
    from sandbox.discord.world.models import Application, JsonObject
    from sandbox.discord.world.world import World

_EVENTS_PER_MINUTE = 120
_MAX_EVENT_BYTES = 4096
_ACK_SECONDS = 0.02
_HEARTBEAT_TOLERANCE = 1.5  # intervals without any message until the connection is closed


class GatewayCloseError(Exception):
    """Closes the connection with a code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.closing = Closing(code, reason)


class GatewayConnection:
    """Serves one websocket from HELLO to its end.

    Args:
        request: the request to upgrade.
        sessions: where a session is opened or resumed.
        world: the world that members are read from.
        application: the application that may connect.
        settings: heartbeat interval.
    """

    def __init__(
        self,
        request: web.Request,
        sessions: GatewaySessions,
        world: World,
        application: Application,
        settings: Settings,
    ) -> None:
        self._request = request
        self._sessions = sessions
        self._world = world
        self._application = application
        self._settings = settings
        self._socket = web.WebSocketResponse(max_msg_size=_MAX_EVENT_BYTES * 4, compress=False)
        self._outbox: asyncio.Queue[Outgoing] = asyncio.Queue()
        self._session: GatewaySession | None = None
        self._received: deque[float] = deque()
        self._opcodes: dict[int, Callable[[object], Awaitable[None]]] = {
            1: self._on_heartbeat,
            2: self._on_identify,
            3: self._on_ignored,
            4: self._on_ignored,
            6: self._on_resume,
            8: self._on_members_request,
        }

    async def run(self) -> web.WebSocketResponse:
        """Serve the connection until it ends."""
        await self._socket.prepare(self._request)
        try:
            compressor = self._compressor()
        except GatewayCloseError as error:
            await self.close(error.closing.code, error.closing.reason)
            return self._socket
        writer = asyncio.create_task(self._write(compressor))
        interval = int(self._settings.heartbeat_seconds * 1000)
        self.send({"op": 10, "d": {"heartbeat_interval": interval, "_trace": []}})
        try:
            await self._read()
        finally:
            self._detach()
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
        return self._socket

    def send(self, payload: JsonObject) -> None:
        """Queue a message without a sequence number."""
        self._outbox.put_nowait(json.dumps({"t": None, "s": None} | payload))

    async def close(self, code: int, reason: str = "") -> None:
        """Close the websocket with a code."""
        await self._socket.close(code=code, message=reason.encode())

    def _compressor(self) -> Compressor | None:
        query = self._request.query
        if query.get("v", "10") not in {"9", "10"}:
            raise GatewayCloseError(4012, "Invalid API version")
        if query.get("encoding", "json") != "json":
            raise GatewayCloseError(4002, "Only the JSON encoding is served")
        try:
            return compressor_for(query.get("compress"))
        except ValueError:
            raise GatewayCloseError(4002, "Unknown compression") from None

    async def _write(self, compressor: Compressor | None) -> None:
        while True:
            item = await self._outbox.get()
            try:
                if isinstance(item, Closing):
                    await self.close(item.code, item.reason)
                elif compressor is None:
                    await self._socket.send_str(item)
                else:
                    await self._socket.send_bytes(compressor.frame(item))
            except ConnectionError:
                return

    async def _read(self) -> None:
        timeout = self._settings.heartbeat_seconds * _HEARTBEAT_TOLERANCE
        while True:
            try:
                message = await self._socket.receive(timeout=timeout)
            except TimeoutError:
                await self.close(4009, "Session timed out")
                return
            if message.type not in {WSMsgType.TEXT, WSMsgType.BINARY}:
                return
            try:
                await self._on_message(message.data)
            except GatewayCloseError as error:
                await self.close(error.closing.code, error.closing.reason)
                return

    async def _on_message(self, data: str | bytes) -> None:
        self._count()
        try:
            payload = json.loads(data)
        except ValueError:
            raise GatewayCloseError(4002, "Error while decoding payload.") from None
        if len(data) > _MAX_EVENT_BYTES or not isinstance(payload, dict):
            raise GatewayCloseError(4002, "Error while decoding payload.")
        handler = self._opcodes.get(payload.get("op", -1))
        if handler is None:
            raise GatewayCloseError(4001, "Unknown opcode.")
        if self._session is None and payload["op"] not in {1, 2, 6}:
            raise GatewayCloseError(4003, "Not authenticated.")
        await handler(payload.get("d"))

    def _count(self) -> None:
        now = time.monotonic()
        self._received.append(now)
        while self._received[0] < now - 60:
            self._received.popleft()
        if len(self._received) > _EVENTS_PER_MINUTE:
            raise GatewayCloseError(4008, "You are being rate limited.")

    async def _on_heartbeat(self, _data: object) -> None:
        # discord.py notes the time of a heartbeat only after sending it: an acknowledgement within the same
        # millisecond, which only loopback gives, would be measured from the previous heartbeat.
        await asyncio.sleep(_ACK_SECONDS)
        self.send({"op": 11, "d": None})

    async def _on_ignored(self, _data: object) -> None:
        """Ignore presence and voice updates."""

    async def _on_identify(self, data: object) -> None:
        if self._session is not None:
            raise GatewayCloseError(4005, "Already authenticated.")
        if not isinstance(data, dict):
            raise GatewayCloseError(4002, "Error while decoding payload.")
        self._check_token(data)
        intents = self._intents(data)
        session = self._sessions.open(_shard(data), intents)
        self._attach(session)
        await self._sessions.send_ready(session)
        self._sessions.report_status()

    async def _on_resume(self, data: object) -> None:
        if not isinstance(data, dict):
            raise GatewayCloseError(4002, "Error while decoding payload.")
        self._check_token(data)
        session = self._sessions.get(data.get("session_id"))
        missed = None if session is None else session.missed_since(int(data.get("seq") or 0))
        if session is None or missed is None:
            self.send({"op": 9, "d": False})
            return
        session.close(4000, "Resumed elsewhere")
        self._attach(session)
        for text in missed:
            self._outbox.put_nowait(text)
        session.dispatch("RESUMED", {"_trace": []})
        self._sessions.report_status()

    async def _on_members_request(self, data: object) -> None:
        query = data if isinstance(data, dict) else {}
        if self._session is not None:
            self._session.dispatch("GUILD_MEMBERS_CHUNK", members_chunk(self._world, query))

    def _attach(self, session: GatewaySession) -> None:
        session.outbox = self._outbox
        self._session = session

    def _detach(self) -> None:
        if self._session is not None and self._session.outbox is self._outbox:
            self._session.outbox = None
            self._sessions.report_status()

    def _check_token(self, data: JsonObject) -> None:
        token = str(data.get("token", "")).removeprefix("Bot ")
        if not compare_digest(token.encode(), self._application.token.encode()):
            raise GatewayCloseError(4004, "Authentication failed.")

    def _intents(self, data: JsonObject) -> int:
        intents = data.get("intents")
        if not isinstance(intents, int) or intents & ~EVERY_INTENT:
            raise GatewayCloseError(4013, "Invalid intent(s).")
        if not self._sessions.allows_intents(intents):
            raise GatewayCloseError(4014, "Disallowed intent(s).")
        return intents


def _shard(data: JsonObject) -> tuple[int, int]:
    shard = data.get("shard") or [0, 1]
    if not (isinstance(shard, list) and len(shard) == 2 and 0 <= shard[0] < shard[1]):
        raise GatewayCloseError(4010, "Invalid shard.")
    return shard[0], shard[1]
