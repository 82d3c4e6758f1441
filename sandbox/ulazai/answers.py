"""Response bodies of the local UlazAI, with the fields that UlazAI documents."""

from typing import Any

from aiohttp import web

from sandbox.ulazai.values import JsonObject, ProgressPolicy, RefusalError, Task, TaskState

TYPICAL_SECONDS = (60.0, 90.0)


def data_answer(status: int, data: JsonObject) -> web.Response:
    """Return a successful response with this data."""
    return web.json_response({"success": True, "data": data}, status=status)


def refusal_answer(refusal: RefusalError) -> web.Response:
    """Return the response to a refused request."""
    body = {"success": False, "error": refusal.error, **refusal.details}
    return web.json_response(body, status=refusal.status, headers=dict(refusal.headers))


def submission(task: Task, credits_remaining: int, speed: float) -> JsonObject:
    """Return the response to a generate request.

    Args:
        task: the new task.
        credits_remaining: the balance after the charge.
        speed: how many times faster than the real one.
    """
    return {
        "task_id": task.task_id,
        "status": "processing",
        "credits_used": task.credits,
        "credits_remaining": credits_remaining,
        "estimated_time": estimated_time(speed),
        "message": "KLING 2.6 video generation started",
    }


def estimated_time(speed: float) -> str:
    """Return how long a job takes, as text: "60-90 seconds" at speed 1."""
    low, high = (f"{seconds / speed:.3g}" for seconds in TYPICAL_SECONDS)
    return f"{low}-{high} seconds"


def task_status(task: Task, now: float, base_url: str, progress: ProgressPolicy) -> JsonObject:
    """Return the response to a status request.

    Args:
        task: the task.
        now: Unix seconds.
        base_url: where its video is served.
        progress: computes the progress shown.
    """
    data: dict[str, Any] = {"task_id": task.task_id, "status": task.state.value}
    match task.state:
        case TaskState.COMPLETED:
            data["video_url"] = f"{base_url}/kling/videos/{task.task_id}.mp4"
            data["duration"] = task.generation.duration_seconds
            data["has_audio"] = task.generation.sound
        case TaskState.FAILED:
            data["error_message"] = task.failure
            data["credits_refunded"] = task.refunded
        case TaskState.PROCESSING:
            percent = progress(task, now)
            if percent is not None:
                data["progress"] = percent
    return data


def file_answer(request: web.Request, content: bytes, content_type: str) -> web.Response:
    """Return a response with a file, or with the range of it that the request names (RFC 9110, 14).

    Args:
        request: the request, which may have a Range header.
        content: the whole file.
        content_type: its media type.
    """
    headers = {"Content-Type": content_type, "Accept-Ranges": "bytes"}
    wanted = _wanted_range(request, len(content))
    if wanted is None:
        return web.Response(body=content, headers=headers)
    start, stop = wanted
    if start >= stop:
        return web.Response(status=416, headers={"Content-Range": f"bytes */{len(content)}"})
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(content)}"
    return web.Response(status=206, body=content[start:stop], headers=headers)


def _wanted_range(request: web.Request, length: int) -> tuple[int, int] | None:
    if "Range" not in request.headers:
        return None
    try:
        start, stop, _step = request.http_range.indices(length)
    except ValueError:
        return None  # RFC 9110: an invalid Range is ignored
    return start, stop
