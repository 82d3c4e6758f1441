"""What a download may cost, and what it tells: time, bytes, disk, headers."""

import asyncio
import resource
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from bot.errors import DownloadError
from bot.media.downloads import Downloader
from tests.loopback import MP4, Handler, Server, fetch, serving


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as running:
        yield running


@pytest_asyncio.fixture
async def trusting(server: Server) -> AsyncIterator[Downloader]:
    """Trusts the server at 127.0.0.1, and no other address of it."""
    async with Downloader({server.trusted}, {server.trusted}) as downloader:
        yield downloader


async def test_requests_disclose_nothing_but_the_address(server: Server, trusting: Downloader) -> None:
    await fetch(trusting, server.url())
    for request in server.requests:
        assert request.headers["Accept-Encoding"] == "identity"
        assert not {"Cookie", "Authorization", "Referer"} & set(request.headers)


async def test_cookies_are_not_kept(server: Server) -> None:
    async def answer(request: web.Request) -> web.Response:
        del request
        return web.Response(body=MP4, headers={"Set-Cookie": "track=1; Path=/"})

    server.handler = answer
    async with Downloader({f"localhost:{server.port}"}, set()) as downloader:
        for _ in range(2):
            await fetch(downloader, server.url(host="localhost"))
    assert [request.headers.get("Cookie") for request in server.requests] == [None, None]


async def test_compressed_answer_is_not_decompressed(server: Server, trusting: Downloader) -> None:
    async def answer(request: web.Request) -> web.Response:
        del request
        return web.Response(body=MP4, headers={"Content-Encoding": "gzip"})

    server.handler = answer
    with pytest.raises(DownloadError, match="packed"):
        await fetch(trusting, server.url())
    assert len(server.requests) == 1


async def test_slow_drip_ends_at_the_deadline(server: Server, trusting: Downloader) -> None:
    server.handler = dripping(MP4[:12], pause_seconds=0.02)
    began = time.monotonic()
    with pytest.raises(DownloadError, match=r"within 0\.3 seconds"):
        await trusting.video(server.url(), 10**6, max_seconds=0.3)
    assert time.monotonic() - began < 2
    assert len(server.requests) == 1


async def test_a_file_that_is_no_video_is_dropped_after_its_first_bytes(server: Server, trusting: Downloader) -> None:
    server.handler = dripping(b"<html>" * 1000, pause_seconds=0.01)
    began = time.monotonic()
    with pytest.raises(DownloadError, match="no MP4"):
        await fetch(trusting, server.url())
    assert time.monotonic() - began < 2
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", [b"", b"\0\0\0\x18ftyp"])
async def test_a_file_too_short_for_a_video_is_refused(server: Server, trusting: Downloader, body: bytes) -> None:
    async def answer(request: web.Request) -> web.Response:
        del request
        return web.Response(body=body)

    server.handler = answer
    with pytest.raises(DownloadError, match="no MP4"):
        await fetch(trusting, server.url())


async def test_endless_video_is_dropped_at_the_size_limit(server: Server, trusting: Downloader) -> None:
    server.handler = dripping(MP4 + b"x" * 50_000, pause_seconds=0.001)
    with pytest.raises(DownloadError, match="more than 100000"):
        await fetch(trusting, server.url(), 100_000)
    assert len(server.requests) == 1


def dripping(piece: bytes, pause_seconds: float) -> Handler:
    """Send this again and again, without end."""

    async def answer(request: web.Request) -> web.StreamResponse:
        stream = web.StreamResponse()
        await stream.prepare(request)
        while request.transport is not None and not request.transport.is_closing():
            await stream.write(piece)
            await asyncio.sleep(pause_seconds)
        return stream

    return answer


@contextmanager
def full_disk(room_bytes: int) -> Iterator[None]:
    """Let no file grow longer than this, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("size", [20_000, 2_000_000])
async def test_full_disk_is_a_failed_download(server: Server, trusting: Downloader, size: int) -> None:
    async def answer(request: web.Request) -> web.Response:
        del request
        return web.Response(body=MP4 + b"x" * size)

    server.handler = answer
    with full_disk(10_000), pytest.raises(DownloadError, match="the disk"):
        await fetch(trusting, server.url(), 10**7)
    assert len(server.requests) == 1


async def test_temporary_file_has_no_name_in_the_folder(server: Server, trusting: Downloader, tmp_path: Path) -> None:
    with await trusting.video(server.url(), 10**6, folder=tmp_path) as file:
        assert names_in(tmp_path) == []
        assert file.read() == MP4


async def test_missing_folder_is_a_failed_download(server: Server, trusting: Downloader, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="the disk"):
        await trusting.video(server.url(), 10**6, folder=tmp_path / "gone")


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]
