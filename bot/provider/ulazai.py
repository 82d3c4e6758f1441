"""UlazAI's Kling 2.6 API.

Source of the paths, fields and answers: UlazAI's developer documentation, "Kling 2.6 Video Generation API".
"""

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self, TypeGuard
from urllib.parse import quote, urlsplit

import aiohttp
from pydantic import SecretStr

from bot.errors import (
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
_SURE_REFUSALS = (400, 401, 402, 404, 429)
_MAX_TASK_ID = 200
_SUBMIT_TIMEOUT = aiohttp.ClientTimeout(total=60, sock_connect=10)
_STATUS_TIMEOUT = aiohttp.ClientTimeout(total=20, sock_connect=10)
_NUMBERS = re.compile(r"\d+(?:\.\d+)?")

_Json = Mapping[str, Any]


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
    """Return the JSON object in `raw`, or an empty one if it is not one."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


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
        case 400:
            raise ProviderRejectedError(_text(body.get("error")))
        case 401:
            raise ProviderKeyError("the provider refused the key")
        case 402:
            raise ProviderOutOfCreditsError(_whole(body.get("credits_needed")), _whole(body.get("credits_balance")))
        case 404:
            raise ProviderNotFoundError("the provider knows no such task or address")
        case 429:
            raise ProviderBusyError(retry_after_seconds(response.headers.get("Retry-After")))
        case status if status not in (200, 201):
            raise ProviderUnclearError(f"the provider answered with status {status}")


def retry_after_seconds(header: str | None, now: datetime | None = None) -> float | None:
    """Read a `Retry-After` header: seconds or a date (RFC 9110, 10.2.3). None if it can't be read."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        return _seconds_until(header, now or datetime.now(UTC))
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _seconds_until(date: str, now: datetime) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
    except (TypeError, ValueError, OverflowError):
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())


def read_submission(status: int, body: _Json) -> Submission:
    """Read the answer to a generate request.

    Raises:
        ProviderUnclearError: it does not say which task was started.
    """
    data = _data(body)
    task_id = data.get("task_id")
    credits_used = _whole(data.get("credits_used"))
    if not isinstance(task_id, str) or not 0 < len(task_id) <= _MAX_TASK_ID or not task_id.isprintable():
        raise ProviderUnclearError(f"status {status}, but the answer names no task")
    return Submission(
        task_id=task_id,
        credits_used=credits_used if credits_used is not None and credits_used >= 0 else None,
        credits_remaining=_whole(data.get("credits_remaining")),
        estimate=read_estimate(data.get("estimated_time")),
    )


def read_status(status: int, body: _Json) -> TaskStatus:
    """Read the answer to a status request.

    Raises:
        ProviderUnclearError: it does not say how the task is.
    """
    data = _data(body)
    word = data.get("status")
    if not isinstance(word, str):
        raise ProviderUnclearError(f"status {status}, but the answer does not say how the task is")
    refunded = data.get("credits_refunded")
    return TaskStatus(
        state=TaskState(word.lower()) if word.lower() in set(TaskState) else TaskState.PROCESSING,
        progress=_fraction(data.get("progress")),
        video_url=_web_address(data.get("video_url")),
        error_message=_text(data.get("error_message")) or _text(data.get("error")),
        credits_refunded=refunded if isinstance(refunded, bool) else None,
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


def _data(body: _Json) -> _Json:
    data = body.get("data")
    return data if body.get("success") is True and isinstance(data, dict) else {}


def _whole(value: object) -> int | None:
    # Credits are whole; 2**53 is where JSON numbers stop being exact.
    if not _is_number(value) or abs(value) >= 2**53 or value != int(value):
        return None
    return int(value)


def _fraction(value: object) -> float | None:
    return min(100.0, max(0.0, value)) / 100 if _is_number(value) else None


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
    if not isinstance(value, str) or len(value) > 1500 or not value.isprintable() or " " in value:
        return None
    try:
        parts = urlsplit(value)
    except ValueError:
        return None
    return value if parts.scheme in ("http", "https") and parts.hostname else None
