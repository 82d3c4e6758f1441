import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import pytest

from bot.codes import Refusal
from bot.errors import RefusedError, TransitionError
from bot.jobs.models import Job, JobState, MemberUsage, Requester
from bot.jobs.ports import Posted
from bot.jobs.store.repository import JobRepository
from bot.pools.models import Limits, PoolSettings, Usage
from bot.provider.models import Estimate, Submission
from tests.builders import (
    CHANNEL,
    FAILURE,
    GUILD,
    MEMBER,
    TEXT_REQUEST,
    UNLIMITED,
    members_side,
    picture_request,
    requester,
    take,
)
from tests.clock import START, FakeClock
from tests.refusals import is_refused, refused

THREE_JOBS = Limits(active_jobs=3, window_credits=None, window_hours=0)
ONE_DAY = Limits(active_jobs=None, window_credits=110, window_hours=24)
VIDEO = "https://cdn.ulazai.com/kling/videos/a.mp4"


async def outcomes(attempts: Sequence[Awaitable[Job]]) -> tuple[list[Job], list[BaseException]]:
    """Make all attempts at once, and part what went well from what did not."""
    found = await asyncio.gather(*attempts, return_exceptions=True)
    return (
        [each for each in found if isinstance(each, Job)],
        [each for each in found if isinstance(each, BaseException)],
    )


async def processing(repository: JobRepository, job: Job, credits_used: int | None = None) -> Job:
    await repository.begin_submission(job.id)
    return await repository.accept(job.id, Submission(f"task-{job.id}", credits_used))


async def used(repository: JobRepository, limits: Limits = UNLIMITED) -> MemberUsage:
    return await members_side(repository, PoolSettings(limits)).overview(GUILD, MEMBER, ())


# Taking


async def test_a_job_is_stored_with_its_whole_request(repository: JobRepository, clock: FakeClock) -> None:
    who, request = requester(), picture_request()
    job, overview = await members_side(repository, PoolSettings(UNLIMITED)).create(who, request, 55)
    assert (job.requester, job.request, job.state, job.held_credits) == (who, request, JobState.QUEUED, 55)
    assert (job.created_at, job.charged_credits, job.thread_id) == (clock.now(), None, None)
    assert job == await repository.get(job.id)
    assert len(overview.usage.open_jobs) == 1


async def test_a_job_asked_for_in_a_thread_has_that_thread(repository: JobRepository) -> None:
    assert (await take(repository, requester(in_thread=True))).thread_id == CHANNEL


@pytest.mark.parametrize("limits", [THREE_JOBS, Limits(None, 3 * 55, 24)], ids=["jobs", "credits"])
async def test_of_a_hundred_at_once_exactly_as_many_are_accepted_as_the_limit_allows(
    repository: JobRepository, limits: Limits
) -> None:
    taken, refused = await outcomes([take(repository, requester(), limits=limits) for _ in range(100)])
    assert len(taken) == 3
    assert all(is_refused(error, Refusal.LIMIT_JOBS, Refusal.LIMIT_CREDITS) for error in refused)
    assert len((await used(repository)).open_jobs) == 3


async def test_the_same_interaction_is_accepted_once(repository: JobRepository) -> None:
    who = requester()
    taken, refused = await outcomes([take(repository, who) for _ in range(10)])
    assert len(taken) == 1
    assert {error.reason.code for error in refused if isinstance(error, RefusedError)} == {Refusal.DUPLICATE_REQUEST}
    assert len(refused) == 9
    assert len(await members_side(repository).history(GUILD, MEMBER, 100)) == 1


# Races


@pytest.mark.parametrize("number", range(5))
async def test_cancel_or_submit_wins_but_not_both(repository: JobRepository, number: int) -> None:
    job = await take(repository)
    attempts = [members_side(repository).cancel(job.id, GUILD, MEMBER), repository.begin_submission(job.id)]
    won, lost = await outcomes(attempts if number % 2 else attempts[::-1])
    assert len(won) == 1
    assert [type(error) for error in lost] in ([TransitionError], [RefusedError])
    assert await repository.get(job.id) == won[0]


async def test_a_job_is_submitted_once(repository: JobRepository) -> None:
    job = await take(repository)
    won, _lost = await outcomes([repository.begin_submission(job.id) for _ in range(10)])
    assert len(won) == 1


async def test_nobody_cancels_another_members_job(repository: JobRepository) -> None:
    job = await take(repository)
    for guild_id, member_id in ((GUILD, MEMBER + 1), (GUILD + 1, MEMBER)):
        with refused(Refusal.NOT_CANCELLABLE):
            await members_side(repository).cancel(job.id, guild_id, member_id)
    assert await repository.get(job.id) == job


# Accepting


async def test_the_providers_answer_is_stored(repository: JobRepository) -> None:
    job = await take(repository)
    await repository.begin_submission(job.id)
    accepted = await repository.accept(job.id, Submission("a-task", 60, 940, Estimate(60, 90)))
    assert (accepted.state, accepted.task_id) == (JobState.PROCESSING, "a-task")
    assert (accepted.charged_credits, accepted.account_credits) == (60, 940)
    assert (accepted.estimate, accepted.submitted_at) == (Estimate(60, 90), START)


async def test_a_missing_price_is_the_list_price(repository: JobRepository) -> None:
    assert (await processing(repository, await take(repository, price=110))).charged_credits == 110


async def test_one_task_is_never_two_jobs(repository: JobRepository) -> None:
    first, second = await take(repository), await take(repository)
    await processing(repository, first)
    await repository.begin_submission(second.id)
    with pytest.raises(TransitionError):
        await repository.accept(second.id, Submission(f"task-{first.id}", 55))
    unchanged = await repository.get(second.id)
    assert unchanged is not None
    assert (unchanged.state, unchanged.charged_credits) == (JobState.SUBMITTING, None)


# What counts


End = Callable[[JobRepository, Job], Awaitable[Job]]


async def _failed(repository: JobRepository, job: Job) -> Job:
    await processing(repository, job)
    return await repository.fail(job.id, FAILURE)


async def _kept_by_the_provider(repository: JobRepository, job: Job) -> Job:
    await processing(repository, job)
    return await repository.fail(job.id, FAILURE, refunded=False)


async def _cancelled(repository: JobRepository, job: Job) -> Job:
    return await members_side(repository).cancel(job.id, GUILD, MEMBER)


async def _succeeded(repository: JobRepository, job: Job) -> Job:
    await processing(repository, job)
    return await repository.succeed(job.id, VIDEO)


async def _unconfirmed(repository: JobRepository, job: Job) -> Job:
    await repository.begin_submission(job.id)
    return await repository.mark_unconfirmed(job.id, FAILURE)


@pytest.mark.parametrize("end", [_failed, _cancelled])
async def test_jobs_without_a_charge_do_not_count(repository: JobRepository, end: End) -> None:
    await end(repository, await take(repository, price=110, limits=ONE_DAY))
    overview = await used(repository, ONE_DAY)
    assert (overview.usage, overview.open_jobs) == (Usage(), ())
    await take(repository, price=110, limits=ONE_DAY)


@pytest.mark.parametrize("end", [_succeeded, _unconfirmed, _kept_by_the_provider])
async def test_charged_and_unconfirmed_jobs_count_without_being_open(repository: JobRepository, end: End) -> None:
    await end(repository, await take(repository, price=110, limits=ONE_DAY))
    overview = await used(repository, ONE_DAY)
    assert (overview.usage.credits, overview.usage.open_jobs, overview.open_jobs) == (110, (), ())
    with pytest.raises(RefusedError):
        await take(repository, limits=ONE_DAY)


async def test_the_charge_counts_and_not_the_list_price(repository: JobRepository) -> None:
    await processing(repository, await take(repository, price=110, limits=ONE_DAY), credits_used=55)
    assert (await used(repository, ONE_DAY)).usage.credits == 55
    await take(repository, limits=ONE_DAY)


async def test_the_window_rolls(repository: JobRepository, clock: FakeClock) -> None:
    await take(repository, limits=ONE_DAY)
    clock.advance(3600)
    await take(repository, limits=ONE_DAY)
    with pytest.raises(RefusedError) as caught:
        await take(repository, limits=ONE_DAY)
    assert caught.value.reason.data["free_at"] == START + timedelta(hours=24)
    clock.advance(23 * 3600 - 0.000001)
    with pytest.raises(RefusedError):
        await take(repository, limits=ONE_DAY)
    clock.advance(0.000001)
    await take(repository, limits=ONE_DAY)
    with pytest.raises(RefusedError):
        await take(repository, limits=ONE_DAY)


async def test_other_servers_and_members_do_not_count(repository: JobRepository) -> None:
    limits = Limits(1, 55, 24)
    for who in (requester(), requester(guild_id=GUILD + 1), requester(member_id=MEMBER + 1)):
        await take(repository, who, limits=limits)
    for who in (requester(), requester(guild_id=GUILD + 1), requester(member_id=MEMBER + 1)):
        with pytest.raises(RefusedError):
            await take(repository, who, limits=limits)


# Lists


async def test_history_is_ones_own_and_newest_first(repository: JobRepository, clock: FakeClock) -> None:
    mine = []
    for _ in range(4):
        mine.append((await take(repository)).id)
        await take(repository, requester(member_id=MEMBER + 1))
        await take(repository, requester(guild_id=GUILD + 1))
        clock.advance(1)
    assert [job.id for job in await members_side(repository).history(GUILD, MEMBER, 3)] == mine[:0:-1]


async def test_unfinished_jobs_are_those_that_need_the_worker(repository: JobRepository) -> None:
    queued, submitting, watched, undelivered, kept, delivered, cancelled = [await take(repository) for _ in range(7)]
    await repository.begin_submission(submitting.id)
    await processing(repository, watched)
    for job in (undelivered, kept, delivered):
        await _succeeded(repository, job)
    await repository.mark_undeliverable(kept.id)
    await repository.record_delivery(delivered.id, Posted(1, 2))
    await _cancelled(repository, cancelled)
    expected = [queued.id, submitting.id, watched.id, undelivered.id]
    assert [job.id for job in await repository.unfinished()] == expected
    assert [job.id for job in await repository.half_submitted()] == [submitting.id]


async def test_message_and_channel_ids_are_stored(repository: JobRepository, clock: FakeClock) -> None:
    job = await take(repository, request=picture_request())
    await members_side(repository).record_card(job, 1)
    await repository.record_thread(job.id, 2)
    await repository.record_picture(job.id, "https://cdn.discordapp.com/fresh.png")
    noted = await repository.record_delivery(job.id, Posted(3, 4))
    assert (noted.card_message_id, noted.thread_id) == (1, 2)
    assert (noted.result_channel_id, noted.result_message_id) == (3, 4)
    assert (noted.request.image_url, noted.delivered_at) == ("https://cdn.discordapp.com/fresh.png", clock.now())


async def test_ids_of_discord_s_size_and_any_prompt_come_back_whole(repository: JobRepository) -> None:
    largest = 2**63 - 1
    who = Requester(largest, largest - 1, largest - 2, largest - 3)
    job = await take(repository, who, TEXT_REQUEST)
    assert (job.requester, await repository.get(job.id)) == (who, job)


async def test_no_such_job(repository: JobRepository) -> None:
    assert await repository.get(5) is None
    with pytest.raises(TransitionError):
        await repository.begin_submission(5)
