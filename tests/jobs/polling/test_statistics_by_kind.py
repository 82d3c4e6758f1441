"""What finished jobs teach, from the look that found them finished to the next job's looks."""

import pytest

from bot.jobs.polling.duration_model import MEMORY
from bot.jobs.polling.job_statistics import NO_STATISTICS
from bot.jobs.polling.policy import TYPICAL, PollState, next_poll
from bot.jobs.polling.statistics_by_kind import StatisticsByKind, VideoKind
from bot.provider.models import GenerationMode, Submission
from tests.builders import TEXT_REQUEST, picture_request, take
from tests.jobs.scripted import COMPLETED, MIN_INTERVAL, VIDEO, Stage

TEXT = VideoKind.of(TEXT_REQUEST)


def finish(experience: StatisticsByKind, unfinished_age: float, age: float) -> None:
    watch = PollState(0.0, TYPICAL).seen(unfinished_age, None)
    experience.learn(TEXT_REQUEST, watch, age)


def test_kinds_are_told_apart_by_what_makes_jobs_slower() -> None:
    assert VideoKind.of(TEXT_REQUEST) == VideoKind(GenerationMode.TEXT, 5, sound=False)
    assert VideoKind.of(picture_request()) != TEXT


def test_a_finished_job_teaches_its_own_kind_only() -> None:
    experience = StatisticsByKind(1.0)
    finish(experience, 70, 72)
    assert experience.of(picture_request()) == NO_STATISTICS
    (duration,) = experience.of(TEXT_REQUEST).durations
    assert 70 <= duration <= 72


def test_jobs_are_taken_to_have_ended_between_the_looks_not_at_the_last() -> None:
    experience = StatisticsByKind(1.0)
    for _ in range(MEMORY):
        finish(experience, 70, 80)
    durations = experience.of(TEXT_REQUEST).durations
    assert min(durations) < 74
    assert max(durations) > 76
    assert all(70 <= duration <= 80 for duration in durations)


def test_memory_is_bounded_and_the_newest_comes_first() -> None:
    experience = StatisticsByKind(1.0)
    experience.recall({TEXT: [100.0] * 1000})
    for _ in range(MEMORY // 2):
        finish(experience, 199.9, 200)
    durations = experience.of(TEXT_REQUEST).durations
    assert len(durations) == MEMORY
    assert durations[0] == pytest.approx(200, abs=0.2)
    assert durations[-1] == 100


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


async def test_looks_follow_a_provider_that_became_slower(stage: Stage) -> None:
    """The first job of 200 seconds is awaited since second 60, the tenth is not."""
    looks: list[int] = []
    for number in range(10):
        await stage.ask()
        await stage.pass_time(200)
        stage.provider.statuses.append(COMPLETED)
        while stage.provider.statuses:
            await stage.pass_time(1)
        looks.append(len(stage.provider.looked) - sum(looks))
        assert len(stage.notifier.posts) == number + 1
    assert looks[-1] < looks[0] / 2
