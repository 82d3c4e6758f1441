"""Telling members: the ladder of delivery_targets, delays, and pictures that have to be fetched anew."""

import pytest

from bot.codes import Failure, Reason
from bot.errors import DeliveryDelayedError, PlaceRefusedError, ProviderUnclearError, StorageError
from bot.jobs.models import Job, JobState
from bot.jobs.ports import DeliveryTarget
from bot.jobs.worker.deliver import delivery_targets
from bot.pools.models import Balance
from tests.builders import FAILURE, members_side, picture_request, requester, take
from tests.clock import START
from tests.jobs.scripted import COMPLETED, Stage, break_for_a_while

THREAD, CHANNEL, DIRECT = DeliveryTarget.THREAD, DeliveryTarget.CHANNEL, DeliveryTarget.DIRECT
REFUSED = PlaceRefusedError("no permission")
DELAYED = DeliveryDelayedError("status 503")
SOON = f"{int(START.timestamp()) + 1800:x}"
LATER = f"{int(START.timestamp()) + 86_400:x}"


def picture(expires: str) -> str:
    return f"https://cdn.discordapp.com/attachments/1/2/a.png?ex={expires}&is=1&hm=2"


async def finished(stage: Stage) -> Job:
    """A job with a card whose video is ready and not yet posted."""
    stage.provider.statuses.append(COMPLETED)
    job = await take(stage.repository)
    stage.worker.track(await members_side(stage.repository).record_card(job, 5000))
    await stage.settle()
    stage.clock.advance(60)
    return job


@pytest.mark.parametrize(
    ("refused", "place"), [((), THREAD), ((THREAD,), CHANNEL), ((THREAD, CHANNEL), DIRECT), ((CHANNEL,), THREAD)]
)
async def test_the_first_place_that_accepts_it_gets_it(
    stage: Stage, refused: tuple[DeliveryTarget, ...], place: DeliveryTarget
) -> None:
    stage.notifier.refusals = dict.fromkeys(refused, REFUSED)
    job = await finished(stage)
    await stage.settle()
    assert stage.notifier.posts == [(job.id, JobState.SUCCEEDED, place)]
    done = await stage.row(job)
    assert (done.result_channel_id, done.result_message_id) == (6001, 7001)
    assert len(stage.worker) == 0


async def test_an_outcome_that_no_place_accepts_is_kept(stage: Stage) -> None:
    stage.notifier.refusals = dict.fromkeys(DeliveryTarget, REFUSED)
    job = await finished(stage)
    await stage.settle()
    kept = await stage.row(job)
    assert (kept.kept_at, kept.delivered_at, kept.awaits_delivery) == (stage.clock.now(), None, False)
    assert (stage.notifier.tried, len(stage.worker)) == ([THREAD, CHANNEL, DIRECT], 0)
    stage.new_worker()
    await stage.worker.recover()
    assert len(stage.worker) == 0


@pytest.mark.parametrize("trouble", [DELAYED, StorageError("locked"), RuntimeError("a mistake")], ids=repr)
async def test_temporary_errors_are_retried_at_the_same_place(stage: Stage, trouble: Exception) -> None:
    stage.notifier.refusals = {THREAD: trouble}
    job = await finished(stage)
    await stage.pass_time(60)
    assert set(stage.notifier.tried) == {THREAD}
    assert 3 <= len(stage.notifier.tried) <= 6
    stage.notifier.refusals = {}
    await stage.pass_time(120)
    assert stage.notifier.posts == [(job.id, JobState.SUCCEEDED, THREAD)]


async def test_a_long_discord_outage_is_retried_rarely_and_never_given_up(stage: Stage) -> None:
    stage.notifier.refusals = {THREAD: DELAYED}
    job = await finished(stage)
    await stage.pass_time(6 * 3600, step=10)
    assert len(stage.notifier.tried) < 90
    assert (await stage.row(job)).awaits_delivery
    stage.notifier.refusals = {}
    await stage.pass_time(310, step=10)
    assert len(stage.notifier.posts) == 1


@pytest.mark.parametrize(
    ("refusals", "method"), [({}, "record_delivery"), (dict.fromkeys(DeliveryTarget, REFUSED), "mark_undeliverable")]
)
async def test_a_post_that_cannot_be_recorded_is_recorded_later_and_not_repeated(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, refusals: dict[DeliveryTarget, Exception], method: str
) -> None:
    break_for_a_while(monkeypatch, stage.repository, method, times=3)
    stage.notifier.refusals = refusals
    job = await finished(stage)
    await stage.pass_time(60)
    assert not (await stage.row(job)).awaits_delivery
    assert stage.notifier.tried == ([*DeliveryTarget] if refusals else [THREAD])


async def test_a_post_whose_answer_was_lost_is_found_again_when_its_nonce_is_forgotten(stage: Stage) -> None:
    stage.notifier.lost_answers = 1
    job = await finished(stage)
    await stage.settle()
    assert (await stage.row(job)).awaits_delivery
    await stage.worker.stop(1)
    stage.clock.advance(3600)
    stage.new_worker()
    await stage.worker.recover()
    await stage.settle()
    assert len(stage.notifier.posts) == 1
    assert (await stage.row(job)).result_message_id == 7001


async def test_an_undecided_job_counts_as_charged_after_two_days(stage: Stage) -> None:
    stage.provider.answers.append(ProviderUnclearError("cut"))
    job = await stage.ask()
    await stage.settle()
    assert await stage.balance(job) == Balance(held=55, spent=0)
    await stage.pass_time(47.9 * 3600, step=600)
    assert await stage.state(job) is JobState.UNCONFIRMED
    stage.new_worker()
    await stage.worker.recover()
    await stage.pass_time(1200, step=600)
    assert (await stage.state(job), await stage.balance(job)) == (JobState.FAILED, Balance(held=0, spent=55))
    assert [state for _, state, _ in stage.notifier.posts] == [JobState.UNCONFIRMED, JobState.FAILED]
    assert len(stage.worker) == 0


async def test_a_delivery_that_a_stop_cut_off_is_made_by_the_next_process(stage: Stage) -> None:
    stage.notifier.refusals = {THREAD: DELAYED}
    job = await finished(stage)
    await stage.settle()
    await stage.worker.stop(1)
    stage.notifier.refusals = {}
    stage.new_worker()
    await stage.worker.recover()
    await stage.settle()
    assert stage.notifier.posts == [(job.id, JobState.SUCCEEDED, THREAD)]
    assert (await stage.row(job)).delivered_at == stage.clock.now()


async def test_where_there_is_no_card_the_channel_is_first(stage: Stage) -> None:
    job = await take(stage.repository)
    assert list(delivery_targets(job)) == [CHANNEL, DIRECT]
    assert list(delivery_targets(await members_side(stage.repository).record_card(job, 1))) == [THREAD, CHANNEL, DIRECT]
    assert list(delivery_targets(await take(stage.repository, requester(in_thread=True)))) == [THREAD, CHANNEL, DIRECT]


async def test_the_nonce_is_fixed_per_job_and_outcome_and_short_enough(stage: Stage) -> None:
    first, second = await take(stage.repository), await take(stage.repository)
    failed = await stage.repository.fail(first.id, FAILURE)
    stage.clock.advance(0.5)
    unlike = await stage.repository.fail(second.id, FAILURE)
    words = {failed.nonce, second.nonce, unlike.nonce}
    assert len(words) == 3
    assert all(len(word) <= 25 for word in words)
    assert failed.nonce == (await members_side(stage.repository).record_card(failed, 1)).nonce


# Pictures


@pytest.mark.parametrize("url", [picture(LATER), "https://example.com/a.png"])
async def test_a_picture_that_lasts_is_sent_as_it_is(stage: Stage, url: str) -> None:
    await stage.ask(picture_request(url))
    await stage.settle()
    assert [request.image_url for request in stage.provider.sent] == [url]


async def test_a_picture_that_expires_soon_is_fetched_again(stage: Stage) -> None:
    stage.notifier.pictures.append(picture(LATER))
    job = await stage.ask(picture_request(picture(SOON)))
    await stage.settle()
    assert [request.image_url for request in stage.provider.sent] == [picture(LATER)]
    assert (await stage.row(job)).request.image_url == picture(LATER)


async def test_a_picture_that_discord_lost_ends_the_job_unsent(stage: Stage) -> None:
    stage.notifier.pictures.append(PlaceRefusedError("unknown message"))
    job = await stage.ask(picture_request(picture(SOON)))
    await stage.settle()
    done = await stage.row(job)
    assert (done.state, stage.provider.sent) == (JobState.FAILED, [])
    assert done.failure == Reason(Failure.PICTURE_GONE)
    assert await stage.balance(job) == Balance(held=0, spent=0)
    other = await stage.ask()
    await stage.settle()
    assert await stage.state(other) is JobState.PROCESSING


async def test_a_picture_that_cannot_be_fetched_now_is_fetched_later(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.notifier.pictures.extend([DELAYED, DELAYED, picture(LATER)])
    job = await stage.ask(picture_request(picture(SOON)))
    await stage.settle()
    assert (await stage.state(job), stage.provider.sent) == (JobState.QUEUED, [])
    other = await stage.ask()
    await stage.settle()
    assert await stage.state(other) is JobState.PROCESSING
    await stage.pass_time(60)
    assert await stage.state(job) is JobState.PROCESSING
    assert "Traceback" not in caplog.text
