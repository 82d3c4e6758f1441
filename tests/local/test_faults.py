"""Each fault, seen from a client over a real socket."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from tests.local.faults import Fault, FaultPlan

REAL_ANSWER = {"real": True}


class Server:
    """A server with one counting handler behind a fault plan."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        self.faults = FaultPlan()
        self.effects = 0
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        if request.path == "/refuse":
            raise web.HTTPForbidden(text="no")
        self.effects += 1
        return web.json_response(REAL_ANSWER, headers={"X-Real": "yes"})

    async def get(self, path: str = "/thing") -> tuple[int, bytes]:
        async with self.session.get(self.url + path) as response:
            return response.status, await response.read()


@asynccontextmanager
async def running() -> AsyncIterator[Server]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        server = Server(session)
        app = web.Application(middlewares=[server.faults.middleware])
        app.router.add_route("*", "/{tail:.*}", server.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield server
        finally:
            await runner.cleanup()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with running() as started:
        yield started


async def test_nothing_planned_changes_nothing(server: Server) -> None:
    assert await server.get() == (200, b'{"real": true}')
    assert server.faults.hits == 0


async def test_status_and_json_body_replace_the_answer_without_effect(server: Server) -> None:
    server.faults.add("GET", "/thing", Fault(status=503, body={"error": "busy"}, headers={"Retry-After": "2"}))
    async with server.session.get(server.url + "/thing") as response:
        assert response.status == 503
        assert response.headers["Retry-After"] == "2"
        assert response.content_type == "application/json"
        assert await response.json() == {"error": "busy"}
    assert server.effects == 0


@pytest.mark.parametrize(
    ("body", "content_type", "sent", "sent_type"),
    [
        ("<html>", "text/html", b"<html>", "text/html"),
        ("plain", None, b"plain", "text/plain"),
        (b"\xff\x00", None, b"\xff\x00", "application/octet-stream"),
        ([1, 2], None, b"[1, 2]", "application/json"),
    ],
)
async def test_bodies_of_each_kind(
    server: Server, body: object, content_type: str | None, sent: bytes, sent_type: str
) -> None:
    server.faults.add("GET", "/thing", Fault(body=body, content_type=content_type))
    async with server.session.get(server.url + "/thing") as response:
        assert (response.status, await response.read(), response.content_type) == (200, sent, sent_type)


async def test_a_fault_lasts_as_often_as_planned(server: Server) -> None:
    planned = server.faults.add("GET", "/thing", Fault(status=500), times=2)
    assert [(await server.get())[0] for _ in range(3)] == [500, 500, 200]
    assert (planned.hits, server.faults.hits) == (2, 2)


async def test_an_unlimited_fault_lasts_until_cleared(server: Server) -> None:
    server.faults.add("*", "/.*", Fault(status=500), times=None)
    assert [(await server.get())[0] for _ in range(3)] == [500, 500, 500]
    server.faults.clear()
    assert (await server.get())[0] == 200


async def test_faults_match_method_and_whole_path(server: Server) -> None:
    server.faults.add("POST", "/thing", Fault(status=500))
    server.faults.add("GET", "/th", Fault(status=500))
    assert (await server.get("/thing?query=1"))[0] == 200


async def test_faults_apply_in_the_order_planned(server: Server) -> None:
    server.faults.add("GET", "/thing", Fault(status=500))
    server.faults.add("GET", "/thing", Fault(status=502))
    assert [(await server.get())[0] for _ in range(3)] == [500, 502, 200]


async def test_cut_before_has_no_effect(server: Server) -> None:
    server.faults.add("POST", "/thing", Fault(cut="before"))
    with pytest.raises(aiohttp.ClientConnectionError):
        await server.session.post(server.url + "/thing", data=b"x" * 1000)
    assert server.effects == 0


async def test_cut_after_has_its_effect(server: Server) -> None:
    server.faults.add("POST", "/thing", Fault(cut="after"))
    with pytest.raises(aiohttp.ClientConnectionError):
        await server.session.post(server.url + "/thing", data=b"x" * 1000)
    assert server.effects == 1


async def test_a_false_answer_after_the_effect(server: Server) -> None:
    server.faults.add("GET", "/thing", Fault(status=504, body="late", answer_after_effect=True))
    assert await server.get() == (504, b"late")
    assert server.effects == 1


async def test_delay_is_followed_by_the_real_answer(server: Server) -> None:
    server.faults.add("GET", "/thing", Fault(delay_seconds=0.05))
    started = time.monotonic()
    assert await server.get() == (200, b'{"real": true}')
    assert time.monotonic() - started >= 0.05


async def test_a_refusal_by_the_real_handler_passes_a_delay(server: Server) -> None:
    server.faults.add("GET", "/refuse", Fault(delay_seconds=0.01))
    assert await server.get("/refuse") == (403, b"no")


async def test_drip_sends_the_real_answer_slowly_and_whole(server: Server) -> None:
    server.faults.add("GET", "/thing", Fault(drip_seconds=0.002))
    started = time.monotonic()
    async with server.session.get(server.url + "/thing") as response:
        assert response.headers["X-Real"] == "yes"
        assert await response.json() == REAL_ANSWER
    assert time.monotonic() - started >= 0.002 * 14


async def test_drip_survives_a_client_that_leaves(server: Server) -> None:
    server.faults.add("GET", "/thing", Fault(body="x" * 1000, drip_seconds=0.01))
    async with server.session.get(server.url + "/thing") as response:
        assert await response.content.readexactly(2) == b"xx"
    assert (await server.get())[0] == 200


async def test_a_huge_answer_is_streamed_to_its_last_byte(server: Server) -> None:
    size = 50 * 1024 * 1024
    server.faults.add("GET", "/thing", Fault(body="abc", repeat_body_to=size))
    async with server.session.get(server.url + "/thing") as response:
        assert response.content_length == size
        start = await response.content.readexactly(100_000)
        assert start == (b"abc" * 33_334)[:100_000]
        rest = [len(chunk) async for chunk in response.content.iter_any()]
    assert len(start) + sum(rest) == size


async def test_a_truncated_answer_promises_more_than_it_sends(server: Server) -> None:
    server.faults.add("GET", "/thing", Fault(truncate_to=5))
    async with server.session.get(server.url + "/thing") as response:
        assert response.content_length == 14
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()
    assert (await server.get())[0] == 200


async def test_slow_requests_do_not_hold_up_others(server: Server) -> None:
    server.faults.add("GET", "/slow", Fault(delay_seconds=5))
    slow = asyncio.create_task(server.get("/slow"))
    assert (await asyncio.wait_for(server.get(), timeout=2))[0] == 200
    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow
