"""Which hosts a download reaches, under which names, and where its redirects may lead."""

import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.abc import ResolveResult
from aiohttp.resolver import AsyncResolver
from yarl import URL

from bot.errors import DownloadError
from bot.media import downloads
from bot.media.downloads import DISCORD_FILE_HOSTS, Downloader, PublicResolver, host_of, is_public
from tests.loopback import MP4, Handler, Server, fetch, serving


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as running:
        yield running


@pytest_asyncio.fixture
async def trusting(server: Server) -> AsyncIterator[Downloader]:
    """Trusts the server at 127.0.0.1, and no other address of it."""
    async with Downloader({server.trusted}, {"127.0.0.1"}) as downloader:
        yield downloader


@pytest.fixture
def second_is_public(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let 127.0.0.2 stand for an address of the open internet."""
    monkeypatch.setattr(downloads, "is_public", lambda address: address == "127.0.0.2")


def answering(status: int, **headers: str) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        del request
        return web.Response(status=status, headers=headers)

    return answer


def leading(*steps: str) -> Handler:
    """Redirect from step to step; the last one has the video."""

    async def answer(request: web.Request) -> web.Response:
        step = int(request.query.get("step", "0"))
        if step == len(steps):
            return web.Response(body=MP4)
        return web.Response(status=302, headers={"Location": f"{steps[step]}?step={step + 1}"})

    return answer


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"]
)
def test_addresses_of_the_open_internet(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104 - an address that is refused
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.1.1.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "fc00::1",
        "fe80::1",
        "fe80::1%lo",
        "fec0::1",
        "ff02::1",
        "5f00::1",
        "2130706433",
        "127.1",
        "localhost",
        "",
    ],
)
def test_addresses_of_other_networks_are_refused(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST",
        "127.0.0.2",
        "127.1",
        "127.0.0.1.",
        "2130706433",
        "017700000001",
        "0177.0.0.1",
        "0x7f.0.0.1",
        "0x7f000001",
        "0",
        "0.0.0.0",  # noqa: S104 - an address that is refused
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "①②⑦.0.0.2",
        "\uff11\uff12\uff17.0.0.2",
        "127。0。0。2",
    ],
)
async def test_the_local_machine_is_refused_under_every_name(server: Server, trusting: Downloader, host: str) -> None:
    with pytest.raises(DownloadError):
        await fetch(trusting, server.url(host=host))
    assert server.requests == []


async def test_trust_applies_to_a_host_and_its_port(server: Server, trusting: Downloader) -> None:
    async with serving() as neighbour:
        with pytest.raises(DownloadError, match="this machine"):
            await fetch(trusting, neighbour.url())
        assert neighbour.requests == []
    assert await fetch(trusting, server.url()) == MP4


@pytest.mark.parametrize("user", ["user:password@", "user@", ":password@"])
async def test_passwords_in_addresses_are_sent_to_nobody(server: Server, trusting: Downloader, user: str) -> None:
    with pytest.raises(DownloadError, match="password"):
        await fetch(trusting, f"http://{user}127.0.0.1:{server.port}/")
    assert server.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/video.mp4",
        "//host/video.mp4",
        "ftp://host/",
        "file:///etc/passwd",
        "data:video/mp4,x",
        "javascript:1",
        "http://",
        "http:///x",
        "http://[::1",
        "http://host:99999/",
        "http://ulazai.com\\@127.0.0.1/",
    ],
)
async def test_invalid_web_addresses_are_refused(trusting: Downloader, url: str) -> None:
    with pytest.raises(DownloadError):
        await fetch(trusting, url)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://ulazai.com/x", "ulazai.com"),
        ("https://ULAZAI.com:443", "ulazai.com"),
        ("http://ulazai.com:443", "ulazai.com:443"),
        ("http://127.0.0.1:8080/api", "127.0.0.1:8080"),
        ("http://[::1]:8080/", "[::1]:8080"),
        ("https://ulazai.com@127.0.0.1.example/", None),
    ],
)
def test_host_of(url: str, host: str | None) -> None:
    if host is None:
        with pytest.raises(DownloadError):
            host_of(url)
    else:
        assert host_of(url) == host


# Names


def result(address: str) -> ResolveResult:
    return ResolveResult(
        hostname="video.example", host=address, port=80, family=socket.AF_INET, proto=0, flags=socket.AI_NUMERICHOST
    )


def resolving_to(monkeypatch: pytest.MonkeyPatch, resolver: type, *addresses: str) -> list[str]:
    asked: list[str] = []

    async def resolve(self: object, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        del self, family
        asked.append(host)
        return [result(address) | {"port": port} for address in addresses]

    monkeypatch.setattr(resolver, "resolve", resolve)
    return asked


async def test_look_ups_take_none_of_the_loops_threads(
    server: Server, trusting: Downloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_args: object, **_kwargs: object) -> list[object]:
        raise AssertionError("a thread of the loop's would wait for this")

    monkeypatch.setattr(socket, "getaddrinfo", never)
    with pytest.raises(DownloadError, match="this machine"):
        await fetch(trusting, server.url(host="localhost"))
    async with Downloader({f"localhost:{server.port}"}, {"localhost"}) as downloader:
        assert await fetch(downloader, server.url(host="localhost")) == MP4
        await look(downloader, server.url(host="localhost"))


async def test_only_the_public_ones_of_a_names_addresses_are_used(
    server: Server, trusting: Downloader, second_is_public: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    del second_is_public
    resolving_to(monkeypatch, AsyncResolver, "127.0.0.3", "127.0.0.2", "127.0.0.4")
    await fetch(trusting, server.url(host="video.example"))
    assert server.reached == ["127.0.0.2"]


async def test_host_without_a_public_address_is_refused_at_once(
    server: Server, trusting: Downloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = resolving_to(monkeypatch, AsyncResolver, "127.0.0.1", "10.0.0.1")
    with pytest.raises(DownloadError, match="this machine"):
        await fetch(trusting, server.url(host="video.example"))
    assert (len(asked), server.requests) == (1, [])


async def test_what_is_connected_to_is_checked_whoever_resolved_it(
    server: Server, trusting: Downloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving_to(monkeypatch, PublicResolver, "127.0.0.1")
    with pytest.raises(DownloadError, match="this machine"):
        await fetch(trusting, server.url(host="video.example"))
    assert server.requests == []


async def test_public_host_on_a_port_that_is_not_of_the_web_is_left_alone(
    trusting: Downloader, second_is_public: None
) -> None:
    del second_is_public
    with pytest.raises(DownloadError, match="port 25"):
        await fetch(trusting, "http://127.0.0.2:25/")


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_on_the_same_host_is_followed(server: Server, trusting: Downloader, status: int) -> None:
    async def answer(request: web.Request) -> web.Response:
        if request.path == "/moved":
            return web.Response(body=MP4)
        return web.Response(status=status, headers={"Location": "moved"})

    server.handler = answer
    assert await fetch(trusting, server.url()) == MP4


async def test_three_redirects_are_followed_and_no_more(server: Server, trusting: Downloader) -> None:
    server.handler = leading("/a", "/b", "/c")
    assert await fetch(trusting, server.url()) == MP4
    server.handler = leading("/a", "/b", "/c", "/d")
    with pytest.raises(DownloadError, match="more than 3"):
        await fetch(trusting, server.url())
    assert len(server.requests) == 8


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.2:{port}/",
        "http://localhost:{port}/",
        "//[::ffff:127.0.0.1]:{port}/",
        "http://2130706433:{port}/",
        "http://user:password@127.0.0.1:{port}/",
        "ftp://127.0.0.1:{port}/",
        "file:///etc/passwd",
        "http://[",
        "",
    ],
)
async def test_redirect_to_the_local_machine_is_refused(server: Server, trusting: Downloader, location: str) -> None:
    server.handler = answering(302, Location=location.format(port=server.port))
    with pytest.raises(DownloadError):
        await fetch(trusting, server.url())
    # An empty address is that of the same page.
    assert {request.host for request in server.requests} == {server.trusted}


async def test_redirect_to_the_open_internet_is_followed_but_not_back(
    server: Server, trusting: Downloader, second_is_public: None
) -> None:
    del second_is_public
    server.handler = leading(server.url("/a", "127.0.0.2"))
    assert await fetch(trusting, server.url()) == MP4
    server.requests.clear()
    server.handler = leading(server.url("/a", "127.0.0.2"), server.url("/b"))
    with pytest.raises(DownloadError, match="this machine"):
        await fetch(trusting, server.url())
    assert [request.path for request in server.requests] == ["/video.mp4", "/a"]


async def test_other_hosts_do_not_redirect_to_the_trusted_host(
    server: Server, trusting: Downloader, second_is_public: None
) -> None:
    del second_is_public
    server.handler = leading(server.url("/inside"))
    with pytest.raises(DownloadError, match="this machine"):
        await fetch(trusting, server.url(host="127.0.0.2"))
    assert len(server.requests) == 1


def test_redirect_never_downgrades_to_http() -> None:
    with pytest.raises(DownloadError, match="https to http"):
        downloads._redirected(URL("https://ulazai.com/x"), "http://ulazai.com/x")
    assert downloads._redirected(URL("http://ulazai.com/x"), "https://ulazai.com/y") == URL("https://ulazai.com/y")


# Pictures


async def look(downloader: Downloader, url: str) -> None:
    await downloader.picture(url, lambda data, size: len(data) > 3 or size is not None, 100)


async def test_pictures_come_from_discord_only_and_are_not_redirected(server: Server, trusting: Downloader) -> None:
    await look(trusting, server.url())
    server.handler = answering(302, Location="/moved")
    with pytest.raises(DownloadError, match="302"):
        await look(trusting, server.url())
    assert len(server.requests) == 2
    for url in (server.url(host="127.0.0.2"), "http://cdn.discordapp.com.example/", "ftp://cdn.discordapp.com/"):
        with pytest.raises(DownloadError, match=r"Discord only|not an address"):
            await look(trusting, url)


async def test_hosts_of_pictures_are_not_trusted_with_videos(server: Server) -> None:
    async with Downloader(set(), {"127.0.0.1", *DISCORD_FILE_HOSTS}) as downloader:
        await look(downloader, server.url())
        with pytest.raises(DownloadError, match="this machine"):
            await fetch(downloader, server.url())
