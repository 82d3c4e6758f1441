"""What moderators decide about jobs: approvals, unconfirmed jobs and cancellations.

Each decision is one transaction: who may decide, the guarded transition, the ledger entries and the audit entry. Of two
decisions about one job the first counts.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import RowMapping, Select, and_, exists, insert, or_, select, union, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.clock import Clock
from bot.codes import AuditAction, Failure, Reason, Refusal
from bot.errors import ProviderError, ProviderNotFoundError, RefusedError, TransitionError
from bot.jobs.models import (
    ApprovalCase,
    ApprovalDecision,
    Case,
    ChargeHint,
    Decision,
    Job,
    JobState,
    UnconfirmedCase,
    UnconfirmedDecision,
)
from bot.jobs.ports import Posted
from bot.jobs.store.queries import (
    NO_DELIVERY,
    account_of,
    approval_of,
    close_approval,
    close_unconfirmed,
    expire_job,
    job_of,
    move,
    new_outcome,
    read_approval,
    unique_task,
)
from bot.jobs.validation import cheaper_variant, list_price
from bot.pools.ledger import entries as ledger
from bot.pools.queries import read_pool, write_audit
from bot.pools.rules.input_checks import clean_reason
from bot.provider.ports import VideoProvider
from bot.storage.database import Database, read_each
from bot.storage.schema import approvals, jobs, unconfirmed_cases

_MAX_TASK_ID = 200
# So long may a request to the provider be under way, and the balance in its answer be from any moment in between.
_REQUEST_TIME = timedelta(minutes=2)
_MOST_NEIGHBOURS = 200


@dataclass(frozen=True, slots=True)
class _Ruling:
    """A decision that may be made: by whom, about a job as it was before."""

    job: Job
    actor_id: int
    now: datetime
    reason: str | None
    task_id: str | None


async def _approve(connection: AsyncConnection, ruling: _Ruling) -> Job:
    """`awaiting_approval -> queued`: it is made as it was asked for."""
    return await move(connection, ruling.job.id, {ruling.job.state}, JobState.QUEUED)


async def _approve_cheaper(connection: AsyncConnection, ruling: _Ruling) -> Job:
    """`awaiting_approval -> queued`, as the next cheaper kind of video; the difference of the hold comes back.

    Raises:
        RefusedError: NO_CHEAPER_KIND.
    """
    before = ruling.job
    request = cheaper_variant(before.request)
    if request is None:
        raise RefusedError(Refusal.NO_CHEAPER_KIND, job_id=before.id)
    price = list_price(request)
    values = {"duration_seconds": request.duration_seconds, "sound": request.sound, "held_credits": price}
    job = await move(connection, before.id, {before.state}, JobState.QUEUED, **values)
    await ledger.release(connection, account_of(job, ruling.actor_id), before.held_credits - price, ruling.now)
    return job


async def _deny(connection: AsyncConnection, ruling: _Ruling) -> Job:
    """`awaiting_approval -> denied`: the hold comes back."""
    return await _end(connection, ruling, JobState.DENIED, Failure.DENIED)


async def _cancel(connection: AsyncConnection, ruling: _Ruling) -> Job:
    """`awaiting_approval | queued -> cancelled`: the hold comes back, and the member reads why."""
    return await _end(connection, ruling, JobState.CANCELLED, Failure.CANCELLED_BY_MODERATOR)


async def _end(connection: AsyncConnection, ruling: _Ruling, target: JobState, code: Failure) -> Job:
    failure = Reason(code, {"reason": ruling.reason})
    values = {"failure": failure, **new_outcome(ruling.now)}
    job = await move(connection, ruling.job.id, {ruling.job.state}, target, **values)
    await ledger.release(connection, account_of(job, ruling.actor_id), job.held_credits, ruling.now)
    return job


async def _charged(connection: AsyncConnection, ruling: _Ruling) -> Job:
    """`unconfirmed -> processing`: it was started as this task, and so it was charged.

    Raises:
        RefusedError: TASK_OF_ANOTHER.
    """
    before = ruling.job
    if before.charged_credits is None:
        account = account_of(before, ruling.actor_id)
        await ledger.charge(connection, account, before.held_credits, before.held_credits, ruling.now)
    # Its time begins again: by the old one it would be too late already. A balance that was read at the old time is
    # dropped with it, or it would be the newest.
    values = {
        **_NO_OUTCOME,
        "task_id": ruling.task_id,
        "charged_credits": before.credits,
        "account_credits": None,
        "submitted_at": ruling.now,
    }
    try:
        with unique_task(before.id):
            return await move(connection, before.id, {before.state}, JobState.PROCESSING, **values)
    except TransitionError:
        raise RefusedError(Refusal.TASK_OF_ANOTHER) from None


async def _not_charged(connection: AsyncConnection, ruling: _Ruling) -> Job:
    """`unconfirmed -> failed`: what was held or charged comes back."""
    await _give_back(connection, ruling)
    refund = {"failure": Reason(Failure.NOTHING_MADE), "refunded_credits": ruling.job.charged_credits}
    values = {**refund, **new_outcome(ruling.now)}
    return await move(connection, ruling.job.id, {ruling.job.state}, JobState.FAILED, **values)


async def _try_again(connection: AsyncConnection, ruling: _Ruling) -> Job:
    """`unconfirmed -> queued`: a new request, knowing that the first may have been charged."""
    before = ruling.job
    if before.charged_credits is not None:
        await _give_back(connection, ruling)
        await ledger.hold_again(connection, account_of(before, ruling.actor_id), before.held_credits, ruling.now)
    first = dict.fromkeys(("task_id", "charged_credits", "account_credits", "submitted_at"), None)
    return await move(connection, before.id, {before.state}, JobState.QUEUED, **_NO_OUTCOME, **first)


async def _give_back(connection: AsyncConnection, ruling: _Ruling) -> None:
    job, account = ruling.job, account_of(ruling.job, ruling.actor_id)
    if job.charged_credits is None:
        await ledger.release(connection, account, job.held_credits, ruling.now)
    else:
        await ledger.refund(connection, account, job.charged_credits, ruling.now)


@dataclass(frozen=True, slots=True)
class _Rule:
    """From which states a decision leads where, and what the audit trail calls it."""

    sources: Collection[JobState]
    carry_out: Callable[[AsyncConnection, _Ruling], Awaitable[Job]]
    action: AuditAction


_NO_OUTCOME: dict[str, object] = {**NO_DELIVERY, "finished_at": None, "failure": None}
_AWAITING, _UNCONFIRMED = (JobState.AWAITING_APPROVAL,), (JobState.UNCONFIRMED,)
_RULES: Mapping[Decision, _Rule] = {
    ApprovalDecision.APPROVED: _Rule(_AWAITING, _approve, AuditAction.APPROVE),
    ApprovalDecision.CHEAPER: _Rule(_AWAITING, _approve_cheaper, AuditAction.APPROVE_CHEAPER),
    ApprovalDecision.DENIED: _Rule(_AWAITING, _deny, AuditAction.DENY),
    ApprovalDecision.CANCELLED: _Rule((*_AWAITING, JobState.QUEUED), _cancel, AuditAction.CANCEL),
    UnconfirmedDecision.CHARGED: _Rule(_UNCONFIRMED, _charged, AuditAction.CHARGED),
    UnconfirmedDecision.NOT_CHARGED: _Rule(_UNCONFIRMED, _not_charged, AuditAction.NOT_CHARGED),
    UnconfirmedDecision.TRY_AGAIN: _Rule(_UNCONFIRMED, _try_again, AuditAction.TRY_AGAIN),
}


class DecisionRepository:
    """Jobs that moderators are asked about, what was decided, and the messages that ask."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def decide(
        self,
        job_id: int,
        guild_id: int,
        actor_id: int,
        decision: Decision,
        *,
        reason: str | None = None,
        task_id: str | None = None,
    ) -> Job:
        """Carry out a moderator's decision, unless somebody was first.

        Args:
            job_id: of the job.
            guild_id: of the moderator's server.
            actor_id: of the moderator.
            decision: what becomes of the job.
            reason: what its member reads, of `DENIED` and `CANCELLED`.
            task_id: of the provider's task, of `CHARGED`.

        Returns:
            The job as it is now.

        Raises:
            RefusedError: NO_SUCH_REQUEST, OWN_REQUEST, DECIDED_ALREADY, NOT_CANCELLABLE_BY_MODERATOR, NO_CHEAPER_KIND,
                TASK_OF_ANOTHER; HOLD_TOO_LARGE: too little is left to hold what was charged again.
        """
        now, rule = self._clock.now(), _RULES[decision]
        async with self._database.transaction() as connection:
            before = await _decidable(connection, job_id, guild_id, actor_id, decision)
            job = await rule.carry_out(connection, _Ruling(before, actor_id, now, reason, task_id))
            if isinstance(decision, ApprovalDecision):
                await close_approval(connection, job_id, decision, now, decided_by=actor_id, reason=reason)
            else:
                await close_unconfirmed(connection, before, decision, now, decided_by=actor_id)
            member_id = job.requester.member_id
            data = {"job_id": job_id, "member_id": member_id, "credits": job.held_credits, "reason": reason}
            await write_audit(connection, guild_id, actor_id, rule.action, now, **data)
            return job

    async def check(self, job_id: int, guild_id: int, actor_id: int, decision: Decision) -> None:
        """Make sure that this moderator could decide now.

        Args:
            job_id: of the job.
            guild_id: of the moderator's server.
            actor_id: of the moderator.
            decision: what would become of the job.

        Raises:
            RefusedError: NO_SUCH_REQUEST, OWN_REQUEST, DECIDED_ALREADY, NOT_CANCELLABLE_BY_MODERATOR.
        """
        async with self._database.reading() as connection:
            await _decidable(connection, job_id, guild_id, actor_id, decision)

    async def expire(self, job_id: int, failure: Reason) -> Job:
        """`awaiting_approval -> expired`: nobody decided in time, and the hold comes back.

        Raises:
            TransitionError: it does not wait any more.
        """
        async with self._database.transaction() as connection:
            return await expire_job(connection, job_id, failure, self._clock.now())

    async def waiting(self, guild_id: int) -> list[ApprovalCase]:
        """Return a server's jobs that wait for approval, oldest first."""
        async with self._database.reading() as connection:
            found = await _in_state(connection, guild_id, JobState.AWAITING_APPROVAL)
            query = select(approvals).where(approvals.c.job_id.in_([job.id for job in found]))
            by_job = {row["job_id"]: approval_of(row) for row in (await connection.execute(query)).mappings()}
            return [ApprovalCase(job, by_job[job.id]) for job in found]

    async def unconfirmed(self, guild_id: int) -> list[Job]:
        """Return a server's unconfirmed jobs, oldest first."""
        async with self._database.reading() as connection:
            return await _in_state(connection, guild_id, JobState.UNCONFIRMED)

    async def approval(self, job_id: int) -> ApprovalCase | None:
        """Return a job that needed approval; None: there is no such job, or it needed none."""
        async with self._database.reading() as connection:
            approval = await read_approval(connection, job_id)
            return ApprovalCase(await _read_job(connection, job_id), approval) if approval else None

    async def hint(self, job: Job) -> ChargeHint:
        """Return what the balance of the provider's account says about an unconfirmed job."""
        known = jobs.c.account_credits.is_not(None)
        earlier = select(jobs).where(known, jobs.c.submitted_at < job.submitted_at)
        since = select(jobs).where(known, jobs.c.submitted_at > job.finished_at)
        async with self._database.reading() as connection:
            before = await _first(connection, earlier.order_by(jobs.c.submitted_at.desc()).limit(1))
            after = await _first(connection, since.order_by(jobs.c.submitted_at).limit(1))
            if before is None or after is None or before.submitted_at is None or after.submitted_at is None:
                return ChargeHint.UNCLEAR
            begin, end = before.submitted_at - _REQUEST_TIME, after.submitted_at + _REQUEST_TIME
            # What was decided about a job may have moved the time at which it is said to have been submitted.
            case = unconfirmed_cases.c
            was_decided = exists().where(case.job_id == jobs.c.id, case.decision.is_not(None))
            is_near = and_(
                jobs.c.submitted_at <= end, or_(jobs.c.finished_at.is_(None), jobs.c.finished_at >= begin, was_decided)
            )
            was_moved = and_(was_decided, jobs.c.created_at <= end)
            near = select(jobs, was_decided.label("was_decided")).where(or_(is_near, was_moved)).limit(_MOST_NEIGHBOURS)
            rows = (await connection.execute(near)).mappings().all()
        if len(rows) == _MOST_NEIGHBOURS or any(row["was_decided"] and row["created_at"] <= end for row in rows):
            return ChargeHint.UNCLEAR
        return charge_hint(job, [job_of(row) for row in rows if row["id"] != job.id])

    async def record_card(self, job_id: int, channel_id: int, message_id: int) -> Job:
        """Record the card on which moderators decide.

        Args:
            job_id: of the job.
            channel_id: where the card is.
            message_id: of the card.
        """
        values = {"card_channel_id": channel_id, "card_message_id": message_id}
        async with self._database.transaction() as connection:
            await connection.execute(update(approvals).where(approvals.c.job_id == job_id).values(values))
            return await _read_job(connection, job_id)

    async def record_notice(self, job: Job, posted: Posted) -> None:
        """Record the notice of an unconfirmed job in the moderators' channel; it may be decided meanwhile."""
        values = {"notice_channel_id": posted.channel_id, "notice_message_id": posted.message_id}
        case = unconfirmed_cases.c
        async with self._database.transaction() as connection:
            now = await _read_job(connection, job.id)
            if (now.state, now.finished_at) == (JobState.UNCONFIRMED, job.finished_at):
                await connection.execute(insert(unconfirmed_cases).values(job_id=job.id, failure=job.failure, **values))
                return
            newest = select(case.id).where(case.job_id == job.id).order_by(case.id.desc()).limit(1).scalar_subquery()
            await connection.execute(
                update(unconfirmed_cases).where(case.id == newest).values(**values, closed_at=None)
            )

    async def record_closed(self, case: Case) -> None:
        """Record that the messages that asked show the decision, or are gone."""
        now = self._clock.now()
        if isinstance(case, ApprovalCase):
            query = update(approvals).where(approvals.c.job_id == case.job.id).values(card_closed_at=now)
        else:
            query = update(unconfirmed_cases).where(unconfirmed_cases.c.id == case.id).values(closed_at=now)
        async with self._database.transaction() as connection:
            await connection.execute(query)

    async def unclosed(self, job_id: int) -> list[Case]:
        """Return what was decided about a job, and whose messages may still ask."""
        case = unconfirmed_cases.c
        query = select(unconfirmed_cases).where(case.job_id == job_id, case.decision.is_not(None))
        async with self._database.reading() as connection:
            rows = (await connection.execute(query.where(case.closed_at.is_(None)))).mappings().all()
            approval = await read_approval(connection, job_id)
            has_card = approval is not None and approval.decision is not None and approval.has_open_card
            if not rows and not has_card:
                return []
            job = await _read_job(connection, job_id)
        found: list[Case] = [_unconfirmed_case_of(row, job) for row in rows]
        return [*found, ApprovalCase(job, approval)] if has_card and approval else found

    async def unclosed_jobs(self) -> Collection[int]:
        """Return the jobs that are decided, but of whose messages one may still ask."""
        card, case = approvals.c, unconfirmed_cases.c
        cards = select(card.job_id).where(
            card.decision.is_not(None), card.card_message_id.is_not(None), card.card_closed_at.is_(None)
        )
        posts = select(case.job_id).where(case.decision.is_not(None), case.closed_at.is_(None))
        async with self._database.reading() as connection:
            return (await connection.execute(union(cards, posts))).scalars().all()

    async def moderators_channel(self, guild_id: int) -> int | None:
        """Return the channel in which a server's moderators want the cards."""
        async with self._database.reading() as connection:
            pool = await read_pool(connection, guild_id)
            return pool.policy.moderators_channel if pool else None


class DecisionService:
    """The moderators' side of jobs: checks what they typed, and asks the provider where a decision needs it."""

    def __init__(self, repository: DecisionRepository, provider: VideoProvider, *, approval_after: timedelta) -> None:
        """Make the service.

        Args:
            repository: the jobs.
            provider: knows the tasks.
            approval_after: when a job that waits for approval expires.
        """
        self._repository = repository
        self._provider = provider
        self._approval_after = approval_after

    def deadline(self, job: Job) -> datetime:
        """Return until when a job can be approved."""
        return job.created_at + self._approval_after

    async def decide(
        self, job_id: int, guild_id: int, actor_id: int, decision: Decision, *, reason: str = "", task_id: str = ""
    ) -> Job:
        """Carry out a moderator's decision, unless somebody was first.

        Args:
            job_id: of the job.
            guild_id: of the moderator's server.
            actor_id: of the moderator.
            decision: what becomes of the job.
            reason: what the moderator typed; needed for `CANCELLED`.
            task_id: what the moderator typed; needed for `CHARGED`, and the provider is asked about it.

        Returns:
            The job as it is now.

        Raises:
            RefusedError: as `DecisionRepository.decide`; REASON_MISSING, REASON_TOO_LONG; NO_TASK_ID, TASK_UNKNOWN,
                PROVIDER_SILENT.
        """
        is_needed = decision is ApprovalDecision.CANCELLED
        cleaned = clean_reason(reason, is_needed=is_needed) if reason or is_needed else None
        if decision is UnconfirmedDecision.CHARGED:
            await self._repository.check(job_id, guild_id, actor_id, decision)
            await self._check_task(task_id.strip())
        return await self._repository.decide(
            job_id, guild_id, actor_id, decision, reason=cleaned or None, task_id=task_id.strip() or None
        )

    async def _check_task(self, task_id: str) -> None:
        if not task_id or len(task_id) > _MAX_TASK_ID or not task_id.isprintable():
            raise RefusedError(Refusal.NO_TASK_ID)
        try:
            await self._provider.status(task_id)
        except ProviderNotFoundError:
            raise RefusedError(Refusal.TASK_UNKNOWN) from None
        except ProviderError:
            raise RefusedError(Refusal.PROVIDER_SILENT) from None


def charge_hint(job: Job, others: Sequence[Job]) -> ChargeHint:
    """Compare the account's balance before and after an unconfirmed job, where nothing else can have moved it.

    It is a hint only: whoever else uses the account is not known here.

    Args:
        job: the unconfirmed job.
        others: all others, of all servers, that may have been charged or refunded near it.
    """
    if job.submitted_at is None or job.finished_at is None:
        return ChargeHint.UNCLEAR
    readings = [(other.submitted_at, other) for other in others if other.submitted_at and _has_reading(other)]
    earlier = [reading for reading in readings if reading[0] < job.submitted_at]
    later = [reading for reading in readings if reading[0] > job.finished_at]
    if not earlier or not later:
        return ChargeHint.UNCLEAR
    (begin, before), (end, after) = max(earlier, key=_moment), min(later, key=_moment)
    # A refund of the job before follows its reading; one of the job after may not precede its own.
    disturbing = [other for other in others if other is not after and (other is not before or _may_be_refunded(other))]
    if any(_may_move(other, begin - _REQUEST_TIME, end + _REQUEST_TIME) for other in disturbing):
        return ChargeHint.UNCLEAR
    missing = (before.account_credits or 0) - (after.account_credits or 0) - after.credits
    if missing == job.credits:
        return ChargeHint.CHARGED
    return ChargeHint.NOT_CHARGED if missing == 0 else ChargeHint.UNCLEAR


def _moment(reading: tuple[datetime, Job]) -> datetime:
    return reading[0]


def _has_reading(job: Job) -> bool:
    return job.account_credits is not None and job.charged_credits is not None


def _may_be_refunded(job: Job) -> bool:
    """Return whether the provider may give a price back: it keeps that of finished videos only."""
    return job.state is not JobState.SUCCEEDED


def _may_move(job: Job, begin: datetime, end: datetime) -> bool:
    """Return whether a job may have moved the account within this time."""
    if job.submitted_at is None or job.submitted_at > end:
        return False
    last = (job.finished_at or end) if _may_be_refunded(job) else job.submitted_at
    return last >= begin


async def _decidable(connection: AsyncConnection, job_id: int, guild_id: int, actor_id: int, decision: Decision) -> Job:
    job = await _first(connection, select(jobs).where(jobs.c.id == job_id, jobs.c.guild_id == guild_id))
    if job is None:
        raise RefusedError(Refusal.NO_SUCH_REQUEST, job_id=job_id)
    if job.state not in _RULES[decision].sources:
        raise await _too_late(connection, job, decision)
    if job.requester.member_id == actor_id and decision is not ApprovalDecision.CANCELLED:
        raise RefusedError(Refusal.OWN_REQUEST, job_id=job_id)
    return job


async def _too_late(connection: AsyncConnection, job: Job, late: Decision) -> RefusedError:
    """Return who decided about a job before, and when."""
    is_cancelled = late is ApprovalDecision.CANCELLED
    if is_cancelled and job.state not in (JobState.CANCELLED, JobState.DENIED):
        return RefusedError(Refusal.NOT_CANCELLABLE_BY_MODERATOR, job_id=job.id)
    table = approvals if isinstance(late, ApprovalDecision) else unconfirmed_cases
    columns = select(table.c.decision, table.c.decided_by, table.c.decided_at)
    query = columns.where(table.c.job_id == job.id, table.c.decision.is_not(None))
    row = (await connection.execute(query.order_by(table.c.decided_at.desc()).limit(1))).mappings().one_or_none()
    if row is None or (is_cancelled and row["decision"] in (ApprovalDecision.APPROVED, ApprovalDecision.CHEAPER)):
        code = Refusal.NOT_CANCELLABLE_BY_MODERATOR if is_cancelled else Refusal.NO_SUCH_REQUEST
        return RefusedError(code, job_id=job.id)
    return RefusedError(Refusal.DECIDED_ALREADY, job_id=job.id, **row)


async def _in_state(connection: AsyncConnection, guild_id: int, state: JobState) -> list[Job]:
    query = select(jobs).where(jobs.c.guild_id == guild_id, jobs.c.state == state.value).order_by(jobs.c.id)
    return await read_each(connection, query, jobs.c.id, job_of)


async def _read_job(connection: AsyncConnection, job_id: int) -> Job:
    return job_of((await connection.execute(select(jobs).where(jobs.c.id == job_id))).mappings().one())


async def _first(connection: AsyncConnection, query: Select[tuple[object, ...]]) -> Job | None:
    row = (await connection.execute(query)).mappings().one_or_none()
    return job_of(row) if row else None


def _unconfirmed_case_of(row: RowMapping, job: Job) -> UnconfirmedCase:
    values = {name: row[name] for name in _CASE_COLUMNS}
    return UnconfirmedCase(job=job, decision=UnconfirmedDecision(row["decision"]), **values)


_CASE_COLUMNS = (
    "id",
    "decided_by",
    "decided_at",
    "failure",
    "post_channel_id",
    "post_message_id",
    "notice_channel_id",
    "notice_message_id",
)
