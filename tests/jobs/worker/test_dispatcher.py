"""More is due than the provider may be asked: what saves most waiting goes first, and nothing starves."""

from bot.jobs.models import JobState
from tests.jobs.scripted import COMPLETED, Stage

RATE = 2


async def processing(stage: Stage, count: int) -> list[str]:
    """Have so many jobs sent, one after the other, and return their task ids in that order."""
    for _ in range(count):
        await stage.ask()
        await stage.settle()
    return [f"task-{number + 1}" for number in range(count)]


async def test_the_request_rate_limit_is_kept(stage: Stage) -> None:
    stage.new_worker(requests_per_second=RATE)
    for _ in range(10):
        await stage.ask()
    for second in range(6):
        assert len(stage.provider.sent) <= RATE * (second + 1)
        await stage.pass_time(1)
    assert len(stage.provider.sent) == 10


async def test_submissions_go_before_polls(stage: Stage) -> None:
    await processing(stage, 20)
    stage.clock.advance(80)
    stage.new_worker(requests_per_second=RATE)
    await stage.worker.recover()
    await stage.ask()
    await stage.settle()
    assert len(stage.provider.sent) == 21
    assert len(stage.provider.looked) == RATE - 1


async def test_the_poll_that_saves_most_waiting_goes_first(stage: Stage) -> None:
    await processing(stage, 3)
    stage.clock.advance(20)
    await processing(stage, 3)
    # By now the first three are older: they have probably ended, and longer ago.
    stage.clock.advance(72)
    stage.provider.looked.clear()
    stage.new_worker(requests_per_second=RATE)
    await stage.worker.recover()
    await stage.settle()
    assert set(stage.provider.looked) <= {"task-1", "task-2", "task-3"}
    assert len(stage.provider.looked) == RATE


async def test_no_poll_starves(stage: Stage) -> None:
    task_ids = await processing(stage, 30)
    stage.clock.advance(60)
    stage.new_worker(requests_per_second=RATE)
    await stage.worker.recover()
    await stage.pass_time(40)
    assert set(stage.provider.looked) == set(task_ids)
    assert len(stage.provider.looked) <= RATE * 41


async def test_posts_do_not_wait_for_the_rate_limit(stage: Stage) -> None:
    jobs = [await stage.ask() for _ in range(3)]
    await stage.settle()
    stage.provider.statuses.extend([COMPLETED] * 3)
    stage.clock.advance(100)
    stage.new_worker(requests_per_second=1)
    await stage.worker.recover()
    await stage.pass_time(4)
    assert [await stage.state(job) for job in jobs] == [JobState.SUCCEEDED] * 3
    assert len(stage.notifier.posts) == 3
