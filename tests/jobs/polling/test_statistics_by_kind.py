"""Statistics of finished jobs, from the poll that found them finished to the next job's polls."""

import pytest

from bot.jobs.models import JobState
from bot.jobs.polling.forecast import MEMORY
from bot.jobs.polling.policy import TYPICAL, Cohorts, PollState, StatisticsByKind, VideoKind, next_poll
from bot.jobs.polling.progress_model import NO_STATISTICS
from bot.provider.models import GenerationMode, Submission, TaskState, TaskStatus
from tests.builders import TEXT_REQUEST, picture_request, take
from tests.jobs.scripted import COMPLETED, MIN_INTERVAL, VIDEO, Stage

TEXT = VideoKind.of(TEXT_REQUEST)


def finish(statistics: StatisticsByKind, last_poll_age: float, age: float) -> None:
    state = PollState(0.0, TYPICAL).after_poll(last_poll_age, None)
    statistics.finish(TEXT_REQUEST, 1, state, age)


def test_kinds_differ_in_what_makes_jobs_slower() -> None:
    assert VideoKind.of(TEXT_REQUEST) == VideoKind(GenerationMode.TEXT, 5, sound=False)
    assert VideoKind.of(picture_request()) != TEXT


def test_a_finished_job_counts_for_its_own_kind_only() -> None:
    statistics = StatisticsByKind(1.0)
    finish(statistics, 70, 72)
    assert statistics.of(picture_request()) == NO_STATISTICS
    (duration,) = statistics.of(TEXT_REQUEST).durations
    assert 70 <= duration <= 72


def test_jobs_are_taken_to_have_ended_between_the_polls_not_at_the_last() -> None:
    statistics = StatisticsByKind(1.0)
    for _ in range(MEMORY):
        finish(statistics, 70, 80)
    durations = statistics.of(TEXT_REQUEST).durations
    assert min(durations) < 74
    assert max(durations) > 76
    assert all(70 <= duration <= 80 for duration in durations)


def test_memory_is_bounded_and_the_newest_comes_first() -> None:
    statistics = StatisticsByKind(1.0)
    statistics.load({TEXT: [100.0] * 1000})
    for _ in range(MEMORY // 2):
        finish(statistics, 199.9, 200)
    durations = statistics.of(TEXT_REQUEST).durations
    assert len(durations) == MEMORY
    assert durations[0] == pytest.approx(200, abs=0.2)
    assert durations[-1] == 100


def test_jobs_that_are_sent_one_by_one_are_used_at_once() -> None:
    cohorts = Cohorts()
    for job_id in range(50):
        cohorts.start(job_id)
        assert cohorts.end(job_id, 60.0 + job_id) == [60.0 + job_id]


def test_the_shortest_of_many_jobs_are_not_used_before_nearly_all_have_ended() -> None:
    cohorts = Cohorts()
    for job_id in range(20):
        cohorts.start(job_id)
        cohorts.start(job_id)
    early = [cohorts.end(job_id, 60.0 + job_id) for job_id in range(17)]
    assert early == [[]] * 17
    assert sorted(cohorts.end(17, 77.0)) == [60.0 + job_id for job_id in range(18)]
    # The two slowest follow one by one.
    assert cohorts.end(18, 300.0) == [300.0]
    assert cohorts.end(19, None) == []


def test_an_endless_job_holds_back_its_own_cohort_only() -> None:
    cohorts = Cohorts()
    for job_id in range(40):
        cohorts.start(job_id)
    for job_id in range(20, 37):
        assert cohorts.end(job_id, 70.0) == []
    assert cohorts.end(37, 70.0) == [70.0] * 18


def test_failed_jobs_complete_a_cohort() -> None:
    cohorts = Cohorts()
    cohorts.start(1)
    cohorts.start(2)
    assert cohorts.end(1, 65.0) == []
    assert cohorts.end(2, None) == [65.0]


async def test_a_new_process_goes_by_the_jobs_in_the_database(stage: Stage) -> None:
    for _ in range(10):
        job = await take(stage.repository)
        await stage.repository.begin_submission(job.id)
        await stage.repository.accept(job.id, Submission(f"task-{job.id}", 55))
        stage.clock.advance(300)
        await stage.repository.succeed(job.id, VIDEO)
    assert await stage.repository.durations() == {TEXT: [300.0] * 10}
    await stage.new_worker().recover()
    await stage.settle()
    assert next_poll(PollState(0.0, TYPICAL), 0.0, MIN_INTERVAL) < 100
    await stage.ask()
    await stage.pass_time(200)
    assert not stage.provider.looked


async def test_polls_follow_a_provider_that_became_slower(stage: Stage) -> None:
    """The first job of 200 seconds is awaited since second 60, the tenth is not."""
    polls: list[int] = []
    for number in range(10):
        await stage.ask()
        await stage.pass_time(200)
        stage.provider.statuses.append(COMPLETED)
        while stage.provider.statuses:
            await stage.pass_time(1)
        polls.append(len(stage.provider.looked) - sum(polls))
        assert len(stage.notifier.posts) == number + 1
    assert polls[-1] < polls[0] / 2


@pytest.mark.parametrize("last", [TaskStatus(TaskState.FAILED), None], ids=["fails", "is given up"])
async def test_a_finished_job_counts_once_those_sent_with_it_have_ended(stage: Stage, last: TaskStatus | None) -> None:
    first, second = await stage.ask(), await stage.ask()
    await stage.pass_time(30)
    stage.provider.statuses.append(COMPLETED)
    while len(stage.notifier.posts) < 1:
        await stage.pass_time(1)
    statistics = stage.worker._poller._statistics
    assert statistics.of(TEXT_REQUEST).durations == ()
    if last:
        stage.provider.statuses.append(last)
    while any([await stage.state(job) is JobState.PROCESSING for job in (first, second)]):
        await stage.pass_time(600, step=60)
    assert len(statistics.of(TEXT_REQUEST).durations) == 1
