"""Fault injection for a local server: errors, dropped connections, slow and oversized responses.

A `FaultPlan` has an aiohttp middleware that changes how matching requests are answered.
"""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from aiohttp import web
from aiohttp.typedefs import Handler

_CHUNK_BYTES = 64 * 1024
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault of one request; its parts can be combined.

    Attributes:
        status: HTTP status of the injected response; None keeps the real one's (200 if a body is given).
        body: body of the injected response: bytes and text as they are, anything else as JSON.
        headers: further headers of the injected response.
        content_type: its media type; by default the one that fits the body's type.
        cut: the connection is closed without a response, before or after the real handler runs.
        delay_seconds: delay before anything else.
        answer_after_effect: the real handler runs first, and its response is replaced by the injected one.
        drip_seconds: the response is sent byte by byte with this pause between them.
        repeat_body_to: the response's body is repeated up to this many bytes and streamed.
        truncate_to: the connection is closed after so many bytes of the body, whatever Content-Length said.
    """

    status: int | None = None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=lambda: _NO_HEADERS)
    content_type: str | None = None
    cut: Literal["before", "after"] | None = None
    delay_seconds: float = 0.0
    answer_after_effect: bool = False
    drip_seconds: float = 0.0
    repeat_body_to: int = 0
    truncate_to: int | None = None

    @property
    def is_answer(self) -> bool:
        """Whether the fault injects a response in place of the real one."""
        return self.status is not None or self.body is not None

    @property
    def needs_effect(self) -> bool:
        """Whether the real handler runs."""
        return self.cut == "after" or self.answer_after_effect or not self.is_answer


@dataclass(slots=True)
class PlannedFault:
    """A fault and the requests that it applies to; `hits` counts them."""

    method: str
    path: re.Pattern[str]
    fault: Fault
    times_left: int | None
    hits: int = 0

    def matches(self, method: str, path: str) -> bool:
        """Return whether the fault applies to a request."""
        return self.method in {"*", method} and self.path.fullmatch(path) is not None


class FaultPlan:
    """The faults planned for one server, in the order they were added."""

    def __init__(self) -> None:
        self.hits = 0
        self._planned: list[PlannedFault] = []

    def add(self, method: str, path_regex: str, fault: Fault, *, times: int | None = 1) -> PlannedFault:
        """Plan a fault for the next requests that match.

        Args:
            method: the HTTP method, or "*" for any.
            path_regex: must match the whole path, without the query string.
            fault: the fault.
            times: for how many requests; None for all until `clear`.

        Returns:
            The planned fault, with its count of `hits`.
        """
        planned = PlannedFault(method.upper(), re.compile(path_regex), fault, times)
        self._planned.append(planned)
        return planned

    def clear(self) -> None:
        """Remove every planned fault; `hits` stays."""
        self._planned.clear()

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Inject the fault planned for a request, if any."""
        planned = self._take(request)
        if planned is None:
            return await handler(request)
        return await _spoil(planned.fault, request, handler)

    def _take(self, request: web.Request) -> PlannedFault | None:
        for planned in self._planned:
            if planned.matches(request.method, request.path):
                self._count(planned)
                return planned
        return None

    def _count(self, planned: PlannedFault) -> None:
        self.hits += 1
        planned.hits += 1
        if planned.times_left is None:
            return
        planned.times_left -= 1
        if planned.times_left <= 0:
            self._planned.remove(planned)


async def _spoil(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    # The whole body is read first, so that the connection is closed cleanly and not reset.
    await request.read()
    if fault.delay_seconds:
        await asyncio.sleep(fault.delay_seconds)
    if fault.cut == "before":
        return _hang_up(request)
    answer = await _run(handler, request) if fault.needs_effect else None
    if fault.cut == "after":
        return _hang_up(request)
    if answer is None or fault.is_answer:
        answer = _false_answer(fault)
    return await _send(fault, request, answer)


async def _run(handler: Handler, request: web.Request) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as refusal:
        return web.Response(status=refusal.status, text=refusal.text, content_type=refusal.content_type)


def _hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.close()
    return web.Response()  # aiohttp requires a response from every handler; this one is not sent


def _false_answer(fault: Fault) -> web.Response:
    body, content_type = _encode(fault.body)
    headers = {"Content-Type": fault.content_type or content_type, **fault.headers}
    return web.Response(status=fault.status or 200, body=body, headers=headers)


def _encode(body: object) -> tuple[bytes, str]:
    if body is None:
        return b"", "text/plain; charset=utf-8"
    if isinstance(body, bytes):
        return body, "application/octet-stream"
    if isinstance(body, str):
        return body.encode(), "text/plain; charset=utf-8"
    return json.dumps(body).encode(), "application/json"


async def _send(fault: Fault, request: web.Request, answer: web.StreamResponse) -> web.StreamResponse:
    if not (fault.drip_seconds or fault.repeat_body_to or fault.truncate_to is not None):
        return answer
    body = _body_of(answer)
    total = fault.repeat_body_to or len(body)
    sent = total if fault.truncate_to is None else min(fault.truncate_to, total)
    stream = await _start_stream(request, answer, total)
    for piece in _pieces(body, sent, 1 if fault.drip_seconds else _CHUNK_BYTES):
        await stream.write(piece)
        await asyncio.sleep(fault.drip_seconds)
    return stream if sent == total else _break_off(request, stream)


def _body_of(answer: web.StreamResponse) -> bytes:
    if isinstance(answer, web.Response) and isinstance(answer.body, bytes | bytearray | None):
        return bytes(answer.body or b"")
    message = f"only an answer with its body in memory can be spoilt, not {type(answer).__name__}"
    raise TypeError(message)


async def _start_stream(request: web.Request, answer: web.StreamResponse, total: int) -> web.StreamResponse:
    stream = web.StreamResponse(status=answer.status, reason=answer.reason, headers=answer.headers)
    stream.content_length = total
    await stream.prepare(request)
    return stream


def _pieces(body: bytes, total: int, size: int) -> Iterator[bytes]:
    """Cut the endlessly repeated body into pieces of `size` bytes, up to `total`."""
    unit = body or b" "
    block = unit * (2 + size // len(unit))
    for start in range(0, total, size):
        offset = start % len(unit)
        yield block[offset : offset + min(size, total - start)]


def _break_off(request: web.Request, stream: web.StreamResponse) -> web.StreamResponse:
    stream.force_close()
    if request.transport is not None:
        request.transport.close()
    return stream
