"""Restarts of the real bot as a process, in the middle of everything: nothing is lost, doubled or paid twice."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, closing
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL

import pytest
import pytest_asyncio

from sandbox.run import bot_environment
from tests.bot_fork import forked
from tests.bot_process import WAIT_SECONDS, Running
from tests.e2e.stage import CALLBACK, GENERATE, MESSAGES, Stage, hold_finish, is_up, refusal_of, servers, text_of
from tests.local.faults import Fault
from tests.local.people import InteractionRecord


@dataclass
class Restarts:
    """Both servers, which stay, and a bot that is started again and again."""

    stage: Stage
    folder: Path
    environment: dict[str, str]

    def bot(self) -> AbstractAsyncContextManager[Running]:
        return forked(self.environment, self.folder)

    async def up(self) -> None:
        await self.stage.discord.wait_for(lambda: is_up(self.stage), WAIT_SECONDS)

    async def killed(self, bot: Running) -> None:
        """Kill the bot as a power cut does."""
        bot.process.send_signal(SIGKILL)
        await bot.process.wait()
        await self.stage.discord.wait_for(lambda: not self.stage.discord.bot_online, WAIT_SECONDS)


@pytest_asyncio.fixture
async def restarts(tmp_path: Path) -> AsyncIterator[Restarts]:
    async with servers(tmp_path) as stage:
        environment = bot_environment(stage.discord, stage.ulazai, tmp_path)
        yield Restarts(stage, tmp_path, environment | {"POLL_MIN_INTERVAL_SECONDS": "0.1"})


async def one_result(stage: Stage, card: InteractionRecord) -> None:
    """The video is told of once, paid once, and was asked for once."""
    result = await stage.outcome(card)
    await stage.delivered()
    assert "ready" in result.content
    assert stage.public_messages(card.message.id) == [result]
    assert (stage.states, stage.balance) == (["succeeded"], (0, 55))
    assert len(stage.ulazai.tasks) == 1


async def test_killed_while_the_video_is_generating(restarts: Restarts) -> None:
    stage = restarts.stage
    hold = hold_finish(stage)
    async with restarts.bot() as bot:
        await restarts.up()
        card = await stage.ask()
        await stage.thread(card)
        await stage.until(lambda: stage.states == ["processing"])
        await restarts.killed(bot)
    hold.release()
    async with restarts.bot():
        await restarts.up()
        await one_result(stage, card)
        await stage.card_says(card, "Ready")


async def test_killed_while_the_request_hangs(restarts: Restarts) -> None:
    stage = restarts.stage
    hanging = stage.ulazai.faults.add("POST", GENERATE, Fault(delay_seconds=600), times=None)
    async with restarts.bot() as bot:
        await restarts.up()
        card = await stage.ask()
        await stage.thread(card)
        await stage.until(lambda: hanging.hits)
        await restarts.killed(bot)
    assert stage.states == ["submitting"]
    async with restarts.bot():
        await restarts.up()
        told = await stage.outcome(card)
        await stage.card_says(card, "Unconfirmed")
        await stage.delivered()
    assert told.pinged_user_ids == [stage.member.id]
    assert "won't send it again" in told.content
    assert (stage.states, stage.balance, hanging.hits) == (["unconfirmed"], (55, 0), 1)


async def test_killed_while_the_job_waits_in_the_queue(restarts: Restarts) -> None:
    stage = restarts.stage
    stage.ulazai.faults.add("POST", GENERATE, Fault(status=429, headers={"Retry-After": "600"}), times=None)
    async with restarts.bot() as bot:
        await restarts.up()
        card = await stage.ask()
        await stage.thread(card)
        await stage.card_says(card, "UlazAI is busy")
        await restarts.killed(bot)
    stage.ulazai.faults.clear()
    async with restarts.bot():
        await restarts.up()
        await one_result(stage, card)


@pytest.mark.parametrize("arrived", [False, True], ids=["result not posted", "result posted, nobody noted it"])
async def test_killed_before_the_delivery_was_recorded(restarts: Restarts, *, arrived: bool) -> None:
    stage = restarts.stage
    failing = Fault(status=500, answer_after_effect=arrived)
    planned = stage.discord.faults.add("POST", MESSAGES, failing, times=None)
    async with restarts.bot() as bot:
        await restarts.up()
        card = await stage.ask()
        await stage.until(lambda: planned.hits)
        await restarts.killed(bot)
    assert stage.jobs[0]["delivered_at"] is None
    stage.discord.faults.clear()
    async with restarts.bot():
        await restarts.up()
        await one_result(stage, card)


async def test_result_that_was_posted_long_before_the_restart_is_not_posted_again(restarts: Restarts) -> None:
    stage = restarts.stage
    failing = Fault(status=500, answer_after_effect=True)
    planned = stage.discord.faults.add("POST", MESSAGES, failing, times=None)
    async with restarts.bot() as bot:
        await restarts.up()
        card = await stage.ask()
        await stage.until(lambda: planned.hits)
        await restarts.killed(bot)
    stage.discord.faults.clear()
    pretend_that_an_hour_passed(stage)
    async with restarts.bot():
        await restarts.up()
        await one_result(stage, card)


def pretend_that_an_hour_passed(stage: Stage) -> None:
    """Discord has forgotten the message's nonce."""
    stage.discord.settings.nonce_seconds = 0
    with closing(sqlite3.connect(stage.settings.database_path)) as connection, connection:
        earlier = "strftime('%Y-%m-%d %H:%M:%f', delivery_began_at, '-1 hour') || '000'"
        connection.execute(f"UPDATE jobs SET delivery_began_at = {earlier}")  # noqa: S608 - a constant of this test


async def test_stopped_while_the_request_hangs(restarts: Restarts) -> None:
    stage = restarts.stage
    hanging = stage.ulazai.faults.add("POST", GENERATE, Fault(delay_seconds=600), times=None)
    async with restarts.bot() as bot:
        await restarts.up()
        card = await stage.ask()
        await stage.until(lambda: hanging.hits)
        began = time.monotonic()
        assert await bot.stop() == 0
        assert time.monotonic() - began < 10
    assert stage.states == ["submitting"]
    async with restarts.bot():
        await restarts.up()
        assert "won't send it again" in (await stage.outcome(card)).content
        await stage.delivered()
    assert hanging.hits == 1


async def test_stopped_while_discord_accepts_no_results(restarts: Restarts) -> None:
    stage = restarts.stage
    planned = stage.discord.faults.add("POST", MESSAGES, Fault(status=500), times=None)
    async with restarts.bot() as bot:
        await restarts.up()
        card = await stage.ask()
        await stage.until(lambda: planned.hits)
        began = time.monotonic()
        assert await bot.stop() == 0
        assert time.monotonic() - began < 10
    stage.discord.faults.clear()
    async with restarts.bot():
        await restarts.up()
        await one_result(stage, card)
        record = await stage.member.slash(stage.videos, "history")
        assert next(iter(stage.ulazai.tasks)) in text_of(await record.finished())


async def test_stopped_while_commands_wait_for_the_database(restarts: Restarts) -> None:
    stage = restarts.stage
    async with restarts.bot() as bot:
        await restarts.up()
        with closing(sqlite3.connect(stage.settings.database_path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for number in range(5):
                record = await stage.member.slash(stage.videos, "video", prompt=f"number {number}")
            await record.answered()
            began = time.monotonic()
            assert await bot.stop() == 0
            assert time.monotonic() - began < 10
    assert "Traceback" not in "".join(bot.log)
    assert "exception" not in "".join(bot.log)
    assert stage.jobs == []
    assert not stage.ulazai.tasks


async def test_stopped_while_a_command_is_answered(restarts: Restarts) -> None:
    stage = restarts.stage
    async with restarts.bot() as bot:
        await restarts.up()
        answering = stage.discord.faults.add("POST", CALLBACK, Fault(delay_seconds=1))
        record = await stage.member.slash(stage.videos, "video", prompt="a cat")
        await stage.until(lambda: answering.hits)
        assert await bot.stop() == 0
    assert "a cat" in text_of(await record.finished())
    assert "Traceback" not in "".join(bot.log)
    async with restarts.bot():
        await restarts.up()
        await one_result(stage, record)
        # A worker that is stopping opens no thread: the next process does, with the result.
        thread = await stage.thread(record)
    assert stage.jobs[0]["thread_id"] == thread.id


async def test_command_while_it_is_stopping_is_refused_in_words(restarts: Restarts) -> None:
    stage = restarts.stage
    hanging = stage.ulazai.faults.add("POST", GENERATE, Fault(delay_seconds=600), times=None)
    async with restarts.bot() as bot:
        await restarts.up()
        await stage.ask()
        await stage.until(lambda: hanging.hits)
        stopping = asyncio.create_task(bot.stop())
        await stage.until(lambda: any("stopping" in line for line in bot.log))
        record = await stage.member.slash(stage.videos, "video", prompt="too late")
        await record.finished()
        assert "try again in a minute" in refusal_of(record)
        assert await stopping == 0
    assert len(stage.jobs) == 1
