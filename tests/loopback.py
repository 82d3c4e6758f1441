"""A server on every loopback address, for the tests of where downloads go and what they may cost."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from bot.media.downloads import Downloader

MP4 = b"\0\0\0\x18ftypmp42" + b"x" * 1000
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Server:
    """A server on every loopback address; notes what it is asked."""

    port: int = 0
    requests: list[web.Request] = field(default_factory=list)
    reached: list[str] = field(default_factory=list)
    handler: Handler | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        assert request.transport is not None
        self.reached.append(request.transport.get_extra_info("sockname")[0])
        if self.handler is not None:
            return await self.handler(request)
        return web.Response(body=MP4)

    def url(self, path: str = "/video.mp4", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    @property
    def trusted(self) -> str:
        return f"127.0.0.1:{self.port}"


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", 0).start()  # noqa: S104 - the tests come by several loopback addresses
    server.port = runner.addresses[0][1]
    try:
        yield server
    finally:
        await runner.cleanup()


async def fetch(downloader: Downloader, url: str, max_bytes: int = 10**6) -> bytes:
    with await downloader.video(url, max_bytes) as file:
        return file.read()
