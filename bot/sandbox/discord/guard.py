"""Keeps foreign web pages away: only loopback names as Host, and only the own page as Origin."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiohttp import web

if TYPE_CHECKING:
    from bot.sandbox.discord.rest_base import Handler

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@web.middleware
async def only_loopback(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse requests for another host (DNS rebinding) and those that another site's page makes."""
    if _hostname(f"//{request.headers.get('Host', '')}") not in _LOOPBACK:
        raise web.HTTPForbidden(text="This server only answers on loopback.")
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("Host"):
        raise web.HTTPForbidden(text="Another site's page cannot use this server.")
    return await handler(request)


def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
