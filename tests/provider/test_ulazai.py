"""UlazAI's client: what it sends, and what it makes of any answer."""

import json
import math
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.errors import ProviderUnclearError
from bot.provider.models import (
    Estimate,
    GenerationMode,
    GenerationRequest,
    Submission,
    TaskState,
    TaskStatus,
)
from bot.provider.ulazai import (
    _parse,
    read_estimate,
    read_status,
    read_submission,
    request_body,
    retry_after_seconds,
)
from tests.properties import PROPERTY

PICTURE = "https://cdn.discordapp.com/attachments/1/2/a.png?ex=1"
NOW = datetime(2026, 8, 1, 12, 0, tzinfo=UTC)

# Sending


def test_the_body_of_a_request_from_text() -> None:
    request = GenerationRequest(GenerationMode.TEXT, "A dog", 10, sound=True, publish=True, aspect_ratio="9:16")
    assert request_body(request) == {
        "prompt": "A dog",
        "generationMode": "text_to_video",
        "duration": "10",
        "aspectRatio": "9:16",
        "sound": True,
        "prompt_directory_optin": True,
    }


def test_the_body_of_a_request_from_a_picture() -> None:
    assert request_body(GenerationRequest(GenerationMode.IMAGE, "It moves", image_url=PICTURE)) == {
        "prompt": "It moves",
        "generationMode": "image_to_video",
        "imageUrls": [PICTURE],
        "duration": "5",
        "sound": False,
        "prompt_directory_optin": False,
    }


requests = st.builds(
    GenerationRequest,
    mode=st.sampled_from(GenerationMode),
    prompt=st.text(min_size=1),
    duration_seconds=st.sampled_from((5, 10)),
    sound=st.booleans(),
    publish=st.booleans(),
    aspect_ratio=st.sampled_from((None, "16:9", "9:16", "1:1")),
    image_url=st.just(PICTURE),
)


@PROPERTY
@given(requests)
def test_publishing_duration_and_sound_are_always_sent(request: GenerationRequest) -> None:
    body = json.loads(json.dumps(request_body(request)))
    assert body["prompt_directory_optin"] is request.publish
    assert body["sound"] is request.sound
    assert body["duration"] in ("5", "10")
    assert body["prompt"] == request.prompt
    assert ("imageUrls" in body) is (request.mode is GenerationMode.IMAGE)
    assert ("aspectRatio" in body) is (request.mode is GenerationMode.TEXT)


# Reading

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**300, 10**420)
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.sampled_from(
        ["", "a-task", "http://[", "https://cdn.ulazai.com/v.mp4", "file:///etc", "60-90 seconds", "x" * 9999]
    )
)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)
SUBMISSION_FIELDS = ("credits_used", "credits_remaining", "estimated_time", "status")
STATUS_FIELDS = ("progress", "video_url", "error_message", "error", "credits_refunded")


def answers(names: tuple[str, ...], word: tuple[str, st.SearchStrategy[object]]) -> st.SearchStrategy[object]:
    """Answers of any shape; most of them with the right field names and anything in them."""
    data = st.fixed_dictionaries({word[0]: word[1] | anything}, optional=dict.fromkeys(names, anything))
    likely = st.fixed_dictionaries({"success": st.just(True) | anything, "data": data | anything})
    return likely | anything


def is_whole(number: object) -> bool:
    return number is None or (isinstance(number, int) and not isinstance(number, bool) and abs(number) < 2**53)


def is_storable(text: str | None) -> bool:
    return text is None or (bool(text.encode()) and text.isprintable())


@PROPERTY
@given(answers(SUBMISSION_FIELDS, ("task_id", st.just("a-task"))))
@example({"success": True, "data": {"task_id": "a", "credits_used": 10**400}})
@example({"success": True, "data": {"task_id": "a", "credits_used": math.inf, "credits_remaining": math.nan}})
@example({"success": True, "data": {"task_id": "half a \ud800 character"}})
def test_any_answer_to_a_submission_is_a_submission_or_is_unclear(answer: object) -> None:
    body = _parse(json.dumps(answer).encode())
    try:
        submission = read_submission(201, body)
    except ProviderUnclearError:
        return
    assert isinstance(submission, Submission)
    assert is_storable(submission.task_id)
    assert is_whole(submission.credits_used)
    assert (submission.credits_used or 0) >= 0
    assert is_whole(submission.credits_remaining)
    estimate = submission.estimate
    assert estimate is None or 0 <= estimate.low_seconds <= estimate.high_seconds <= 86_400


@PROPERTY
@given(answers(STATUS_FIELDS, ("status", st.sampled_from(["processing", "COMPLETED", "failed", "dreaming"]))))
@example({"success": True, "data": {"status": "processing", "progress": -(10**400)}})
@example({"success": True, "data": {"status": "failed", "error_message": "a \ud800 \0 b"}})
def test_any_answer_to_a_poll_is_a_status_or_is_unclear(answer: object) -> None:
    body = _parse(json.dumps(answer).encode())
    try:
        status = read_status(200, body)
    except ProviderUnclearError:
        return
    assert isinstance(status, TaskStatus)
    assert status.progress is None or 0 <= status.progress <= 1
    assert is_storable(status.video_url)
    assert is_storable(status.error_message)
    assert status.video_url is None or status.video_url.startswith(("http://", "https://"))


@PROPERTY
@given(st.binary() | st.just(b"[" * 200_000) | st.just(b'{"a": 1' + b"0" * 10_000 + b"}"))
def test_any_bytes_are_an_object_or_none(raw: bytes) -> None:
    assert isinstance(_parse(raw), dict)


def test_the_documented_answer_to_a_submission() -> None:
    data = {
        "task_id": "123e4567-e89b-12d3-a456-426614174000",
        "status": "processing",
        "credits_used": 55,
        "credits_remaining": 945,
        "estimated_time": "60-90 seconds",
        "message": "KLING 2.6 video generation started",
    }
    assert read_submission(201, {"success": True, "data": data}) == Submission(
        "123e4567-e89b-12d3-a456-426614174000", 55, 945, Estimate(60, 90)
    )


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ({"status": "processing", "progress": 45}, TaskStatus(TaskState.PROCESSING, progress=0.45)),
        ({"status": "processing"}, TaskStatus(TaskState.PROCESSING)),
        ({"status": "pending"}, TaskStatus(TaskState.PROCESSING)),
        ({"status": "processing", "progress": 250}, TaskStatus(TaskState.PROCESSING, progress=1.0)),
        (
            {"status": "completed", "video_url": "https://cdn.ulazai.com/a.mp4", "duration": 5, "has_audio": True},
            TaskStatus(TaskState.COMPLETED, video_url="https://cdn.ulazai.com/a.mp4"),
        ),
        (
            {"status": "failed", "error_message": "too\n dark", "credits_refunded": True},
            TaskStatus(TaskState.FAILED, error_message="too dark", credits_refunded=True),
        ),
    ],
)
def test_documented_answers_to_a_poll(data: dict[str, object], status: TaskStatus) -> None:
    assert read_status(200, {"success": True, "data": data}) == status


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"success": False},
        {"success": True, "data": {}},
        {"success": True, "data": {"status": 5, "task_id": True}},
        {"success": True, "data": [{"task_id": "a"}]},
    ],
)
def test_what_is_no_success_is_unclear(body: dict[str, object]) -> None:
    with pytest.raises(ProviderUnclearError):
        read_status(200, body)
    with pytest.raises(ProviderUnclearError):
        read_submission(200, body)


@pytest.mark.parametrize(
    ("text", "estimate"),
    [
        ("60-90 seconds", Estimate(60, 90)),
        ("90 - 60 s", Estimate(60, 90)),
        ("about 75 seconds", Estimate(75, 75)),
        ("2 minutes", Estimate(120, 120)),
        ("1.5-2 min", Estimate(90, 120)),
        ("soon", None),
        ("0 seconds", None),
        ("99999999 seconds", None),
        ("9" * 5000, None),
        (90, None),
        (None, None),
    ],
)
def test_estimates(text: object, estimate: Estimate | None) -> None:
    assert read_estimate(text) == estimate


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("30", 30),
        (" 2.5 ", 2.5),
        ("-3", 0),
        ("Sat, 01 Aug 2026 12:01:00 GMT", 60),
        ("Sat, 01 Aug 2026 14:01:00 +0200", 60),
        ("Sat, 01 Aug 2026 11:59:00 GMT", 0),
        ("Saturday, 01-Aug-26 12:01:00 GMT", 60),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("", None),
        ("Mon, 01 Jan 99999 00:00:00 GMT", None),
        (f"Mon, 01 Jan {'9' * 30} 00:00:00 GMT", None),
        ("Mon, 01 Jan 2026 00:00:00 +9999", None),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header, NOW) == seconds


@PROPERTY
@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d{1,9} [A-Z][a-z]{2} \d{1,12} \d{1,12}:\d+:\d+ ([+-]\d{4}|GMT)"))
def test_any_retry_after_can_be_read(header: str) -> None:
    seconds = retry_after_seconds(header, NOW)
    assert seconds is None or (seconds >= 0 and math.isfinite(seconds))
