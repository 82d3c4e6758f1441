"""The REST API: all routes below `/api/v10`, with token check and rate limits."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from sandbox.discord.http.form import Form, read_form
from sandbox.discord.http.json_answers import json_answer
from sandbox.discord.messages.service import LateEditLimitError
from sandbox.discord.rest.account import AccountRest
from sandbox.discord.rest.base import FORM
from sandbox.discord.rest.commands import CommandRest
from sandbox.discord.rest.guilds import GuildRest
from sandbox.discord.rest.interactions import InteractionRest
from sandbox.discord.rest.messages import MessageRest
from sandbox.discord.rest.pins import PinRest
from sandbox.discord.rest.rate_limits import RateLimiter
from sandbox.discord.rest.threads import ThreadRest
from sandbox.discord.world.errors import ApiError

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

    from sandbox.discord.services import Services

PREFIX = "/api/v10"

_CODE = web.ResponseKey("discord_code", int)
_BY_TOKEN = ("/interactions/", "/webhooks/")


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request to the REST API and how it ended.

    Attributes:
        request: the request.
        route: its route template after `/api/v10`, such as `/channels/{channel_id}/messages`.
        form: its body.
        status: the answer's status; None if the connection was cut.
        code: Discord's error code, if it was refused with one.
        at: Unix seconds of its arrival.
        seconds: how long it took.
    """

    request: web.Request
    route: str
    form: Form
    status: int | None
    code: int | None
    at: float
    seconds: float


Observer = Callable[[Exchange], None]


class RestApi:
    """Sets up the routes and middlewares of the bot's REST API."""

    def __init__(self, services: Services, observer: Observer | None = None) -> None:
        self._observer = observer
        self.limiter = RateLimiter(services.settings)
        self._services = services

    def add_routes(self, app: web.Application) -> None:
        """Add every route of the API."""
        groups = (
            AccountRest(self._services),
            GuildRest(self._services),
            PinRest(self._services),
            MessageRest(self._services),
            ThreadRest(self._services),
            InteractionRest(self._services),
            CommandRest(self._services),
        )
        for group in groups:
            app.add_routes([_below_prefix(route) for route in group.routes()])

    @web.middleware
    async def receive(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Parse the body, and report the request to the observer once it has ended."""
        if not request.path.startswith("/api/"):
            return await handler(request)
        at, started = time.time(), time.monotonic()
        response: web.StreamResponse | None = None
        try:
            request[FORM] = await read_form(request)
            response = await handler(request)
        except ApiError as error:
            response = _error_response(error)
        finally:
            if self._observer is not None:
                self._observer(_exchange(request, response, at, time.monotonic() - started))
            self._services.world.events.wake()
        return response

    @web.middleware
    async def check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Check the bot's token and the rate limits, and turn errors into Discord's JSON."""
        if not request.path.startswith("/api/"):
            return await handler(request)
        template = _template(request)
        try:
            self._check_token(request, template)
            if (refusal := self.limiter.take(request, template)) is not None:
                return self.limiter.answer(request, template, refusal)
            response = await handler(request)
        except ApiError as error:
            response = _error_response(error)
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
            response = _error_response(ApiError(0, "404: Not Found", status=404))
        response.headers.update(self.limiter.headers(request, template))
        return response

    def _check_token(self, request: web.Request, template: str) -> None:
        if template.startswith(_BY_TOKEN):
            return
        given = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, f"Bot {self._services.application.token}".encode()):
            raise ApiError(0, "401: Unauthorized", status=401)


def _below_prefix(route: web.RouteDef) -> web.RouteDef:
    return web.RouteDef(route.method, PREFIX + route.path, route.handler, route.kwargs)


def _template(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return request.path if resource is None else resource.canonical.removeprefix(PREFIX)


def _error_response(error: ApiError) -> web.Response:
    headers = {}
    if isinstance(error, LateEditLimitError):
        headers = {"Via": "1.1 local", "Retry-After": str(max(1, round(error.retry_after)))}
    response = json_answer(error.body(), status=error.status, headers=headers)
    response[_CODE] = error.code
    return response


def _exchange(request: web.Request, response: web.StreamResponse | None, at: float, seconds: float) -> Exchange:
    cut = request.transport is None or request.transport.is_closing()
    return Exchange(
        request=request,
        route=_template(request),
        form=request.get(FORM) or Form(),
        status=None if cut or response is None else response.status,
        code=None if response is None else response.get(_CODE),
        at=at,
        seconds=seconds,
    )
