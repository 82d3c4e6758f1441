"""UlazAI takes fewer videos than members of two servers ask for: who is sent when, and what the cards say."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest_asyncio

from tests.e2e.stage import GENERATE, Stage, hold_finish, running_bot, servers, staged
from tests.local.faults import Fault
from tests.local.people import InteractionRecord, Person


@dataclass(slots=True)
class TwoServers:
    """Two members and two servers; the first member is in both."""

    stage: Stage
    elsewhere: int

    @property
    def one(self) -> Person:
        return self.stage.member

    @property
    def two(self) -> Person:
        return self.stage.discord.person("member-two")

    async def ask(self, prompt: str, person: Person | None = None, channel_id: int = 0) -> InteractionRecord:
        record = await (person or self.one).slash(channel_id or self.stage.videos, "video", prompt=prompt)
        await record.finished()
        assert not record.ephemeral
        return record

    def sent(self) -> list[str]:
        return [task.generation.prompt for task in self.stage.ulazai.tasks.values()]


def settle_in(stage: Stage) -> TwoServers:
    admin = stage.discord.admin
    other = admin.add_guild("Elsewhere")
    admin.add_member(other.id, stage.member.id)
    return TwoServers(stage, admin.add_channel(other.id, "clips").id)


@pytest_asyncio.fixture
async def town(tmp_path: Path) -> AsyncIterator[TwoServers]:
    async with staged(tmp_path, provider_max_active_jobs=2, limit_active_jobs=0) as stage:
        yield settle_in(stage)


async def test_slots_are_shared_between_servers_and_then_between_members(town: TwoServers) -> None:
    stage = town.stage
    hold = hold_finish(stage)
    for prompt in ("first", "second"):
        await town.ask(prompt)
    await stage.until(lambda: town.sent() == ["first", "second"])
    third = await town.ask("third")
    others = await town.ask("the other member's", town.two)
    elsewhere = await town.ask("elsewhere", channel_id=town.elsewhere)
    for card, place in ((others, "1st"), (third, "2nd"), (elsewhere, "1st")):
        shown = await stage.card_says(card, f"{place} in line, should start <t:")
        assert "`/cancel` cancels it" in shown
    assert len(town.sent()) == 2
    hold.release()
    await stage.delivered(5)
    assert town.sent() == ["first", "second", "elsewhere", "the other member's", "third"]
    assert stage.states == ["succeeded"] * 5
    assert stage.balance == (0, 275)


async def test_a_cancelled_job_frees_its_place_in_the_queue(town: TwoServers) -> None:
    stage = town.stage
    hold = hold_finish(stage)
    for prompt in ("first", "second"):
        await town.ask(prompt)
    third, fourth = await town.ask("third"), await town.ask("fourth")
    await stage.card_says(third, "1st in line")
    await stage.card_says(fourth, "2nd in line")
    cancel = await stage.member.slash(stage.videos, "cancel", job=3)
    await cancel.finished()
    await stage.card_says(third, "Cancelled")
    await stage.card_says(fourth, "1st in line")
    hold.release()
    await stage.delivered(4)
    assert town.sent() == ["first", "second", "fourth"]


async def test_the_queue_is_the_same_after_a_restart(tmp_path: Path) -> None:
    async with servers(tmp_path, provider_max_active_jobs=1, limit_active_jobs=0) as stage:
        hold = hold_finish(stage)
        async with running_bot(stage):
            town = settle_in(stage)
            await town.ask("there")
            await stage.until(lambda: town.sent() == ["there"])
            cards = [
                await town.ask("third"),
                await town.ask("the other member's", town.two),
                await town.ask("elsewhere", channel_id=town.elsewhere),
            ]
            for card, place in zip(cards, ("2nd", "1st", "1st"), strict=True):
                await stage.card_says(card, f"{place} in line")
        async with running_bot(stage):
            await stage.discord.wait_for(lambda: stage.discord.bot_online)
            assert town.sent() == ["there"]
            hold.release()
            await stage.delivered(4)
        assert town.sent() == ["there", "elsewhere", "the other member's", "third"]


async def test_a_busy_provider_gets_one_probe_and_the_others_see_their_places(tmp_path: Path) -> None:
    async with staged(tmp_path, limit_active_jobs=0) as stage:
        town = settle_in(stage)
        busy = stage.ulazai.faults.add("POST", GENERATE, Fault(status=429, headers={"Retry-After": "2"}), times=1)
        first = await town.ask("first")
        await stage.card_says(first, "1st in line, should start <t:")
        second, others = await town.ask("second"), await town.ask("the other member's", town.two)
        await stage.card_says(second, "3rd in line")
        await stage.card_says(others, "2nd in line")
        await stage.delivered(3)
        assert busy.hits == 1
        assert town.sent()[0] == "first"
        assert sorted(town.sent()) == ["first", "second", "the other member's"]
