"""From asked to sent: what becomes of a job whatever the provider, the database and the operator do."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from bot.codes import Failure, Reason, WaitReason
from bot.errors import (
    NotStartedError,
    ProviderBusyError,
    ProviderKeyError,
    ProviderNotFoundError,
    ProviderOutOfCreditsError,
    ProviderRejectedError,
    ProviderUnclearError,
    ProviderUnreachableError,
)
from bot.jobs.models import JobState
from bot.jobs.ports import Posted
from bot.pools.models import Balance
from bot.provider.models import Submission
from tests.builders import GUILD, MEMBER, members_side, requester, take
from tests.jobs.scripted import COMPLETED, PROCESSING, VIDEO, Stage, break_for_a_while, for_ever, stage_at

QUEUED, SUBMITTING, UNCONFIRMED = JobState.QUEUED, JobState.SUBMITTING, JobState.UNCONFIRMED
HELD, NOTHING, PAID = Balance(held=55, spent=0), Balance(held=0, spent=0), Balance(held=0, spent=55)


async def test_from_request_to_post(stage: Stage) -> None:
    stage.provider.statuses.extend([PROCESSING, COMPLETED])
    job = await stage.ask()
    await stage.settle()
    assert (await stage.state(job), await stage.balance(job)) == (JobState.PROCESSING, PAID)
    await stage.pass_time(100)
    done = await stage.row(job)
    assert (done.state, done.video_url, done.account_credits) == (JobState.SUCCEEDED, VIDEO, 945)
    assert (done.result_message_id, done.awaits_delivery) == (7001, False)
    assert (stage.provider.sent, stage.provider.looked) == ([job.request], ["task-1", "task-1"])
    assert [state for _, state, _ in stage.notifier.posts] == [JobState.SUCCEEDED]
    shown = [status.job.state for status in stage.notifier.shown]
    assert shown[0] is SUBMITTING
    assert shown[-1] is JobState.SUCCEEDED
    assert len(stage.worker) == 0


async def test_submitting_is_committed_before_the_request_is_sent(stage: Stage) -> None:
    job = await stage.ask()
    seen: list[JobState] = []

    async def look() -> None:
        seen.append(await stage.state(job))

    stage.provider.before_answer = look
    await stage.settle()
    assert seen == [SUBMITTING]


# What the provider may say


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (ProviderRejectedError("breaks the rules"), Reason(Failure.REJECTED, {"reason": "breaks the rules"})),
        (ProviderRejectedError(), Reason(Failure.REJECTED, {"reason": None})),
        (ProviderOutOfCreditsError(55, 3), Reason(Failure.OUT_OF_CREDITS)),
    ],
)
async def test_a_final_refusal_ends_the_job_and_frees_its_credits(
    stage: Stage, error: NotStartedError, failure: Reason
) -> None:
    stage.provider.answers.append(error)
    job = await stage.ask()
    await stage.pass_time(600, step=60)
    done = await stage.row(job)
    assert (done.state, await stage.balance(job)) == (JobState.FAILED, NOTHING)
    assert done.failure == failure
    assert [state for _, state, _ in stage.notifier.posts] == [JobState.FAILED]
    assert len(stage.provider.sent) == 1


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ProviderKeyError("the provider refused the key"), WaitReason.ACCOUNT_REFUSED),
        (ProviderNotFoundError("no such address"), WaitReason.ACCOUNT_REFUSED),
        (ProviderOutOfCreditsError(55, 3), WaitReason.OUT_OF_CREDITS),
        (ProviderBusyError(), WaitReason.BUSY),
        (ProviderUnreachableError("no connection"), WaitReason.UNREACHABLE),
    ],
)
async def test_a_temporary_refusal_keeps_the_job_queued(
    tmp_path: Path, error: NotStartedError, reason: WaitReason
) -> None:
    async with stage_at(tmp_path / "a.db", wait_for_credits=True) as stage:
        stage.provider.answers.extend([error] * 3)
        job = await stage.ask()
        await stage.settle()
        queued = await stage.row(job)
        assert (queued.state, queued.submitted_at, await stage.balance(job)) == (QUEUED, None, HELD)
        assert stage.waiting(job) is reason
        await stage.pass_time(2 + 4 + 8)
        assert len(stage.provider.sent) == 4
        assert (await stage.state(job), await stage.balance(job)) == (JobState.PROCESSING, PAID)
        assert stage.waiting(job) is None


async def test_the_providers_retry_after_is_honoured(stage: Stage) -> None:
    stage.provider.answers.append(ProviderBusyError(60))
    first, second = await stage.ask(), await stage.ask()
    await stage.settle()
    sent_at_once = len(stage.provider.sent)
    await stage.pass_time(59)
    assert len(stage.provider.sent) == sent_at_once
    await stage.pass_time(3)
    assert {await stage.state(first), await stage.state(second)} == {JobState.PROCESSING}


async def test_while_one_probes_the_others_wait_and_keep_their_order(stage: Stage) -> None:
    stage.provider.answers.append(ProviderBusyError())
    first = await stage.ask()
    await stage.settle()
    others = [await stage.ask() for _ in range(3)]
    await stage.settle()
    assert len(stage.provider.sent) == 1
    stage.provider.answers.append(ProviderBusyError())
    await stage.pass_time(2)
    assert len(stage.provider.sent) == 2
    await stage.pass_time(6)
    assert [(await stage.row(job)).task_id for job in (first, *others)] == [f"task-{n}" for n in (3, 4, 5, 6)]


@pytest.mark.parametrize("error", [ProviderUnclearError("status 502"), RuntimeError("a mistake"), ValueError()])
async def test_a_submission_without_a_clear_answer_is_never_sent_again(stage: Stage, error: Exception) -> None:
    stage.provider.answers.append(error)
    job = await stage.ask()
    await stage.pass_time(3600, step=60)
    assert (await stage.state(job), await stage.balance(job)) == (UNCONFIRMED, HELD)
    assert len(stage.provider.sent) == 1
    assert [state for _, state, _ in stage.notifier.posts] == [UNCONFIRMED]
    stage.new_worker()
    await stage.worker.recover()
    await stage.pass_time(600, step=60)
    assert len(stage.provider.sent) == 1


@pytest.mark.parametrize(("used", "charged"), [(550, 550), (551, 55), (2**53 - 1, 55)])
async def test_an_implausible_price_is_not_booked(stage: Stage, used: int, charged: int) -> None:
    stage.provider.answers.append(Submission("one", used))
    job = await stage.ask()
    await stage.settle()
    assert await stage.state(job) is JobState.PROCESSING
    assert await stage.balance(job) == Balance(held=0, spent=charged)


async def test_a_task_that_is_another_jobs_leaves_the_second_unconfirmed(stage: Stage) -> None:
    stage.provider.answers.extend([Submission("one", 55), Submission("one", 55)])
    first = await stage.ask()
    await stage.settle()
    second = await stage.ask()
    await stage.pass_time(30)
    assert await stage.state(first) is JobState.PROCESSING
    assert (await stage.state(second), await stage.balance(second)) == (UNCONFIRMED, HELD)
    assert len(stage.provider.sent) == 2


# A database that can't be written


@pytest.mark.parametrize(
    ("answer", "method", "state", "balance"),
    [
        (Submission("task-1", 60), "accept", JobState.PROCESSING, Balance(0, 60)),
        (ProviderUnclearError("cut"), "mark_unconfirmed", UNCONFIRMED, HELD),
        (ProviderRejectedError("no"), "fail", JobState.FAILED, NOTHING),
        (ProviderBusyError(), "requeue", JobState.PROCESSING, PAID),
    ],
)
async def test_an_outcome_that_cannot_be_written_is_kept_and_written_later(
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
    answer: Submission | Exception,
    method: str,
    state: JobState,
    balance: Balance,
) -> None:
    break_for_a_while(monkeypatch, stage.repository, method, times=3)
    stage.provider.answers.append(answer)
    job = await stage.ask()
    await stage.settle()
    assert await stage.state(job) is SUBMITTING
    await stage.pass_time(60)
    assert (await stage.state(job), await stage.balance(job)) == (state, balance)
    assert len(stage.provider.sent) == (2 if method == "requeue" else 1)


async def test_nothing_is_sent_while_nothing_can_be_written(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    break_for_a_while(monkeypatch, stage.repository, "begin_submission", times=3)
    job = await stage.ask()
    await stage.settle()
    assert (await stage.state(job), stage.provider.sent) == (QUEUED, [])
    await stage.pass_time(60)
    assert await stage.state(job) is JobState.PROCESSING
    assert len(stage.provider.sent) == 1


async def test_a_file_that_another_program_locks(tmp_path: Path) -> None:
    async with stage_at(tmp_path / "a.db", busy_timeout_seconds=0.02) as stage:
        other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)

        async def lock() -> None:
            other.execute("BEGIN IMMEDIATE")

        stage.provider.before_answer = lock
        job = await stage.ask()
        await stage.pass_time(20)
        assert await stage.state(job) is SUBMITTING
        other.execute("ROLLBACK")
        other.close()
        await stage.pass_time(60)
        assert (await stage.state(job), await stage.balance(job)) == (JobState.PROCESSING, PAID)
        assert len(stage.provider.sent) == 1


# Members and operators


@pytest.mark.parametrize("is_told", [True, False])
async def test_a_job_that_is_cancelled_while_it_waits_is_never_sent(stage: Stage, is_told: bool) -> None:
    stage.provider.answers.append(ProviderBusyError(30))
    job = await stage.ask()
    await stage.settle()
    cancelled = await members_side(stage.repository).cancel(job.id, GUILD, MEMBER)
    if is_told:
        stage.worker.untrack(cancelled)
    await stage.pass_time(120)
    assert (await stage.state(job), await stage.balance(job)) == (JobState.CANCELLED, NOTHING)
    assert (len(stage.provider.sent), len(stage.worker), stage.notifier.posts) == (1, 0, [])


async def test_one_jobs_error_does_not_affect_another(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = await take(stage.repository)
    begin = stage.repository.begin_submission

    async def begin_unless_bad(job_id: int) -> object:
        if job_id == bad.id:
            raise KeyError("a mistake in the code")
        return await begin(job_id)

    monkeypatch.setattr(stage.repository, "begin_submission", begin_unless_bad)
    stage.worker.track(bad)
    good = [await stage.ask() for _ in range(5)]
    stage.provider.statuses.extend([COMPLETED] * 5)
    await stage.pass_time(100)
    assert {await stage.state(job) for job in good} == {JobState.SUCCEEDED}
    assert await stage.state(bad) is QUEUED
    monkeypatch.undo()
    await stage.pass_time(300)
    assert await stage.state(bad) is JobState.PROCESSING


async def test_many_jobs_at_once(stage: Stage) -> None:
    jobs = [await stage.ask(who=requester(member_id=member)) for member in range(60)]
    stage.provider.statuses.extend([COMPLETED] * 60)
    await stage.pass_time(100)
    assert {await stage.state(job) for job in jobs} == {JobState.SUCCEEDED}
    assert len({(await stage.row(job)).task_id for job in jobs}) == len(stage.notifier.posts) == 60


async def test_a_stop_waits_for_what_is_under_way(stage: Stage) -> None:
    answered = asyncio.Event()

    async def answer_soon() -> None:
        await answered.wait()

    stage.provider.before_answer = answer_soon
    job = await stage.ask()
    await stage.worker.run_once()
    stopping = asyncio.create_task(stage.worker.stop(5))
    await asyncio.sleep(0)
    answered.set()
    await stopping
    assert (await stage.state(job), await stage.balance(job)) == (JobState.PROCESSING, PAID)
    await stage.ask()
    await stage.settle()
    assert len(stage.provider.sent) == 1


async def test_a_submission_cut_off_by_a_stop_is_unconfirmed_after_the_next_start(stage: Stage) -> None:
    stage.provider.before_answer = for_ever
    job = await stage.ask()
    await stage.worker.run_once()
    await stage.provider.reached.wait()
    await stage.worker.stop(0.01)
    assert await stage.state(job) is SUBMITTING
    stage.new_worker()
    await stage.worker.recover()
    assert await stage.state(job) is UNCONFIRMED
    await stage.pass_time(600, step=60)
    assert len(stage.provider.sent) == 1
    assert [state for _, state, _ in stage.notifier.posts] == [UNCONFIRMED]
    assert await stage.balance(job) == HELD


async def test_recovery_continues_every_job_where_it_was(stage: Stage) -> None:
    queued, submitting, watched, undelivered, delivered = [await take(stage.repository) for _ in range(5)]
    for job in (submitting, watched, undelivered, delivered):
        await stage.repository.begin_submission(job.id)
    for job in (watched, undelivered, delivered):
        await stage.repository.accept(job.id, Submission(f"before-{job.id}", 55))
    for job in (undelivered, delivered):
        await stage.repository.succeed(job.id, VIDEO)
    await stage.repository.record_delivery(delivered.id, Posted(1, 2))
    stage.clock.advance(3600)
    await stage.worker.recover()
    assert len(stage.worker) == 4
    await stage.settle()
    assert await stage.state(queued) is JobState.PROCESSING
    assert await stage.state(submitting) is UNCONFIRMED
    assert stage.provider.looked == [f"before-{watched.id}"]
    assert {(job_id, state) for job_id, state, _ in stage.notifier.posts} == {
        (submitting.id, UNCONFIRMED),
        (undelivered.id, JobState.SUCCEEDED),
    }
    assert len(stage.worker) == 3  # the unconfirmed one waits for the moderators
