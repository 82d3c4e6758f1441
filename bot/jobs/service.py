"""What members do with jobs: create, cancel, list. Each method is one transaction."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Select, Text, bindparam, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.clock import Clock
from bot.codes import AuditAction, Refusal
from bot.errors import RefusedError, TransitionError
from bot.jobs.models import ApprovalDecision, Job, JobState, MemberUsage, Requester
from bot.jobs.polling import expected_finish
from bot.jobs.store.queries import (
    account_of,
    close_approval,
    insert_approval,
    insert_job,
    job_of,
    move,
    read_open_jobs,
    read_usage,
    set_values,
)
from bot.jobs.validation import cheaper_kinds, check_choices, priced_kind
from bot.pools.ledger import entries as ledger
from bot.pools.models import PoolSettings, Session, Spend
from bot.pools.policy import Policy
from bot.pools.queries import read_pool, read_session, read_session_in, require_pool, write_audit
from bot.pools.rules.admission import Admission, AdmissionRequest, admit
from bot.pools.rules.limits import limits_for
from bot.provider.models import GenerationRequest
from bot.storage.database import Database, read_each
from bot.storage.schema import jobs

_NEWEST_JOBS = 1000
# Built once: to build and compile a statement costs more than to run it.
_OF_MEMBER = select(jobs).where(jobs.c.guild_id == bindparam("guild"), jobs.c.member_id == bindparam("member"))
_UNDELIVERABLE = _OF_MEMBER.where(jobs.c.kept_at.is_not(None), jobs.c.delivered_at.is_(None)).order_by(jobs.c.id)
_NEWEST_FIRST = _OF_MEMBER.order_by(jobs.c.created_at.desc(), jobs.c.id.desc())


class JobService:
    """The members' side of jobs: the database alone, no network. Every method may raise `StorageError`."""

    def __init__(self, database: Database, clock: Clock, settings: PoolSettings) -> None:
        """Make the service.

        Args:
            database: with the jobs and the credits.
            clock: the time.
            settings: the operator's defaults, where a server's moderators set nothing.
        """
        self._database = database
        self._clock = clock
        self._settings = settings

    async def create(
        self,
        requester: Requester,
        request: GenerationRequest,
        price_credits: int | None = None,
        *,
        is_asked: bool = False,
    ) -> tuple[Job, MemberUsage]:
        """Check rules, limits and pool, insert the job and hold its price.

        Args:
            requester: who asks, and where.
            request: for what.
            price_credits: what is held; None: the list price.
            is_asked: the member asks a moderator to decide about a prompt with a listed word.

        Returns:
            The job, queued or awaiting approval, and its member's usage with it.

        Raises:
            PromptRefusedError: the prompt contains a listed word; with `is_asked` it would await approval.
            RefusedError: NOT_OFFERED; any other code of `Refusal` for rules, limits, credits and sessions;
                DUPLICATE_REQUEST.
            StorageError: the database can't be written.
        """
        check_choices(request)
        now = self._clock.now()
        kind = priced_kind(request)
        price = kind.price if price_credits is None else price_credits
        async with self._database.transaction(is_urgent=True) as connection:
            pool = await require_pool(connection, requester.guild_id, self._settings, now)
            session = await _session_at(connection, requester, now)
            limits = limits_for(pool.policy, requester.member_id, requester.role_ids, self._settings.limits)
            usage = await read_usage(connection, requester.guild_id, requester.member_id, limits, now)
            admission_request = AdmissionRequest(
                member_id=requester.member_id,
                role_ids=requester.role_ids,
                channel_ids=(requester.channel_id, requester.parent_id or requester.channel_id),
                prompt=request.prompt,
                kind=replace(kind, price=price),
                cheaper=cheaper_kinds(request),
                is_asked=is_asked,
            )
            cause = admit(Admission(pool, session, limits, usage, now), admission_request)
            job = await insert_job(
                connection,
                replace(requester, role_ids=requester.role_ids & pool.policy.roles.keys()),
                request,
                price,
                now,
                state=JobState.AWAITING_APPROVAL if cause else JobState.QUEUED,
                session_id=session.id if session else None,
            )
            if cause:
                await insert_approval(connection, job.id, cause)
            await ledger.hold(connection, account_of(job), price, now)
        if session:
            return job, MemberUsage(limits, usage, session=session.after_hold(price))
        return job, MemberUsage(limits, usage.with_job(expected_finish(job), Spend(now, price)))

    async def cancel(self, job_id: int, guild_id: int, member_id: int) -> Job:
        """`awaiting_approval | queued -> cancelled`, by the member whose job it is: the hold is released.

        Args:
            job_id: of the job.
            guild_id: of the server.
            member_id: of the member.

        Raises:
            RefusedError: NOT_CANCELLABLE: it has been submitted, is done, or is not theirs.
        """
        now, waiting = self._clock.now(), {JobState.AWAITING_APPROVAL, JobState.QUEUED}
        async with self._database.transaction() as connection:
            try:
                job = await move(connection, job_id, waiting, JobState.CANCELLED, finished_at=now, delivered_at=now)
            except TransitionError:
                raise RefusedError(Refusal.NOT_CANCELLABLE, job_id=job_id) from None
            if (job.requester.guild_id, job.requester.member_id) != (guild_id, member_id):
                raise RefusedError(Refusal.NOT_CANCELLABLE, job_id=job_id)
            await close_approval(connection, job_id, ApprovalDecision.CANCELLED, now, decided_by=member_id)
            await ledger.release(connection, account_of(job), job.held_credits, now)
            return job

    async def overview(self, guild_id: int, member_id: int, role_ids: Collection[int]) -> MemberUsage:
        """Return a member's limits, usage and open jobs.

        Args:
            guild_id: of the server.
            member_id: of the member.
            role_ids: of the member's roles.
        """
        async with self._database.reading() as connection:
            usage = await self._usage(connection, guild_id, member_id, role_ids)
            return replace(usage, open_jobs=tuple(await read_open_jobs(connection, guild_id, member_id)))

    async def overview_after(self, job: Job) -> MemberUsage:
        """Return the limits and usage of a job's member, with the session that pays for the job."""
        requester = job.requester
        async with self._database.reading() as connection:
            usage = await self._usage(connection, requester.guild_id, requester.member_id, requester.role_ids)
            session = await read_session(connection, job.session_id) if job.session_id else None
            return replace(usage, session=session)

    async def history(self, guild_id: int, member_id: int, limit: int = 10) -> list[Job]:
        """Return a member's last jobs in a server, newest first.

        Args:
            guild_id: of the server.
            member_id: of the member.
            limit: at most so many.
        """
        return await self._of_member(_NEWEST_FIRST.limit(limit), guild_id, member_id)

    async def videos(self, guild_id: int, member_id: int, typed: str, limit: int = 25) -> list[Job]:
        """Return a member's finished videos with a text in their number and prompt, newest first.

        Args:
            guild_id: of the server.
            member_id: of the member.
            typed: the text.
            limit: at most so many.
        """
        label = literal("#") + jobs.c.id.cast(Text) + ": " + jobs.c.prompt
        has_text = label.icontains(typed, autoescape=True)
        query = _NEWEST_FIRST.where(jobs.c.state == JobState.SUCCEEDED.value, has_text).limit(limit)
        return await self._of_member(query, guild_id, member_id)

    async def recent_videos(self, since: datetime) -> list[Job]:
        """Return the finished videos of all servers that were posted since then, among the newest thousand jobs."""
        newest = jobs.c.id > select(func.max(jobs.c.id) - _NEWEST_JOBS).scalar_subquery()
        query = select(jobs).where(newest, jobs.c.state == JobState.SUCCEEDED.value, jobs.c.delivered_at >= since)
        async with self._database.reading() as connection:
            return [job_of(row) for row in (await connection.execute(query)).mappings()]

    async def video(self, job_id: int, guild_id: int, member_id: int) -> Job:
        """Return a finished video of this member's.

        Args:
            job_id: of the job.
            guild_id: of the server.
            member_id: of the member.

        Raises:
            RefusedError: NO_SUCH_VIDEO: it is not theirs, is another server's, or did not succeed.
        """
        found = await self._of_member(_OF_MEMBER.where(jobs.c.id == job_id), guild_id, member_id)
        if not found or found[0].state is not JobState.SUCCEEDED:
            raise RefusedError(Refusal.NO_SUCH_VIDEO, job_id=job_id)
        return found[0]

    async def undeliverable(self, guild_id: int, member_id: int) -> list[Job]:
        """Return a member's jobs whose outcome could not be posted, and of which the member was not notified."""
        return await self._of_member(_UNDELIVERABLE, guild_id, member_id)

    async def record_notified(self, notified: Sequence[Job]) -> None:
        """Record that a member was notified of undeliverable jobs."""
        async with self._database.transaction() as connection:
            for job in notified:
                await set_values(connection, job.id, delivered_at=self._clock.now())

    async def in_states(self, guild_id: int, states: Collection[JobState], typed: str, limit: int = 25) -> list[Job]:
        """Return a server's jobs in some states, with a text in their number or prompt, oldest first.

        Args:
            guild_id: of the server.
            states: the states.
            typed: the text.
            limit: at most so many.
        """
        query = select(jobs).where(jobs.c.guild_id == guild_id, jobs.c.state.in_([state.value for state in states]))
        async with self._database.reading() as connection:
            found = await read_each(connection, query.order_by(jobs.c.id), jobs.c.id, job_of)
        return [job for job in found if typed.casefold() in f"#{job.id}: {job.request.prompt}".casefold()][:limit]

    async def prioritize(self, job_id: int, guild_id: int, moderator_id: int) -> Job:
        """Move a queued job to the front of its server's queue, with an audit entry.

        Args:
            job_id: of the job.
            guild_id: of the server.
            moderator_id: who moves it.

        Raises:
            RefusedError: NOT_QUEUED: it is not queued any more, or is another server's.
        """
        now = self._clock.now()
        query = (
            update(jobs)
            .where(jobs.c.id == job_id, jobs.c.guild_id == guild_id, jobs.c.state == JobState.QUEUED.value)
            .values(moved_to_front_at=now)
            .returning(*jobs.c)
        )
        async with self._database.transaction() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
            if row is None:
                raise RefusedError(Refusal.NOT_QUEUED, job_id=job_id)
            data = {"job_id": job_id, "member_id": row["member_id"]}
            await write_audit(connection, guild_id, moderator_id, AuditAction.PRIORITIZE, now, **data)
            return job_of(row)

    async def record_card(self, job: Job, message_id: int) -> Job:
        """Record the status card of a job."""
        async with self._database.transaction() as connection:
            return await set_values(connection, job.id, card_message_id=message_id)

    async def _of_member(self, query: Select[tuple[object, ...]], guild_id: int, member_id: int) -> list[Job]:
        async with self._database.reading() as connection:
            rows = await connection.execute(query, {"guild": guild_id, "member": member_id})
            return [job_of(row) for row in rows.mappings()]

    async def _usage(
        self, connection: AsyncConnection, guild_id: int, member_id: int, role_ids: Collection[int]
    ) -> MemberUsage:
        pool = await read_pool(connection, guild_id)
        limits = limits_for(pool.policy if pool else Policy(), member_id, role_ids, self._settings.limits)
        return MemberUsage(limits, await read_usage(connection, guild_id, member_id, limits, self._clock.now()))


async def _session_at(connection: AsyncConnection, requester: Requester, now: datetime) -> Session | None:
    """Return the session in whose thread the command was used.

    Raises:
        RefusedError: the session is over.
    """
    session = await read_session_in(connection, requester.channel_id) if requester.in_thread else None
    if session is not None and not session.is_open(now):
        raise RefusedError(Refusal.SESSION_IS_OVER)
    return session
