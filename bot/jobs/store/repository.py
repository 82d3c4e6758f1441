"""Jobs in SQL: one method for each guarded transition, with its ledger entries in the same transaction."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from sqlalchemy import ColumnElement, Text, and_, bindparam, func, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.clock import Clock
from bot.codes import AuditAction, Reason
from bot.errors import TransitionError
from bot.jobs.models import OPEN_STATES, ApprovalDecision, Job, JobState, MemberUsage, Requester
from bot.jobs.polling import MEMORY, VideoKind
from bot.jobs.ports import Posted
from bot.jobs.queueing.fair_queue import Member
from bot.jobs.store.approval_queries import close_approval
from bot.jobs.store.fair_queue_queries import read_last_served, read_used
from bot.jobs.store.queries import (
    account_of,
    job_of,
    move,
    new_outcome,
    note,
    read_open_jobs,
    read_usage,
    unique_task,
    values_of,
)
from bot.jobs.store.submission import take_job
from bot.pools.ledger import entries as ledger
from bot.pools.models import PoolSettings
from bot.pools.policy import Policy
from bot.pools.queries import read_pool, read_session
from bot.pools.rules.limits import limits_for
from bot.pools.rules.store import write_audit
from bot.provider.models import GenerationMode, GenerationRequest, Submission
from bot.storage.database import Database
from bot.storage.schema import jobs

_REMEMBERED_JOBS = 1000
# Made once: to make a statement, and to find its SQL again, costs more than to run it.
_ONE = select(jobs).where(jobs.c.id == bindparam("job"))
_KEPT = (
    select(jobs)
    .where(jobs.c.guild_id == bindparam("guild"), jobs.c.member_id == bindparam("member"))
    .where(jobs.c.kept_at.is_not(None), jobs.c.delivered_at.is_(None))
    .order_by(jobs.c.id)
)


class JobRepository:
    """The jobs table. Every method is one transaction; every transition names the states it may come from."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def take(
        self,
        requester: Requester,
        request: GenerationRequest,
        price_credits: int,
        terms: PoolSettings,
        *,
        is_asked: bool = False,
    ) -> tuple[Job, MemberUsage]:
        """Check rules, limits and pool, insert the job and hold its price, in one transaction.

        Args:
            requester: who asks, and where.
            request: for what.
            price_credits: its list price.
            terms: the operator's.
            is_asked: the member wants a moderator to look at a prompt that was refused.

        Returns:
            The job, queued or waiting for a moderator, and what its member uses with it.

        Raises:
            RefusedError: it is not taken, for the reason that the error tells the member.
            StorageError: the database can't be written.
        """
        async with self._database.transaction(is_urgent=True) as connection:
            return await take_job(
                connection, requester, request, price_credits, terms, self._clock.now(), is_asked=is_asked
            )

    async def begin_submission(self, job_id: int) -> Job:
        """`queued -> submitting`, committed before the provider hears of the job."""
        async with self._database.transaction() as connection:
            return await move(
                connection, job_id, {JobState.QUEUED}, JobState.SUBMITTING, submitted_at=self._clock.now()
            )

    async def requeue(self, job_id: int) -> Job:
        """`submitting -> queued`, where it is certain that nothing was started."""
        async with self._database.transaction() as connection:
            return await move(connection, job_id, {JobState.SUBMITTING}, JobState.QUEUED, submitted_at=None)

    async def accept(self, job_id: int, submission: Submission, thread_id: int | None = None) -> Job:
        """`submitting -> processing`: the provider has taken the job, and its price is booked.

        Args:
            job_id: of the job.
            submission: what the provider said.
            thread_id: of the job's thread, if it has been made in the meantime.

        Raises:
            TransitionError: it is not being submitted, or the task is another job's already.
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
                    # Where the answer did not say the price, the list price is the best guess there is.
                    charged_credits=func.coalesce(literal(submission.credits_used), jobs.c.held_credits),
                    account_credits=submission.credits_remaining,
                    estimate_low_seconds=estimate.low_seconds if estimate else None,
                    estimate_high_seconds=estimate.high_seconds if estimate else None,
                )
            await ledger.charge(connection, account_of(job), job.held_credits, job.credits, now)
            return job

    async def succeed(self, job_id: int, video_url: str) -> Job:
        """`processing -> succeeded`: the video is there, to be delivered."""
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
        """`queued | submitting | processing -> failed`: what was held or charged comes back.

        Args:
            job_id: of the job.
            failure: why.
            refunded: False where the provider said that it keeps its price.
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

    async def cancel(self, job_id: int, guild_id: int, member_id: int) -> Job:
        """`awaiting_approval | queued -> cancelled`, by the member whose job it is: the hold comes back.

        Raises:
            TransitionError: it does not wait any more, or is not theirs.
        """
        now = self._clock.now()
        waiting = {JobState.AWAITING_APPROVAL, JobState.QUEUED}
        async with self._database.transaction() as connection:
            job = await move(connection, job_id, waiting, JobState.CANCELLED, finished_at=now, delivered_at=now)
            if (job.requester.guild_id, job.requester.member_id) != (guild_id, member_id):
                raise TransitionError(job_id, JobState.CANCELLED)
            await close_approval(connection, job_id, ApprovalDecision.CANCELLED, now, decided_by=member_id)
            await ledger.release(connection, account_of(job), job.held_credits, now)
            return job

    async def mark_unconfirmed(self, job_id: int, failure: Reason) -> Job:
        """`submitting | processing -> unconfirmed`: nobody knows what became of it; hold or charge stay."""
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
        """`unconfirmed -> failed`, with its credits counted as paid."""
        now = self._clock.now()
        async with self._database.transaction() as connection:
            job = await move(
                connection,
                job_id,
                {JobState.UNCONFIRMED},
                JobState.FAILED,
                failure=failure,
                **new_outcome(now),
            )
            if job.charged_credits is not None:
                return job
            await ledger.charge(connection, account_of(job), job.held_credits, job.held_credits, now)
            query = update(jobs).where(jobs.c.id == job_id).values(charged_credits=job.held_credits)
            return job_of((await connection.execute(query.returning(*jobs.c))).mappings().one())

    async def half_submitted(self) -> list[Job]:
        """Return the jobs that a stopped process left between its commit and the provider's answer."""
        return await self._select(jobs.c.state == JobState.SUBMITTING)

    async def unfinished(self) -> list[Job]:
        """Return every job that wants work: to be sent, watched, told or decided; oldest first."""
        undelivered = and_(jobs.c.finished_at.is_not(None), jobs.c.delivered_at.is_(None), jobs.c.kept_at.is_(None))
        states = values_of((*OPEN_STATES, JobState.UNCONFIRMED))
        return await self._select(or_(jobs.c.state.in_(states), undelivered))

    async def durations(self) -> dict[VideoKind, list[float]]:
        """Return how long the last jobs of each kind took until they were found finished, in seconds, newest first."""
        columns = (jobs.c.mode, jobs.c.duration_seconds, jobs.c.sound, jobs.c.submitted_at, jobs.c.finished_at)
        succeeded = and_(jobs.c.state == JobState.SUCCEEDED.value, jobs.c.submitted_at.is_not(None))
        query = select(*columns).where(succeeded).order_by(jobs.c.id.desc()).limit(_REMEMBERED_JOBS)
        found: dict[VideoKind, list[float]] = {}
        async with self._database.reading() as connection:
            for mode, duration_seconds, sound, submitted_at, finished_at in await connection.execute(query):
                ages = found.setdefault(VideoKind(GenerationMode(mode), duration_seconds, sound), [])
                if len(ages) < MEMORY:
                    ages.append((finished_at - submitted_at).total_seconds())
        return found

    async def waiting(self, guild_id: int) -> list[Job]:
        """Return a server's queued jobs, oldest first."""
        return await self._select(and_(jobs.c.guild_id == guild_id, jobs.c.state == JobState.QUEUED.value))

    async def move_to_front(self, job_id: int, guild_id: int, moderator_id: int) -> Job:
        """Move a queued job to the front of its server's line, and write down which moderator did.

        Raises:
            TransitionError: it is not queued any more, or another server's.
        """
        now = self._clock.now()
        mine = and_(jobs.c.id == job_id, jobs.c.guild_id == guild_id, jobs.c.state == JobState.QUEUED.value)
        query = update(jobs).where(mine).values(moved_to_front_at=now).returning(*jobs.c)
        async with self._database.transaction() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
            if row is None:
                raise TransitionError(job_id, JobState.QUEUED)
            data = {"job_id": job_id, "member_id": row["member_id"]}
            await write_audit(connection, guild_id, moderator_id, AuditAction.PRIORITIZE, now, **data)
            return job_of(row)

    async def used_credits(self, members: Collection[Member], since: datetime) -> dict[Member, int]:
        """Return the credits of jobs that members asked for since then and that were sent; without those with none."""
        async with self._database.reading() as connection:
            return await read_used(connection, members, since)

    async def last_served(self) -> dict[int, datetime]:
        """Return when a job of each server was last sent, as far as the newest jobs tell."""
        async with self._database.reading() as connection:
            return await read_last_served(connection)

    async def record_card(self, job_id: int, message_id: int) -> Job:
        """Remember the status card."""
        return await self._note(job_id, card_message_id=message_id)

    async def record_thread(self, job_id: int, thread_id: int) -> Job:
        """Remember the thread that gets the result."""
        return await self._note(job_id, thread_id=thread_id)

    async def record_picture(self, job_id: int, image_url: str) -> Job:
        """Remember a fresh address of the picture."""
        return await self._note(job_id, image_url=image_url)

    async def record_delivery(self, job_id: int, posted: Posted) -> Job:
        """Record that the outcome was posted, and where."""
        thread = {"thread_id": posted.thread_id} if posted.thread_id else {}
        return await self._note(
            job_id,
            result_channel_id=posted.channel_id,
            result_message_id=posted.message_id,
            delivered_at=self._clock.now(),
            **thread,
        )

    async def kept(self, guild_id: int, member_id: int) -> list[Job]:
        """Return a member's jobs whose outcome no place took, and of which the member has not been told."""
        async with self._database.reading() as connection:
            rows = await connection.execute(_KEPT, {"guild": guild_id, "member": member_id})
            return [job_of(row) for row in rows.mappings()]

    async def record_telling(self, job_id: int) -> Job:
        """Remember that the member was told of an outcome that no place took."""
        return await self._note(job_id, delivered_at=self._clock.now())

    async def keep(self, job_id: int) -> Job:
        """Give up on posting: the result stays in `/history`."""
        return await self._note(job_id, kept_at=self._clock.now())

    async def get(self, job_id: int) -> Job | None:
        """Return a job."""
        async with self._database.reading() as connection:
            row = (await connection.execute(_ONE, {"job": job_id})).mappings().one_or_none()
            return job_of(row) if row else None

    async def history(self, guild_id: int, member_id: int, limit: int) -> list[Job]:
        """Return a member's last jobs in a server, newest first."""
        query = (
            select(jobs)
            .where(jobs.c.guild_id == guild_id, jobs.c.member_id == member_id)
            .order_by(jobs.c.created_at.desc(), jobs.c.id.desc())
            .limit(limit)
        )
        async with self._database.reading() as connection:
            return [job_of(row) for row in (await connection.execute(query)).mappings()]

    async def videos(self, guild_id: int, member_id: int, typed: str, limit: int) -> list[Job]:
        """Return a member's finished videos in a server with `typed` in their number and prompt, newest first."""
        label = jobs.c.id.cast(Text) + ": " + jobs.c.prompt
        query = (
            select(jobs)
            .where(jobs.c.guild_id == guild_id, jobs.c.member_id == member_id)
            .where(jobs.c.state == JobState.SUCCEEDED.value, label.icontains(typed, autoescape=True))
            .order_by(jobs.c.created_at.desc(), jobs.c.id.desc())
            .limit(limit)
        )
        async with self._database.reading() as connection:
            return [job_of(row) for row in (await connection.execute(query)).mappings()]

    async def overview(
        self, guild_id: int, member_id: int, role_ids: Collection[int], terms: PoolSettings
    ) -> MemberUsage:
        """Return what a member may use and uses, with their open jobs, at one moment."""
        async with self._database.reading() as connection:
            overview = await self._spending(connection, guild_id, member_id, role_ids, terms)
            open_jobs = await read_open_jobs(connection, guild_id, member_id)
            return replace(overview, open_jobs=tuple(open_jobs))

    async def spending_after(self, job: Job, terms: PoolSettings) -> MemberUsage:
        """Return what the member of a job may use and uses; for a session's job, with the session."""
        requester = job.requester
        async with self._database.reading() as connection:
            overview = await self._spending(
                connection, requester.guild_id, requester.member_id, requester.role_ids, terms
            )
            session = await read_session(connection, job.session_id) if job.session_id else None
            return replace(overview, session=session)

    async def _spending(
        self, connection: AsyncConnection, guild_id: int, member_id: int, role_ids: Collection[int], terms: PoolSettings
    ) -> MemberUsage:
        pool = await read_pool(connection, guild_id)
        limits = limits_for(pool.policy if pool else Policy(), member_id, role_ids, terms.limits)
        return MemberUsage(limits, await read_usage(connection, guild_id, member_id, limits, self._clock.now()))

    async def _select(self, condition: ColumnElement[bool]) -> list[Job]:
        async with self._database.reading() as connection:
            rows = await connection.execute(select(jobs).where(condition).order_by(jobs.c.id))
            return [job_of(row) for row in rows.mappings()]

    async def _note(self, job_id: int, **values: object) -> Job:
        async with self._database.transaction() as connection:
            return await note(connection, job_id, **values)
