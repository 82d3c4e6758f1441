"""More is asked for than the provider takes: who is sent when, and what the others' cards say."""

from collections.abc import Collection
from datetime import datetime, timedelta

import pytest

from bot.codes import Refusal, WaitReason
from bot.errors import ProviderBusyError, ProviderKeyError, ProviderUnclearError, StorageError
from bot.jobs.models import Job, JobState
from bot.jobs.polling import initial_poll_state
from bot.jobs.queueing.fair_queue import Member
from bot.jobs.worker.dispatcher import ProviderCapacity, SubmissionQueue
from bot.jobs.worker.tracking import TrackedJob
from bot.provider.models import GenerationMode, GenerationRequest
from tests.builders import GUILD, MEMBER, members_side, requester
from tests.jobs.scripted import COMPLETED, Stage, for_ever
from tests.refusals import refused

RED, BLUE = GUILD, GUILD + 1
MODERATOR = 7
ANN, BEN = MEMBER, MEMBER + 1
QUEUED, PROCESSING = JobState.QUEUED, JobState.PROCESSING


async def ask(stage: Stage, name: str, guild_id: int = RED, member_id: int = ANN) -> Job:
    request = GenerationRequest(GenerationMode.TEXT, name, aspect_ratio="16:9")
    return await stage.ask(request, requester(guild_id, member_id))


def sent(stage: Stage) -> list[str]:
    return [request.prompt for request in stage.provider.sent]


def places(stage: Stage, *jobs: Job) -> list[int | None]:
    return [stage.status(job).place for job in jobs]


async def end_one(stage: Stage) -> None:
    """Let one video be ready, and everything happen that follows."""
    before = len(stage.notifier.posts)
    stage.provider.statuses.append(COMPLETED)
    for _ in range(600):
        await stage.pass_time(1)
        if len(stage.notifier.posts) > before:
            return
    raise AssertionError("nothing ends")


def count_reads(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> list[set[Member]]:
    """Note of whom it is read what they used."""
    read = stage.repository.used_credits
    calls: list[set[Member]] = []

    async def note(members: Collection[Member], since: datetime) -> dict[Member, int]:
        calls.append(set(members))
        return await read(members, since)

    monkeypatch.setattr(stage.repository, "used_credits", note)
    return calls


async def test_without_a_limit_all_are_submitted_at_once_and_nothing_is_read(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = count_reads(stage, monkeypatch)
    jobs = [await ask(stage, str(n), member_id=MEMBER + n % 3) for n in range(20)]
    await stage.settle()
    assert {await stage.state(job) for job in jobs} == {PROCESSING}
    assert reads == []
    assert all(status.waiting is None for status in stage.notifier.shown)


async def test_the_limit_of_active_jobs_is_kept(stage: Stage) -> None:
    stage.new_worker(active_jobs=2)
    jobs = [await ask(stage, str(n)) for n in range(5)]
    await stage.settle()
    assert [await stage.state(job) for job in jobs] == [PROCESSING] * 2 + [QUEUED] * 3
    for ended in range(1, 4):
        await end_one(stage)
        assert sent(stage) == [str(n) for n in range(2 + ended)]
    await end_one(stage)
    assert len(stage.provider.sent) == 5


async def test_slots_go_to_servers_then_to_members_with_no_job_in_flight_then_by_least_usage(
    stage: Stage,
) -> None:
    await ask(stage, "before", RED, BEN)
    await stage.settle()
    await end_one(stage)
    stage.new_worker(active_jobs=1)
    await ask(stage, "red ann 1")
    await stage.settle()
    for name in ("red ann 2", "red ann 3"):
        await ask(stage, name)
    await ask(stage, "red ben 1", RED, BEN)
    await ask(stage, "blue ann 1", BLUE)
    await ask(stage, "blue ben 1", BLUE, BEN)
    for _ in range(6):
        await end_one(stage)
    # Ann and Ben have used 55 each when Red's second turn comes: then age decides, and after it what was used.
    assert sent(stage)[1:] == ["red ann 1", "blue ann 1", "red ann 2", "blue ben 1", "red ben 1", "red ann 3"]


async def test_cards_show_the_place_and_the_expected_start(stage: Stage) -> None:
    stage.new_worker(active_jobs=2)
    there = [await ask(stage, "a"), await ask(stage, "b", BLUE)]
    await stage.settle()
    began = stage.clock.now()
    stage.clock.advance(30)
    first, second = await ask(stage, "c"), await ask(stage, "d")
    third = await ask(stage, "e", BLUE)
    await stage.pass_time(1)
    assert places(stage, *there) == [None, None]
    assert places(stage, first, second, third) == [1, 2, 1]
    assert {stage.waiting(job) for job in (first, second, third)} == {WaitReason.BUSY}
    expected = [stage.status(job).expected_at for job in (first, third, second)]
    assert expected == [began + timedelta(seconds=seconds) for seconds in (75, 75, 150)]
    assert {stage.status(job).retry_at for job in (first, second, third)} == {None}


async def test_places_move_up_when_somebody_leaves(stage: Stage) -> None:
    stage.new_worker(active_jobs=1)
    await ask(stage, "there")
    await stage.settle()
    jobs = [await ask(stage, str(n), member_id=BEN) for n in range(3)]
    await stage.pass_time(1)
    assert places(stage, *jobs) == [1, 2, 3]
    stage.worker.untrack(await members_side(stage.repository).cancel(jobs[0].id, RED, BEN))
    await stage.pass_time(1)
    assert places(stage, *jobs[1:]) == [1, 2]
    await end_one(stage)
    assert sent(stage) == ["there", "1"]
    await stage.pass_time(1)
    assert places(stage, jobs[2]) == [1]


async def test_a_card_is_not_shown_again_while_nothing_changes_for_its_reader(stage: Stage) -> None:
    stage.new_worker(active_jobs=1)
    await ask(stage, "there")
    await stage.settle()
    job = await ask(stage, "waits")
    await stage.pass_time(60)
    assert len([status for status in stage.notifier.shown if status.job.id == job.id]) == 1


async def test_an_overdue_job_is_expected_soon_again_and_again(stage: Stage) -> None:
    stage.new_worker(active_jobs=1)
    await ask(stage, "there")
    await stage.settle()
    job = await ask(stage, "waits")
    await stage.pass_time(600)
    expected = stage.status(job).expected_at
    assert expected is not None
    assert abs(expected - stage.clock.now()) < timedelta(seconds=45)


async def test_a_prioritized_job_has_its_servers_next_slot(stage: Stage) -> None:
    stage.new_worker(active_jobs=1)
    await ask(stage, "there")
    await stage.settle()
    jobs = [await ask(stage, str(n)) for n in range(3)]
    await stage.settle()
    stage.worker.moved_to_front(await members_side(stage.repository).prioritize(jobs[2].id, RED, MODERATOR))
    await stage.pass_time(1)
    assert places(stage, *jobs) == [2, 3, 1]
    await end_one(stage)
    assert sent(stage) == ["there", "2"]
    with refused(Refusal.NOT_QUEUED):
        await members_side(stage.repository).prioritize(jobs[2].id, RED, MODERATOR)
    with refused(Refusal.NOT_QUEUED):
        await members_side(stage.repository).prioritize(jobs[0].id, BLUE, MODERATOR)


async def test_a_job_that_moved_on_meanwhile_is_not_queued_again(stage: Stage) -> None:
    job = await ask(stage, "quick")
    moved = await members_side(stage.repository).prioritize(job.id, RED, MODERATOR)
    await stage.settle()
    stage.worker.moved_to_front(moved)
    await stage.settle()
    assert sent(stage) == ["quick"]
    assert await stage.state(job) is PROCESSING


async def test_the_order_is_the_same_after_a_restart(stage: Stage) -> None:
    async def order_of_what_follows() -> list[str]:
        for _ in range(8):
            await end_one(stage)
        return sent(stage)[2:]

    stage.new_worker(active_jobs=2)
    await ask(stage, "there red", RED, BEN)
    await stage.settle()
    await ask(stage, "there blue", BLUE)
    await stage.settle()
    jobs = [await ask(stage, f"red {n}") for n in range(3)]
    await ask(stage, "red ben", RED, BEN)
    await ask(stage, "blue", BLUE)
    await ask(stage, "blue ben", BLUE, BEN)
    moved = await members_side(stage.repository).prioritize(jobs[1].id, RED, MODERATOR)
    stage.worker.moved_to_front(moved)
    await stage.settle()
    before = [job.job_id for job in stage.worker._queue._queue.order()]
    stage.new_worker(active_jobs=2)
    await stage.worker.recover()
    await stage.settle()
    assert [job.job_id for job in stage.worker._queue._queue.order()] == before
    assert await order_of_what_follows() == ["red 1", "blue ben", "red 0", "blue", "red ben", "red 2"]


async def test_an_unconfirmed_job_takes_no_slot(stage: Stage) -> None:
    stage.new_worker(active_jobs=1)
    stage.provider.answers.append(ProviderUnclearError("cut"))
    await ask(stage, "unclear")
    await ask(stage, "next", member_id=BEN)
    await stage.pass_time(5)
    assert sent(stage) == ["unclear", "next"]


async def test_a_failed_or_refused_job_frees_its_slot(stage: Stage) -> None:
    stage.new_worker(active_jobs=1)
    stage.provider.answers.append(ProviderBusyError(10))
    first = await ask(stage, "first")
    await stage.settle()
    await ask(stage, "second", member_id=BEN)
    await stage.settle()
    assert (sent(stage), await stage.state(first)) == (["first"], QUEUED)
    await stage.pass_time(10)
    assert sent(stage) == ["first", "first"]
    await end_one(stage)
    assert sent(stage) == ["first", "first", "second"]


async def test_while_the_provider_is_busy_the_next_try_is_the_expected_start(stage: Stage) -> None:
    stage.provider.answers.append(ProviderBusyError(600))
    first = await ask(stage, "first")
    await stage.settle()
    second = await ask(stage, "second", BLUE)
    await stage.pass_time(1)
    begins = stage.clock.now() + timedelta(seconds=599)
    assert [stage.status(job).expected_at for job in (first, second)] == [begins, begins]
    assert places(stage, first, second) == [1, 1]
    # Nobody knocks before.
    await stage.pass_time(598)
    assert len(stage.provider.sent) == 1
    await stage.pass_time(2)
    assert sent(stage) == ["first", "first", "second"]


async def test_in_trouble_there_is_a_next_try_and_no_expected_start(stage: Stage) -> None:
    stage.provider.answers.append(ProviderKeyError("revoked"))
    job = await ask(stage, "first")
    await stage.settle()
    status = stage.status(job)
    assert (status.place, status.expected_at) == (1, None)
    assert status.retry_at == stage.clock.now() + timedelta(seconds=2)


async def test_usage_is_read_once_and_only_if_several_members_wait(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = count_reads(stage, monkeypatch)
    stage.new_worker(active_jobs=1)
    for n in range(4):
        await ask(stage, str(n))
    await stage.pass_time(20)
    assert reads == []
    await ask(stage, "ben", member_id=BEN)
    await stage.settle()
    assert reads == [{(RED, ANN), (RED, BEN)}]
    # From then on it is known what is sent; but credits leave the window as time goes by.
    await stage.pass_time(60)
    assert len(reads) == 3


async def test_slots_go_by_age_while_usage_cannot_be_read(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(members: Collection[Member], since: datetime) -> dict[Member, int]:
        raise StorageError(f"disk trouble with {members} since {since}")

    monkeypatch.setattr(stage.repository, "used_credits", fail)
    stage.new_worker(active_jobs=1)
    await ask(stage, "a")
    for member_id in (BEN, ANN):
        await ask(stage, f"of {member_id}", member_id=member_id)
    await stage.settle()
    await end_one(stage)
    await end_one(stage)
    assert sent(stage) == ["a", f"of {BEN}", f"of {ANN}"]


async def test_concurrent_submissions_are_bounded(stage: Stage) -> None:
    stage.provider.before_answer = for_ever
    for n in range(40):
        await ask(stage, f"ann {n}")
    await stage.worker.run_once()
    await stage.provider.reached.wait()
    await ask(stage, "ben", member_id=BEN)
    await stage.worker.run_once()
    # The rest waits in the fair queue, not behind one another.
    assert len(stage.worker._queue) == 9
    assert stage.worker._queue._queue.in_flight_count == 32


async def test_polls_get_every_second_request_while_jobs_are_queued(stage: Stage) -> None:
    for n in range(20):
        await ask(stage, f"there {n}")
    await stage.settle()
    stage.clock.advance(80)
    stage.new_worker(requests_per_second=1)
    await stage.worker.recover()
    for n in range(20):
        await ask(stage, str(n))
    await stage.pass_time(20)
    new = len(stage.provider.sent) - 20
    assert abs(new - len(stage.provider.looked)) <= 1
    assert new + len(stage.provider.looked) == 20


async def test_the_places_of_a_long_queue_are_updated_rarely(stage: Stage) -> None:
    now, request = stage.clock.monotonic(), GenerationRequest(GenerationMode.TEXT, "x")
    tracked: dict[int, TrackedJob] = {}
    queue = SubmissionQueue(stage.repository, tracked, active_jobs=1, window=timedelta(hours=1))
    for number in range(1000):
        job = Job(number, requester(RED, number), request, QUEUED, 55, stage.clock.now())
        tracked[number] = TrackedJob(job, initial_poll_state(job, stage.clock))
        queue.enqueue(job)
    assert queue.next_update_at(now) == now
    changed = list(queue.changed_positions(now, ProviderCapacity(WaitReason.BUSY, now, [], lambda _: 75.0, 0)))
    assert [position.place for _, position in changed] == list(range(1, 1001))
    queue.remove(0)
    assert queue.next_update_at(now) == now + 1.998
