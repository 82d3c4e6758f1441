"""The moderators' outbox: errands are carried out once, later when Discord is away, and anew after a restart."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.codes import AuditAction
from bot.errors import DeliveryDelayedError, PlaceRefusedError
from bot.jobs.models import ApprovalDecision, Case, Job
from bot.jobs.moderation.decisions import DecisionRepository
from bot.jobs.moderation.outbox import ModerationOutbox
from bot.jobs.store.repository import JobRepository
from bot.pools.models import LowBalanceNotice, PoolSettings
from bot.pools.policy import LowBalanceLevel
from bot.pools.queries import LowBalanceRepository, PolicyChange
from bot.pools.rules.changes import set_moderators_channel
from bot.pools.service import PoolService
from tests.builders import (
    CHANNEL,
    FAILURE,
    GUILD,
    MEMBER,
    TEXT_REQUEST,
    UNLIMITED,
    members_side,
    repository_at,
    requester,
)
from tests.clock import FakeClock

MODERATOR = 901


class ScriptedModerators:
    """Takes everything, unless told otherwise."""

    def __init__(self) -> None:
        self.closed: list[int] = []
        self.told: list[LowBalanceNotice] = []
        self.tries = 0
        self.trouble: Exception | None = None

    async def close(self, case: Case) -> None:
        self._try()
        self.closed.append(case.job.id)

    async def announce_low_balance(self, news: LowBalanceNotice) -> None:
        self._try()
        self.told.append(news)

    def _try(self) -> None:
        self.tries += 1
        if self.trouble:
            raise self.trouble


class OutboxStage:
    """A outbox with all that it needs, and a pool of 1000 credits."""

    def __init__(self, repository: JobRepository, clock: FakeClock) -> None:
        database = repository._database
        self.repository, self.clock = repository, clock
        self.approvals, self.low_balance = DecisionRepository(database, clock), LowBalanceRepository(database)
        self.pools = PoolService(database, clock, PoolSettings(UNLIMITED, 1000))
        self.moderators = ScriptedModerators()
        self.outbox = self.new_desk()

    def new_desk(self) -> ModerationOutbox:
        """Make the outbox of a process that has just been started."""
        self.outbox = ModerationOutbox(self.approvals, self.low_balance, self.clock, self.moderators)
        return self.outbox

    async def waiting(self) -> Job:
        """A job that waits, with a card."""
        job, _ = await members_side(self.repository, PoolSettings(UNLIMITED, 1000)).create(
            requester(), TEXT_REQUEST, 55, is_asked=True
        )
        return await self.approvals.record_card(job.id, CHANNEL, 8000 + job.id)

    async def name_channel(self, channel_id: int | None = CHANNEL) -> None:
        await self.pools.change(
            GUILD,
            MODERATOR,
            PolicyChange(AuditAction.APPROVALS, lambda policy: set_moderators_channel(policy, channel_id)),
        )

    async def leave(self, credits_left: int) -> None:
        """Withdraw until so many credits are left, and let the outbox check the balance."""
        pool = await self.pools.pool(GUILD)
        if pool.funds.available > credits_left:
            await self.pools.withdraw(GUILD, MODERATOR, pool.funds.available - credits_left, "a test")
        await self.look()

    async def look(self) -> None:
        self.outbox.check_low_balance(GUILD)
        await self.pass_time(5)

    async def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds)):
            self.clock.advance(1)
            await self.outbox.run_once()

    @property
    def steps(self) -> list[LowBalanceLevel]:
        return [news.level for news in self.moderators.told]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[OutboxStage]:
    clock = FakeClock()
    async with repository_at(tmp_path / "outbox.db", clock) as repository:
        yield OutboxStage(repository, clock)


async def is_closed(stage: OutboxStage, job: Job) -> bool:
    case = await stage.approvals.approval(job.id)
    assert case
    return not case.approval.has_open_card


# Cards


async def test_the_card_of_a_decided_job_is_closed_once(stage: OutboxStage) -> None:
    job = await stage.waiting()
    await stage.approvals.decide(job.id, GUILD, MODERATOR, ApprovalDecision.APPROVED)
    for _ in range(2):
        stage.outbox.close(job.id)
        await stage.outbox.run_once()
    assert stage.moderators.closed == [job.id]
    assert await is_closed(stage, job)
    assert len(stage.outbox) == 0


async def test_the_card_of_a_waiting_job_stays(stage: OutboxStage) -> None:
    job = await stage.waiting()
    for job_id in (job.id, 12345):
        stage.outbox.close(job_id)
    await stage.outbox.run_once()
    assert stage.moderators.closed == []
    assert not await is_closed(stage, job)


async def test_a_deleted_card_is_left_alone(stage: OutboxStage) -> None:
    job = await stage.waiting()
    await stage.approvals.expire(job.id, FAILURE)
    stage.moderators.trouble = PlaceRefusedError("unknown message")
    stage.outbox.close(job.id)
    await stage.outbox.run_once()
    assert await is_closed(stage, job)
    assert len(stage.outbox) == 0


@pytest.mark.parametrize("trouble", [DeliveryDelayedError("status 503"), RuntimeError("a mistake")], ids=repr)
async def test_temporary_errors_are_retried_with_growing_pauses(stage: OutboxStage, trouble: Exception) -> None:
    job = await stage.waiting()
    await members_side(stage.repository).cancel(job.id, GUILD, MEMBER)
    stage.moderators.trouble = trouble
    stage.outbox.close(job.id)
    await stage.outbox.run_once()
    await stage.pass_time(60)
    assert 3 <= stage.moderators.tries <= 5
    stage.moderators.trouble = None
    await stage.pass_time(70)
    assert stage.moderators.closed == [job.id]


async def test_after_a_restart_the_open_cards_of_decided_jobs_are_closed(stage: OutboxStage) -> None:
    decided, undecided = await stage.waiting(), await stage.waiting()
    await stage.approvals.decide(decided.id, GUILD, MODERATOR, ApprovalDecision.DENIED, reason=None)
    outbox = stage.new_desk()
    await outbox.recover()
    await outbox.run_once()
    assert stage.moderators.closed == [decided.id]
    assert not await is_closed(stage, undecided)
    await stage.new_desk().recover()
    assert len(stage.outbox) == 0


# Low balances


async def test_each_low_balance_level_is_announced_once(stage: OutboxStage) -> None:
    await stage.name_channel()
    for credits_left in (250, 249, 200, 100, 99, 98, 0):
        await stage.leave(credits_left)
        await stage.look()
    assert stage.steps == [LowBalanceLevel.CHEAPEST, LowBalanceLevel.APPROVAL]
    assert [news.pool.funds.available for news in stage.moderators.told] == [249, 99]


async def test_a_recovery_is_announced_only_when_it_is_well_above_the_threshold(stage: OutboxStage) -> None:
    await stage.name_channel()
    job = await stage.waiting()
    await stage.leave(240)
    assert stage.steps == [LowBalanceLevel.CHEAPEST]
    await members_side(stage.repository).cancel(job.id, GUILD, MEMBER)
    assert (await stage.pools.pool(GUILD)).funds.available == 295
    await stage.look()
    assert stage.steps == [LowBalanceLevel.CHEAPEST]
    await stage.pools.deposit(GUILD, MODERATOR, 700, "more")
    await stage.look()
    assert stage.steps == [LowBalanceLevel.CHEAPEST, LowBalanceLevel.NONE]


async def test_after_a_new_deposit_a_level_is_announced_again(stage: OutboxStage) -> None:
    await stage.name_channel()
    await stage.leave(200)
    await stage.pools.deposit(GUILD, MODERATOR, 1000, "more")
    await stage.look()
    await stage.leave(200)
    assert stage.steps == [LowBalanceLevel.CHEAPEST, LowBalanceLevel.NONE, LowBalanceLevel.CHEAPEST]
    nonces = [news.nonce for news in stage.moderators.told]
    assert len(set(nonces)) == 3
    assert all(len(nonce) <= 25 for nonce in nonces)


async def test_without_a_channel_nothing_is_announced_until_there_is_one(stage: OutboxStage) -> None:
    await stage.leave(50)
    assert (stage.steps, await stage.low_balance.stale()) == ([], [])
    await stage.name_channel()
    await stage.look()
    assert stage.steps == [LowBalanceLevel.APPROVAL]


async def test_a_channel_that_refuses_is_asked_again_with_the_next_change(stage: OutboxStage) -> None:
    await stage.name_channel()
    stage.moderators.trouble = PlaceRefusedError("no permission")
    await stage.leave(200)
    await stage.pass_time(600)
    assert stage.moderators.tries == 1
    stage.moderators.trouble = None
    await stage.leave(190)
    assert stage.steps == [LowBalanceLevel.CHEAPEST]


async def test_an_unsent_announcement_is_sent_under_the_same_nonce_after_a_restart(stage: OutboxStage) -> None:
    await stage.name_channel()
    stage.moderators.trouble = DeliveryDelayedError("the answer never came")
    await stage.leave(200)
    stage.moderators.trouble = None
    news = await stage.low_balance.news(GUILD)
    outbox = stage.new_desk()
    await outbox.recover()
    await outbox.run_once()
    assert news
    assert [told.nonce for told in stage.moderators.told] == [news.nonce]
    assert await stage.low_balance.stale() == []


async def test_a_server_without_a_pool_has_no_announcements(stage: OutboxStage) -> None:
    await stage.look()
    assert (stage.moderators.tries, len(stage.outbox)) == (0, 0)


async def test_a_new_task_ends_the_wait(stage: OutboxStage) -> None:
    waiting = asyncio.create_task(stage.outbox.wait_until_due())
    await asyncio.sleep(0)
    assert not waiting.done()
    stage.outbox.close(1)
    async with asyncio.timeout(5):
        await waiting
        # What is due already is not waited for.
        await stage.outbox.wait_until_due()


async def test_the_balance_is_checked_at_once_and_then_every_five_seconds_at_most(
    stage: OutboxStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    news = stage.low_balance.news

    async def count(guild_id: int) -> LowBalanceNotice | None:
        looks.append(guild_id)
        return await news(guild_id)

    monkeypatch.setattr(stage.low_balance, "news", count)
    for _ in range(10):
        for _ in range(5):
            stage.outbox.check_low_balance(GUILD)
        await stage.pass_time(1)
    assert looks == [GUILD] * 2
    await stage.pass_time(5)
    assert looks == [GUILD] * 3
    assert len(stage.outbox) == 0
