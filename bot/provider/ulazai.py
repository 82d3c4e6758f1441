"""UlazAI's Kling 2.6 API.

Source of the paths, fields and answers: UlazAI's developer documentation, "Kling 2.6 Video Generation API".
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self, TypeGuard, TypeVar
from urllib.parse import quote, urlsplit

import aiohttp
from pydantic import SecretStr

from bot.errors import (
    ProviderAddressError,
    ProviderBusyError,
    ProviderKeyError,
    ProviderNotFoundError,
    ProviderOutOfCreditsError,
    ProviderRejectedError,
    ProviderUnclearError,
    ProviderUnreachableError,
)
from bot.provider.models import Estimate, GenerationMode, GenerationRequest, Submission, TaskState, TaskStatus

_GENERATE_PATH = "/kling26/api/generate/"
_STATUS_PATH = "/kling26/api/status/{}/"
# Real answers have a few hundred bytes: what is longer is not one of them.
_MAX_ANSWER_BYTES = 256 * 1024
_MAX_TEXT = 300
_SUCCESSES = (200, 201, 202)
_OF_THE_REQUEST = (400, 413, 415, 422)
_OF_THE_KEY = (401, 403)
_OF_THE_ADDRESS = (*range(300, 400), 405)
# What the status alone says for sure: nothing was started.
_SURE_REFUSALS = (*_OF_THE_REQUEST, *_OF_THE_KEY, *_OF_THE_ADDRESS, 402, 404, 429)
_MAX_TASK_ID = 200
_MAX_ADDRESS = 2000
_SUBMIT_TIMEOUT = aiohttp.ClientTimeout(total=60, sock_connect=10)
_STATUS_TIMEOUT = aiohttp.ClientTimeout(total=20, sock_connect=10)
_NUMBERS = re.compile(r"\d+(?:\.\d+)?")

_Json = Mapping[str, Any]
_Value = TypeVar("_Value")

# UlazAI's sibling endpoints wrap the same answer differently, and have other names for the same things. Whatever names
# a task is a task, and whatever carries an address of a video is one: what was paid for is not lost over a name.
_WRAPPERS = ("data", "job", "task", "result")
_TASK_ID = ("task_id", "taskId", "id", "job_id", "jobId", "provider_task_id")
_CREDITS_USED = ("credits_used", "credits_charged", "creditsUsed", "creditsCharged")
_CREDITS_REMAINING = ("credits_remaining", "creditsRemaining", "credits_balance")
_ESTIMATE = ("estimated_time", "estimatedTime", "eta")
_STATE = ("status", "state", "task_status")
_PROGRESS = ("progress", "percentage", "percent")
_VIDEO = (
    "video_url",
    "videoUrl",
    "result_url",
    "resultUrl",
    "result_urls",
    "resultUrls",
    "video_urls",
    "videos",
    "url",
)
_REFUNDED = ("credits_refunded", "creditsRefunded", "refunded")
_ERROR = ("error_message", "errorMessage", "failure_reason", "error", "detail")
_ERROR_TEXT = ("message", "msg", "reason", "detail", "error", "code")
_STATES = {
    **dict.fromkeys(
        ("completed", "complete", "succeeded", "succeed", "success", "done", "finished"), TaskState.COMPLETED
    ),
    **dict.fromkeys(
        ("failed", "failure", "fail", "error", "rejected", "cancelled", "canceled", "moderated", "expired"),
        TaskState.FAILED,
    ),
    **dict.fromkeys(
        ("processing", "pending", "queued", "running", "in_progress", "submitted", "starting"), TaskState.PROCESSING
    ),
}
_FALSE, _TRUE = ("false", "no", "0", ""), ("true", "yes", "1")


class UlazaiProvider:
    """The client, to be used as `async with UlazaiProvider(...) as provider`.

    Args:
        base_url: where the API is, without a slash at the end.
        api_key: the account's.
        proxy: of the way there; None: there is none.
        trace: of the status requests.
    """

    def __init__(
        self,
        base_url: str,
        api_key: SecretStr,
        *,
        proxy: str | None = None,
        trace: aiohttp.TraceConfig | None = None,
    ) -> None:
        headers = {"Authorization": f"Bearer {api_key.get_secret_value()}", "Accept": "application/json"}
        # A kept connection may be closed by the server just as a request is written on it, and nobody
        # knows whether that request was executed: each submission uses a new connection.
        self._payments = aiohttp.ClientSession(
            headers=headers, timeout=_SUBMIT_TIMEOUT, connector=aiohttp.TCPConnector(force_close=True), proxy=proxy
        )
        traces = [trace] if trace else None
        self._polls = aiohttp.ClientSession(headers=headers, timeout=_STATUS_TIMEOUT, trace_configs=traces, proxy=proxy)
        self._base_url = base_url

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._payments.close()
        await self._polls.close()

    async def submit(self, request: GenerationRequest) -> Submission:
        """See `VideoProvider.submit`."""
        status, body = await self._exchange(self._payments, "POST", _GENERATE_PATH, request_body(request))
        return read_submission(status, body)

    async def status(self, task_id: str) -> TaskStatus:
        """See `VideoProvider.status`."""
        path = _STATUS_PATH.format(quote(task_id, safe=""))
        return read_status(*await self._exchange(self._polls, "GET", path))

    async def _exchange(
        self, session: aiohttp.ClientSession, method: str, path: str, payload: _Json | None = None
    ) -> tuple[int, _Json]:
        try:
            # A redirect would send the request, and the key, a second time and elsewhere.
            async with session.request(method, self._base_url + path, json=payload, allow_redirects=False) as response:
                body = await _read_bounded(response)
                _raise_for_refusal(response, body)
                return response.status, body
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise ProviderUnreachableError(f"no connection to the provider ({type(error).__name__})") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # Some of these carry the request, and the key with it: only the name goes on.
            raise ProviderUnclearError(f"the answer never came ({type(error).__name__})") from None


async def _read_bounded(response: aiohttp.ClientResponse) -> _Json:
    raw = bytearray()
    try:
        async for chunk in response.content.iter_any():
            raw += chunk
            if len(raw) > _MAX_ANSWER_BYTES:
                response.close()
                break
    except (aiohttp.ClientError, TimeoutError, OSError):
        # What the status alone says for sure needs no body.
        if response.status not in _SURE_REFUSALS:
            raise
    return _parse(bytes(raw[: _MAX_ANSWER_BYTES + 1]))


def _parse(raw: bytes) -> _Json:
    """Return the JSON object in `raw`; anything else stands in one under an empty name, for the log."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        value = raw.decode("utf-8", "replace")
    return value if isinstance(value, dict) else {"": value}


def request_body(request: GenerationRequest) -> dict[str, Any]:
    """Return the JSON of a generate request; what has a default that costs or publishes is always sent."""
    body: dict[str, Any] = {
        "prompt": request.prompt,
        "generationMode": request.mode.value,
        "duration": str(request.duration_seconds),
        "sound": request.sound,
        "prompt_directory_optin": request.publish,
    }
    if request.mode is GenerationMode.IMAGE:
        body["imageUrls"] = [request.image_url]
    else:
        body["aspectRatio"] = request.aspect_ratio or "16:9"
    return body


def _raise_for_refusal(response: aiohttp.ClientResponse, body: _Json) -> None:
    match response.status:
        case status if status in _SUCCESSES:
            return
        case status if status in _OF_THE_REQUEST:
            raise ProviderRejectedError(_error_of(body))
        case status if status in _OF_THE_KEY:
            raise ProviderKeyError(f"the provider refused the key (status {status})")
        case status if status in _OF_THE_ADDRESS:
            raise ProviderAddressError(f"nothing is made at this address (status {status}): check ULAZAI_BASE_URL")
        case 402:
            raise ProviderOutOfCreditsError(_whole(body.get("credits_needed")), _whole(body.get("credits_balance")))
        case 404:
            raise ProviderNotFoundError("the provider knows no such task or address")
        case 429:
            date = _moment(response.headers.get("Date") or "")
            raise ProviderBusyError(retry_after_seconds(response.headers.get("Retry-After"), date))
        case status:
            raise ProviderUnclearError(f"the provider answered with status {status} ({_shortened(body)})")


def retry_after_seconds(header: str | None, now: datetime | None = None) -> float | None:
    """Read a `Retry-After` header: seconds or a date (RFC 9110, 10.2.3). None if it can't be read.

    Args:
        header: its value.
        now: the time of the answer, by its own `Date`: the machine's clock may differ; None: the machine's.
    """
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        return _seconds_until(header, now or datetime.now(UTC))
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _seconds_until(date: str, now: datetime) -> float | None:
    moment = _moment(date)
    return max(0.0, (moment - now).total_seconds()) if moment else None


def _moment(date: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(date)
    except (TypeError, ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC)


def read_submission(status: int, body: _Json) -> Submission:
    """Read the answer to a generate request.

    Raises:
        ProviderRejectedError: it says that the request failed, and why.
        ProviderUnclearError: it does not say which task was started.
    """
    parts = _parts(body)
    task_id = _first(parts, _TASK_ID, _task_id)
    if task_id is None:
        if body.get("success") is False and (reason := _error_of(body)):
            raise ProviderRejectedError(reason)
        raise ProviderUnclearError(f"status {status}, but the answer names no task: {_shortened(body)}")
    credits_used = _first(parts, _CREDITS_USED, _whole)
    return Submission(
        task_id=task_id,
        credits_used=credits_used if credits_used is not None and credits_used >= 0 else None,
        credits_remaining=_first(parts, _CREDITS_REMAINING, _whole),
        estimate=_first(parts, _ESTIMATE, read_estimate),
    )


def read_status(status: int, body: _Json) -> TaskStatus:
    """Read the answer to a status request.

    Raises:
        ProviderUnclearError: it does not say how the task is.
    """
    parts = _parts(body)
    word, video_url = _first(parts, _STATE, _word), _first(parts, _VIDEO, _web_address)
    error = next(filter(None, (_first(parts, (name,), _message) for name in _ERROR)), None)
    state = _STATES.get(re.sub(r"[\s-]+", "_", (word or "").strip().lower()))
    if state is None and video_url:
        state = TaskState.COMPLETED
    elif state is None and error:
        state = TaskState.REFUSED
    elif word is None:
        raise ProviderUnclearError(f"status {status}, but the answer does not say how the task is: {_shortened(body)}")
    return TaskStatus(
        state=state or TaskState.PROCESSING,
        progress=_first(parts, _PROGRESS, _fraction),
        video_url=video_url,
        error_message=error or (_first(parts, ("message",), _message) if state is TaskState.FAILED else None),
        credits_refunded=_first(parts, _REFUNDED, _yes_or_no),
        unknown_word=word if state is None else None,
    )


def read_estimate(value: object) -> Estimate | None:
    """Read a text for people such as "60-90 seconds" or "2 minutes"; None if it has no number."""
    if not isinstance(value, str):
        return None
    numbers = [float(number) for number in _NUMBERS.findall(value[:_MAX_TEXT])[:2]]
    if not numbers:
        return None
    unit = 60.0 if "min" in value.lower() else 1.0
    low, high = min(numbers) * unit, max(numbers) * unit
    return Estimate(low, high) if 0 < high <= 24 * 3600 else None


def _parts(body: _Json) -> list[_Json]:
    """Return the objects in which an answer's values may stand, the innermost first."""
    found: list[_Json] = [body]
    for part in found:
        if len(found) < 2 * len(_WRAPPERS):
            found += [part[name] for name in _WRAPPERS if isinstance(part.get(name), dict)]
    return found[::-1]


def _first(parts: Iterable[_Json], names: Iterable[str], read: Callable[[object], _Value | None]) -> _Value | None:
    """Return the first value that can be read; the order of the names comes first."""
    places = list(parts)
    values = (read(part[name]) for name in names for part in places if name in part)
    return next((value for value in values if value is not None), None)


def _word(value: object) -> str | None:
    return (_text(value) or "") if isinstance(value, str) else None


def _task_id(value: object) -> str | None:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    is_id = isinstance(text, str) and 0 < len(text) <= _MAX_TASK_ID and text.isprintable()
    return str(text) if is_id else None


def _number(value: object) -> int | float | None:
    if isinstance(value, str):
        try:
            value = float(value.strip().removesuffix("%"))
        except ValueError:
            return None
    return value if _is_number(value) else None


def _whole(value: object) -> int | None:
    # Credits are whole; 2**53 is where JSON numbers stop being exact.
    number = _number(value)
    if number is None or abs(number) >= 2**53 or number != int(number):
        return None
    return int(number)


def _fraction(value: object) -> float | None:
    number = _number(value)
    return None if number is None else min(100.0, max(0.0, number)) / 100


def _yes_or_no(value: object) -> bool | None:
    text = str(value).strip().lower() if isinstance(value, str | bool | int | float) else None
    if text in _TRUE or (_number(value) or 0) > 0:
        return True
    return False if text in _FALSE else None


def _error_of(body: _Json) -> str | None:
    """Return why a request was refused, wherever that stands."""
    parts = _parts(body)
    return next(filter(None, (_first(parts, (name,), _message) for name in (*_ERROR, "message"))), None)


def _message(value: object) -> str | None:
    """Return the words of an error: a text, or an object or list with one."""
    for _ in range(4):
        if isinstance(value, list):
            value = value[0] if value else None
        elif isinstance(value, dict):
            value = next((value[name] for name in _ERROR_TEXT if value.get(name)), None)
    return _text(value)


def _shortened(body: _Json) -> str:
    """Return an answer for the log."""
    text = body[""] if list(body) == [""] else json.dumps(body, ensure_ascii=False)
    return _text(str(text)) or "an empty answer"


def _is_number(value: object) -> TypeGuard[int | float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    # Only floats: an integer of hundreds of digits is no float at all.
    return isinstance(value, int) or math.isfinite(value)


def _text(value: object) -> str | None:
    """Return a text of the provider's as one short line that can be stored and shown."""
    if not isinstance(value, str):
        return None
    line = " ".join(value.split())
    return "".join(filter(str.isprintable, line))[:_MAX_TEXT] or None


def _web_address(value: object) -> str | None:
    """Return an address of a video, also out of a list or an object of them; white space in it is escaped."""
    if isinstance(value, list):
        return next(filter(None, map(_web_address, value)), None)
    if isinstance(value, dict):
        return _first([value], _VIDEO, _web_address)
    text = "".join(quote(char) if char.isspace() else char for char in value.strip()) if isinstance(value, str) else ""
    if not 0 < len(text) <= _MAX_ADDRESS or not text.isprintable():
        return None
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    return text if parts.scheme in ("http", "https") and parts.hostname else None
