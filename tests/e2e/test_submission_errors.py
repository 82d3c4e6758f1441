"""UlazAI's answers to a generate request: what the member hears, what is held, and that nothing is sent twice."""

from pathlib import Path

import pytest

from bot.codes import Failure, Reason, WaitReason
from cogs.rendering.failures import failure, wait_reason
from tests.e2e.stage import GENERATE, Stage, running_bot, servers, staged, text_of
from tests.local.faults import Fault

HTML = "<html><body>Please wait...</body></html>"

# After each of these a video may have been started and paid.
UNCLEAR = {
    "500": Fault(status=500, body={"success": False, "error": "boom"}),
    "502": Fault(status=502, body=HTML, content_type="text/html"),
    "503": Fault(status=503),
    "504": Fault(status=504),
    "HTML with 200": Fault(status=200, body=HTML, content_type="text/html"),
    "cut-off JSON": Fault(status=201, body='{"success": true, "data": {"task_id": "4', content_type="application/json"),
    "cut-off body": Fault(truncate_to=20),
    "no task": Fault(status=201, body={"success": True, "data": {"credits_used": 55}}),
    "not a success": Fault(status=200, body={"success": False}),
    "cut before": Fault(cut="before"),
    "cut after": Fault(cut="after"),
    "huge": Fault(status=201, body="x" * 1024, repeat_body_to=3 * 1024 * 1024),
}

# After each of these it is certain that nothing was started: the job waits and is sent again.
BUSY = {
    "401": Fault(status=401, body={"success": False, "error": "Invalid API key"}),
    "403": Fault(status=403, body=HTML, content_type="text/html"),
    "404": Fault(status=404, body={"success": False, "error": "Not found"}),
    "405": Fault(status=405, body=""),
    "redirect": Fault(status=307, headers={"Location": "/elsewhere/"}),
    "429": Fault(status=429, headers={"Retry-After": "0"}),
    "429 without Retry-After": Fault(status=429, body=HTML, content_type="text/html"),
}


@pytest.mark.parametrize("case", UNCLEAR)
async def test_unclear_answer_ends_unconfirmed_with_the_hold_kept(stage: Stage, case: str) -> None:
    fault = stage.ulazai.faults.add("POST", GENERATE, UNCLEAR[case], times=None)
    card = await stage.ask()
    told = await stage.outcome(card)
    assert told.pinged_user_ids == [stage.member.id]
    assert "UlazAI did not say whether it started this video" in told.content
    assert "55 credits stay held" in told.content
    await stage.card_says(card, "Unconfirmed")
    await stage.delivered()
    assert stage.states == ["unconfirmed"]
    assert stage.balance == (55, 0)
    assert fault.hits == 1


async def test_unconfirmed_job_is_not_sent_again_after_a_restart(tmp_path: Path) -> None:
    async with servers(tmp_path) as stage:
        async with running_bot(stage):
            stage.ulazai.faults.add("POST", GENERATE, Fault(cut="after"))
            card = await stage.ask()
            await stage.outcome(card)
            await stage.delivered()
        async with running_bot(stage):
            await stage.outcome(await stage.ask("another one"))
            await stage.delivered(2)
        assert stage.states == ["unconfirmed", "succeeded"]
        # The first had its effect at the provider; there is no third.
        assert len(stage.ulazai.tasks) == 2
        assert stage.balance == (55, 55)
        assert len(stage.public_messages(card.message.id)) == 1


@pytest.mark.parametrize("case", BUSY)
async def test_job_waits_in_the_queue_and_continues_by_itself(stage: Stage, case: str) -> None:
    fault = stage.ulazai.faults.add("POST", GENERATE, BUSY[case], times=2)
    result = await stage.outcome(await stage.ask())
    assert "ready" in result.content
    await stage.delivered()
    assert fault.hits == 2
    assert len(stage.ulazai.tasks) == 1
    assert stage.entries == [("hold", 55), ("charge", 55)]


async def test_revoked_key_keeps_jobs_queued_until_it_works_again(stage: Stage) -> None:
    stage.ulazai.revoke_key()
    cards = [await stage.ask(f"number {n}") for n in range(3)]
    for card in cards:
        await stage.card_says(card, wait_reason(WaitReason.ACCOUNT_REFUSED))
    assert stage.balance == (165, 0)
    stage.ulazai.restore_key()
    for card in cards:
        await stage.outcome(card)
    await stage.delivered(3)
    assert stage.balance == (0, 165)
    assert len(stage.ulazai.tasks) == 3


async def test_waiting_job_says_why_and_when_it_is_tried_again(stage: Stage) -> None:
    stage.ulazai.faults.add("POST", GENERATE, Fault(status=429, headers={"Retry-After": "600"}), times=None)
    card = await stage.ask()
    shown = await stage.card_says(card, "UlazAI is busy")
    assert "1st in line, should start <t:" in shown
    assert "`/cancel` cancels it" in shown


async def test_retry_after_is_honoured(stage: Stage) -> None:
    busy = stage.ulazai.faults.add("POST", GENERATE, Fault(status=429, headers={"Retry-After": "600"}), times=None)
    cards = [await stage.ask(f"number {n}") for n in range(3)]
    for card in cards:
        await stage.card_says(card, "UlazAI is busy")
    # Whoever was under way at the first refusal may have been refused as well; nobody after that.
    assert busy.hits <= len(cards)
    assert stage.ulazai.tasks == {}


async def test_refused_input_fails_with_the_providers_words_and_the_credits_come_back(stage: Stage) -> None:
    refused = Fault(status=400, body={"success": False, "error": "Prompt contains forbidden words"})
    fault = stage.ulazai.faults.add("POST", GENERATE, refused, times=None)
    card = await stage.ask()
    told = await stage.outcome(card)
    assert "Prompt contains forbidden words" in told.content
    assert "55 credits came back" in told.content
    assert "550 of 550 credits left" in told.content
    await stage.card_says(card, "Failed")
    await stage.delivered()
    assert (stage.states, stage.balance, fault.hits) == (["failed"], (0, 0), 1)
    assert stage.entries == [("hold", 55), ("release", 55)]


@pytest.mark.parametrize("body", ["", HTML, '{"error": ', '{"error": {"a": 1}}', "[]"])
async def test_refused_input_without_readable_words_still_fails_in_words(stage: Stage, body: str) -> None:
    stage.ulazai.faults.add("POST", GENERATE, Fault(status=400, body=body))
    told = await stage.outcome(await stage.ask())
    assert failure(Reason(Failure.REJECTED)) in told.content
    assert not any(sign in told.content for sign in ("{", "html", "None"))


async def test_empty_account_fails_the_job_by_default(stage: Stage) -> None:
    stage.ulazai.set_credits(10)
    card = await stage.ask()
    told = await stage.outcome(card)
    assert "run out of credits" in told.content
    assert "moderator" in told.content
    assert "55 credits came back" in told.content
    await stage.delivered()
    assert (stage.states, stage.balance) == (["failed"], (0, 0))


async def test_empty_account_keeps_the_job_waiting_by_setting(tmp_path: Path) -> None:
    async with staged(tmp_path, provider_out_of_credits="wait") as stage:
        stage.ulazai.set_credits(10)
        card = await stage.ask()
        shown = await stage.card_says(card, "out of credits")
        assert "moderator" in shown
        assert (stage.states[0] in ("queued", "submitting"), stage.balance) == (True, (55, 0))
        stage.ulazai.set_credits(1000)
        result = await stage.outcome(card)
        assert "ready" in result.content
        await stage.delivered()
        assert stage.balance == (0, 55)


async def test_unreachable_provider_keeps_the_job_queued(stage: Stage) -> None:
    address = stage.ulazai.base_url
    await stage.ulazai.stop()
    card = await stage.ask()
    await stage.card_says(card, "UlazAI can't be reached")
    await stage.ulazai.start(port=int(address.rsplit(":", 1)[1]))
    result = await stage.outcome(card)
    assert "ready" in result.content
    assert "Credits used" in text_of(result)
    assert len(stage.ulazai.tasks) == 1


async def test_one_members_error_does_not_affect_another(stage: Stage) -> None:
    stage.ulazai.faults.add("POST", GENERATE, Fault(status=400, body={"success": False, "error": "no"}))
    stage.ulazai.faults.add("POST", GENERATE, Fault(status=500))
    cards = [await stage.ask(f"number {n}") for n in range(3)]
    results = [(await stage.outcome(card)).content for card in cards]
    await stage.delivered(3)
    assert sorted(stage.states) == ["failed", "succeeded", "unconfirmed"]
    assert sum("ready" in text for text in results) == 1
