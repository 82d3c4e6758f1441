"""Looking at jobs: what becomes of one whatever the provider says of it."""

import itertools
import json
from datetime import timedelta

import pytest

from bot.codes import Failure, Reason
from bot.errors import (
    ProviderBusyError,
    ProviderError,
    ProviderKeyError,
    ProviderNotFoundError,
    ProviderOutOfCreditsError,
    ProviderRejectedError,
    ProviderUnclearError,
    ProviderUnreachableError,
)
from bot.jobs.models import JobState
from bot.pools.models import Balance
from bot.provider.models import Submission, TaskState, TaskStatus
from bot.provider.ulazai import read_status
from tests.builders import take
from tests.jobs.scripted import COMPLETED, PROCESSING, VIDEO, Stage, break_for_a_while

UNKNOWN = ProviderNotFoundError("no such task")
NO_URL = TaskStatus(TaskState.COMPLETED)


@pytest.mark.parametrize(
    "error",
    [
        ProviderUnclearError("status 503"),
        ProviderUnreachableError("no connection"),
        ProviderBusyError(),
        ProviderBusyError(30),
        ProviderKeyError("revoked"),
        ProviderOutOfCreditsError(),
        ProviderRejectedError("odd"),
        ProviderError("new"),
        UNKNOWN,
        NO_URL,
        RuntimeError("a mistake"),
    ],
    ids=repr,
)
async def test_whatever_a_poll_gets_the_job_continues(stage: Stage, error: Exception | TaskStatus) -> None:
    stage.provider.statuses.extend([error, error, PROCESSING, COMPLETED])
    job = await stage.ask()
    await stage.pass_time(120)
    assert await stage.state(job) is JobState.PROCESSING or stage.notifier.posts
    await stage.pass_time(400)
    assert await stage.state(job) is JobState.SUCCEEDED
    assert await stage.balance(job) == Balance(held=0, spent=55)
    assert len(stage.provider.sent) == 1


async def test_failing_polls_back_off(stage: Stage) -> None:
    stage.provider.statuses.extend([ProviderUnclearError("status 500")] * 100)
    await stage.ask()
    await stage.pass_time(3600)
    in_an_hour = len(stage.provider.looked)
    await stage.pass_time(3600)
    assert in_an_hour < 25
    assert 10 <= len(stage.provider.looked) - in_an_hour <= 13


async def test_a_refused_poll_holds_the_others_for_half_a_minute_at_most(stage: Stage) -> None:
    jobs = [await stage.ask() for _ in range(5)]
    await stage.settle()
    stage.provider.statuses.append(ProviderBusyError(3600))
    await stage.until_looked()
    await stage.pass_time(29)
    assert len(stage.provider.looked) == 1
    await stage.pass_time(60)
    assert set(stage.provider.looked) == {(await stage.row(job)).task_id for job in jobs}


@pytest.mark.parametrize(("answer", "failure"), [(UNKNOWN, Failure.LOST), (NO_URL, Failure.NO_VIDEO)])
async def test_an_implausible_answer_is_believed_when_it_stays_for_minutes(
    stage: Stage, answer: Exception | TaskStatus, failure: Failure
) -> None:
    stage.provider.statuses.extend([answer] * 50)
    job = await stage.ask()
    await stage.until_looked()
    await stage.pass_time(239)
    assert await stage.state(job) is JobState.PROCESSING
    await stage.pass_time(60)
    done = await stage.row(job)
    assert done.state is JobState.UNCONFIRMED
    assert done.failure == Reason(failure)
    assert (len(stage.provider.looked), await stage.balance(job)) == (9, Balance(held=0, spent=55))
    assert [state for _, state, _ in stage.notifier.posts] == [JobState.UNCONFIRMED]


@pytest.mark.parametrize("answer", [UNKNOWN, NO_URL, TaskStatus(TaskState.REFUSED, error_message="a hiccup")])
async def test_one_odd_answer_costs_seconds(stage: Stage, answer: Exception | TaskStatus) -> None:
    stage.provider.statuses.extend([answer, COMPLETED])
    job = await stage.ask()
    await stage.until_looked()
    await stage.pass_time(15)
    assert await stage.state(job) is JobState.SUCCEEDED


@pytest.mark.parametrize(
    "answer",
    [TaskStatus(TaskState.REFUSED, error_message="not allowed"), ProviderRejectedError("not allowed")],
    ids=["in the body", "status 400"],
)
async def test_a_refusal_without_a_final_state_fails_the_job_within_a_minute(
    stage: Stage, answer: Exception | TaskStatus
) -> None:
    stage.provider.statuses.extend([answer] * 50)
    job = await stage.ask()
    await stage.until_looked()
    await stage.pass_time(60)
    done = await stage.row(job)
    assert (done.state, done.failure) == (
        JobState.FAILED,
        Reason(Failure.FAILED_AT_PROVIDER, {"reason": "not allowed"}),
    )
    assert await stage.balance(job) == Balance(held=0, spent=0)


async def test_an_odd_answer_in_between_is_forgotten(stage: Stage) -> None:
    stage.provider.statuses.extend([UNKNOWN, UNKNOWN, PROCESSING, UNKNOWN, UNKNOWN, COMPLETED])
    job = await stage.ask()
    await stage.pass_time(1200)
    assert await stage.state(job) is JobState.SUCCEEDED


async def test_undocumented_states_count_as_processing(stage: Stage) -> None:
    words = ("pending", "queued", "dreaming", "", "under_way")
    stage.provider.statuses.extend(read_status(200, {"success": True, "data": {"status": word}}) for word in words)
    stage.provider.statuses.append(COMPLETED)
    job = await stage.ask()
    await stage.pass_time(120)
    assert await stage.state(job) is JobState.SUCCEEDED


@pytest.mark.parametrize(
    ("status", "kept", "reason"),
    [
        (TaskStatus(TaskState.FAILED, error_message="too dark", credits_refunded=True), 0, "too dark"),
        (TaskStatus(TaskState.FAILED), 0, None),
        (TaskStatus(TaskState.FAILED, credits_refunded=False), 55, None),
    ],
)
async def test_a_job_that_failed(stage: Stage, status: TaskStatus, kept: int, reason: str | None) -> None:
    stage.provider.statuses.append(status)
    job = await stage.ask()
    await stage.pass_time(60)
    done = await stage.row(job)
    failure = Reason(Failure.FAILED_AT_PROVIDER, {"reason": reason})
    assert (done.state, done.failure, done.net_credits) == (JobState.FAILED, failure, kept)
    assert await stage.balance(job) == Balance(held=0, spent=kept)
    assert [state for _, state, _ in stage.notifier.posts] == [JobState.FAILED]


@pytest.mark.parametrize(("status", "method"), [(COMPLETED, "succeed"), (TaskStatus(TaskState.FAILED), "fail")])
async def test_an_outcome_is_polled_once_however_long_its_write_takes(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, status: TaskStatus, method: str
) -> None:
    break_for_a_while(monkeypatch, stage.repository, method, times=4)
    stage.provider.statuses.append(status)
    job = await stage.ask()
    await stage.pass_time(200)
    assert not (await stage.row(job)).is_open
    assert len(stage.provider.looked) == len(stage.notifier.posts) == 1


@pytest.mark.parametrize("answer", [PROCESSING, ProviderUnclearError("status 500")])
async def test_a_job_without_progress_is_polled_rarely_and_unconfirmed_after_a_day(
    stage: Stage, answer: Exception | TaskStatus
) -> None:
    stage.provider.statuses.extend([answer] * 1000)
    job = await stage.ask()
    await stage.pass_time(23.9 * 3600, step=60)
    assert await stage.state(job) is JobState.PROCESSING
    assert len(stage.provider.looked) < 380
    await stage.pass_time(600, step=60)
    assert (await stage.state(job), await stage.balance(job)) == (JobState.UNCONFIRMED, Balance(held=0, spent=55))
    assert (await stage.row(job)).failure == Reason(Failure.TOO_LATE, {"hours": 24.0})


async def test_a_reason_with_broken_characters_is_stored(stage: Stage) -> None:
    broken = json.loads(
        '{"success": true, "data": {"status": "failed", "error_message": "half \\ud800 a \\u0000 word"}}'
    )
    stage.provider.statuses.append(read_status(200, broken))
    job = await stage.ask()
    await stage.pass_time(60)
    assert (await stage.row(job)).failure == Reason(Failure.FAILED_AT_PROVIDER, {"reason": "half  a  word"})


@pytest.mark.parametrize("answer", [PROCESSING, UNKNOWN, NO_URL, ProviderBusyError(), ProviderUnclearError("cut")])
async def test_polls_keep_the_minimum_interval(stage: Stage, answer: Exception | TaskStatus) -> None:
    stage.new_worker(min_interval=200.0)
    stage.provider.statuses.extend([answer] * 1000)
    job = await stage.ask()
    times = []
    for _ in range(300):
        before = len(stage.provider.looked)
        await stage.pass_time(5, step=5)
        times += [stage.clock.now()] * (len(stage.provider.looked) - before)
        if not (await stage.row(job)).is_open:
            break
    assert len(times) >= 3
    assert min(late - early for early, late in itertools.pairwise(times)) >= timedelta(seconds=200)


async def test_a_clock_that_is_set_back_does_not_stop_polls(stage: Stage) -> None:
    stage.provider.statuses.extend([PROCESSING, COMPLETED])
    job = await stage.ask()
    await stage.until_looked()
    stage.clock.jump(-7200)
    await stage.pass_time(300)
    assert await stage.state(job) is JobState.SUCCEEDED


async def test_a_job_of_an_earlier_process_is_polled_by_its_own_age(stage: Stage) -> None:
    job = await take(stage.repository)
    await stage.repository.begin_submission(job.id)
    await stage.repository.accept(job.id, Submission("old", 55))
    stage.clock.advance(80_000)
    await stage.worker.recover()
    await stage.settle()
    assert stage.provider.looked == ["old"]
    await stage.pass_time(60)
    assert len(stage.provider.looked) == 1
    stage.provider.statuses.append(COMPLETED)
    await stage.pass_time(300)
    assert (await stage.row(job)).video_url == VIDEO
