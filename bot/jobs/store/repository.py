"""Jobs in SQL: one method for each guarded transition, with its ledger entries in the same transaction."""

from collections.abc import Callable, Collection
from datetime import datetime

from sqlalchemy import ColumnElement, RowMapping, and_, bindparam, func, literal, or_, select

from bot.clock import Clock
from bot.codes import Reason, WaitReason
from bot.errors import HeldByRulesError, TransitionError
from bot.jobs.models import OPEN_STATES, Job, JobState, UnconfirmedDecision
from bot.jobs.polling import MEMORY, VideoKind
from bot.jobs.ports import Posted
from bot.jobs.queueing.fair_queue import Member
from bot.jobs.store.fair_queue_queries import read_last_served, read_used
from bot.jobs.store.queries import (
    account_of,
    close_unconfirmed,
    job_of,
    move,
    new_outcome,
    set_values,
    unique_task,
    values_of,
)
from bot.pools.ledger import entries as ledger
from bot.pools.policy import Policy
from bot.pools.queries import read_pool
from bot.provider.models import GenerationMode, Submission
from bot.storage.database import Database, read_each
from bot.storage.schema import jobs

_NEWEST_JOBS = 1000
# Built once: to build and compile a statement costs more than to run it.
_ONE = select(jobs).where(jobs.c.id == bindparam("job"))


class JobRepository:
    """The jobs table. Every method is one transaction, and raises `StorageError` if the database fails."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def on_pool_change(self, listener: Callable[[int], None]) -> None:
        """See `Database.on_pool_change`."""
        self._database.on_pool_change(listener)

    async def begin_submission(self, job_id: int) -> Job:
        """`queued -> submitting`, committed before the request to the provider.

        Raises:
            HeldByRulesError: the server's videos are paused, or the member is blocked.
            TransitionError: it is in another state.
        """
        now = self._clock.now()
        async with self._database.transaction() as connection:
            job = await move(connection, job_id, {JobState.QUEUED}, JobState.SUBMITTING, submitted_at=now)
            pool = await read_pool(connection, job.requester.guild_id)
            policy = pool.policy if pool else Policy()
            if policy.paused is not None:
                raise HeldByRulesError(WaitReason.PAUSED)
            block = policy.blocks.get(job.requester.member_id)
            if block is not None and block.holds(now):
                raise HeldByRulesError(WaitReason.BLOCKED, block.until)
            return job

    async def requeue(self, job_id: int) -> Job:
        """`submitting -> queued`, where it is certain that nothing was started.

        Raises:
            TransitionError: it is in another state.
        """
        async with self._database.transaction() as connection:
            return await move(connection, job_id, {JobState.SUBMITTING}, JobState.QUEUED, submitted_at=None)

    async def accept(self, job_id: int, submission: Submission, thread_id: int | None = None) -> Job:
        """`submitting -> processing`: the provider accepted the job, and its price is charged.

        Args:
            job_id: of the job.
            submission: the provider's answer.
            thread_id: of the job's thread, if it was created in the meantime.

        Raises:
            TransitionError: it is in another state, or another job has this task id.
        """
        now = self._clock.now()
        estimate = submission.estimate
        async with self._database.transaction() as connection:
            with unique_task(job_id):
                job = await move(
                    connection,
                    job_id,
                    {JobState.SUBMITTING},
                    JobState.PROCESSING,
                    task_id=submission.task_id,
                    thread_id=func.coalesce(literal(thread_id), jobs.c.thread_id),
                    # Where the answer has no price, the list price is the best estimate.
                    charged_credits=func.coalesce(literal(submission.credits_used), jobs.c.held_credits),
                    account_credits=submission.credits_remaining,
                    estimate_low_seconds=estimate.low_seconds if estimate else None,
                    estimate_high_seconds=estimate.high_seconds if estimate else None,
                )
            await ledger.charge(connection, account_of(job), job.held_credits, job.credits, now)
            return job

    async def succeed(self, job_id: int, video_url: str) -> Job:
        """`processing -> succeeded`.

        Raises:
            TransitionError: it is in another state.
        """
        async with self._database.transaction() as connection:
            return await move(
                connection,
                job_id,
                {JobState.PROCESSING},
                JobState.SUCCEEDED,
                video_url=video_url,
                **new_outcome(self._clock.now()),
            )

    async def fail(self, job_id: int, failure: Reason, *, refunded: bool = True) -> Job:
        """`queued | submitting | processing -> failed`: the hold is released, or the charge refunded.

        Args:
            job_id: of the job.
            failure: why.
            refunded: False if the provider's answer said that it gives no refund.

        Raises:
            TransitionError: it is in another state.
        """
        now = self._clock.now()
        async with self._database.transaction() as connection:
            job = await move(
                connection,
                job_id,
                {JobState.QUEUED, JobState.SUBMITTING, JobState.PROCESSING},
                JobState.FAILED,
                failure=failure,
                **new_outcome(now),
                refunded_credits=jobs.c.charged_credits if refunded else None,
            )
            if job.charged_credits is None:
                await ledger.release(connection, account_of(job), job.held_credits, now)
            else:
                await ledger.refund(connection, account_of(job), job.refunded_credits or 0, now)
            return job

    async def mark_unconfirmed(self, job_id: int, failure: Reason) -> Job:
        """`submitting | processing -> unconfirmed`: hold or charge stay until a moderator decides.

        Raises:
            TransitionError: it is in another state.
        """
        async with self._database.transaction() as connection:
            return await move(
                connection,
                job_id,
                {JobState.SUBMITTING, JobState.PROCESSING},
                JobState.UNCONFIRMED,
                failure=failure,
                **new_outcome(self._clock.now()),
            )

    async def settle_undecided(self, job_id: int, failure: Reason) -> Job:
        """`unconfirmed -> failed`, with its credits counted as charged: no moderator decided in time.

        Raises:
            TransitionError: it is not unconfirmed.
        """
        now = self._clock.now()
        query = select(jobs).where(jobs.c.id == job_id, jobs.c.state == JobState.UNCONFIRMED.value)
        async with self._database.transaction() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
            if row is None:
                raise TransitionError(job_id, JobState.FAILED)
            before = job_of(row)
            if before.charged_credits is None:
                await ledger.charge(connection, account_of(before), before.held_credits, before.held_credits, now)
            await close_unconfirmed(connection, before, UnconfirmedDecision.UNDECIDED, now)
            values = {"failure": failure, "charged_credits": before.credits, **new_outcome(now)}
            return await move(connection, job_id, {JobState.UNCONFIRMED}, JobState.FAILED, **values)

    async def half_submitted(self) -> list[Job]:
        """Return the jobs that are `submitting`: at start, those that a stopped process left."""
        return await self._select(jobs.c.state == JobState.SUBMITTING)

    async def unfinished(self) -> list[Job]:
        """Return every job for which the worker has something to do, oldest first."""
        undelivered = and_(jobs.c.finished_at.is_not(None), jobs.c.delivered_at.is_(None), jobs.c.kept_at.is_(None))
        states = values_of((*OPEN_STATES, JobState.UNCONFIRMED))
        return await self._select(or_(jobs.c.state.in_(states), undelivered))

    async def durations(self) -> dict[VideoKind, list[float]]:
        """Return how long the last jobs of each kind took, in seconds, newest first."""
        columns = (jobs.c.mode, jobs.c.duration_seconds, jobs.c.sound, jobs.c.submitted_at, jobs.c.finished_at)
        succeeded = and_(jobs.c.state == JobState.SUCCEEDED.value, jobs.c.submitted_at.is_not(None))
        query = select(*columns).where(succeeded).order_by(jobs.c.id.desc()).limit(_NEWEST_JOBS)
        found: dict[VideoKind, list[float]] = {}
        async with self._database.reading() as connection:
            for kind, seconds in await read_each(connection, query, jobs.c.id, _duration_of):
                ages = found.setdefault(kind, [])
                if len(ages) < MEMORY:
                    ages.append(seconds)
        return found

    async def used_credits(self, members: Collection[Member], since: datetime) -> dict[Member, int]:
        """Return the credits of members' submitted jobs that were created since then; members with none are absent."""
        async with self._database.reading() as connection:
            return await read_used(connection, members, since)

    async def last_served(self) -> dict[int, datetime]:
        """Return when a job of each server was last submitted, among the newest jobs."""
        async with self._database.reading() as connection:
            return await read_last_served(connection)

    async def record_card(self, job_id: int, message_id: int) -> Job:
        """Record the status card that everybody sees."""
        return await self._set(job_id, card_message_id=message_id)

    async def record_thread(self, job_id: int, thread_id: int) -> Job:
        """Record the thread that gets the result."""
        return await self._set(job_id, thread_id=thread_id)

    async def record_picture(self, job_id: int, image_url: str) -> Job:
        """Record a new address of the picture."""
        return await self._set(job_id, image_url=image_url)

    async def record_delivery(self, job_id: int, posted: Posted) -> Job:
        """Record that the outcome was posted, and where."""
        thread = {"thread_id": posted.thread_id} if posted.thread_id else {}
        return await self._set(
            job_id,
            result_channel_id=posted.channel_id,
            result_message_id=posted.message_id,
            delivered_at=self._clock.now(),
            **thread,
        )

    async def mark_undeliverable(self, job_id: int) -> Job:
        """Record that no place accepted the outcome; `/history` has it."""
        return await self._set(job_id, kept_at=self._clock.now())

    async def get(self, job_id: int) -> Job | None:
        """Return a job; None: there is none."""
        async with self._database.reading() as connection:
            row = (await connection.execute(_ONE, {"job": job_id})).mappings().one_or_none()
            return job_of(row) if row else None

    async def _select(self, condition: ColumnElement[bool]) -> list[Job]:
        async with self._database.reading() as connection:
            return await read_each(connection, select(jobs).where(condition).order_by(jobs.c.id), jobs.c.id, job_of)

    async def _set(self, job_id: int, **values: object) -> Job:
        async with self._database.transaction() as connection:
            return await set_values(connection, job_id, **values)


def _duration_of(row: RowMapping) -> tuple[VideoKind, float]:
    kind = VideoKind(GenerationMode(row["mode"]), row["duration_seconds"], row["sound"])
    return kind, (row["finished_at"] - row["submitted_at"]).total_seconds()
