"""What moderators decide about jobs that wait for them, in SQL: guarded transitions, so that the first one wins."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import and_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.clock import Clock
from bot.codes import AuditAction, Failure, Reason
from bot.errors import RefusedError, RightsError, TransitionError
from bot.jobs.models import ApprovalCase, ApprovalDecision, Job, JobState
from bot.jobs.store.approval_queries import (
    AWAITING,
    approval_of,
    close_approval,
    expire_job,
    read_approval,
    read_waiting,
)
from bot.jobs.store.queries import account_of, job_of, move, new_outcome
from bot.jobs.validation import cheaper_variant, list_price
from bot.pools.ledger import entries as ledger
from bot.pools.queries import read_pool, write_audit
from bot.storage.database import Database
from bot.storage.schema import approvals, jobs

_ACTIONS = {
    ApprovalDecision.APPROVED: AuditAction.APPROVE,
    ApprovalDecision.CHEAPER: AuditAction.APPROVE_CHEAPER,
    ApprovalDecision.DENIED: AuditAction.DENY,
}


class ApprovalRepository:
    """The ways out of `awaiting_approval`. Each decision is one transaction, for the moderators of one server.

    Each raises `TransitionError` where the job does not wait any more or is another server's, and `RightsError` where
    it is the moderator's own.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def approve(self, job_id: int, guild_id: int, moderator_id: int) -> ApprovalCase:
        """`awaiting_approval -> queued`: it is made as it was asked for."""
        now = self._clock.now()
        async with self._database.transaction() as connection:
            await _decidable(connection, job_id, guild_id, moderator_id)
            job = await move(connection, job_id, AWAITING, JobState.QUEUED)
            return await _decided(connection, job, ApprovalDecision.APPROVED, moderator_id, now)

    async def approve_cheaper(self, job_id: int, guild_id: int, moderator_id: int) -> ApprovalCase:
        """`awaiting_approval -> queued`, as the next cheaper kind of video; the difference of the hold comes back.

        Raises:
            RefusedError: there is no cheaper kind.
        """
        now = self._clock.now()
        async with self._database.transaction() as connection:
            asked = await _decidable(connection, job_id, guild_id, moderator_id)
            request = cheaper_variant(asked.request)
            if request is None:
                raise RefusedError("There is no cheaper kind of this video. Approve it, or deny it.")
            price = list_price(request)
            values = {"duration_seconds": request.duration_seconds, "sound": request.sound, "held_credits": price}
            job = await move(connection, job_id, AWAITING, JobState.QUEUED, **values)
            await ledger.release(connection, account_of(job), asked.held_credits - price, now)
            return await _decided(connection, job, ApprovalDecision.CHEAPER, moderator_id, now)

    async def deny(self, job_id: int, guild_id: int, moderator_id: int, reason: str | None) -> ApprovalCase:
        """`awaiting_approval -> denied`: it is not made, and the hold comes back."""
        now = self._clock.now()
        async with self._database.transaction() as connection:
            await _decidable(connection, job_id, guild_id, moderator_id)
            failure = Reason(Failure.DENIED, {"reason": reason})
            job = await move(connection, job_id, AWAITING, JobState.DENIED, failure=failure, **new_outcome(now))
            await ledger.release(connection, account_of(job), job.held_credits, now)
            return await _decided(connection, job, ApprovalDecision.DENIED, moderator_id, now, reason)

    async def check(self, job_id: int, guild_id: int, moderator_id: int) -> None:
        """Make sure that this moderator could decide now."""
        async with self._database.reading() as connection:
            await _decidable(connection, job_id, guild_id, moderator_id)

    async def expire(self, job_id: int, failure: Reason) -> Job:
        """`awaiting_approval -> expired`: nobody decided in time, and the hold comes back."""
        async with self._database.transaction() as connection:
            return await expire_job(connection, job_id, failure, self._clock.now())

    async def record_card(self, job_id: int, channel_id: int, message_id: int) -> Job:
        """Remember the card on which moderators decide."""
        values = {"card_channel_id": channel_id, "card_message_id": message_id}
        async with self._database.transaction() as connection:
            await connection.execute(update(approvals).where(approvals.c.job_id == job_id).values(values))
            row = (await connection.execute(select(jobs).where(jobs.c.id == job_id))).mappings().one()
            return job_of(row)

    async def record_closed_card(self, job_id: int) -> None:
        """Remember that the card shows the decision, or is gone."""
        query = update(approvals).where(approvals.c.job_id == job_id).values(card_closed_at=self._clock.now())
        async with self._database.transaction() as connection:
            await connection.execute(query)

    async def get(self, job_id: int) -> ApprovalCase | None:
        """Return a job that moderators were asked about; None: there is no such job, or they were not."""
        async with self._database.reading() as connection:
            approval = await read_approval(connection, job_id)
            if approval is None:
                return None
            row = (await connection.execute(select(jobs).where(jobs.c.id == job_id))).mappings().one()
            return ApprovalCase(job_of(row), approval)

    async def waiting(self, guild_id: int) -> list[ApprovalCase]:
        """Return the jobs of a server that wait for a moderator, oldest first."""
        query = select(jobs).where(jobs.c.guild_id == guild_id, jobs.c.state == JobState.AWAITING_APPROVAL.value)
        async with self._database.reading() as connection:
            found = [job_of(row) for row in (await connection.execute(query.order_by(jobs.c.id))).mappings()]
            asked = select(approvals).where(approvals.c.job_id.in_([job.id for job in found]))
            by_job = {row["job_id"]: approval_of(row) for row in (await connection.execute(asked)).mappings()}
            return [ApprovalCase(job, by_job[job.id]) for job in found]

    async def unclosed_cards(self) -> Collection[int]:
        """Return the jobs that are decided, but whose card may still ask."""
        is_decided = and_(approvals.c.decision.is_not(None), approvals.c.card_message_id.is_not(None))
        query = select(approvals.c.job_id).where(is_decided, approvals.c.card_closed_at.is_(None))
        async with self._database.reading() as connection:
            return (await connection.execute(query)).scalars().all()

    async def moderators_channel(self, guild_id: int) -> int | None:
        """Return the channel in which a server's moderators want the cards."""
        async with self._database.reading() as connection:
            pool = await read_pool(connection, guild_id)
            return pool.policy.moderators_channel if pool else None


async def _decidable(connection: AsyncConnection, job_id: int, guild_id: int, moderator_id: int) -> Job:
    job = await read_waiting(connection, job_id, guild_id)
    if job.requester.member_id == moderator_id:
        raise RightsError("This is your own request, so another moderator has to decide. `/cancel` takes it back.")
    return job


async def _decided(
    connection: AsyncConnection,
    job: Job,
    decision: ApprovalDecision,
    moderator_id: int,
    now: datetime,
    reason: str | None = None,
) -> ApprovalCase:
    approval = await close_approval(connection, job.id, decision, now, decided_by=moderator_id, reason=reason)
    if approval is None:
        raise TransitionError(job.id, decision)
    data = {"job_id": job.id, "member_id": job.requester.member_id, "credits": job.held_credits, "reason": reason}
    await write_audit(connection, job.requester.guild_id, moderator_id, _ACTIONS[decision], now, **data)
    return ApprovalCase(job, approval)
