"""Fetches files from other people's addresses: pictures from Discord, videos from the provider.

Only http and https, bounded in size and time. Addresses of this machine and its network are refused unless the
host is one that the operator has named in the settings: what a name resolves to is checked, and the address is
checked once more where the socket is made, so that what was checked is what is connected to. A video's redirects
are followed for a few hops, each checked like the first one; none leads back to a host that is trusted as it is.
"""

import asyncio
import ipaddress
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, asynccontextmanager, suppress
from io import BufferedRandom, BufferedReader
from pathlib import Path
from typing import ParamSpec, Self, TypeVar

import aiohttp
import stamina
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import AsyncResolver
from yarl import URL

from bot.errors import DownloadError, DownloadRefusedError

# How long the whole of a download may take is the caller's to say, and includes every try.
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=20)
_VIDEO_SECONDS = 120.0
_CHUNK_BYTES = 256 * 1024
_MAX_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# A packed answer could unfold to any size: none is asked for, and none is taken.
_HEADERS = {"Accept-Encoding": "identity"}

_MP4_BRAND = b"ftyp"
_WEBM_MAGIC = b"\x1a\x45\xdf\xa3"
_MAGIC_BYTES = 12

# RFC 4291, 2.4: every global unicast address that was ever given out is in here.
_IPV6_UNICAST = ipaddress.IPv6Network("2000::/3")
# RFC 6052, 2.1: an IPv4 address as a network without IPv4 writes it.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_WEB_PORTS = frozenset({80, 443})
_FIRST_FREE_PORT = 1024

# Discord's documentation, "CDN Formatting" and "Uploading Files": where attachments are served.
DISCORD_FILE_HOSTS = frozenset({"cdn.discordapp.com", "media.discordapp.net"})


_P = ParamSpec("_P")
_T = TypeVar("_T")
_File = TypeVar("_File", BufferedRandom, BufferedReader)


class _TemporaryTroubleError(DownloadError):
    """Worth another try."""


class _NotPublicError(OSError):
    """A connection to an address that is not of the open internet."""


class PublicResolver(AbstractResolver):
    """Resolves names to public addresses only.

    No thread waits for an answer: the loop has few, and a name server that is slow would hold up whoever needs one.
    """

    def __init__(self) -> None:
        self._resolver = AsyncResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the public addresses of a host.

        Args:
            host: name to resolve.
            port: which the addresses get.
            family: of the addresses.

        Raises:
            OSError: it has none.
            _NotPublicError: it has addresses, none of them public.
        """
        found = await self._resolver.resolve(host, port, family)
        public = [result for result in found if is_public(result["host"])]
        if not public:
            raise _NotPublicError(None, f"{host} has no public address")
        return public

    async def close(self) -> None:
        """Close the resolver."""
        await self._resolver.close()


def is_public(address: str) -> bool:
    """Return whether an IP address is a public one."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv4Address):
        return ip.is_global and not ip.is_multicast
    inner = _inner_ipv4(ip)
    if inner is not None:
        return is_public(str(inner))
    return ip.is_global and ip in _IPV6_UNICAST


def _inner_ipv4(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that is meant by an IPv6 one: mapped, by 6to4, or by NAT64."""
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour


def _public_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """Make the socket for a connection; an address that is written out comes here without asking a resolver.

    Raises:
        _NotPublicError: the address is not public.
    """
    family, kind, protocol, _, target = address
    if not is_public(str(target[0])):
        raise _NotPublicError(None, "an address of this machine or network")
    return socket.socket(family, kind, protocol)


class Downloader:
    """Fetches files; to be used as `async with Downloader(...) as downloader`.

    Args:
        trusted_hosts: whose videos are fetched wherever these hosts are, because the operator named them; written
            as `host_of` does, with the port where it is not the usual one.
        picture_hosts: the names of the only hosts that pictures are fetched from, wherever they are, at any port:
            a Discord-compatible server may serve its files beside its API.
    """

    def __init__(self, trusted_hosts: Iterable[str], picture_hosts: Iterable[str]) -> None:
        self._trusted_hosts = frozenset(trusted_hosts)
        self._picture_hosts = frozenset(picture_hosts)
        self._resolvers: tuple[AbstractResolver, ...] = (AsyncResolver(), PublicResolver())
        named, public = self._resolvers
        # Connections of their own for pictures: a member waits for those, and videos may take minutes.
        self._pictures = _session(aiohttp.TCPConnector(resolver=named))
        self._trusting = _session(aiohttp.TCPConnector(resolver=named))
        self._wary = _session(aiohttp.TCPConnector(resolver=public, socket_factory=_public_socket))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for session in (self._pictures, self._trusting, self._wary):
            await session.close()
        for resolver in self._resolvers:
            await resolver.close()

    async def picture(
        self, url: str, is_enough: Callable[[bytes, int | None], bool], max_bytes: int, *, max_seconds: float = 30.0
    ) -> bytes:
        """Read a picture for as long as `is_enough` is not satisfied, and return what was read.

        Args:
            url: of the picture; only Discord's hosts are asked.
            is_enough: gets the bytes so far, and the size of the whole file where it is known; its exceptions come
                through. Once it has all bytes, what it returns makes no difference.
            max_bytes: more are not read; then what was read counts as the whole.
            max_seconds: how long it may take in all, with every try.

        Raises:
            DownloadRefusedError: it is not on one of Discord's hosts.
            DownloadError: it can't be fetched now.
        """
        target = _parse(url)
        if target.host not in self._picture_hosts:
            raise DownloadRefusedError("pictures are fetched from Discord only")
        async with _deadline(max_seconds):
            async for attempt in _tries():
                with attempt:
                    return await self._read_picture(target, is_enough, max_bytes)
        raise DownloadError("no try was made")

    async def video(
        self, url: str, max_bytes: int, *, max_seconds: float = _VIDEO_SECONDS, folder: Path | None = None
    ) -> BufferedRandom:
        """Fetch a video into a temporary file, which the caller closes.

        Args:
            url: of the video.
            max_bytes: what is longer is refused, as soon as that is known.
            max_seconds: how long it may take in all, with every try.
            folder: on whose disk the temporary file is; it has no name there. None: the system's place for them.

        Raises:
            DownloadRefusedError: it has more than `max_bytes`, or its address may not be fetched from.
            DownloadError: it can't be fetched now, or what came is no MP4 or WebM.
        """
        target = _parse(url)
        async with _deadline(max_seconds):
            async for attempt in _tries():
                with attempt:
                    return await self._fetch_video(target, max_bytes, folder)
        raise DownloadError("no try was made")

    async def _read_picture(self, url: URL, is_enough: Callable[[bytes, int | None], bool], max_bytes: int) -> bytes:
        data = bytearray()
        async with self._request(url, self._pictures) as response:
            _check_answer(response)
            size = response.content_length
            async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
                data += chunk
                if is_enough(bytes(data), size):
                    return bytes(data)
                if len(data) >= max_bytes:
                    break
        is_enough(bytes(data), len(data))
        return bytes(data)

    async def _fetch_video(self, url: URL, max_bytes: int, folder: Path | None) -> BufferedRandom:
        with ExitStack() as undo:
            async with self._open(url, self._trusted_hosts, max_redirects=_MAX_REDIRECTS) as response:
                if (response.content_length or 0) > max_bytes:
                    raise DownloadRefusedError(f"the video has {response.content_length} bytes")
                try:
                    file = await open_in_thread(lambda: _temporary_file(folder))
                except OSError as error:
                    raise DownloadError(_disk_trouble(error)) from error
                # On a full disk closing writes what is over, and fails again.
                undo.enter_context(suppress(OSError))
                undo.enter_context(file)
                await _copy(response, file, max_bytes)
            undo.pop_all()
            return file

    @asynccontextmanager
    async def _open(
        self, url: URL, trusted_hosts: AbstractSet[str], *, max_redirects: int
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        is_trusted = True
        for _ in range(max_redirects + 1):
            # After a redirect by another host, even a trusted host is checked like any other.
            is_trusted = is_trusted and _host(url) in trusted_hosts
            if not is_trusted and (url.port or 0) not in _WEB_PORTS and (url.port or 0) < _FIRST_FREE_PORT:
                raise DownloadRefusedError(f"port {url.port} is not of the web")
            async with self._request(url, self._trusting if is_trusted else self._wary) as response:
                if not max_redirects or response.status not in _REDIRECTS:
                    _check_answer(response)
                    yield response
                    return
                url = _redirected(url, response.headers.get("Location", ""))
        raise DownloadError(f"more than {max_redirects} redirects")

    @asynccontextmanager
    async def _request(self, url: URL, session: aiohttp.ClientSession) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with session.get(url, allow_redirects=False) as response:
                yield response
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
            raise DownloadRefusedError("not an address to fetch from") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if isinstance(getattr(error, "os_error", None), _NotPublicError):
                raise DownloadRefusedError("an address of this machine or network") from error
            raise _TemporaryTroubleError(f"no answer ({type(error).__name__})") from error


def _session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        timeout=_TIMEOUT,
        headers=_HEADERS,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    )


def _tries() -> AsyncIterator[stamina.Attempt]:
    return stamina.retry_context(
        on=_TemporaryTroubleError, attempts=3, wait_initial=0.2, wait_jitter=0.2, timeout=60
    ).__aiter__()


@asynccontextmanager
async def _deadline(seconds: float) -> AsyncIterator[None]:
    """Bound the whole of a download: bytes that come one by one are each in time.

    Raises:
        DownloadError: the time is over.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise DownloadError(f"not here within {seconds:g} seconds") from error


def _check_answer(response: aiohttp.ClientResponse) -> None:
    if response.status >= 500:
        raise _TemporaryTroubleError(f"status {response.status}")
    if response.status != 200:
        raise DownloadError(f"status {response.status}")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise DownloadError("the answer is packed")


async def _copy(response: aiohttp.ClientResponse, file: BufferedRandom, max_bytes: int) -> None:
    start, size = b"", 0
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        if len(start) < _MAGIC_BYTES:
            start += chunk[:_MAGIC_BYTES]
            _check_start(start)
        size += len(chunk)
        if size > max_bytes:
            raise DownloadRefusedError(f"the video has more than {max_bytes} bytes")
        await _on_disk(file.write, chunk)
    if len(start) < _MAGIC_BYTES:
        raise DownloadError("that is no MP4 or WebM")
    await _on_disk(file.seek, 0)


def _check_start(start: bytes) -> None:
    if len(start) >= _MAGIC_BYTES and start[4:8] != _MP4_BRAND and not start.startswith(_WEBM_MAGIC):
        raise DownloadError("that is no MP4 or WebM")


def _temporary_file(folder: Path | None) -> BufferedRandom:
    return tempfile.TemporaryFile(dir=folder)


async def open_in_thread(work: Callable[[], _File]) -> _File:
    """Open a file in a thread; one that is opened for a task that was cancelled meanwhile is closed again.

    Raises:
        CancelledError: the task was cancelled.
        OSError: the file can't be opened.
    """
    opening = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(lambda done: None if done.cancelled() or done.exception() else done.result().close())
        raise


async def _on_disk(work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Do something with a file in a thread: a disk may be slow, or full.

    Raises:
        DownloadError: the disk refused it.
    """
    try:
        return await asyncio.to_thread(work, *args, **kwargs)
    except OSError as error:
        raise DownloadError(_disk_trouble(error)) from error


def _disk_trouble(error: OSError) -> str:
    return f"the disk does not take it ({error.strerror})"


def host_of(url: str) -> str:
    """Return the host of an address, with its port where that is not the usual one of http or https.

    Raises:
        DownloadRefusedError: it is not one of http or https, or has a password in it.
    """
    return _host(_parse(url))


def name_of(url: str) -> str:
    """Return the name of an address's host, without its port.

    Raises:
        DownloadRefusedError: it is not one of http or https, or has a password in it.
    """
    return _parse(url).host or ""


def _parse(url: str) -> URL:
    """Read an address as the HTTP client does: two readers could see two hosts in it.

    Raises:
        DownloadRefusedError: it is not one of http or https, or has a password in it.
    """
    try:
        parsed = URL(url)
    except ValueError as error:
        raise DownloadRefusedError("not an address") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise DownloadRefusedError("not an address to fetch from")
    if parsed.user is not None or parsed.password is not None:
        raise DownloadRefusedError("an address with a password in it")
    return parsed


def _redirected(url: URL, location: str) -> URL:
    try:
        target = _parse(str(url.join(URL(location))))
    except ValueError as error:
        raise DownloadRefusedError("a redirect to no address") from error
    if url.scheme == "https" and target.scheme != "https":
        raise DownloadRefusedError("a redirect from https to http")
    return target


def _host(url: URL) -> str:
    return url.host_port_subcomponent or ""
