"""The limits per member and server, also when many commands come at the same moment."""

import asyncio
import re
from pathlib import Path

from tests.e2e.stage import GENERATE, refusal_of, staged, text_of
from tests.local.faults import Fault
from tests.local.people import Person

WHEN = re.compile(r"<t:\d+:[Rf]>")


async def test_of_a_hundred_at_once_exactly_as_many_are_accepted_as_the_limit_allows(tmp_path: Path) -> None:
    async with staged(tmp_path, limit_active_jobs=3) as stage:
        records = [await stage.member.slash(stage.videos, "video", prompt=f"number {n}") for n in range(100)]
        await asyncio.gather(*(record.finished() for record in records))
        cards = [record for record in records if not record.message.ephemeral]
        refusals = [refusal_of(record) for record in records if record.message.ephemeral]
        assert (len(cards), len(refusals)) == (3, 97)
        for text in refusals:
            assert "3 of 3 videos" in text
            assert WHEN.search(text)
        for card in cards:
            await stage.outcome(card)
        await stage.delivered(3)
        assert len(stage.jobs) == len(stage.ulazai.tasks) == 3
        assert stage.balance == (0, 165)


async def test_credits_of_the_window_are_not_exceeded_by_a_hundred_at_once(tmp_path: Path) -> None:
    async with staged(tmp_path, limit_active_jobs=0, limit_window_credits=170) as stage:
        records = [await stage.member.slash(stage.videos, "video", prompt=f"number {n}") for n in range(100)]
        await asyncio.gather(*(record.finished() for record in records))
        refusals = [refusal_of(record) for record in records if record.message.ephemeral]
        assert len(refusals) == 97
        for text in refusals:
            assert "165 of your 170 credits in the last 24 hours, so 55 is too much" in text
            assert WHEN.search(text)
        await stage.delivered(3)
        assert stage.balance == (0, 165)


async def test_more_expensive_than_the_whole_limit_says_what_to_do(tmp_path: Path) -> None:
    async with staged(tmp_path, limit_window_credits=100) as stage:
        record = await stage.ask("a cat", duration=10, sound=True)
        assert "55 works: 5 seconds without sound." in refusal_of(record)
        stage.assert_nothing_came_of_it()


async def test_zero_means_no_limit(tmp_path: Path) -> None:
    async with staged(tmp_path, limit_active_jobs=0, limit_window_credits=0) as stage:
        cards = [await stage.ask(f"number {n}", duration=10, sound=True) for n in range(5)]
        assert all("You have left" not in text_of(card.message) for card in cards)
        result = await stage.outcome(cards[-1])
        assert "not limited" in result.content
        await stage.delivered(5)
        assert stage.balance == (0, 1100)


async def test_failed_jobs_do_not_count(tmp_path: Path) -> None:
    async with staged(tmp_path, limit_active_jobs=1, limit_window_credits=55) as stage:
        for number in range(3):
            stage.ulazai.fail_next("no luck")
            result = await stage.outcome(await stage.ask(f"number {number}"))
            assert "55 of 55 credits left" in result.content
            await stage.delivered(number + 1)
        await stage.outcome(await stage.ask("the last"))
        await stage.delivered(4)
        assert stage.states == ["failed", "failed", "failed", "succeeded"]


async def test_unconfirmed_jobs_count_until_they_are_decided(tmp_path: Path) -> None:
    async with staged(tmp_path, limit_window_credits=55) as stage:
        stage.ulazai.faults.add("POST", GENERATE, Fault(status=500))
        await stage.outcome(await stage.ask())
        assert "55 of your 55 credits" in refusal_of(await stage.ask())


async def ask_as(person: Person, channel_id: int) -> bool:
    """Ask for a video; tells whether it was taken."""
    record = await person.slash(channel_id, "video", prompt="a cat")
    return not (await record.finished()).ephemeral


async def test_limits_are_per_member_and_per_server(tmp_path: Path) -> None:
    async with staged(tmp_path, limit_active_jobs=1) as stage:
        one, two = stage.member, stage.discord.person("member-two")
        admin = stage.discord.admin
        other = admin.add_guild("Elsewhere")
        admin.add_member(other.id, one.id)
        elsewhere = admin.add_channel(other.id, "clips").id
        stage.ulazai.faults.add("POST", GENERATE, Fault(status=429), times=None)
        assert await ask_as(one, stage.videos)
        assert not await ask_as(one, stage.videos)
        assert await ask_as(two, stage.videos)
        assert await ask_as(one, elsewhere)
        assert not await ask_as(one, elsewhere)
        assert {job["guild_id"] for job in stage.jobs} == {stage.discord.guild_id, other.id}
