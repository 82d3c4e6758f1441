"""Fetches files from other people's addresses: pictures from Discord, videos from the provider.

Only http and https, no redirects, bounded in size and time. Addresses of this machine and its network are
refused unless the host is one that the operator has named in the settings: what a name resolves to is checked,
and what was checked is what is connected to.
"""

import ipaddress
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from io import BufferedRandom
from typing import Self

import aiohttp
import stamina
import yarl
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from bot.errors import DownloadError

_TIMEOUT = aiohttp.ClientTimeout(total=120, sock_connect=10, sock_read=20)
# The files themselves: their sizes are what is bounded.
_HEADERS = {"Accept-Encoding": "identity"}
_CHUNK_BYTES = 64 * 1024
_MP4_BRAND = b"ftyp"
_WEBM_MAGIC = b"\x1a\x45\xdf\xa3"

# Discord's documentation, "CDN Formatting" and "Uploading Files": where attachments are served.
DISCORD_FILE_HOSTS = frozenset({"cdn.discordapp.com", "media.discordapp.net"})


class _TemporaryTroubleError(DownloadError):
    """Worth another try."""


class PublicResolver(AbstractResolver):
    """Resolves names to public addresses only."""

    def __init__(self) -> None:
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the public addresses of a host.

        Raises:
            OSError: it has none.
        """
        found = await self._resolver.resolve(host, port, family)
        public = [result for result in found if is_public(result["host"])]
        if not public:
            raise OSError(None, f"{host} has no public address")
        return public

    async def close(self) -> None:
        """Close the resolver."""
        await self._resolver.close()


def is_public(address: str) -> bool:
    """Tell whether an IP address is one of the open internet."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None) or ip
    return mapped.is_global and not mapped.is_multicast


class Downloader:
    """Fetches files; to be used as `async with Downloader(...) as downloader`.

    Args:
        trusted_hosts: hosts that may be at private addresses, because the operator named them.
        picture_hosts: the only hosts that pictures are fetched from.
    """

    def __init__(self, trusted_hosts: Iterable[str], picture_hosts: Iterable[str]) -> None:
        self._trusted_hosts = frozenset(trusted_hosts)
        self._picture_hosts = frozenset(picture_hosts)
        self._trusting = aiohttp.ClientSession(timeout=_TIMEOUT, auto_decompress=False, headers=_HEADERS)
        self._wary = aiohttp.ClientSession(
            timeout=_TIMEOUT,
            auto_decompress=False,
            headers=_HEADERS,
            connector=aiohttp.TCPConnector(resolver=PublicResolver()),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._trusting.close()
        await self._wary.close()

    async def picture_header(self, url: str, is_enough: Callable[[bytes, bool], bool], max_bytes: int) -> None:
        """Show the first bytes of a picture to `is_enough`, more and more of them, until it is satisfied.

        Args:
            url: of the picture; only Discord's hosts are asked.
            is_enough: gets the bytes so far, and whether they are all; its exceptions come through.
            max_bytes: after so many, they count as all.

        Raises:
            DownloadError: it can't be fetched.
        """
        if host_of(url) not in self._picture_hosts:
            raise DownloadError("pictures are fetched from Discord only")
        async for attempt in _tries():
            with attempt:
                await self._show_header(url, is_enough, max_bytes)

    async def video(self, url: str, max_bytes: int) -> BufferedRandom:
        """Fetch a video into a temporary file, which the caller closes.

        Raises:
            DownloadError: it can't be fetched, is no MP4 or WebM, or has more than `max_bytes`.
        """
        async for attempt in _tries():
            with attempt:
                return await self._fetch_video(url, max_bytes)
        raise DownloadError("no try was made")

    async def _show_header(self, url: str, is_enough: Callable[[bytes, bool], bool], max_bytes: int) -> None:
        header = bytearray()
        async with self._open(url) as response:
            async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
                header += chunk
                if is_enough(bytes(header), len(header) >= max_bytes) or len(header) >= max_bytes:
                    return
        is_enough(bytes(header), True)

    async def _fetch_video(self, url: str, max_bytes: int) -> BufferedRandom:
        async with self._open(url) as response:
            if (response.content_length or 0) > max_bytes:
                raise DownloadError(f"the video has {response.content_length} bytes")
            file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
            try:
                await _copy(response, file, max_bytes)
            except BaseException:
                file.close()
                raise
            return file

    @asynccontextmanager
    async def _open(self, url: str) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with self._session_for(url).get(yarl.URL(url), allow_redirects=False) as response:
                if response.status >= 500:
                    raise _TemporaryTroubleError(f"status {response.status}")
                if response.status != 200:
                    raise DownloadError(f"status {response.status}")
                yield response
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
            raise DownloadError("not an address to fetch from") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _TemporaryTroubleError(f"no answer ({type(error).__name__})") from error

    def _session_for(self, url: str) -> aiohttp.ClientSession:
        host = host_of(url)
        if host in self._trusted_hosts:
            return self._trusting
        # A resolver is not asked about an address that is written out.
        if _is_numeric(host) and not is_public(host):
            raise DownloadError("an address of this machine or network")
        return self._wary


def _tries() -> AsyncIterator[stamina.Attempt]:
    return stamina.retry_context(on=_TemporaryTroubleError, attempts=3, wait_initial=0.2, timeout=60).__aiter__()


async def _copy(response: aiohttp.ClientResponse, file: BufferedRandom, max_bytes: int) -> None:
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        file.write(chunk)
        if file.tell() > max_bytes:
            raise DownloadError(f"the video has more than {max_bytes} bytes")
    file.seek(0)
    if not _is_video(file.read(12)):
        raise DownloadError("that is no MP4 or WebM")
    file.seek(0)


def _is_video(start: bytes) -> bool:
    return start[4:8] == _MP4_BRAND or start.startswith(_WEBM_MAGIC)


def host_of(url: str) -> str:
    """Return the host of an address, in the very form in which it is connected to.

    Raises:
        DownloadError: it is not one of http or https.
    """
    try:
        address = yarl.URL(url)
        host = address.raw_host
    except ValueError as error:
        raise DownloadError("not an address") from error
    if address.scheme not in ("http", "https") or not host:
        raise DownloadError("not an address to fetch from")
    return host


def _is_numeric(host: str) -> bool:
    """Tell what aiohttp takes for an IP address, short forms such as 127.1 included."""
    return ":" in host or host.replace(".", "").isdigit()
