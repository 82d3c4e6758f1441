"""A server for the tests of downloads: a few files, spoilt as planned."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from bot.media.downloads import Downloader
from tests.local.faults import FaultPlan

VIDEO = b"\0\0\0\x20ftypisom" + b"frames of a film " * 1000
WEBM = b"\x1a\x45\xdf\xa3" + b"frames of a film " * 1000
PICTURE = bytes(range(256)) * 2000
MANY_BYTES = 10_000_000
FILES = {
    "/v.mp4": VIDEO,
    "/v.webm": WEBM,
    "/a.png": PICTURE,
    "/page": b"<html>Sorry</html>",
    "/short": b"\0\0\0\x20ftyp",
}


class FileServer:
    """Serves a few files, spoilt as planned."""

    def __init__(self) -> None:
        self.faults = FaultPlan()
        self.asked: list[str] = []
        self.port = 0

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        if request.path not in FILES:
            raise web.HTTPNotFound
        return web.Response(body=FILES[request.path])


@asynccontextmanager
async def serving() -> AsyncIterator[FileServer]:
    server = FileServer()
    app = web.Application(middlewares=[server.faults.middleware])
    app.router.add_get("/{tail:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.port = runner.addresses[0][1]
    yield server
    await runner.cleanup()


async def fetched(downloader: Downloader, url: str, max_bytes: int = MANY_BYTES) -> bytes:
    file = await downloader.video(url, max_bytes)
    with file:
        return await asyncio.to_thread(file.read)
