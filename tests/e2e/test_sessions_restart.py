"""The bot killed at each step of a creative session: the next one goes on with it, and nothing is there twice."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL

import pytest
import pytest_asyncio

from sandbox.run import bot_environment
from tests.bot_fork import forked
from tests.bot_process import WAIT_SECONDS, Running
from tests.e2e.sessions import Party, footer_of
from tests.e2e.stage import CALLBACK, MESSAGES, THREADS, Stage, is_up, servers
from tests.local.faults import Fault
from tests.local.people import InteractionRecord

# The request is carried out, and its answer comes so slowly that the bot never reads it to its end.
UNREAD = Fault(drip_seconds=600)
NEVER = Fault(delay_seconds=600)
PIN = MESSAGES + r"/pins/\d+"


@dataclass
class Kills:
    """Both servers, which stay, and a bot that is killed and started again."""

    party: Party
    folder: Path
    environment: dict[str, str]

    @property
    def stage(self) -> Stage:
        return self.party.stage

    def bot(self) -> AbstractAsyncContextManager[Running]:
        return forked(self.environment, self.folder)

    async def up(self) -> None:
        await self.stage.discord.wait_for(lambda: is_up(self.stage), WAIT_SECONDS)

    async def kill(self, bot: Running) -> None:
        """Kill the bot as a power cut does."""
        bot.process.send_signal(SIGKILL)
        await bot.process.wait()
        self.stage.discord.faults.clear()
        await self.stage.discord.wait_for(lambda: not self.stage.discord.bot_online, WAIT_SECONDS)

    async def start(self) -> InteractionRecord:
        return await self.party.moderator.slash(self.stage.videos, "session start", budget=300)


@pytest_asyncio.fixture
async def kills(tmp_path: Path) -> AsyncIterator[Kills]:
    async with servers(tmp_path) as stage:
        environment = bot_environment(stage.discord, stage.ulazai, tmp_path)
        yield Kills(Party(stage), tmp_path, environment | {"POLL_MIN_INTERVAL_SECONDS": "0.1"})


async def test_killed_before_its_answer_was_sent_it_never_started(kills: Kills) -> None:
    party = kills.party
    async with kills.bot() as bot:
        await kills.up()
        planned = kills.stage.discord.faults.add("POST", CALLBACK, NEVER)
        await kills.start()
        await kills.stage.until(lambda: planned.hits)
        await kills.kill(bot)
    assert party.funds["budgeted"] == 300
    async with kills.bot():
        await kills.up()
        await party.summarised()
    assert (party.rows[0]["end_cause"], party.funds["available"]) == ("failure", 1000)
    assert kills.stage.public_messages() == []


@pytest.mark.parametrize(
    ("method", "path", "fault", "thread_is_noted"),
    [
        ("POST", CALLBACK, UNREAD, False),
        ("POST", THREADS, UNREAD, True),
        ("POST", MESSAGES, UNREAD, True),
        ("PUT", PIN, NEVER, True),
    ],
    ids=["answered", "thread made", "card posted", "not yet pinned"],
)
async def test_killed_while_it_is_opened_it_continues(
    kills: Kills, method: str, path: str, fault: Fault, *, thread_is_noted: bool
) -> None:
    party, stage = kills.party, kills.stage
    async with kills.bot() as bot:
        await kills.up()
        planned = stage.discord.faults.add(method, path, fault)
        record = await kills.start()
        await stage.until(lambda: planned.hits and record.messages)
        await stage.until(lambda: bool(party.rows[0]["thread_id"]) is thread_is_noted)
        await kills.kill(bot)
    thread_id = record.message.id
    async with kills.bot():
        await kills.up()
        await stage.until(lambda: party.rows[0]["card_message_id"])
        card = await party.card(thread_id)
        assert card.pinned
        await party.make(thread_id)
        await stage.delivered()
        await party.end(thread_id)
        await party.summarised()
    assert [footer_of(message) for message in stage.public_messages(thread_id)].count("Session 1") == 1
    assert len(stage.public_messages()) == len(party.pages(thread_id)) == 1
    assert party.funds == {"available": 945, "budgeted": 0, "held": 0, "spent": 55}


async def test_killed_before_its_summary_was_recorded_it_is_not_posted_again(kills: Kills) -> None:
    party, stage = kills.party, kills.stage
    async with kills.bot() as bot:
        await kills.up()
        thread_id = await party.opened()
        stage.discord.faults.add("POST", MESSAGES, UNREAD)
        await party.end(thread_id)
        summary = await party.summary(thread_id)
        await kills.kill(bot)
    assert party.rows[0]["summarised_at"] is None
    # Discord has forgotten the message's nonce.
    stage.discord.settings.nonce_seconds = 0
    async with kills.bot():
        await kills.up()
        await party.summarised()
    assert party.pages(thread_id) == [summary]
    await party.card(thread_id, "A moderator ended it")
