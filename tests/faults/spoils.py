"""Ways for one exchange to go wrong: false answers, changed answers, cut lines. Pure data."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.local.faults import Fault

JsonObject = dict[str, Any]

_HTML = "<!doctype html><html><body><h1>Bad gateway</h1></body></html>"
_HUGE = 50 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Edit:
    """The real answer, changed on its way; the request has its effect.

    Attributes:
        change: from the answer's JSON to what is sent in its place.
    """

    change: Callable[[JsonObject], object]


Spoil = Fault | Edit

REDIRECTS = (300, 301, 302, 303, 304, 305, 307, 308)
CLIENT_ERRORS = (
    *(400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 418),
    *(421, 422, 423, 424, 425, 426, 428, 429, 431, 451, 499),
)
SERVER_ERRORS = (
    *(500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511),
    *(520, 521, 522, 523, 524, 525, 526, 527, 529, 530, 598, 599),
)
SUCCESSES = (200, 201, 202, 203, 204, 205, 206, 207, 208, 226)


def status(code: int, *, after_effect: bool = False, headers: Mapping[str, str] | None = None) -> Fault:
    """An answer with this status and nothing that the other side would say; redirects lead to another host."""
    given = dict(headers or {})
    if code in REDIRECTS:
        given.setdefault("Location", "http://127.0.0.1:9/elsewhere")
    body = None if code in (204, 205, 304) else {"success": False, "error": f"status {code}", "message": "no"}
    return Fault(status=code, body=body, headers=given, answer_after_effect=after_effect)


def unreadable(*, slow_seconds: float) -> Iterator[tuple[str, Fault]]:
    """Yield the answers that nobody can read, each after the request had its effect.

    Args:
        slow_seconds: the pause between two bytes of a slow answer.
    """
    yield "HTML", Fault(status=200, body=_HTML, content_type="text/html", answer_after_effect=True)
    yield "HTML called JSON", Fault(status=200, body=_HTML, content_type="application/json", answer_after_effect=True)
    yield "cut-off JSON", Fault(truncate_to=12)
    yield "JSON that ends too soon", _json_text('{"success": true, "data": {"task_id": ')
    yield "slow drip", Fault(drip_seconds=slow_seconds)
    yield "50 MB", Fault(repeat_body_to=_HUGE)
    yield "50 MB of one word", _json_text(json.dumps("x" * 1000), repeat_body_to=_HUGE)
    yield "nothing", Fault(status=200, body=b"", answer_after_effect=True)
    yield "null", _json_text("null")
    yield "a number", _json_text("5")
    yield "a text", _json_text('"done"')
    yield "a list", _json_text("[1, 2]")
    yield "an empty object", _json_text("{}")
    yield "nested a thousand times", _json_text("[" * 5000 + "]" * 5000)
    yield "NaN", _json_text('{"success": true, "data": NaN}')
    yield (
        "not UTF-8",
        Fault(status=200, body=b'{"\xff\xfe": 1}', content_type="application/json", answer_after_effect=True),
    )


def _json_text(text: str, *, repeat_body_to: int = 0) -> Fault:
    return Fault(
        status=200,
        body=text,
        content_type="application/json",
        answer_after_effect=True,
        repeat_body_to=repeat_body_to,
    )


def silence(seconds: float) -> Iterator[tuple[str, Fault]]:
    """Yield the exchanges without an answer.

    Args:
        seconds: longer than the bot waits for one.
    """
    yield "cut before the effect", Fault(cut="before")
    yield "cut after the effect", Fault(cut="after")
    yield "no answer, without effect", Fault(cut="before", delay_seconds=seconds)
    yield "no answer, with effect", Fault(cut="after", delay_seconds=seconds)


def _set(field: str, value: object) -> Callable[[JsonObject], object]:
    def change(answer: JsonObject) -> object:
        return {**answer, "data": {**answer["data"], field: value}}

    return change


def _drop(field: str) -> Callable[[JsonObject], object]:
    def change(answer: JsonObject) -> object:
        return {**answer, "data": {name: value for name, value in answer["data"].items() if name != field}}

    return change


def odd_fields(odd: Mapping[str, tuple[object, ...]]) -> Iterator[tuple[str, Edit]]:
    """Yield the real answer of the provider with one field missing, or with another value."""
    for field, values in odd.items():
        yield f"without {field}", Edit(_drop(field))
        for value in values:
            yield f"{field} is {_short(value)}", Edit(_set(field, value))


def odd_envelopes() -> Iterator[tuple[str, Edit]]:
    """Yield the real data of the provider's in a false envelope."""
    yield "success is false", Edit(lambda answer: {**answer, "success": False})
    yield "success is a text", Edit(lambda answer: {**answer, "success": "true"})
    yield "without success", Edit(lambda answer: {"data": answer["data"]})
    yield "without data", Edit(lambda _: {"success": True})
    yield "data is a list", Edit(lambda answer: {**answer, "data": [answer["data"]]})
    yield "data is a text", Edit(lambda answer: {**answer, "data": json.dumps(answer["data"])})


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 30 else f"{text[:24]}… ({len(text)} characters)"
