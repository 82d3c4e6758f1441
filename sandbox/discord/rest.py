"""The REST side: all routes below `/api/v10`, with the checks that every request passes."""

from __future__ import annotations

import hmac
import time
from typing import TYPE_CHECKING

from aiohttp import web

from sandbox.discord.errors import ApiError, not_found, unauthorized
from sandbox.discord.form import Form, read_form
from sandbox.discord.json_answers import json_answer
from sandbox.discord.messages import LateEditLimitError
from sandbox.discord.ratelimits import RateLimiter
from sandbox.discord.recording import RecordedRequest, RequestLog, SentFile
from sandbox.discord.rest_account import AccountRest
from sandbox.discord.rest_base import FORM, Handler
from sandbox.discord.rest_commands import CommandRest
from sandbox.discord.rest_guilds import GuildRest
from sandbox.discord.rest_interactions import InteractionRest
from sandbox.discord.rest_messages import MessageRest
from sandbox.discord.rest_pins import PinRest
from sandbox.discord.rest_threads import ThreadRest

if TYPE_CHECKING:
    from sandbox.discord.services import Services

PREFIX = "/api/v10"

_CODE = web.ResponseKey("discord_code", int)
_BY_TOKEN = ("/interactions/", "/webhooks/")


class RestApi:
    """Sets up the routes and middlewares of the bot's REST API."""

    def __init__(self, services: Services) -> None:
        self.requests = RequestLog()
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
    async def record(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Read the body once for all, and note the request and how it ended."""
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
            self.requests.add(_record(request, response, at, time.monotonic() - started))
            self._services.world.events.wake()
        return response

    @web.middleware
    async def check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Check the bot's token and the rate limits, and write refusals as Discord's JSON."""
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
            response = _error_response(not_found())
        response.headers.update(self.limiter.headers(request, template))
        return response

    def _check_token(self, request: web.Request, template: str) -> None:
        if template.startswith(_BY_TOKEN):
            return
        given = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, f"Bot {self._services.application.token}".encode()):
            raise unauthorized()


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


def _record(request: web.Request, response: web.StreamResponse | None, at: float, seconds: float) -> RecordedRequest:
    form = request.get(FORM) or Form()
    cut = request.transport is None or request.transport.is_closing()
    return RecordedRequest(
        method=request.method,
        route=_template(request),
        path=request.path.removeprefix(PREFIX),
        query=dict(request.query),
        json=form.json,
        files=tuple(
            SentFile(upload.filename, len(upload.content), upload.content_type) for upload in form.files.values()
        ),
        status=None if cut or response is None else response.status,
        code=None if response is None else response.get(_CODE),
        at=at,
        seconds=seconds,
    )
