"""The machine's clock is set while jobs are open: work goes on within seconds, and nothing young is given up."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from bot.clock import STEP_COUNTS_AFTER_SECONDS
from bot.errors import DeliveryDelayedError, ProviderBusyError, ProviderUnclearError, RefusedError
from bot.jobs.models import ApprovalDecision, Job, JobState
from bot.jobs.moderation.decisions import DecisionRepository
from bot.jobs.ports import DeliveryTarget
from bot.jobs.store.repository import JobRepository
from bot.pools.models import Limits, PoolSettings
from tests.builders import PLENTY, TEXT_REQUEST, UNLIMITED, members_side, requester, take
from tests.clock import FakeClock
from tests.jobs.scripted import COMPLETED, Stage

HOUR, DAY = 3600.0, 86_400.0
STEPS = [-1.0, -45.0, -2 * HOUR, 1.0, 45.0, 26 * HOUR, 30 * DAY]
step = pytest.mark.parametrize("step", STEPS)


async def awaiting(stage: Stage) -> Job:
    """A job that waits for a moderator."""
    job, _ = await members_side(stage.repository, PoolSettings(UNLIMITED, PLENTY)).create(
        requester(), TEXT_REQUEST, 55, is_asked=True
    )
    stage.worker.track(job)
    await stage.settle()
    return job


async def queued(stage: Stage) -> Job:
    """A job that the provider is too busy to take."""
    stage.provider.answers.append(ProviderBusyError())
    job = await stage.ask()
    await stage.settle()
    return job


async def processing(stage: Stage) -> Job:
    """A job of which a first poll said that it goes on."""
    job = await stage.ask()
    await stage.until_looked()
    return job


async def undelivered(stage: Stage) -> Job:
    """A job whose video is ready, and whose post Discord did not take."""
    stage.provider.statuses.append(COMPLETED)
    stage.notifier.refusals = dict.fromkeys(DeliveryTarget, DeliveryDelayedError("status 503"))
    job = await processing(stage)
    await stage.settle()
    return job


async def unconfirmed(stage: Stage) -> Job:
    """A job whose submission was not answered."""
    stage.provider.answers.append(ProviderUnclearError("cut"))
    job = await stage.ask()
    await stage.settle()
    return job


Begin = Callable[[Stage], Awaitable[Job]]
BEGUN: dict[JobState, Begin] = {
    JobState.AWAITING_APPROVAL: awaiting,
    JobState.QUEUED: queued,
    JobState.PROCESSING: processing,
    JobState.SUCCEEDED: undelivered,
    JobState.UNCONFIRMED: unconfirmed,
}
states = pytest.mark.parametrize("state", BEGUN, ids=lambda state: state.value)


async def begun(stage: Stage, state: JobState) -> Job:
    """A job in this state, some seconds old."""
    job = await BEGUN[state](stage)
    assert await stage.state(job) is state
    return job


async def go_on(stage: Stage, job: Job, state: JobState) -> None:
    """Let the world do what the job waits for, and make sure that it gets there within a quarter of a minute."""
    stage.notifier.refusals.clear()
    if state is JobState.AWAITING_APPROVAL:
        stage.worker.track(await stage.approvals.decide(job.id, job.requester.guild_id, 901, ApprovalDecision.APPROVED))
    await stage.pass_time(15)
    reached = await stage.row(job)
    if state in (JobState.AWAITING_APPROVAL, JobState.QUEUED):
        assert reached.state is JobState.PROCESSING
    elif state is JobState.UNCONFIRMED:
        assert (reached.state, reached.delivered_at is None) == (JobState.UNCONFIRMED, False)
    else:
        assert reached.state is JobState.SUCCEEDED
        assert reached.delivered_at is not None


@states
@step
async def test_work_continues_within_seconds(stage: Stage, state: JobState, step: float) -> None:
    job = await begun(stage, state)
    stage.clock.jump(step)
    if state is JobState.PROCESSING:
        polls = len(stage.provider.looked)
        stage.provider.statuses.extend([COMPLETED] * 5)
        await stage.until_looked(polls + 1)
        assert stage.clock.monotonic() < 120
    await go_on(stage, job, state)


@states
@step
async def test_ten_wrong_seconds_expire_nothing(stage: Stage, state: JobState, step: float) -> None:
    job = await begun(stage, state)
    stage.clock.jump(step)
    await stage.pass_time(10)
    stage.clock.jump(-step)
    await stage.pass_time(2)
    # What waits for the provider alone may have gone on.
    expected = {JobState.PROCESSING, JobState.QUEUED} if state is JobState.QUEUED else {state}
    assert await stage.state(job) in expected


@states
@pytest.mark.parametrize("step", [26 * HOUR, 30 * DAY])
async def test_a_lasting_step_expires_no_young_job(stage: Stage, state: JobState, step: float) -> None:
    job = await begun(stage, state)
    stage.clock.jump(step)
    await stage.pass_time(2 * STEP_COUNTS_AFTER_SECONDS, step=10)
    expected = {JobState.PROCESSING, JobState.QUEUED} if state is JobState.QUEUED else {state}
    assert await stage.state(job) in expected


@pytest.mark.parametrize(
    ("state", "hours", "ended"),
    [
        (JobState.AWAITING_APPROVAL, 24, JobState.EXPIRED),
        (JobState.PROCESSING, 24, JobState.UNCONFIRMED),
        (JobState.UNCONFIRMED, 48, JobState.FAILED),
    ],
)
@pytest.mark.parametrize("step", [-2 * HOUR, -1.0, 1.0, 26 * HOUR])
async def test_a_deadline_comes_when_its_time_has_passed(
    stage: Stage, state: JobState, hours: float, ended: JobState, step: float
) -> None:
    job = await begun(stage, state)
    stage.clock.jump(step)
    await stage.pass_time((hours - 0.1) * HOUR, step=60)
    assert await stage.state(job) is state
    await stage.pass_time(0.3 * HOUR, step=60)
    assert await stage.state(job) is ended


@step
async def test_a_job_that_was_polled_before_the_step_teaches_its_true_duration(stage: Stage, step: float) -> None:
    """A sample at age 0 once made every later poll divide by zero."""
    job = await processing(stage)
    stage.clock.jump(step)
    while await stage.state(job) is JobState.PROCESSING:
        if stage.clock.monotonic() >= 70:
            stage.provider.statuses.append(COMPLETED)
        await stage.pass_time(1)
    statistics = stage.worker._poller._statistics.of(TEXT_REQUEST)
    assert 60 <= statistics.durations[0] <= 90


@pytest.mark.parametrize("step", [-26 * HOUR, -45.0, 26 * HOUR])
async def test_a_restart_under_a_wrong_clock_works_as_well(stage: Stage, step: float) -> None:
    job = await processing(stage)
    await stage.worker.stop(0)
    stage.clock = FakeClock(stage.clock.now() + timedelta(seconds=step))
    database = stage.repository._database
    stage.repository, stage.approvals = JobRepository(database, stage.clock), DecisionRepository(database, stage.clock)
    stage.new_worker()
    await stage.worker.recover()
    stage.provider.statuses.extend([COMPLETED] * 3)
    await stage.pass_time(120)
    assert (await stage.row(job)).delivered_at is not None


@step
async def test_ten_wrong_seconds_free_no_used_allowance(stage: Stage, step: float) -> None:
    limits = Limits(active_jobs=None, window_credits=60, window_hours=24)
    await take(stage.repository, limits=limits)
    stage.clock.jump(step)
    await stage.pass_time(5)
    with pytest.raises(RefusedError):
        await take(stage.repository, limits=limits)
    stage.clock.jump(-step)
    await stage.pass_time(DAY + 5, step=DAY + 5)
    await take(stage.repository, limits=limits)
