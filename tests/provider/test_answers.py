"""Answers of UlazAI's in other shapes, words and statuses than documented: how each is understood."""

from datetime import UTC, datetime
from typing import Any

import pytest

from bot.errors import ProviderRejectedError, ProviderUnclearError
from bot.provider.models import TaskState
from bot.provider.ulazai import read_status, read_submission, retry_after_seconds

URL = "https://cdn.example/kling/a.mp4"
LONG_URL = f"https://cdn.example/{'a' * 1780}.mp4"


@pytest.mark.parametrize(
    ("body", "task_id", "credits_used"),
    [
        ({"success": True, "data": {"task_id": "T", "credits_used": 55}}, "T", 55),
        ({"success": True, "task_id": "T", "status": "processing", "credits_charged": 55}, "T", 55),
        ({"success": True, "job": {"id": "T", "status": "pending"}}, "T", None),
        ({"success": True, "data": {"job": {"id": "T", "credits_charged": 60}}}, "T", 60),
        ({"success": True, "data": {"task_id": 81723}}, "81723", None),
        ({"success": True, "data": {"taskId": "T"}}, "T", None),
        ({"success": True, "data": {"id": 5, "task_id": "T"}, "id": 7}, "T", None),
        ({"success": True, "data": {"task_id": "T", "credits_used": "60.00"}}, "T", 60),
        ({"success": True, "data": {"task_id": "T", "credits_used": "60.50"}}, "T", None),
        ({"success": True, "data": {"task_id": "T", "credits_used": -5}}, "T", None),
        ({"success": True, "data": {"task_id": "T", "credits_used": "free"}}, "T", None),
        # Whatever names a task is a task.
        ({"success": False, "error": "a warning", "data": {"task_id": "T"}}, "T", None),
    ],
    ids=repr,
)
def test_whatever_names_a_task_is_a_task(body: dict[str, Any], task_id: str, credits_used: int | None) -> None:
    submission = read_submission(202, body)
    assert (submission.task_id, submission.credits_used) == (task_id, credits_used)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"success": False, "error": "Prompt violates the policy"}, "Prompt violates the policy"),
        ({"success": False, "error": {"code": "moderation", "message": "No faces"}}, "No faces"),
        ({"success": False, "detail": [{"loc": ["prompt"], "msg": "too long"}]}, "too long"),
        ({"success": False, "data": {"failure_reason": "no\n such  kind"}}, "no such kind"),
        ({"success": False, "message": "not today"}, "not today"),
    ],
    ids=repr,
)
def test_a_success_that_says_no_is_a_refusal_with_its_reason(body: dict[str, Any], reason: str) -> None:
    with pytest.raises(ProviderRejectedError) as refused:
        read_submission(200, body)
    assert refused.value.reason == reason


def test_what_is_not_understood_is_in_the_error_shortened() -> None:
    with pytest.raises(ProviderUnclearError, match=r'"surprise": "x+$') as unclear:
        read_submission(201, {"success": True, "data": {"surprise": "x" * 5000}})
    assert len(str(unclear.value)) < 400


@pytest.mark.parametrize(
    "body",
    [
        {"success": True, "data": {"status": "completed", "video_url": URL}},
        {"success": True, "status": "completed", "video_url": URL},
        {"success": True, "job": {"status": "completed", "result_urls": [URL]}},
        {"success": True, "data": {"status": "SUCCESS", "video_url": URL}},
        {"success": True, "data": {"status": "succeed", "video_url": [URL]}},
        {"success": True, "data": {"status": "Done", "videos": [{"url": URL}]}},
        {"success": True, "data": {"status": "completed ", "video_url": f" {URL}\n"}},
        {"success": True, "data": {"status": "In The Can", "result_url": URL}},
        {"success": True, "data": {"video_url": URL}},
    ],
    ids=repr,
)
def test_whatever_carries_an_address_is_a_video(body: dict[str, Any]) -> None:
    status = read_status(202, body)
    assert (status.state, status.video_url) == (TaskState.COMPLETED, URL)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("https://cdn.example/my video.mp4", "https://cdn.example/my%20video.mp4"),
        (LONG_URL, LONG_URL),
        (f"{LONG_URL}{'a' * 500}", None),
        ("javascript:alert(1)", None),
        (None, None),
        ([], None),
    ],
)
def test_addresses_are_trimmed_escaped_and_bounded(given: object, found: str | None) -> None:
    assert read_status(200, {"success": True, "data": {"status": "completed", "video_url": given}}).video_url == found


@pytest.mark.parametrize("word", ["failed", "ERROR", "Moderated", " rejected ", "cancelled", "canceled", "failure"])
def test_final_words_for_no_video(word: str) -> None:
    body = {"success": True, "data": {"status": word, "error_message": {"message": "Face not allowed"}}}
    status = read_status(200, body)
    assert (status.state, status.error_message) == (TaskState.FAILED, "Face not allowed")


@pytest.mark.parametrize(
    ("value", "refunded"),
    [
        (True, True),
        ("true", True),
        (1, True),
        (55, True),
        (False, False),
        ("false", False),
        ("False ", False),
        (0, False),
        ("0", False),
        (None, None),
        ("perhaps", None),
        ([], None),
    ],
)
def test_whether_credits_were_refunded(value: object, refunded: bool | None) -> None:
    status = read_status(200, {"success": True, "data": {"status": "failed", "credits_refunded": value}})
    assert status.credits_refunded is refunded
    assert read_status(200, {"success": True, "data": {"status": "failed"}}).credits_refunded is None


@pytest.mark.parametrize(
    "body",
    [
        {"success": False, "error": "Task failed: policy"},
        {"success": True, "data": {"status": "dreaming", "error": {"detail": "Task failed: policy"}}},
    ],
    ids=repr,
)
def test_an_error_without_a_final_state_is_a_refusal(body: dict[str, Any]) -> None:
    status = read_status(200, body)
    assert (status.state, status.error_message) == (TaskState.REFUSED, "Task failed: policy")


def test_an_unknown_word_alone_is_processing_and_named() -> None:
    status = read_status(200, {"success": True, "data": {"status": "dreaming", "progress": "45%"}})
    assert (status.state, status.progress, status.unknown_word) == (TaskState.PROCESSING, 0.45, "dreaming")
    known = read_status(200, {"success": True, "data": {"status": "In Progress", "message": "hello"}})
    assert (known.state, known.unknown_word, known.error_message) == (TaskState.PROCESSING, None, None)


def test_a_date_to_try_again_is_measured_by_the_answers_own_date() -> None:
    sent = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
    assert retry_after_seconds("Thu, 01 Jan 2026 12:00:30 GMT", sent) == 30
