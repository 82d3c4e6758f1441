"""Two hundred commands at the same moment, with the real bot: as many videos as there is room for, and not one more."""

import asyncio
from pathlib import Path

from bot.jobs.validation import LOWEST_PRICE
from bot.pools.reconciliation.service import reconcile
from tests.e2e.pool import OPERATOR, funds, use
from tests.e2e.sessions import Party
from tests.e2e.stage import Stage, refusal_of, staged
from tests.local.people import InteractionRecord, Person

AT_ONCE, ROOM, PRICE = 200, 7, 55
# Not quite one more.
ENOUGH = ROOM * PRICE + PRICE - 1


async def crowd(stage: Stage, channel_id: int, *people: Person) -> list[str]:
    """Have people ask in turns without waiting for any answer; returns what those were told who were refused."""
    # How quick the answers are is another test's affair: here both servers share one busy process.
    stage.discord.settings.interaction_deadline_seconds = 60
    records: list[InteractionRecord] = []
    for number in range(AT_ONCE):
        person = people[number % len(people)]
        records.append(await person.slash(channel_id, "video", files=None, prompt=f"number {number}"))
    await asyncio.gather(*(record.finished(60) for record in records))
    refusals = [refusal_of(record) for record in records if record.message.ephemeral]
    await stage.delivered(AT_ONCE - len(refusals))
    return refusals


def assert_seven_were_made(stage: Stage, refusals: list[str]) -> None:
    assert len(refusals) == AT_ONCE - ROOM
    assert stage.states == ["succeeded"] * ROOM
    assert len(stage.ulazai.tasks) == ROOM
    assert stage.balance == (0, ROOM * PRICE)
    report = reconcile(stage.settings.database_path)
    assert report.is_sound
    assert report.drift.steps == ()


async def test_a_pool_with_room_for_seven(tmp_path: Path) -> None:
    async with staged(tmp_path, pool_starting_credits=ENOUGH, limit_active_jobs=0, limit_window_credits=0) as stage:
        refusals = await crowd(stage, stage.videos, stage.member, stage.discord.person("member-two"))
        assert_seven_were_made(stage, refusals)
        assert funds(stage) == {"available": PRICE - 1, "spent": ROOM * PRICE}
        # The ledger's own numbers.
        assert all(
            f"55 credits is too much for what is left in this server's pool ({PRICE - 1})" in text for text in refusals
        )


async def test_a_session_with_room_for_seven_whatever_pool_and_allowances_have(tmp_path: Path) -> None:
    # Nor for one that is shared.
    left = LOWEST_PRICE - 1
    async with staged(tmp_path, limit_active_jobs=1, limit_window_credits=PRICE) as stage:
        thread_id = await Party(stage).opened(budget=ROOM * PRICE + left)
        refusals = await crowd(stage, thread_id, stage.member, stage.discord.person("member-two"))
        assert_seven_were_made(stage, refusals)
        assert all(f"session's budget ({left})" in text for text in refusals)
        # What pays for nothing more went back to the pool.
        await stage.until(lambda: "budgeted" not in funds(stage))
        assert funds(stage) == {"available": 1_000_000 - ROOM * PRICE, "spent": ROOM * PRICE}


async def test_a_members_own_limit_with_room_for_seven(tmp_path: Path) -> None:
    async with staged(tmp_path, limit_active_jobs=0, limit_window_credits=0) as stage:
        await use(stage, "pool allow", OPERATOR, target=stage.member.id, credits=ENOUGH)
        refusals = await crowd(stage, stage.videos, stage.member)
        assert_seven_were_made(stage, refusals)
        assert all(f"used {ROOM * PRICE} of your {ENOUGH} credits in the last 24 hours" in text for text in refusals)
