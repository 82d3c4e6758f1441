import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.clock import SystemClock
from bot.jobs.worker import tracking as schedule_module
from bot.jobs.worker.tracking import TimerQueue
from tests.clock import FakeClock
from tests.properties import PROPERTY


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def schedule(clock: FakeClock) -> TimerQueue:
    return TimerQueue(clock)


def test_nothing_is_due_before_its_time(clock: FakeClock, schedule: TimerQueue) -> None:
    schedule.put(1, 5)
    clock.advance(4.999)
    assert schedule.pop_due() == []
    clock.advance(0.001)
    assert schedule.pop_due() == [1]
    assert schedule.pop_due() == []
    assert len(schedule) == 0


def test_the_earliest_comes_first_and_then_the_oldest_job(clock: FakeClock, schedule: TimerQueue) -> None:
    for job_id, seconds in ((3, 2), (1, 2), (2, 1)):
        schedule.put(job_id, seconds)
    clock.advance(2)
    assert schedule.pop_due() == [2, 1, 3]


def test_a_later_plan_takes_the_place_of_an_earlier_one(clock: FakeClock, schedule: TimerQueue) -> None:
    schedule.put(1, 1)
    schedule.put(1, 9)
    assert len(schedule) == 1
    clock.advance(1)
    assert schedule.pop_due() == []
    clock.advance(8)
    assert schedule.pop_due() == [1]


@PROPERTY
@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 20)), max_size=30))
def test_each_job_comes_once_at_its_newest_plan(plans: list[tuple[int, int]]) -> None:
    clock = FakeClock()
    schedule = TimerQueue(clock)
    for job_id, seconds in plans:
        schedule.put(job_id, seconds)
    newest = dict(plans)
    for second in range(21):
        assert schedule.pop_due() == sorted(job_id for job_id, due in newest.items() if due == second)
        clock.advance(1)
    assert len(schedule) == 0


@pytest.mark.parametrize("step", [-7200, -1, 1, 26 * 3600])
def test_plans_keep_their_distance_when_the_clock_is_set(clock: FakeClock, schedule: TimerQueue, step: float) -> None:
    schedule.put(1, 10)
    schedule.put(2, 20)
    clock.advance(5)
    assert schedule.pop_due() == []
    clock.jump(step)
    assert schedule.pop_due() == []
    clock.advance(5)
    assert schedule.pop_due() == [1]
    clock.advance(10)
    assert schedule.pop_due() == [2]


async def test_waiting_ends_when_something_is_due() -> None:
    schedule = TimerQueue(SystemClock())
    schedule.put(1, SystemClock().monotonic() + 0.05)
    async with asyncio.timeout(5):
        while not (due := schedule.pop_due()):
            await schedule.wait()
    assert due == [1]


async def test_waiting_ends_when_a_plan_is_made(clock: FakeClock, schedule: TimerQueue) -> None:
    schedule.put(1, 600)
    waiting = asyncio.create_task(schedule.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    schedule.put(2, clock.monotonic())
    await asyncio.wait_for(waiting, 5)
    assert schedule.pop_due() == [2]


async def test_what_is_due_already_is_not_waited_for(clock: FakeClock, schedule: TimerQueue) -> None:
    schedule.put(1, 0)
    clock.advance(100)
    await asyncio.wait_for(schedule.wait(), 1)


async def test_waiting_ends_after_a_while_whatever_the_plans_say(
    schedule: TimerQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule_module, "_LONGEST_SLEEP_SECONDS", 0.01)
    await asyncio.wait_for(schedule.wait(), 5)
    schedule.put(1, 86_400)
    await asyncio.wait_for(schedule.wait(), 5)
    assert schedule.pop_due() == []


async def test_waiting_ends_when_it_is_woken_up(clock: FakeClock, schedule: TimerQueue) -> None:
    schedule.put(1, clock.monotonic() + 10)
    waiting = asyncio.create_task(schedule.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    schedule.wake()
    async with asyncio.timeout(5):
        await waiting
    assert schedule.pop_due() == []
