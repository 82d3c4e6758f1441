"""Records the requests that the bot sends to the local Discord."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sandbox.discord.rest.api import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.discord.rest.api import Exchange

KEPT: Final = 5000


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file of a request, without its bytes."""

    filename: str
    size: int
    content_type: str | None


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """One request of the bot and how it ended.

    Attributes:
        method: the HTTP method.
        route: the route template after `/api/v10`, such as `/channels/{channel_id}/messages`.
        path: the path after `/api/v10`.
        query: the query string.
        json: the JSON body or `payload_json`; None without one.
        files: the files sent along.
        status: the answer's status; None if the connection was cut.
        code: Discord's error code, if it was refused with one.
        at: Unix seconds of its arrival.
        seconds: how long it took.
    """

    method: str
    route: str
    path: str
    query: dict[str, str]
    json: Any
    files: tuple[SentFile, ...]
    status: int | None
    code: int | None
    at: float
    seconds: float


class RequestLog:
    """The last requests, oldest first."""

    def __init__(self, kept: int = KEPT) -> None:
        self._requests: deque[RecordedRequest] = deque(maxlen=kept)
        self.total = 0

    def record(self, exchange: Exchange) -> None:
        """Append a request that has ended."""
        uploads = exchange.form.files.values()
        request = RecordedRequest(
            method=exchange.request.method,
            route=exchange.route,
            path=exchange.request.path.removeprefix(PREFIX),
            query=dict(exchange.request.query),
            json=exchange.form.json,
            files=tuple(SentFile(upload.filename, len(upload.content), upload.content_type) for upload in uploads),
            status=exchange.status,
            code=exchange.code,
            at=exchange.at,
            seconds=exchange.seconds,
        )
        self._requests.append(request)
        self.total += 1

    def clear(self) -> None:
        """Forget all."""
        self._requests.clear()

    def matching(self, method: str, route: str) -> list[RecordedRequest]:
        """Return the requests with a method and a route template."""
        return [r for r in self._requests if r.method == method and r.route == route]

    def __iter__(self) -> Iterator[RecordedRequest]:
        return iter(tuple(self._requests))

    def __len__(self) -> int:
        return len(self._requests)

    def __getitem__(self, index: int) -> RecordedRequest:
        return self._requests[index]
