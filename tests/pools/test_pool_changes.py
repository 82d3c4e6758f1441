"""Whatever moves credits or changes rules has the low-balance level checked, once it is committed."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from bot.codes import AuditAction, Reason
from bot.jobs.models import ApprovalDecision, Job
from bot.jobs.moderation.decisions import DecisionRepository
from bot.jobs.moderation.outbox import ModerationOutbox
from bot.pools.ledger import entries as ledger
from bot.pools.models import PoolSettings
from bot.pools.policy import LowBalanceLevel, Policy
from bot.pools.queries import LowBalanceRepository, PolicyChange
from bot.pools.rules import changes
from bot.pools.service import PoolService
from bot.provider.models import Submission
from bot.storage.database import Database
from tests.blank_database import lay_blank_database
from tests.builders import CHANNEL, FAILURE, GUILD, MEMBER, TEXT_REQUEST, UNLIMITED, members_side, requester
from tests.clock import FakeClock
from tests.jobs.moderation.test_outbox import ScriptedModerators
from tests.sessions.session_setup import MANAGER, SessionSetup, asker_in, plan

NONE, CHEAPEST, APPROVAL = LowBalanceLevel.NONE, LowBalanceLevel.CHEAPEST, LowBalanceLevel.APPROVAL
# Under 25 credits the first level begins, under 10 the second; from 30 and 15 on they are over.
TERMS = PoolSettings(UNLIMITED, starting_credits=100)


class Stage:
    """A pool of 100 credits whose moderators have a channel, and the outbox that posts there."""

    def __init__(self, database: Database) -> None:
        self.clock, self.moderators = FakeClock(), ScriptedModerators()
        self.setup = SessionSetup(database, self.clock, TERMS)
        self.pools = PoolService(database, self.clock, TERMS)
        self.approvals = DecisionRepository(database, self.clock)
        self.outbox = ModerationOutbox(self.approvals, LowBalanceRepository(database), self.clock, self.moderators)

    async def change(self, change: Callable[[Policy], Policy]) -> None:
        await self.pools.change(GUILD, MANAGER, PolicyChange(AuditAction.ALLOW, change))

    async def take(self, price: int, *, is_asked: bool = False) -> Job:
        job, _ = await members_side(self.setup.jobs, TERMS).create(requester(), TEXT_REQUEST, price, is_asked=is_asked)
        return job

    async def accepted(self, price: int, charged: int) -> Job:
        job = await self.take(price)
        await self.setup.jobs.begin_submission(job.id)
        return await self.setup.jobs.accept(job.id, Submission(f"task-{job.id}", charged))

    async def levels(self) -> list[LowBalanceLevel]:
        """What the moderators' channel is told within the next seconds."""
        before = len(self.moderators.told)
        for _ in range(6):
            await self.outbox.run_once()
            self.clock.advance(1)
        return [news.level for news in self.moderators.told[before:]]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    lay_blank_database(tmp_path / "a.db")
    async with Database.open(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}") as database:
        stage = Stage(database)
        await stage.change(lambda policy: changes.set_moderators_channel(policy, CHANNEL))
        assert await stage.levels() == []
        yield stage


async def withdrawal(stage: Stage) -> None:
    await stage.pools.withdraw(GUILD, MANAGER, 80, "a test")


async def hold(stage: Stage) -> None:
    await stage.take(80)


async def charge_above_the_hold(stage: Stage) -> None:
    await stage.accepted(60, 80)


async def session_start(stage: Stage) -> None:
    await stage.setup.start(plan(80))


async def rules(stage: Stage) -> None:
    await stage.take(55)
    await stage.change(lambda policy: changes.set_low_balance_limits(policy, 50, 10))


DOWN = [withdrawal, hold, charge_above_the_hold, session_start, rules]


@pytest.mark.parametrize("spend", DOWN)
async def test_every_decrease_of_a_pool_is_announced(stage: Stage, spend: Callable[[Stage], Awaitable[None]]) -> None:
    await spend(stage)
    assert await stage.levels() == [CHEAPEST]


async def deposit(stage: Stage) -> Callable[[], Awaitable[object]]:
    await stage.pools.withdraw(GUILD, MANAGER, 80, "a test")
    return lambda: stage.pools.deposit(GUILD, MANAGER, 100, "more")


async def release(stage: Stage) -> Callable[[], Awaitable[object]]:
    job = await stage.take(80)
    return lambda: members_side(stage.setup.jobs).cancel(job.id, GUILD, MEMBER)


async def denial(stage: Stage) -> Callable[[], Awaitable[object]]:
    job = await stage.take(80, is_asked=True)
    return lambda: stage.approvals.decide(job.id, GUILD, MANAGER, ApprovalDecision.DENIED, reason=None)


async def expiry(stage: Stage) -> Callable[[], Awaitable[object]]:
    job = await stage.take(80, is_asked=True)
    return lambda: stage.approvals.expire(job.id, FAILURE)


async def refund(stage: Stage) -> Callable[[], Awaitable[object]]:
    job = await stage.accepted(80, 80)
    return lambda: stage.setup.jobs.fail(job.id, FAILURE)


async def charge_below_the_hold(stage: Stage) -> Callable[[], Awaitable[object]]:
    job = await stage.take(80)
    await stage.setup.jobs.begin_submission(job.id)
    return lambda: stage.setup.jobs.accept(job.id, Submission("task", 55))


async def session_end_by_command(stage: Stage) -> Callable[[], Awaitable[object]]:
    session = await stage.setup.start(plan(80))
    return lambda: stage.setup.service.end(session.id, GUILD, MANAGER)


async def session_end_by_time(stage: Stage) -> Callable[[], Awaitable[object]]:
    session = await stage.setup.start(plan(80, minutes=1))

    async def end() -> None:
        assert await stage.setup.service.end_by_itself(session.id, is_time_over=True)

    return end


async def session_end_by_budget(stage: Stage) -> Callable[[], Awaitable[object]]:
    session = await stage.setup.start(plan(99))

    async def end() -> None:
        await stage.setup.made(asker_in(session))
        assert await stage.setup.service.end_by_itself(session.id, is_time_over=False)

    return end


async def eased_rules(stage: Stage) -> Callable[[], Awaitable[object]]:
    await stage.take(80)
    return lambda: stage.change(lambda policy: changes.set_low_balance_limits(policy, 0, 0))


UP = [
    deposit,
    release,
    denial,
    expiry,
    refund,
    charge_below_the_hold,
    session_end_by_command,
    session_end_by_time,
    session_end_by_budget,
    eased_rules,
]


@pytest.mark.parametrize("lower", UP)
async def test_every_recovery_of_a_pool_is_announced(
    stage: Stage, lower: Callable[[Stage], Awaitable[Callable[[], Awaitable[object]]]]
) -> None:
    give_back = await lower(stage)
    assert await stage.levels() in ([CHEAPEST], [APPROVAL])
    await give_back()
    assert await stage.levels() == [NONE]


async def test_a_rollback_is_not_checked(stage: Stage) -> None:
    async def break_off() -> None:
        async with stage.setup.database.transaction() as connection:
            await ledger.withdraw(connection, GUILD, 90, stage.clock.now(), reason=Reason.typed("a test"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await break_off()
    assert len(stage.outbox) == 0
    # Nor is it with the next commit on the same connection, which changes nothing here.
    async with stage.setup.database.transaction():
        pass
    assert len(stage.outbox) == 0


async def test_only_the_server_that_changed_is_checked_and_after_the_commit(stage: Stage) -> None:
    seen: list[tuple[int, bool]] = []
    database = stage.setup.database
    database.on_pool_change(lambda guild_id: seen.append((guild_id, database._writer.locked())))
    async with database.transaction() as connection:
        await ledger.withdraw(connection, GUILD, 1, stage.clock.now(), reason=Reason.typed("a test"))
        await ledger.withdraw(connection, GUILD, 1, stage.clock.now(), reason=Reason.typed("a test"))
        assert seen == []
    assert seen == [(GUILD, False)]
