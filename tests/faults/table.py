"""The fault table: each row is one job, the step of it that goes wrong, how, and how the job may end."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from tests.faults import spoils
from tests.faults.events import EVENTS, FATAL, INTERRUPTIONS, NOWHERE_LEFT, Event
from tests.faults.spoils import Spoil
from tests.local.faults import Fault


class Step(StrEnum):
    """What the bot does for a job, as a server sees it."""

    CALLBACK = "callback"
    THREAD = "thread"
    SUBMISSION = "submission"
    LOOK = "polling"
    VIDEO = "video"
    DELIVERY = "delivery"
    CARD = "card edit"
    GATEWAY = "gateway"


class End(StrEnum):
    """How a job may end. Credits: none but those of the video are gone after the first three."""

    POSTED = "posted"
    FAILED = "failed, credits back"
    NOT_TAKEN = "not taken, nothing spent"
    UNCONFIRMED = "unconfirmed, in the moderators' hands"
    KEPT = "kept for /history, where Discord takes it nowhere"


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Attributes:
        step: where it goes wrong.
        trouble: how, in words.
        spoils: what happens to the step's first requests, in order.
        ends: how the job may end.
        forever: the last of `spoils` happens to every further request as well.
        event: what happens at Discord when the provider is first looked at.
    """

    step: Step
    trouble: str
    spoils: tuple[Spoil, ...]
    ends: frozenset[End]
    forever: bool = False
    event: Event | None = None

    def __str__(self) -> str:
        return f"{self.step}: {self.trouble}"


_POSTED = frozenset({End.POSTED})
_FAILED = frozenset({End.FAILED})
_UNCONFIRMED = frozenset({End.UNCONFIRMED})
_KEPT = frozenset({End.KEPT})
_TAKEN_OR_NOT = frozenset({End.POSTED, End.NOT_TAKEN})

SLOW_SECONDS = 0.05
"""Between two bytes of a slow answer."""

SILENT_SECONDS = 2.5
"""How long a server says nothing; longer than a hurried bot waits for the provider."""

_REFUSALS = (401, 403, 404, 405, 429, *spoils.REDIRECTS)
# The first ones with a body that says no, and why.
_FINAL_REFUSALS = (200, 201, 202, 400, 402, 413, 415, 422)
_NAMES_ITS_TASK = ("success is false", "success is a text", "without success")
_RETRY_AFTER = {"Retry-After": "2"}
_ODD_RETRY_AFTER = ("soon", "-5", "NaN", "inf", "0", "", "Wed, 21 Oct 2015 07:28:00 GMT", "9" * 400)
_WRONG_TEXTS: tuple[object, ...] = (None, 5, "", [], {}, True, " ", "x" * 5000, "a\u0000b")
_WRONG_NUMBERS: tuple[object, ...] = (None, "55", -1, 1.5, 1e300, [], {}, True, 10**400)
_ODD_SUBMISSION: dict[str, tuple[object, ...]] = {
    "credits_used": _WRONG_NUMBERS,
    "credits_remaining": _WRONG_NUMBERS,
    "estimated_time": (None, 5, "", "soon", "0 seconds", "-1", "9" * 400, [], {"low": 1}),
    "status": (None, 5, "failed", []),
    "message": (None, 5, [], "x" * 5000),
}
_ODD_LOOK: dict[str, tuple[object, ...]] = {
    "status": (None, 5, "", "pending", "PROCESSING", "on strike", [], {}, True),
    "progress": (None, "45", -1, 101, 1e300, 10**400, [], True, 45.5),
    "task_id": (None, 5, "another", []),
}
_ODD_VIDEO_URLS: tuple[object, ...] = (
    None,
    5,
    "",
    [],
    "no address",
    "ftp://files.invalid/a.mp4",
    "javascript:alert(1)",
    "x" * 5000,
    "http://",
)
_UNREACHED_URLS = ("http://127.0.0.1:9/a.mp4", "http://video.invalid/a.mp4", "http://169.254.169.254/a.mp4")


def submission_rows() -> Iterator[Row]:
    """The request for a video."""
    for code in _FINAL_REFUSALS:
        yield Row(Step.SUBMISSION, f"status {code}", (spoils.status(code),), _FAILED)
    for code in _REFUSALS:
        yield Row(Step.SUBMISSION, f"status {code}", (spoils.status(code),), _POSTED)
        yield Row(Step.SUBMISSION, f"status {code} three times", (spoils.status(code),) * 3, _POSTED)
    for value in ("2", *_ODD_RETRY_AFTER):
        fault = spoils.status(429, headers={"Retry-After": value})
        yield Row(Step.SUBMISSION, f"status 429, Retry-After: {value[:30] or '(empty)'}", (fault,), _POSTED)
    refusals = (*_FINAL_REFUSALS, *_REFUSALS)
    codes = (*spoils.SUCCESSES, *spoils.REDIRECTS, *spoils.CLIENT_ERRORS, *spoils.SERVER_ERRORS)
    for code in (code for code in codes if code not in refusals):
        yield Row(Step.SUBMISSION, f"status {code}", (spoils.status(code),), _UNCONFIRMED)
        carried_out = spoils.status(code, after_effect=True)
        yield Row(Step.SUBMISSION, f"carried out, status {code}", (carried_out,), _UNCONFIRMED)
    for name, fault in (*spoils.silence(SILENT_SECONDS), *spoils.unreadable(slow_seconds=SLOW_SECONDS)):
        yield Row(Step.SUBMISSION, name, (fault,), _UNCONFIRMED)
    yield from _odd_submission_rows()


def _odd_submission_rows() -> Iterator[Row]:
    for name, edit in spoils.odd_envelopes():
        yield Row(Step.SUBMISSION, name, (edit,), _POSTED if name in _NAMES_ITS_TASK else _UNCONFIRMED)
    for name, edit in spoils.odd_fields({"task_id": _WRONG_TEXTS}):
        yield Row(Step.SUBMISSION, name, (edit,), _UNCONFIRMED)
    for name, edit in spoils.odd_fields(_ODD_SUBMISSION):
        yield Row(Step.SUBMISSION, name, (edit,), _POSTED)


def look_rows() -> Iterator[Row]:
    """Looking at a task."""
    codes = (*spoils.SUCCESSES, *spoils.REDIRECTS, *spoils.CLIENT_ERRORS, *spoils.SERVER_ERRORS)
    for code in codes:
        yield Row(Step.LOOK, f"status {code}", (spoils.status(code),), _POSTED)
    for code in (404, 500, 502, 503):
        yield Row(Step.LOOK, f"status {code} twice", (spoils.status(code),) * 2, _POSTED)
    for code in (500, 503):
        yield Row(Step.LOOK, f"status {code} for a while", (spoils.status(code),) * 5, _POSTED)
    yield Row(Step.LOOK, "status 404 for ever", (spoils.status(404),), _UNCONFIRMED, forever=True)
    for value in ("2", *_ODD_RETRY_AFTER):
        fault = spoils.status(429, headers={"Retry-After": value})
        yield Row(Step.LOOK, f"status 429, Retry-After: {value[:30] or '(empty)'}", (fault,), _POSTED)
    for name, fault in (*spoils.silence(SILENT_SECONDS), *spoils.unreadable(slow_seconds=SLOW_SECONDS)):
        yield Row(Step.LOOK, name, (fault,), _POSTED)
    for name, edit in (*spoils.odd_envelopes(), *spoils.odd_fields(_ODD_LOOK)):
        yield Row(Step.LOOK, name, (edit,), _POSTED)
    yield from _odd_end_rows()


def _odd_end_rows() -> Iterator[Row]:
    for name, edit in spoils.odd_fields({"video_url": _ODD_VIDEO_URLS}):
        yield Row(Step.LOOK, f"done, {name}, for ever", (edit,), _UNCONFIRMED, forever=True)
    for name, edit in spoils.odd_fields({"video_url": _UNREACHED_URLS}):
        if not name.startswith("without"):
            yield Row(Step.LOOK, f"done, {name}", (edit,), _POSTED, forever=True)
    for name, edit in spoils.odd_fields({"duration": (None, "5", -1), "has_audio": (None, "yes", 5)}):
        yield Row(Step.LOOK, f"done, {name}", (edit,), _POSTED, forever=True)


def video_rows() -> Iterator[Row]:
    """Fetching the video: whatever happens, the link is posted."""
    codes = (*spoils.SUCCESSES, *spoils.REDIRECTS, *spoils.CLIENT_ERRORS, *spoils.SERVER_ERRORS)
    for code in codes:
        yield Row(Step.VIDEO, f"status {code}", (spoils.status(code),), _POSTED, forever=True)
    for name, fault in spoils.silence(SILENT_SECONDS):
        yield Row(Step.VIDEO, name, (fault,), _POSTED)
    yield Row(Step.VIDEO, "50 MB", (Fault(repeat_body_to=50 * 1024 * 1024),), _POSTED, forever=True)
    yield Row(Step.VIDEO, "cut off", (Fault(truncate_to=200),), _POSTED, forever=True)
    yield Row(Step.VIDEO, "nothing", (Fault(status=200, body=b""),), _POSTED, forever=True)
    html = Fault(status=200, body="<html></html>", content_type="video/mp4")
    yield Row(Step.VIDEO, "HTML called a video", (html,), _POSTED, forever=True)


def callback_rows() -> Iterator[Row]:
    """The answer to the command: where Discord loses it, the request is taken back."""
    yield from _discord_step_rows(Step.CALLBACK, _TAKEN_OR_NOT)
    yield Row(Step.CALLBACK, "later than three seconds", (Fault(delay_seconds=3.2),), frozenset({End.NOT_TAKEN}))


def thread_rows() -> Iterator[Row]:
    """Making the thread: without one the outcome goes elsewhere."""
    yield from _discord_step_rows(Step.THREAD, _POSTED)
    yield Row(Step.THREAD, "never allowed", (discord_error(403, 50013),), _POSTED, forever=True)
    yield Row(Step.THREAD, "never room for one more", (discord_error(400, 160006),), _POSTED, forever=True)


def card_rows() -> Iterator[Row]:
    """Editing the card: nothing depends on it."""
    yield from _discord_step_rows(Step.CARD, _POSTED)
    yield Row(Step.CARD, "never allowed", (discord_error(403, 50013),), _POSTED, forever=True)
    yield Row(Step.CARD, "token expired", (discord_error(401, 50027),), _POSTED, forever=True)


def delivery_rows() -> Iterator[Row]:
    """Posting the outcome."""
    yield from _discord_step_rows(Step.DELIVERY, _POSTED)
    for code in (500, 502, 503):
        yield Row(Step.DELIVERY, f"status {code} for a while", (discord_error(code),) * 3, _POSTED)
    yield Row(Step.DELIVERY, "too large for Discord", (Fault(status=413, body="too large"),), _POSTED)
    yield Row(Step.DELIVERY, "carried out and cut, five times", (Fault(cut="after"),) * 5, _POSTED)
    yield Row(Step.DELIVERY, "refused everywhere", (discord_error(403, 50013),), _KEPT, forever=True)


def event_rows() -> Iterator[Row]:
    """What members and moderators do at Discord while the video is being made."""
    for name, event in EVENTS.items():
        yield Row(Step.DELIVERY, name, (), _POSTED, event=event)
    for name, event in NOWHERE_LEFT.items():
        yield Row(Step.DELIVERY, name, (), _KEPT, event=event)


def gateway_rows() -> Iterator[Row]:
    """The one connection of all jobs: these rows come one after another."""
    for name, event in INTERRUPTIONS.items():
        yield Row(Step.GATEWAY, name, (), _POSTED, event=event)


def fatal_rows() -> Iterator[Row]:
    """What ends the bot, which its service manager starts again."""
    for name, event in FATAL.items():
        yield Row(Step.GATEWAY, name, (), _POSTED, event=event)


GROUPS: Mapping[str, Callable[[], Iterator[Row]]] = MappingProxyType(
    {
        "submission": submission_rows,
        "polling": look_rows,
        "video": video_rows,
        "callback": callback_rows,
        "thread": thread_rows,
        "card": card_rows,
        "delivery": delivery_rows,
        "events": event_rows,
        "gateway": gateway_rows,
        "restarts": fatal_rows,
    }
)
"""The rows that share a stage."""


def count() -> int:
    """Return how many rows there are."""
    return sum(1 for rows in GROUPS.values() for _ in rows())


def discord_error(status: int, code: int = 0, *, after_effect: bool = False) -> Fault:
    """An error in Discord's form."""
    body = {"message": "refused", "code": code}
    return Fault(status=status, body=body, answer_after_effect=after_effect)


def rate_limit(*, is_global: bool, scope: str = "user") -> Fault:
    """Discord's 429. Source: Discord's documentation, "Rate Limits"."""
    headers = {"Via": "1.1 local", "Retry-After": "1", "X-RateLimit-Scope": "global" if is_global else scope}
    if is_global:
        headers["X-RateLimit-Global"] = "true"
    return Fault(
        status=429,
        headers=headers,
        body={"message": "You are being rate limited.", "retry_after": 0.2, "global": is_global},
    )


# Discord's documentation, "JSON Error Codes": those that a message, a thread or an answer can meet.
_CODES = (
    *((404, code) for code in (10003, 10004, 10008, 10013, 10015, 10062)),
    *((400, code) for code in (30007, 30046, 40004, 40005, 40006, 40060, 50006, 50024, 50027, 50033, 50035, 50083)),
    *((400, code) for code in (160002, 160004, 160005, 160006, 160007, 180000)),
    *((403, code) for code in (20001, 20026, 40001, 40333, 50001, 50007, 50009, 50013, 50278, 60003)),
)


def _discord_step_rows(step: Step, ends: frozenset[End]) -> Iterator[Row]:
    for status, code in _CODES:
        yield Row(step, f"status {status}, code {code}", (discord_error(status, code),), ends)
    for status in (*spoils.REDIRECTS, *spoils.CLIENT_ERRORS, *spoils.SERVER_ERRORS):
        yield Row(step, f"status {status}", (discord_error(status),), ends)
    for status in (500, 502, 503, 504):
        fault = discord_error(status, after_effect=True)
        yield Row(step, f"carried out, status {status}", (fault,), ends)
    for name, fault in (*spoils.silence(SILENT_SECONDS), *spoils.unreadable(slow_seconds=0.002)):
        yield Row(step, name, (fault,), ends)
    yield Row(step, "429 for all", (rate_limit(is_global=True),), ends)
    for scope in ("user", "shared"):
        yield Row(step, f"429 for the route, {scope}", (rate_limit(is_global=False, scope=scope),), ends)
    yield Row(step, "429 of a proxy", (Fault(status=429, body="slow down", headers={"Retry-After": "1"}),), ends)
