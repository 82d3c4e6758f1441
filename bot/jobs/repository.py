"""Jobs in SQL: one method for each guarded transition, with its ledger entries in the same transaction."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import ColumnElement, RowMapping, and_, case, func, insert, literal, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.clock import Clock
from bot.errors import DuplicateRequestError, TransitionError
from bot.jobs.models import OPEN_STATES, UNPAID_STATES, Asker, Job, JobState
from bot.jobs.polling import expected_finish
from bot.pools import ledger
from bot.pools.models import JobAccount, Limits, Spend, Usage
from bot.pools.rules import check_limits, has_window, window_start
from bot.provider.models import Estimate, GenerationMode, GenerationRequest, Submission
from bot.storage.database import Database
from bot.storage.schema import jobs


class JobRepository:
    """The jobs table. Every method is one transaction; every transition names the states it may come from."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def take(
        self, asker: Asker, request: GenerationRequest, price_credits: int, limits: Limits
    ) -> tuple[Job, Usage]:
        """Check the limits, insert the job and hold its price, in one transaction.

        Returns:
            The job, and what its member uses with it.

        Raises:
            LimitReachedError: a limit would be overrun.
            DuplicateRequestError: this interaction was taken already.
            StorageError: the database can't be written.
        """
        now = self._clock.now()
        async with self._database.transaction() as connection:
            usage = await _usage(connection, asker.guild_id, asker.member_id, limits, now)
            check_limits(limits, usage, price_credits, now)
            job = await _insert(connection, asker, request, price_credits, now)
            await ledger.hold(connection, _account(job), price_credits, now)
            return job, await _usage(connection, asker.guild_id, asker.member_id, limits, now)

    async def begin_submission(self, job_id: int) -> Job:
        """`queued -> submitting`, committed before the provider hears of the job."""
        async with self._database.transaction() as connection:
            return await _move(
                connection, job_id, {JobState.QUEUED}, JobState.SUBMITTING, submitted_at=self._clock.now()
            )

    async def requeue(self, job_id: int) -> Job:
        """`submitting -> queued`, where it is certain that nothing was started."""
        async with self._database.transaction() as connection:
            return await _move(connection, job_id, {JobState.SUBMITTING}, JobState.QUEUED, submitted_at=None)

    async def accept(self, job_id: int, submission: Submission) -> Job:
        """`submitting -> processing`: the provider has taken the job, and its price is booked.

        Raises:
            TransitionError: it is not being submitted, or the task is another job's already.
        """
        now = self._clock.now()
        estimate = submission.estimate
        async with self._database.transaction() as connection:
            with _unique_task(job_id):
                job = await _move(
                    connection,
                    job_id,
                    {JobState.SUBMITTING},
                    JobState.PROCESSING,
                    task_id=submission.task_id,
                    # Where the answer did not say the price, the list price is the best guess there is.
                    charged_credits=func.coalesce(literal(submission.credits_used), jobs.c.held_credits),
                    account_credits=submission.credits_remaining,
                    estimate_low_seconds=estimate.low_seconds if estimate else None,
                    estimate_high_seconds=estimate.high_seconds if estimate else None,
                )
            await ledger.charge(connection, _account(job), job.held_credits, job.credits, now)
            return job

    async def succeed(self, job_id: int, video_url: str) -> Job:
        """`processing -> succeeded`: the video is there, to be delivered."""
        async with self._database.transaction() as connection:
            return await _move(
                connection,
                job_id,
                {JobState.PROCESSING},
                JobState.SUCCEEDED,
                video_url=video_url,
                finished_at=self._clock.now(),
            )

    async def fail(self, job_id: int, failure: str, *, refunded: bool = True) -> Job:
        """`queued | submitting | processing -> failed`: what was held or charged comes back.

        Args:
            job_id: of the job.
            failure: why, for the member.
            refunded: False where the provider said that it keeps its price.
        """
        now = self._clock.now()
        async with self._database.transaction() as connection:
            job = await _move(
                connection,
                job_id,
                {JobState.QUEUED, JobState.SUBMITTING, JobState.PROCESSING},
                JobState.FAILED,
                failure=failure,
                finished_at=now,
                refunded_credits=jobs.c.charged_credits if refunded else None,
            )
            if job.charged_credits is None:
                await ledger.release(connection, _account(job), job.held_credits, now)
            else:
                await ledger.refund(connection, _account(job), job.refunded_credits or 0, now)
            return job

    async def cancel(self, job_id: int, guild_id: int, member_id: int) -> Job:
        """`queued -> cancelled`, by the member whose job it is: the hold comes back.

        Raises:
            TransitionError: it is not queued any more, or not theirs.
        """
        now = self._clock.now()
        async with self._database.transaction() as connection:
            job = await _move(
                connection, job_id, {JobState.QUEUED}, JobState.CANCELLED, finished_at=now, delivered_at=now
            )
            if (job.asker.guild_id, job.asker.member_id) != (guild_id, member_id):
                raise TransitionError(job_id, JobState.CANCELLED)
            await ledger.release(connection, _account(job), job.held_credits, now)
            return job

    async def mark_unconfirmed(self, job_id: int, failure: str) -> Job:
        """`submitting -> unconfirmed`: nobody knows whether it was started; the hold stays."""
        async with self._database.transaction() as connection:
            return await _move(
                connection,
                job_id,
                {JobState.SUBMITTING},
                JobState.UNCONFIRMED,
                failure=failure,
                finished_at=self._clock.now(),
            )

    async def half_submitted(self) -> list[Job]:
        """Return the jobs that a stopped process left between its commit and the provider's answer."""
        return await self._select(jobs.c.state == JobState.SUBMITTING)

    async def unfinished(self) -> list[Job]:
        """Return every job that wants work: to be sent, watched or delivered; oldest first."""
        undelivered = and_(jobs.c.finished_at.is_not(None), jobs.c.delivered_at.is_(None), jobs.c.kept_at.is_(None))
        return await self._select(or_(jobs.c.state.in_(_values(OPEN_STATES)), undelivered))

    async def record_card(self, job_id: int, message_id: int) -> Job:
        """Remember the status card."""
        return await self._note(job_id, card_message_id=message_id)

    async def record_thread(self, job_id: int, thread_id: int) -> Job:
        """Remember the thread that gets the result."""
        return await self._note(job_id, thread_id=thread_id)

    async def record_picture(self, job_id: int, image_url: str) -> Job:
        """Remember a fresh address of the picture."""
        return await self._note(job_id, image_url=image_url)

    async def record_delivery(self, job_id: int, message_id: int) -> Job:
        """Remember that the outcome was posted, and where."""
        return await self._note(job_id, result_message_id=message_id, delivered_at=self._clock.now())

    async def keep(self, job_id: int) -> Job:
        """Give up on posting: the result stays in `/history`."""
        return await self._note(job_id, kept_at=self._clock.now())

    async def get(self, job_id: int) -> Job | None:
        """Return a job."""
        return next(iter(await self._select(jobs.c.id == job_id)), None)

    async def history(self, guild_id: int, member_id: int, limit: int) -> list[Job]:
        """Return a member's last jobs in a server, newest first."""
        query = (
            select(jobs)
            .where(jobs.c.guild_id == guild_id, jobs.c.member_id == member_id)
            .order_by(jobs.c.created_at.desc(), jobs.c.id.desc())
            .limit(limit)
        )
        async with self._database.reading() as connection:
            return [_job(row) for row in (await connection.execute(query)).mappings()]

    async def usage(self, guild_id: int, member_id: int, limits: Limits) -> tuple[Usage, list[Job]]:
        """Return what a member uses of the limits, and their open jobs, at one moment."""
        async with self._database.reading() as connection:
            usage = await _usage(connection, guild_id, member_id, limits, self._clock.now())
            return usage, await _open_jobs(connection, guild_id, member_id)

    async def open_jobs(self, guild_id: int, member_id: int) -> list[Job]:
        """Return a member's open jobs, oldest first."""
        async with self._database.reading() as connection:
            return await _open_jobs(connection, guild_id, member_id)

    async def _select(self, condition: ColumnElement[bool]) -> list[Job]:
        async with self._database.reading() as connection:
            rows = await connection.execute(select(jobs).where(condition).order_by(jobs.c.id))
            return [_job(row) for row in rows.mappings()]

    async def _note(self, job_id: int, **values: object) -> Job:
        async with self._database.transaction() as connection:
            query = update(jobs).where(jobs.c.id == job_id).values(**values).returning(*jobs.c)
            return _job((await connection.execute(query)).mappings().one())


async def _insert(
    connection: AsyncConnection, asker: Asker, request: GenerationRequest, price_credits: int, now: datetime
) -> Job:
    query = insert(jobs).values(
        interaction_id=asker.interaction_id,
        guild_id=asker.guild_id,
        channel_id=asker.channel_id,
        in_thread=asker.in_thread,
        member_id=asker.member_id,
        mode=request.mode.value,
        prompt=request.prompt,
        image_url=request.image_url,
        duration_seconds=request.duration_seconds,
        aspect_ratio=request.aspect_ratio,
        sound=request.sound,
        share=request.share,
        state=JobState.QUEUED.value,
        held_credits=price_credits,
        created_at=now,
        thread_id=asker.channel_id if asker.in_thread else None,
    )
    try:
        row = (await connection.execute(query.returning(*jobs.c))).mappings().one()
    except IntegrityError as error:
        if "jobs.interaction_id" not in str(error.orig):
            raise
        raise DuplicateRequestError from error
    return _job(row)


async def _move(
    connection: AsyncConnection, job_id: int, sources: Collection[JobState], target: JobState, **values: object
) -> Job:
    query = (
        update(jobs)
        .where(jobs.c.id == job_id, jobs.c.state.in_(_values(sources)))
        .values(state=target.value, **values)
        .returning(*jobs.c)
    )
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        raise TransitionError(job_id, target)
    return _job(row)


@contextmanager
def _unique_task(job_id: int) -> Iterator[None]:
    """A provider that gives one task to two jobs has mixed something up: the second can't be believed."""
    try:
        yield
    except IntegrityError as error:
        if "jobs.task_id" not in str(error.orig):
            raise
        raise TransitionError(job_id, JobState.PROCESSING) from error


async def _usage(connection: AsyncConnection, guild_id: int, member_id: int, limits: Limits, now: datetime) -> Usage:
    open_jobs = await _open_jobs(connection, guild_id, member_id)
    spends = await _spends(connection, guild_id, member_id, limits, now) if has_window(limits) else ()
    return Usage(open_jobs=tuple(expected_finish(job) for job in open_jobs), spends=spends)


async def _spends(
    connection: AsyncConnection, guild_id: int, member_id: int, limits: Limits, now: datetime
) -> tuple[Spend, ...]:
    cost = case((jobs.c.charged_credits.is_not(None), jobs.c.charged_credits), else_=jobs.c.held_credits)
    query = select(jobs.c.created_at, cost).where(
        jobs.c.guild_id == guild_id,
        jobs.c.member_id == member_id,
        jobs.c.created_at > window_start(limits, now),
        jobs.c.state.not_in(_values(UNPAID_STATES)),
    )
    return tuple(Spend(at, credits_used) for at, credits_used in await connection.execute(query))


async def _open_jobs(connection: AsyncConnection, guild_id: int, member_id: int) -> list[Job]:
    query = (
        select(jobs)
        .where(jobs.c.guild_id == guild_id, jobs.c.member_id == member_id, jobs.c.state.in_(_values(OPEN_STATES)))
        .order_by(jobs.c.id)
    )
    return [_job(row) for row in (await connection.execute(query)).mappings()]


def _values(states: Collection[JobState]) -> list[str]:
    return [state.value for state in states]


def _account(job: Job) -> JobAccount:
    return JobAccount(job_id=job.id, guild_id=job.asker.guild_id, member_id=job.asker.member_id)


def _job(row: RowMapping) -> Job:
    low, high = row["estimate_low_seconds"], row["estimate_high_seconds"]
    return Job(
        asker=Asker(
            interaction_id=row["interaction_id"],
            guild_id=row["guild_id"],
            channel_id=row["channel_id"],
            member_id=row["member_id"],
            in_thread=row["in_thread"],
        ),
        request=GenerationRequest(
            mode=GenerationMode(row["mode"]),
            prompt=row["prompt"],
            duration_seconds=row["duration_seconds"],
            sound=row["sound"],
            share=row["share"],
            aspect_ratio=row["aspect_ratio"],
            image_url=row["image_url"],
        ),
        state=JobState(row["state"]),
        estimate=None if low is None else Estimate(low, high),
        **{name: row[name] for name in _PLAIN_COLUMNS},
    )


_PLAIN_COLUMNS = (
    "id",
    "held_credits",
    "created_at",
    "charged_credits",
    "refunded_credits",
    "account_credits",
    "task_id",
    "video_url",
    "failure",
    "submitted_at",
    "finished_at",
    "card_message_id",
    "thread_id",
    "result_message_id",
    "delivered_at",
    "kept_at",
)
