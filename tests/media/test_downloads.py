"""Fetching files over real sockets: what it takes, and when it gives up."""

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path

import pytest
import stamina
from hypothesis import given
from hypothesis import strategies as st

from bot.codes import Refusal
from bot.errors import DownloadError, RefusedError
from bot.media.downloads import Downloader, PublicResolver, host_of, is_public
from tests.file_server import FILES, MANY_BYTES, PICTURE, VIDEO, FileServer, fetched, serving
from tests.local.faults import Fault
from tests.properties import PROPERTY
from tests.refusals import refused


@pytest.fixture(autouse=True)
def _no_pauses_between_tries() -> Iterator[None]:
    stamina.set_testing(True, attempts=3)
    yield
    stamina.set_testing(False)


@pytest.fixture
async def server() -> AsyncIterator[FileServer]:
    async with serving() as started:
        yield started


@pytest.fixture
async def trusting(server: FileServer) -> AsyncIterator[Downloader]:
    """One whose operator has named the server."""
    async with Downloader({server.host}, {"127.0.0.1"}) as downloader:
        yield downloader


# Videos


@pytest.mark.parametrize("path", ["/v.mp4", "/v.webm", "/v.mp4?signature=1"])
async def test_a_video_of_a_trusted_host(server: FileServer, trusting: Downloader, path: str) -> None:
    assert await fetched(trusting, server.url(path)) == FILES[path.partition("?")[0]]


@pytest.mark.parametrize(("path", "words"), [("/page", "no MP4"), ("/short", "no MP4"), ("/nothing", "status 404")])
async def test_files_that_are_no_video_are_refused(
    server: FileServer, trusting: Downloader, path: str, words: str
) -> None:
    with pytest.raises(DownloadError, match=words):
        await trusting.video(server.url(path), MANY_BYTES)
    assert len(server.asked) == 1


async def test_a_video_of_just_the_largest_size(server: FileServer, trusting: Downloader) -> None:
    assert await fetched(trusting, server.url("/v.mp4"), len(VIDEO)) == VIDEO


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc to see which files are open")
async def test_a_download_that_is_cancelled_at_any_moment_leaves_no_file_open(
    server: FileServer, trusting: Downloader, tmp_path: Path
) -> None:
    is_whole = False
    for switches in itertools.count():
        task = asyncio.create_task(trusting.video(server.url("/v.mp4"), MANY_BYTES, folder=tmp_path))
        for _ in range(switches):
            await asyncio.sleep(0.0005)
        task.cancel()
        (found,) = await asyncio.gather(task, return_exceptions=True)
        if is_whole := not isinstance(found, BaseException):
            found.close()
        # A file whose opening was under way is closed once it is open.
        for _ in range(200):
            if not (left := open_files_in(tmp_path)):
                break
            await asyncio.sleep(0.01)
        assert not left, switches
        if is_whole:
            break
    assert switches > 1


def open_files_in(folder: Path) -> list[str]:
    found = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found += [name for name in [str(link.readlink())] if name.startswith(f"{folder}/")]
    return found


async def test_a_video_that_says_that_it_is_too_large(server: FileServer, trusting: Downloader) -> None:
    with pytest.raises(DownloadError, match=f"has {len(VIDEO)} bytes"):
        await trusting.video(server.url("/v.mp4"), len(VIDEO) - 1)


# Tries


@pytest.mark.parametrize(
    "fault", [Fault(status=503), Fault(status=500), Fault(cut="before"), Fault(truncate_to=100)], ids=repr
)
async def test_temporary_errors_are_retried(server: FileServer, trusting: Downloader, fault: Fault) -> None:
    server.faults.add("GET", "/v.mp4", fault, times=2)
    assert await fetched(trusting, server.url("/v.mp4")) == VIDEO
    server.faults.add("GET", "/v.mp4", fault, times=None)
    with pytest.raises(DownloadError):
        await trusting.video(server.url("/v.mp4"), MANY_BYTES)


@pytest.mark.parametrize("fault", [Fault(delay_seconds=30), Fault(drip_seconds=0.05)], ids=["silence", "drip"])
async def test_a_download_is_bounded_in_time(server: FileServer, trusting: Downloader, fault: Fault) -> None:
    server.faults.add("GET", "/v.mp4", fault, times=None)
    with pytest.raises(DownloadError, match=r"not here within 0\.3 seconds"):
        await trusting.video(server.url("/v.mp4"), MANY_BYTES, max_seconds=0.3)


async def test_a_host_that_refuses_connections() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        async with Downloader({host_of(url)}, ()) as downloader:
            with pytest.raises(DownloadError, match="no answer"):
                await downloader.video(url, MANY_BYTES)


# Pictures


async def test_pictures_are_fetched_from_discord_only(server: FileServer) -> None:
    async with Downloader({server.host}, {"cdn.discordapp.com"}) as downloader:
        for url in (server.url("/a.png"), "https://cdn.discordapp.com.evil.example/a.png", "https://evil.example/"):
            with pytest.raises(DownloadError, match="from Discord only"):
                await downloader.picture(url, lambda _data, _size: True, 100)
    assert server.asked == []


async def test_a_picture_is_read_until_it_is_enough(server: FileServer, trusting: Downloader) -> None:
    seen: list[int] = []

    def enough(data: bytes, size: int | None) -> bool:
        assert data == PICTURE[: len(data)]
        assert size == len(PICTURE)
        seen.append(len(data))
        return True

    await trusting.picture(server.url("/a.png"), enough, MANY_BYTES)
    assert len(seen) == 1
    assert seen[0] < len(PICTURE)


@pytest.mark.parametrize("max_bytes", [1000, 300_000, len(PICTURE), MANY_BYTES])
async def test_the_last_check_of_a_picture_has_all_of_it(
    server: FileServer, trusting: Downloader, max_bytes: int
) -> None:
    seen: list[tuple[int, int | None]] = []

    def never(data: bytes, size: int | None) -> bool:
        seen.append((len(data), size))
        return False

    assert await trusting.picture(server.url("/a.png"), never, max_bytes) == PICTURE[: seen[-1][0]]
    assert seen[-1][0] == seen[-1][1]
    assert seen[-1][0] >= min(max_bytes, len(PICTURE))


async def test_a_refusal_by_the_check_is_raised_and_not_retried(server: FileServer, trusting: Downloader) -> None:
    def refuse(_data: bytes, _size: int | None) -> bool:
        raise RefusedError(Refusal.IMAGE_UNREADABLE)

    with refused(Refusal.IMAGE_UNREADABLE):
        await trusting.picture(server.url("/a.png"), refuse, MANY_BYTES)
    assert len(server.asked) == 1


async def test_a_picture_is_tried_again(server: FileServer, trusting: Downloader) -> None:
    server.faults.add("GET", "/a.png", Fault(status=503), times=2)
    await trusting.picture(server.url("/a.png"), lambda _data, _size: True, 100)
    assert server.faults.hits == 2


# Addresses that are not public: tests/test_downloads_hosts.py has the rest


async def test_localhost_has_no_public_address() -> None:
    resolver = PublicResolver()
    with pytest.raises(OSError, match="no public address"):
        await resolver.resolve("localhost", 80)
    await resolver.close()


@PROPERTY
@given(st.ip_addresses(v=4))
def test_an_address_is_as_public_as_its_other_spellings(address: IPv4Address) -> None:
    verdicts = {is_public(f"{prefix}{address}") for prefix in ("", "::ffff:", "64:ff9b::")}
    assert len(verdicts) == 1
    assert not verdicts.pop() or address.is_global
