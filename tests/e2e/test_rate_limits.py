"""Discord's 429s and passing trouble on the way of threads and results: they delay, and nothing is lost or doubled."""

from pathlib import Path

import pytest

from sandbox.discord.rest.rate_limits import Limit
from tests.e2e.stage import MESSAGES, THREADS, Stage, staged
from tests.local.faults import Fault


def limited(*, everywhere: bool = False) -> Fault:
    """A 429 as Discord sends it."""
    body = {"message": "You are being rate limited.", "retry_after": 0.3, "global": everywhere}
    headers = {"Via": "1.1 google", "Retry-After": "1", "X-RateLimit-Scope": "global" if everywhere else "user"}
    return Fault(status=429, body=body, headers=headers | ({"X-RateLimit-Global": "true"} if everywhere else {}))


TROUBLE = {
    "limit of the route": limited(),
    "limit in all": limited(everywhere=True),
    "block by the address": Fault(status=429, body="<html>1015</html>", content_type="text/html"),
    "500": Fault(status=500),
    "502 after the effect": Fault(status=502, answer_after_effect=True),
    "503": Fault(status=503),
    "no answer": Fault(cut="before"),
    "no answer after the effect": Fault(cut="after"),
}


async def one_result(stage: Stage) -> None:
    """A video is asked for, and there is one thread with one result in it, for the requester alone."""
    card = await stage.ask()
    result = await stage.outcome(card)
    await stage.delivered()
    assert result.pinged_user_ids == [stage.member.id]
    await stage.seen(lambda: result.attachments or None)
    assert [thread.id for thread in stage.discord.threads(stage.videos)] == [card.message.id]
    assert stage.public_messages(card.message.id) == [result]
    assert (stage.states, stage.balance) == (["succeeded"], (0, 55))
    assert len(stage.ulazai.tasks) == 1


@pytest.mark.parametrize("case", TROUBLE)
async def test_errors_when_posting_the_result_only_delay_it(stage: Stage, case: str) -> None:
    stage.discord.faults.add("POST", MESSAGES, TROUBLE[case])
    await one_result(stage)


@pytest.mark.parametrize("case", TROUBLE)
async def test_errors_when_making_the_thread_only_delay_it(stage: Stage, case: str) -> None:
    stage.discord.faults.add("POST", THREADS, TROUBLE[case])
    await one_result(stage)


async def test_many_results_in_one_thread_pass_the_limit_of_its_route(tmp_path: Path) -> None:
    async with staged(tmp_path, limit_active_jobs=0) as stage:
        thread = await stage.thread(await stage.ask("number 0"))
        stage.discord.limiter.limits["POST", "/channels/{channel_id}/messages"] = Limit(1, 0.5)
        for number in range(1, 4):
            record = await stage.member.slash(thread.id, "video", prompt=f"number {number}")
            await record.finished()
        await stage.delivered(4)
        results = [message for message in stage.public_messages(thread.id) if message.origin is None]
        assert len({message.content for message in results}) == 4
