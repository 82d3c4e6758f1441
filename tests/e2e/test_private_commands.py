"""/usage, /history and /cancel: private answers about one's own jobs."""

import pytest
import pytest_asyncio

from bot.codes import Refusal
from tests.e2e.stage import GENERATE, Stage, refusal_of, text_of
from tests.local.faults import Fault
from tests.local.people import InteractionRecord, Person, Value
from tests.refusals import sentence


async def use(stage: Stage, command: str, person: Person | None = None, **options: Value) -> InteractionRecord:
    record = await (person or stage.member).slash(stage.videos, command, files=None, **options)
    await record.finished()
    assert record.ephemeral
    return record


async def told(stage: Stage, command: str, person: Person | None = None) -> str:
    return text_of((await use(stage, command, person)).message)


@pytest_asyncio.fixture
async def queued(stage: Stage) -> InteractionRecord:
    """The card of a job that stays queued, because UlazAI is busy."""
    stage.ulazai.faults.add("POST", GENERATE, Fault(status=429, headers={"Retry-After": "600"}), times=None)
    card = await stage.ask("a cat **in** a queue")
    await stage.card_says(card, "UlazAI is busy")
    return card


async def test_usage_and_history_of_a_member_without_jobs(stage: Stage) -> None:
    usage = await told(stage, "usage")
    assert "0 of 3" in usage
    assert "0 of 550" in usage
    assert "None yet" in await told(stage, "history")


async def test_usage_shows_open_jobs_credits_limits_and_when_credits_are_free_again(
    stage: Stage, queued: InteractionRecord
) -> None:
    usage = await told(stage, "usage")
    for words in ("1 of 3", "Queued", r"a cat \*\*in\*\* a queue", "55 credits", "55 of 550", "<t:"):
        assert words in usage
    assert f"<#{queued.message.id}>" in usage


async def test_others_do_not_see_my_jobs(stage: Stage, queued: InteractionRecord) -> None:
    two = stage.discord.person("member-two")
    assert queued.state == "answered"
    assert "0 of 3" in await told(stage, "usage", two)
    assert "None yet" in await told(stage, "history", two)


async def test_history_has_links_newest_first(stage: Stage) -> None:
    for prompt in ("the first", "the second"):
        await stage.outcome(await stage.ask(prompt))
    stage.ulazai.fail_next("too dark")
    await stage.outcome(await stage.ask("the third"))
    await stage.delivered(3)
    history = await told(stage, "history")
    assert history.index("the third") < history.index("the second") < history.index("the first")
    assert "failed" in history
    for task_id in list(stage.ulazai.tasks)[:2]:
        assert f"{stage.ulazai.base_url}/kling/videos/{task_id}.mp4" in history


async def test_cancel_cancels_the_only_queued_job(stage: Stage, queued: InteractionRecord) -> None:
    answer = text_of((await use(stage, "cancel")).message)
    assert "55 credits came back" in answer
    shown = await stage.card_says(queued, "Cancelled")
    assert "Credits: none" in shown
    assert stage.states == ["cancelled"]
    assert stage.entries == [("hold", 55), ("release", 55)]
    assert "0 of 550" in await told(stage, "usage")


async def test_cancelled_job_is_never_sent(stage: Stage) -> None:
    busy = stage.ulazai.faults.add("POST", GENERATE, Fault(status=429), times=None)
    card = await stage.ask()
    await stage.card_says(card, "UlazAI is busy")
    # It can't be taken back in the moment in which it is being tried again.
    while stage.states != ["cancelled"]:
        await use(stage, "cancel")
    stage.ulazai.faults.clear()
    hits = busy.hits
    await stage.outcome(await stage.ask("another"))
    await stage.delivered()
    assert busy.hits == hits
    assert stage.states == ["cancelled", "succeeded"]
    assert len(stage.ulazai.tasks) == 1


async def test_cancel_asks_which_and_offers_them(stage: Stage, queued: InteractionRecord) -> None:
    second = await stage.ask("the second")
    await stage.card_says(second, "UlazAI is busy")
    assert refusal_of(await use(stage, "cancel")) == sentence(Refusal.SEVERAL_TO_CANCEL, count=2)
    typed = await stage.member.autocomplete(stage.videos, "cancel", "job")
    await typed.answered()
    assert [choice["name"] for choice in typed.choices] == ["#1: a cat **in** a queue", "#2: the second"]
    narrowed = await stage.member.autocomplete(stage.videos, "cancel", "job", "SECOND")
    await narrowed.answered()
    (choice,) = narrowed.choices
    await use(stage, "cancel", job=choice["value"])
    await stage.card_says(second, "Cancelled")
    assert queued.message is not None
    assert stage.states == ["queued", "cancelled"]


async def test_another_members_job_is_neither_offered_nor_cancelled(stage: Stage, queued: InteractionRecord) -> None:
    two = stage.discord.person("member-two")
    typed = await two.autocomplete(stage.videos, "cancel", "job")
    await typed.answered()
    assert typed.choices == []
    answer = await use(stage, "cancel", two, job=stage.jobs[0]["id"])
    assert "can't be cancelled" in refusal_of(answer)
    assert "Queued" in text_of(queued.message)
    assert stage.states == ["queued"]


@pytest.mark.parametrize("job_id", [1, 999, -1, 2**53])
async def test_submitted_and_unknown_jobs_cannot_be_cancelled(stage: Stage, job_id: int) -> None:
    await stage.outcome(await stage.ask())
    await stage.delivered()
    assert refusal_of(await use(stage, "cancel", job=job_id)) == sentence(Refusal.NOT_CANCELLABLE, job_id=job_id)
    assert refusal_of(await use(stage, "cancel")) == sentence(Refusal.NOTHING_TO_CANCEL)
    assert stage.states == ["succeeded"]
    assert stage.balance == (0, 55)


async def test_commands_without_jobs_leave_nothing(stage: Stage) -> None:
    for command in ("usage", "history", "cancel"):
        await use(stage, command)
    stage.assert_nothing_came_of_it()
