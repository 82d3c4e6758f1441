"""The gateway, over a plain websocket."""

import json
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from sandbox.discord.gateway.events import GUILD_MESSAGES, GUILDS, MESSAGE_CONTENT
from sandbox.discord.world import seed
from tests.local.servers import LocalDiscord
from tests.sandbox.discord.tools import running


class Socket:
    """A gateway connection that decompresses if asked to."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._inflate = zlib.decompressobj()

    async def send(self, op: int, data: object = None) -> None:
        await self._socket.send_json({"op": op, "d": data})

    async def receive(self) -> dict[str, Any]:
        message = await self._socket.receive(5)
        if message.type is aiohttp.WSMsgType.BINARY:
            return dict(json.loads(self._inflate.decompress(message.data)))
        assert message.type is aiohttp.WSMsgType.TEXT, (message, self._socket.close_code)
        return dict(json.loads(message.data))

    async def receive_event(self, name: str) -> dict[str, Any]:
        while (payload := await self.receive())["t"] != name:
            assert payload["op"] in {0, 10, 11}
        return payload

    async def close_code(self) -> int | None:
        while not self._socket.closed:
            await self._socket.receive(5)
        return self._socket.close_code

    async def close(self) -> None:
        await self._socket.close()


@asynccontextmanager
async def connected(local: LocalDiscord, query: str = "v=10&encoding=json") -> AsyncIterator[Socket]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{local.services.sessions.url}?{query}") as socket,
    ):
        yield Socket(socket)


@pytest.fixture
async def local() -> AsyncIterator[LocalDiscord]:
    async with running() as local:
        yield local


def identity(local: LocalDiscord, intents: int = GUILDS) -> dict[str, object]:
    return {"token": local.token, "intents": intents, "properties": {}, "shard": [0, 1]}


@pytest.mark.parametrize("query", ["v=10&encoding=json", "v=10&encoding=json&compress=zlib-stream"])
async def test_from_hello_to_ready(local: LocalDiscord, query: str) -> None:
    async with connected(local, query) as socket:
        hello = await socket.receive()
        assert (hello["op"], hello["d"]["heartbeat_interval"]) == (10, 41250)
        await socket.send(1, None)
        assert (await socket.receive())["op"] == 11
        await socket.send(2, identity(local))
        ready = await socket.receive()
        assert (ready["t"], ready["s"], ready["d"]["v"]) == ("READY", 1, 10)
        assert ready["d"]["resume_gateway_url"] == local.services.sessions.url
        guild = await socket.receive()
        assert (guild["t"], guild["d"]["name"]) == ("GUILD_CREATE", "Reelpool Studio")
        assert len(guild["d"]["channels"]) == 3
        assert local.bot_online
    await local.wait_for(lambda: not local.bot_online)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"token": "wrong"}, 4004),
        ({"intents": 1 << 40}, 4013),
        ({"intents": MESSAGE_CONTENT}, 4014),
        ({"shard": [1, 1]}, 4010),
    ],
)
async def test_identify_is_checked(local: LocalDiscord, changes: dict[str, object], code: int) -> None:
    async with connected(local) as socket:
        await socket.send(2, identity(local) | changes)
        assert await socket.close_code() == code


@pytest.mark.parametrize(("op", "code"), [(3, 4003), (99, 4001)])
async def test_wrong_opcodes(local: LocalDiscord, op: int, code: int) -> None:
    async with connected(local) as socket:
        await socket.send(op)
        assert await socket.close_code() == code


async def test_second_identify(local: LocalDiscord) -> None:
    async with connected(local) as socket:
        await socket.send(2, identity(local))
        await socket.send(2, identity(local))
        assert await socket.close_code() == 4005


@pytest.mark.parametrize(("query", "code"), [("v=6", 4012), ("v=10&compress=lzma", 4002)])
async def test_wrong_query(local: LocalDiscord, query: str, code: int) -> None:
    async with connected(local, query) as socket:
        assert await socket.close_code() == code


async def test_too_many_events(local: LocalDiscord) -> None:
    async with connected(local) as socket:
        for _ in range(121):
            await socket.send(1)
        assert await socket.close_code() == 4008


async def test_bot_without_heartbeat_is_disconnected(local: LocalDiscord) -> None:
    local.settings.heartbeat_seconds = 0.05
    async with connected(local) as socket:
        assert await socket.close_code() == 4009


async def test_intents_filter_events(local: LocalDiscord) -> None:
    async with connected(local) as few, connected(local) as many:
        await few.send(2, identity(local))
        await few.receive_event("GUILD_CREATE")
        await many.send(2, identity(local, GUILDS | GUILD_MESSAGES))
        await many.receive_event("GUILD_CREATE")
        await local.person("member-one").say(seed.VIDEOS_ID, "secret")
        channel = local.admin.add_channel(local.guild_id, "new")
        message = await many.receive()
        assert (message["t"], message["d"]["content"]) == ("MESSAGE_CREATE", "")
        assert message["d"]["member"]["roles"] == [str(seed.CREATORS_ROLE_ID)]
        first = await few.receive()
        assert (first["t"], first["d"]["id"]) == ("CHANNEL_CREATE", str(channel.id))


async def test_message_content_needs_a_mention_or_the_intent(local: LocalDiscord) -> None:
    local.settings.privileged_intents = MESSAGE_CONTENT
    async with connected(local) as few, connected(local) as many:
        await few.send(2, identity(local, GUILD_MESSAGES))
        await few.receive_event("GUILD_CREATE")
        await many.send(2, identity(local, GUILD_MESSAGES | MESSAGE_CONTENT))
        await many.receive_event("GUILD_CREATE")
        await local.person("member-one").say(seed.VIDEOS_ID, "plain")
        await local.person("member-one").say(seed.VIDEOS_ID, f"<@{local.bot_id}> hi")
        assert [(await many.receive())["d"]["content"] for _ in range(2)] == ["plain", f"<@{local.bot_id}> hi"]
        assert [(await few.receive())["d"]["content"] for _ in range(2)] == ["", f"<@{local.bot_id}> hi"]


async def test_resume_replays_what_was_missed(local: LocalDiscord) -> None:
    async with connected(local) as socket:
        await socket.send(2, identity(local))
        session = (await socket.receive_event("READY"))["d"]["session_id"]
        sequence = (await socket.receive_event("GUILD_CREATE"))["s"]
        local.drop_gateway(4000)
        assert await socket.close_code() == 4000
    local.admin.add_channel(local.guild_id, "missed")
    async with connected(local) as socket:
        await socket.send(6, {"token": local.token, "session_id": session, "seq": sequence})
        missed = await socket.receive_event("CHANNEL_CREATE")
        assert (missed["d"]["name"], missed["s"]) == ("missed", sequence + 1)
        await socket.receive_event("RESUMED")
        assert local.bot_online


async def test_session_that_cannot_be_resumed(local: LocalDiscord) -> None:
    async with connected(local) as socket:
        await socket.send(2, identity(local))
        session = (await socket.receive_event("READY"))["d"]["session_id"]
        local.drop_gateway(4000, resumable=False)
        await socket.close_code()
    async with connected(local) as socket:
        assert (await socket.receive())["op"] == 10
        await socket.send(6, {"token": local.token, "session_id": session, "seq": 1})
        assert await socket.receive() == {"t": None, "s": None, "op": 9, "d": False}
        await socket.send(2, identity(local))
        await socket.receive_event("READY")


async def test_server_asks_to_reconnect(local: LocalDiscord) -> None:
    async with connected(local) as socket:
        assert (await socket.receive())["op"] == 10
        local.services.gateway.request_reconnect()
        assert (await socket.receive())["op"] == 7


async def test_members_by_id_and_name(local: LocalDiscord) -> None:
    async with connected(local) as socket:
        await socket.send(2, identity(local))
        guild = str(local.guild_id)
        await socket.send(8, {"guild_id": guild, "user_ids": [str(seed.MODERATOR_ID)], "nonce": "n"})
        chunk = (await socket.receive_event("GUILD_MEMBERS_CHUNK"))["d"]
        assert [m["user"]["username"] for m in chunk["members"]] == ["moderator"]
        await socket.send(8, {"guild_id": guild, "query": "member", "limit": 1})
        chunk = (await socket.receive_event("GUILD_MEMBERS_CHUNK"))["d"]
        assert [m["user"]["username"] for m in chunk["members"]] == ["member-one"]


async def test_joining_and_leaving_guilds_sends_events(local: LocalDiscord) -> None:
    async with connected(local) as socket:
        await socket.send(2, identity(local))
        await socket.receive_event("GUILD_CREATE")
        guild = local.admin.add_guild("Second")
        local.admin.add_channel(guild.id, "text")
        assert (await socket.receive_event("GUILD_CREATE"))["d"]["id"] == str(guild.id)
        assert (await socket.receive_event("CHANNEL_CREATE"))["d"]["guild_id"] == str(guild.id)
        local.admin.remove_bot(guild.id)
        assert (await socket.receive_event("GUILD_DELETE"))["d"] == {"id": str(guild.id)}
