"""The worker's step for jobs that wait for a moderator: ask once, wait, and expire in time."""

import pytest

from bot.codes import Failure, Reason
from bot.errors import DeliveryDelayedError, PlaceRefusedError, StorageError
from bot.jobs.models import ApprovalDecision, Job, JobState
from bot.jobs.ports import DeliveryTarget
from bot.jobs.worker.request_approval import approval_card_channels
from bot.pools.models import Balance, PoolSettings
from tests.builders import CHANNEL, GUILD, MEMBER, PLENTY, TEXT_REQUEST, UNLIMITED, members_side, requester
from tests.jobs.scripted import Stage

MODERATOR = 901
HOUR = 3600.0
REFUSED = PlaceRefusedError("no permission")


async def taken(stage: Stage) -> Job:
    """A job that waits for a moderator, not yet taken up by the worker."""
    terms = PoolSettings(UNLIMITED, PLENTY)
    job, _ = await members_side(stage.repository, terms).create(requester(), TEXT_REQUEST, 55, is_asked=True)
    return job


async def asked(stage: Stage) -> Job:
    """A job about which moderators were asked."""
    job = await taken(stage)
    stage.worker.track(job)
    await stage.settle()
    return job


async def card(stage: Stage, job: Job) -> tuple[int | None, int | None]:
    case = await stage.approvals.approval(job.id)
    assert case
    return case.approval.card_channel_id, case.approval.card_message_id


async def test_moderators_are_asked_once_and_the_provider_is_not(stage: Stage) -> None:
    job = await asked(stage)
    await stage.pass_time(2 * HOUR, step=60)
    assert stage.notifier.cards == [(job.id, CHANNEL)]
    assert await card(stage, job) == (CHANNEL, 8000 + job.id)
    assert (await stage.state(job), stage.provider.sent) == (JobState.AWAITING_APPROVAL, [])


async def test_an_approved_job_is_sent(stage: Stage) -> None:
    job = await asked(stage)
    stage.worker.track(await stage.approvals.decide(job.id, GUILD, MODERATOR, ApprovalDecision.APPROVED))
    await stage.settle()
    assert await stage.state(job) is JobState.PROCESSING
    assert len(stage.provider.sent) == 1


async def test_a_denied_jobs_member_is_notified(stage: Stage) -> None:
    job = await asked(stage)
    stage.worker.track(await stage.approvals.decide(job.id, GUILD, MODERATOR, ApprovalDecision.DENIED, reason="no"))
    await stage.settle()
    assert stage.notifier.posts == [(job.id, JobState.DENIED, DeliveryTarget.DIRECT)]
    assert (len(stage.worker), stage.provider.sent) == (0, [])


async def test_undecided_it_expires_after_a_day_and_the_member_is_notified(stage: Stage) -> None:
    job = await asked(stage)
    await stage.pass_time(23.9 * HOUR, step=600)
    assert await stage.state(job) is JobState.AWAITING_APPROVAL
    await stage.pass_time(0.2 * HOUR, step=60)
    assert await stage.state(job) is JobState.EXPIRED
    assert (await stage.row(job)).failure == Reason(Failure.APPROVAL_EXPIRED, {"hours": 24.0})
    assert await stage.balance(job) == Balance(held=0, spent=0)
    assert stage.notifier.posts == [(job.id, JobState.EXPIRED, DeliveryTarget.DIRECT)]
    assert len(stage.worker) == 0


async def test_a_restart_changes_nothing(stage: Stage) -> None:
    job = await asked(stage)
    await stage.pass_time(10 * HOUR, step=600)
    await stage.worker.stop(0)
    stage.new_worker()
    await stage.worker.recover()
    await stage.pass_time(13.9 * HOUR, step=600)
    assert stage.notifier.cards == [(job.id, CHANNEL)]
    assert await stage.state(job) is JobState.AWAITING_APPROVAL
    await stage.pass_time(0.2 * HOUR, step=60)
    assert await stage.state(job) is JobState.EXPIRED


async def test_what_expired_while_nobody_was_there_expires_at_start(stage: Stage) -> None:
    job = await asked(stage)
    await stage.worker.stop(0)
    stage.clock.advance(30 * HOUR)
    stage.new_worker()
    await stage.worker.recover()
    await stage.settle()
    assert stage.notifier.posts == [(job.id, JobState.EXPIRED, DeliveryTarget.DIRECT)]


async def test_a_card_whose_answer_was_lost_is_found_and_not_posted_again(stage: Stage) -> None:
    stage.notifier.lost_answers = 1
    job = await asked(stage)
    assert await card(stage, job) == (None, None)
    await stage.worker.stop(0)
    stage.clock.advance(HOUR)
    stage.new_worker()
    await stage.worker.recover()
    await stage.settle()
    assert stage.notifier.cards == [(job.id, CHANNEL)]
    assert await card(stage, job) == (CHANNEL, 8000 + job.id)


async def test_while_its_nonce_is_valid_it_is_posted_again_without_a_search(stage: Stage) -> None:
    stage.notifier.lost_answers = 1
    job = await asked(stage)
    await stage.pass_time(10)
    assert stage.notifier.searches == 0
    assert stage.notifier.cards == [(job.id, CHANNEL)] * 2


@pytest.mark.parametrize("trouble", [DeliveryDelayedError("status 503"), StorageError("locked")], ids=repr)
async def test_temporary_errors_are_retried(stage: Stage, trouble: Exception) -> None:
    stage.notifier.card_refusals = {CHANNEL: trouble}
    job = await asked(stage)
    await stage.pass_time(30)
    assert stage.notifier.cards == []
    stage.notifier.card_refusals = {}
    await stage.pass_time(60)
    assert stage.notifier.cards == [(job.id, CHANNEL)]


async def test_if_no_channel_accepts_the_card_it_is_retried_each_hour_and_still_expires(
    stage: Stage,
) -> None:
    stage.notifier.card_refusals = {CHANNEL: REFUSED}
    job = await asked(stage)
    await stage.pass_time(2 * HOUR, step=60)
    assert await card(stage, job) == (None, None)
    stage.notifier.card_refusals = {}
    await stage.pass_time(HOUR, step=60)
    assert stage.notifier.cards == [(job.id, CHANNEL)]
    await stage.pass_time(21.1 * HOUR, step=600)
    assert await stage.state(job) is JobState.EXPIRED


async def test_a_card_posted_while_somebody_decided_is_closed(stage: Stage) -> None:
    job = await taken(stage)

    async def decide() -> None:
        stage.worker.track(await stage.approvals.decide(job.id, GUILD, MODERATOR, ApprovalDecision.APPROVED))

    stage.notifier.before_card = decide
    stage.worker.track(job)
    await stage.settle()
    assert stage.notifier.closed_cards == [job.id]
    assert await stage.state(job) is JobState.PROCESSING
    assert len(stage.provider.sent) == 1


async def test_a_job_decided_before_it_was_tracked_continues_as_decided(stage: Stage) -> None:
    job = await taken(stage)
    stage.worker.track(await stage.approvals.decide(job.id, GUILD, MODERATOR, ApprovalDecision.APPROVED))
    stage.worker.track(job)
    await stage.pass_time(10)
    assert await stage.state(job) is JobState.PROCESSING
    assert len(stage.provider.sent) == 1
    assert stage.notifier.cards == []


async def test_a_job_denied_before_it_was_tracked_gets_no_card(stage: Stage) -> None:
    job = await taken(stage)
    await stage.approvals.decide(job.id, GUILD, MODERATOR, ApprovalDecision.DENIED, reason=None)
    stage.worker.track(job)
    await stage.pass_time(10)
    assert stage.notifier.cards == []
    assert stage.notifier.posts == [(job.id, JobState.DENIED, DeliveryTarget.DIRECT)]


async def test_a_cancelled_job_is_forgotten(stage: Stage) -> None:
    job = await asked(stage)
    stage.worker.untrack(await members_side(stage.repository).cancel(job.id, GUILD, MEMBER))
    await stage.pass_time(25 * HOUR, step=600)
    assert (await stage.state(job), stage.notifier.posts) == (JobState.CANCELLED, [])


async def test_the_moderators_channel_comes_first_and_no_thread_is_made(stage: Stage) -> None:
    job = await taken(stage)
    assert approval_card_channels(job, None) == [CHANNEL]
    assert approval_card_channels(job, 77) == [77, CHANNEL]
    assert approval_card_channels(job, CHANNEL) == [CHANNEL]


async def test_the_nonce_of_a_card_is_its_own_and_short_enough(stage: Stage) -> None:
    job, other = await taken(stage), await taken(stage)
    words = {job.card_nonce, other.card_nonce, job.nonce}
    assert len(words) == 3
    assert all(len(word) <= 25 for word in words)
