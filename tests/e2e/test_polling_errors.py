"""UlazAI's answers while a video is being made: trouble that passes, and ends without a video."""

import pytest

from bot.codes import Failure, Reason
from cogs.rendering.failures import failure
from sandbox.ulazai import progress
from sandbox.ulazai.values import ProgressPolicy
from tests.e2e.stage import STATUS, Stage
from tests.local.faults import Fault

HTML = "<html><body>Please wait...</body></html>"
PASSING = {
    "400": Fault(status=400, body={"success": False, "error": "?"}),
    "401": Fault(status=401, body={"success": False, "error": "Invalid API key"}),
    "402": Fault(status=402, body={"success": False, "error": "?"}),
    "429": Fault(status=429, headers={"Retry-After": "0"}),
    "429 without Retry-After": Fault(status=429),
    "500": Fault(status=500),
    "502": Fault(status=502, body=HTML, content_type="text/html"),
    "503": Fault(status=503),
    "504": Fault(status=504),
    "HTML with 200": Fault(status=200, body=HTML, content_type="text/html"),
    "cut-off JSON": Fault(status=200, body='{"success": true, "data": {"stat', content_type="application/json"),
    "cut-off body": Fault(truncate_to=20),
    "no answer": Fault(cut="before"),
    "other types": Fault(status=200, body={"success": True, "data": {"status": 7, "progress": "half"}}),
    "not a success": Fault(status=200, body={"success": False, "error": "?"}),
    "unknown word": Fault(status=200, body={"success": True, "data": {"status": "pending"}}),
    "huge": Fault(status=200, body="x" * 1024, repeat_body_to=3 * 1024 * 1024),
}


@pytest.mark.parametrize("case", PASSING)
async def test_temporary_errors_change_nothing(stage: Stage, case: str) -> None:
    fault = stage.ulazai.faults.add("GET", STATUS, PASSING[case], times=2)
    result = await stage.outcome(await stage.ask())
    assert "ready" in result.content
    await stage.delivered()
    assert fault.hits == 2
    assert (stage.states, stage.balance) == (["succeeded"], (0, 55))
    assert len(stage.ulazai.tasks) == 1


async def test_unknown_task_that_is_known_again_continues(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.jobs.worker.poll._IMPLAUSIBLE_SECONDS", 1)
    stage.ulazai.faults.add("GET", STATUS, Fault(status=404))
    result = await stage.outcome(await stage.ask())
    assert "ready" in result.content


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=404, body={"success": False, "error": "Task not found"}),
        Fault(status=200, body={"success": True, "data": {"status": "completed"}}),
        Fault(status=200, body={"success": True, "data": {"status": "completed", "video_url": "javascript:alert(1)"}}),
    ],
    ids=["unknown task", "done without a link", "done with a wrong link"],
)
async def test_an_implausible_state_is_reported_when_it_persists(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    monkeypatch.setattr("bot.jobs.worker.poll._IMPLAUSIBLE_SECONDS", 0.2)
    stage.ulazai.faults.add("GET", STATUS, fault, times=None)
    card = await stage.ask()
    told = await stage.outcome(card)
    assert told.pinged_user_ids == [stage.member.id]
    assert "javascript" not in told.content
    await stage.delivered()
    assert stage.states == ["unconfirmed"]
    # It was paid: the books keep the charge until somebody has looked.
    assert stage.balance == (0, 55)


async def test_failed_job_whose_credits_came_back(stage: Stage) -> None:
    stage.ulazai.fail_next("The subject is not allowed", refunded=True)
    card = await stage.ask()
    told = await stage.outcome(card)
    assert told.pinged_user_ids == [stage.member.id]
    assert "The subject is not allowed" in told.content
    assert "55 credits came back" in told.content
    assert "550 of 550 credits left" in told.content
    assert "0 used" in await stage.card_says(card, "Failed")
    await stage.delivered()
    assert stage.entries == [("hold", 55), ("charge", 55), ("refund", 55)]
    assert stage.balance == (0, 0)


async def test_failed_job_whose_credits_the_provider_keeps(stage: Stage) -> None:
    stage.ulazai.fail_next("Too late", refunded=False)
    card = await stage.ask()
    told = await stage.outcome(card)
    assert "no refund: 55 credits are used" in told.content
    assert "55 used" in await stage.card_says(card, "Failed")
    await stage.delivered()
    assert stage.balance == (0, 55)


async def test_failed_job_without_a_word_about_credits(stage: Stage) -> None:
    body = {"success": True, "data": {"status": "failed"}}
    stage.ulazai.faults.add("GET", STATUS, Fault(status=200, body=body), times=None)
    told = await stage.outcome(await stage.ask())
    assert failure(Reason(Failure.FAILED_AT_PROVIDER)) in told.content
    assert "None" not in told.content
    await stage.delivered()
    assert stage.states == ["failed"]


@pytest.mark.parametrize("policy", [progress.absent, progress.constant(50), progress.jumping])
async def test_progress_may_be_missing_stalled_or_jumping(stage: Stage, policy: ProgressPolicy) -> None:
    stage.ulazai.progress = policy
    result = await stage.outcome(await stage.ask())
    assert "ready" in result.content


async def test_a_temporary_error_of_one_job_does_not_delay_the_others(stage: Stage) -> None:
    cards = [await stage.ask(f"number {n}") for n in range(3)]
    await stage.until(lambda: stage.jobs[0]["task_id"])
    path = f"/kling26/api/status/{stage.jobs[0]['task_id']}/"
    stage.ulazai.faults.add("GET", path, Fault(status=500), times=None)
    for card in cards[1:]:
        await stage.outcome(card)
    await stage.delivered(2)
    assert stage.states[0] == "processing"
    stage.ulazai.faults.clear()
    await stage.outcome(cards[0])
