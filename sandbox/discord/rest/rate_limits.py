"""Rate limits: per route and channel, server or token, and global.

Discord publishes no limits of single routes; these are plausible ones. The headers, the body and the global limit of
50 requests per second are Discord's. Source: Discord's documentation, "Rate Limits".
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from sandbox.discord.settings import Settings

from sandbox.discord.http.json_answers import json_answer

GLOBAL_PER_SECOND: Final = 50
_MAJOR: Final = ("channel_id", "guild_id", "token")
_SWEEP_ABOVE: Final = 2000

Route = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Limit:
    """A number of requests per window of seconds."""

    requests: int
    seconds: float


DEFAULT_LIMIT: Final = Limit(50, 1.0)


def usual_limits() -> dict[Route, Limit]:
    """Return the limits by method and route template; other routes have `DEFAULT_LIMIT`."""
    message = "/channels/{channel_id}/messages/{message_id}"
    hook = "/webhooks/{application_id}/{token}"
    return {
        ("POST", "/channels/{channel_id}/messages"): Limit(5, 5.0),
        ("PATCH", message): Limit(5, 5.0),
        ("DELETE", message): Limit(5, 1.0),
        ("POST", message + "/threads"): Limit(10, 10.0),
        ("POST", "/channels/{channel_id}/threads"): Limit(10, 10.0),
        ("PATCH", "/channels/{channel_id}"): Limit(10, 10.0),
        ("POST", "/users/@me/channels"): Limit(10, 10.0),
        ("POST", hook): Limit(5, 2.0),
        ("PATCH", hook + "/messages/{message_id}"): Limit(5, 2.0),
    }


@dataclass(slots=True)
class _Window:
    limit: Limit
    started: float
    used: int = 0

    def renew(self, now: float) -> None:
        if now - self.started >= self.limit.seconds:
            self.started, self.used = now, 0

    def left_seconds(self, now: float) -> float:
        return max(0.0, self.started + self.limit.seconds - now)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A rate-limited request."""

    retry_after: float
    is_global: bool


class RateLimiter:
    """Counts requests in fixed windows. `limits` may be changed at any time."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = usual_limits()
        self.refused = 0
        self._settings = settings
        self._clock = clock
        self._windows: dict[tuple[str, ...], _Window] = {}
        self._all = _Window(Limit(GLOBAL_PER_SECOND, 1.0), 0.0)

    def take(self, request: web.Request, template: str) -> Refusal | None:
        """Count a request; returns the refusal if a limit is exceeded."""
        if not self._settings.rate_limits or template.startswith("/interactions/"):
            return None
        now = self._clock()
        window = self._window(request, template, now)
        counts_in_all = not template.startswith("/webhooks/")
        self._all.renew(now)
        if counts_in_all and self._all.used >= self._all.limit.requests:
            return self._refuse(self._all, now, is_global=True)
        if window.used >= window.limit.requests:
            return self._refuse(window, now, is_global=False)
        window.used += 1
        self._all.used += counts_in_all
        return None

    def headers(self, request: web.Request, template: str) -> dict[str, str]:
        """Return the rate limit headers of a response; empty if nothing is limited."""
        if not self._settings.rate_limits or template.startswith("/interactions/"):
            return {}
        now = self._clock()
        window = self._window(request, template, now)
        left = window.left_seconds(now)
        bucket = hashlib.md5(f"{request.method} {template}".encode(), usedforsecurity=False)
        return {
            "X-RateLimit-Limit": str(window.limit.requests),
            "X-RateLimit-Remaining": str(window.limit.requests - window.used),
            "X-RateLimit-Reset": f"{time.time() + left:.3f}",
            "X-RateLimit-Reset-After": f"{left:.3f}",
            "X-RateLimit-Bucket": bucket.hexdigest(),
        }

    def answer(self, request: web.Request, template: str, refusal: Refusal) -> web.Response:
        """Return the 429 for a refused request, with `Via`: discord.py treats one without it as a ban.

        Args:
            request: the request.
            template: its route template.
            refusal: the exceeded limit.
        """
        headers = self.headers(request, template) | {
            "Via": "1.1 local",
            "Retry-After": str(max(1, round(refusal.retry_after))),
            "X-RateLimit-Scope": "global" if refusal.is_global else "user",
        }
        if refusal.is_global:
            headers["X-RateLimit-Global"] = "true"
        body = {
            "message": "You are being rate limited.",
            "retry_after": refusal.retry_after,
            "global": refusal.is_global,
        }
        return json_answer(body, status=429, headers=headers)

    def _window(self, request: web.Request, template: str, now: float) -> _Window:
        majors = [request.match_info.get(name, "") for name in _MAJOR]
        key = (request.method, template, *majors)
        window = self._windows.get(key)
        if window is None:
            self._sweep(now)
            limit = self.limits.get((request.method, template), DEFAULT_LIMIT)
            window = self._windows[key] = _Window(limit, now)
        window.renew(now)
        return window

    def _refuse(self, window: _Window, now: float, *, is_global: bool) -> Refusal:
        self.refused += 1
        return Refusal(round(window.left_seconds(now) + 0.001, 3), is_global)

    def _sweep(self, now: float) -> None:
        if len(self._windows) > _SWEEP_ABOVE:
            self._windows = {key: w for key, w in self._windows.items() if w.left_seconds(now) > 0}
