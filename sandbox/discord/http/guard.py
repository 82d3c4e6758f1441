"""Refuses requests of other sites' pages: Host must be a loopback name, and Origin this server."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiohttp import web

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@web.middleware
async def only_loopback(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse requests for another host (DNS rebinding) and from another origin.

    Raises:
        HTTPForbidden: the request is refused.
    """
    host = _host_and_port(f"//{request.headers.get('Host', '')}")
    if host is None:
        raise web.HTTPForbidden(text="This server only answers on loopback.")
    if "Origin" in request.headers:
        origin = _host_and_port(request.headers["Origin"])
        # localhost and 127.0.0.1 are the same origin, another port is not
        if origin is None or origin[1] != host[1]:
            raise web.HTTPForbidden(text="Another site's page cannot use this server.")
    return await handler(request)


def _host_and_port(url: str) -> tuple[str, int | None] | None:
    """Return the loopback name and the port of a URL; None if it is not on loopback."""
    try:
        parts = urlsplit(url)
        name, port = parts.hostname, parts.port
    except ValueError:
        return None
    return (name, port) if name in _LOOPBACK and name is not None else None
