"""The way of an answer: late, refused by Discord, or lost. Nobody pays for a failure they saw."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from bot.codes import Refusal
from tests.e2e.stage import CALLBACK, GENERATE, Stage, staged, text_of
from tests.local.faults import Fault
from tests.local.people import InteractionRecord, Value
from tests.refusals import sentence

T = TypeVar("T")

ORIGINAL = r"/api/v10/webhooks/\d+/.*/messages/@original"


@contextmanager
def busy_database(stage: Stage) -> Iterator[None]:
    """Let nobody else write to the bot's database."""
    connection = sqlite3.connect(stage.settings.database_path, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
    finally:
        connection.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the bot defer sooner than it does."""
    monkeypatch.setattr("cogs.interactions.responses._DEFER_AFTER_SECONDS", 0.2)


async def start(stage: Stage, command: str = "video", **options: Value) -> InteractionRecord:
    return await stage.member.slash(stage.videos, command, files=None, **options)


async def assert_taken_back(stage: Stage) -> None:
    """The job is cancelled, its credits are back, and nothing was asked of the provider."""
    await stage.until(lambda: stage.states == ["cancelled"])
    assert stage.balance == (0, 0)
    assert not stage.ulazai.tasks
    assert stage.discord.threads(stage.videos) == []


async def test_slow_database_is_answered_in_time_and_then_filled(stage: Stage) -> None:
    with busy_database(stage):
        record = await start(stage, prompt="a cat")
        await record.answered()
        assert record.message.thinking
    card = await record.finished()
    assert "a cat" in text_of(card)
    await stage.outcome(record)
    await stage.delivered()
    assert stage.balance == (0, 55)


@pytest.mark.usefixtures("impatient")
async def test_refusal_after_a_slow_start_is_private_and_leaves_nothing(stage: Stage) -> None:
    busy = Fault(status=429, headers={"Retry-After": "600"})
    stage.ulazai.faults.add("POST", GENERATE, busy, times=None)
    for number in range(3):
        await stage.card_says(await stage.ask(f"number {number}"), "UlazAI is busy")
    before = len(stage.public_messages())
    with busy_database(stage):
        record = await start(stage, prompt="one more")
        await record.answered()
        assert record.message.thinking
    await stage.discord.wait_for(lambda: [m for m in record.messages if m.ephemeral])
    (message,) = record.messages
    assert message.visible_to == stage.member.id
    assert "3 of 3 videos" in text_of(message)
    assert len(stage.public_messages()) == before


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("command", ["usage", "history", "cancel"])
async def test_private_commands_stay_private_when_they_are_slow(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    assert stage.bot is not None
    service = stage.bot.services.jobs
    may_go_on = asyncio.Event()
    for name in ("overview", "history"):
        monkeypatch.setattr(service, name, slowed(getattr(service, name), may_go_on))
    record = await start(stage, command)
    await record.answered()
    assert record.message.thinking
    assert record.ephemeral
    may_go_on.set()
    await stage.discord.wait_for(lambda: any(text_of(m).strip() for m in record.messages))
    assert all(message.ephemeral for message in record.messages)
    assert stage.public_messages() == []


def slowed(work: Callable[..., Awaitable[T]], may_go_on: asyncio.Event) -> Callable[..., Awaitable[T]]:
    async def slow(*args: object) -> T:
        await may_go_on.wait()
        return await work(*args)

    return slow


async def test_answer_that_is_refused_once_with_500_arrives_at_the_second_try(stage: Stage) -> None:
    stage.discord.faults.add("POST", CALLBACK, Fault(status=500))
    card = await stage.ask()
    await stage.outcome(card)
    await stage.delivered()
    assert len(stage.jobs) == 1


async def test_answer_whose_confirmation_is_lost_is_found_again(stage: Stage) -> None:
    stage.discord.faults.add("POST", CALLBACK, Fault(status=500, answer_after_effect=True))
    card = await stage.ask()
    await stage.outcome(card)
    await stage.delivered()
    assert stage.jobs[0]["card_message_id"] == card.message.id
    assert len([m for m in stage.public_messages() if m.origin]) == 1


async def test_answer_that_is_cut_before_it_arrives_costs_nothing(stage: Stage) -> None:
    stage.discord.faults.add("POST", CALLBACK, Fault(cut="before"))
    record = await start(stage, prompt="a cat")
    await record.settled()
    await assert_taken_back(stage)
    assert text_of(record.message) == sentence(Refusal.ANSWER_LOST_CANCELLED)
    assert record.ephemeral
    assert stage.public_messages() == []


async def test_answer_that_is_cut_after_it_arrived_is_shown_as_cancelled(stage: Stage) -> None:
    stage.discord.faults.add("POST", CALLBACK, Fault(cut="after"))
    record = await start(stage, prompt="a cat")
    await record.answered()
    await assert_taken_back(stage)
    await stage.card_says(record, "Cancelled")
    await stage.discord.wait_for(lambda: [m for m in record.messages if m.ephemeral])


async def test_expired_interaction_costs_nothing(stage: Stage) -> None:
    gone = Fault(status=404, body={"code": 10062, "message": "Unknown interaction"})
    stage.discord.faults.add("POST", CALLBACK, gone, times=None)
    record = await start(stage, prompt="a cat")
    await assert_taken_back(stage)
    await record.settled()
    assert record.state == "failed"
    assert stage.public_messages() == []


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "fault",
    [Fault(status=404, body={"code": 10062, "message": "Unknown interaction"}), Fault(cut="before")],
    ids=["expired", "cut"],
)
async def test_deferral_that_does_not_arrive_costs_nothing(stage: Stage, fault: Fault) -> None:
    met = stage.discord.faults.add("POST", CALLBACK, fault, times=None)
    with busy_database(stage):
        await start(stage, prompt="a cat")
        await stage.until(lambda: met.hits)
    await assert_taken_back(stage)
    assert stage.public_messages() == []


@pytest.mark.usefixtures("impatient")
async def test_filling_of_a_deferred_answer_that_fails_costs_nothing(stage: Stage) -> None:
    stage.discord.faults.add("PATCH", ORIGINAL, Fault(cut="before"))
    with busy_database(stage):
        record = await start(stage, prompt="a cat")
        await record.answered()
    await assert_taken_back(stage)
    await stage.discord.wait_for(lambda: [m for m in record.messages if m.ephemeral])
    assert not any(message.thinking for message in record.messages)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", [Fault(cut="after"), Fault(cut="before")], ids=["cut after", "cut before"])
async def test_deferral_without_a_confirmation_is_filled_all_the_same(stage: Stage, fault: Fault) -> None:
    met = stage.discord.faults.add("POST", CALLBACK, fault)
    with busy_database(stage):
        record = await start(stage, prompt="a cat")
        await stage.until(lambda: met.hits)
    assert "a cat" in text_of(await record.finished())
    await stage.outcome(record)
    await stage.delivered()
    assert stage.balance == (0, 55)


@pytest.mark.usefixtures("impatient")
async def test_refusal_after_a_deferral_without_a_confirmation_is_private(tmp_path: Path) -> None:
    async with staged(tmp_path, limit_window_credits=54) as stage:
        met = stage.discord.faults.add("POST", CALLBACK, Fault(cut="after"))
        with busy_database(stage):
            record = await start(stage, prompt="a cat")
            await stage.until(lambda: met.hits)
        await stage.discord.wait_for(lambda: [m for m in record.messages if m.ephemeral])
        (message,) = record.messages
        assert "55 is too much" in text_of(message)
        stage.assert_nothing_came_of_it()
