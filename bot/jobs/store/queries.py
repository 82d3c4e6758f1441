"""Rows of jobs, approvals and unconfirmed cases: insert, change, count and read. Each runs inside a transaction.

Statements that every job needs are built once: to build and compile one costs more than to run it.
"""

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Update,
    and_,
    bindparam,
    case,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.codes import Failure, Reason, Refusal
from bot.errors import RefusedError, TransitionError
from bot.jobs.models import (
    OPEN_STATES,
    UNPAID_STATES,
    Approval,
    ApprovalDecision,
    Job,
    JobState,
    Requester,
    UnconfirmedDecision,
)
from bot.jobs.polling import expected_end
from bot.pools.ledger import entries as ledger
from bot.pools.models import JobAccount, Limits, Spend, Usage
from bot.pools.policy import ApprovalCause
from bot.pools.rules.limits import window_start
from bot.provider.models import Estimate, GenerationMode, GenerationRequest
from bot.storage.database import note_session_change, read_each
from bot.storage.schema import approvals, jobs, unconfirmed_cases


def values_of(states: Collection[JobState]) -> list[str]:
    """Return the states as they are written in the table."""
    return [state.value for state in states]


# Not a column's name: those name the values to set.
_KEY = "job_key"
_INSERT = insert(jobs).returning(*jobs.c)
_UPDATE = update(jobs).where(jobs.c.id == bindparam(_KEY)).returning(*jobs.c)

_THEIRS = and_(jobs.c.guild_id == bindparam("guild"), jobs.c.member_id == bindparam("member"))
_OPEN = and_(_THEIRS, jobs.c.state.in_(values_of(OPEN_STATES)))
_OPEN_JOBS = select(jobs).where(_OPEN).order_by(jobs.c.id)
_UNDECIDED = values_of((JobState.AWAITING_APPROVAL, JobState.UNCONFIRMED))
_OPEN_TIMES = select(
    jobs.c.created_at,
    jobs.c.submitted_at,
    jobs.c.estimate_high_seconds,
    jobs.c.state.in_(_UNDECIDED).label("is_undecided"),
).where(_OPEN, jobs.c.session_id.is_(None))
_KEPT = jobs.c.charged_credits - func.coalesce(jobs.c.refunded_credits, 0)
# What the provider kept counts, whatever became of the video.
_SPENDS = select(
    jobs.c.created_at,
    case((jobs.c.charged_credits.is_not(None), _KEPT), else_=jobs.c.held_credits).label("credits"),
).where(
    _THEIRS,
    jobs.c.session_id.is_(None),
    jobs.c.created_at > bindparam("begin"),
    or_(_KEPT > 0, and_(jobs.c.charged_credits.is_(None), jobs.c.state.not_in(values_of(UNPAID_STATES)))),
)

# The values of a job whose new outcome has not been delivered.
NO_DELIVERY: dict[str, object] = dict.fromkeys(
    ("delivery_began_at", "result_channel_id", "result_message_id", "delivered_at", "kept_at"), None
)


def new_outcome(now: datetime) -> dict[str, object]:
    """Return the values that every new outcome sets; from now on there may be a post of it."""
    return {**NO_DELIVERY, "finished_at": now, "delivery_began_at": now}


async def insert_job(
    connection: AsyncConnection,
    requester: Requester,
    request: GenerationRequest,
    price_credits: int,
    now: datetime,
    *,
    state: JobState = JobState.QUEUED,
    session_id: int | None = None,
) -> Job:
    """Insert a job.

    Args:
        connection: inside a transaction.
        requester: who asks, and where.
        request: for what.
        price_credits: what is held.
        now: when it was created.
        state: queued, or awaiting approval.
        session_id: of the creative session that pays.

    Raises:
        RefusedError: DUPLICATE_REQUEST: there is a job of this interaction already.
        IntegrityError: the database refused something else.
    """
    values = {
        "interaction_id": requester.interaction_id,
        "guild_id": requester.guild_id,
        "channel_id": requester.channel_id,
        "in_thread": requester.in_thread,
        "member_id": requester.member_id,
        "mode": request.mode.value,
        "prompt": request.prompt,
        "image_url": request.image_url,
        "duration_seconds": request.duration_seconds,
        "aspect_ratio": request.aspect_ratio,
        "sound": request.sound,
        "publish": request.publish,
        "state": state.value,
        "held_credits": price_credits,
        "created_at": now,
        "session_id": session_id,
        "role_ids": json.dumps(sorted(requester.role_ids)),
        "thread_id": requester.channel_id if requester.in_thread else None,
    }
    try:
        row = (await connection.execute(_INSERT, values)).mappings().one()
    except IntegrityError as error:
        if "jobs.interaction_id" not in str(error.orig):
            raise
        raise RefusedError(Refusal.DUPLICATE_REQUEST) from error
    return job_of(row)


async def move(
    connection: AsyncConnection, job_id: int, sources: Collection[JobState], target: JobState, **values: object
) -> Job:
    """Change a job's state, if it is in one of the source states, and set values with it.

    Args:
        connection: inside a transaction.
        job_id: of the job.
        sources: the states from which it may change.
        target: the new state.
        values: of other columns, or SQL expressions for them.

    Raises:
        TransitionError: it is in none of the source states.
    """
    expressions = {name: value for name, value in values.items() if isinstance(value, ColumnElement)}
    plain = {name: value for name, value in values.items() if name not in expressions}
    query = _moving(frozenset(sources)).values(expressions) if expressions else _moving(frozenset(sources))
    result = await connection.execute(query, {**plain, "state": target.value, _KEY: job_id})
    row = result.mappings().one_or_none()
    if row is None:
        raise TransitionError(job_id, target)
    note_session_change(connection, row["session_id"])
    return job_of(row)


async def set_values(connection: AsyncConnection, job_id: int, **values: object) -> Job:
    """Set values of a job, whatever its state.

    Args:
        connection: inside the transaction that this is a part of.
        job_id: of the job.
        values: by the columns of `jobs`.
    """
    row = (await connection.execute(_UPDATE, {**values, _KEY: job_id})).mappings().one()
    note_session_change(connection, row["session_id"])
    return job_of(row)


@lru_cache
def _moving(sources: frozenset[JobState]) -> Update:
    return _UPDATE.where(jobs.c.state.in_(values_of(sources)))


@contextmanager
def unique_task(job_id: int) -> Iterator[None]:
    """Refuse a task id that another job has already.

    Raises:
        TransitionError: another job has it; the provider mixed something up.
        IntegrityError: the database refused something else.
    """
    try:
        yield
    except IntegrityError as error:
        if "jobs.task_id" not in str(error.orig):
            raise
        raise TransitionError(job_id, JobState.PROCESSING) from error


async def read_usage(
    connection: AsyncConnection, guild_id: int, member_id: int, limits: Limits, now: datetime
) -> Usage:
    """Read a member's usage; jobs that a session pays for do not count.

    Args:
        connection: inside a transaction.
        guild_id: of the server.
        member_id: of the member.
        limits: of the member; they say how far back to read.
        now: where the window ends.
    """
    theirs = {"guild": guild_id, "member": member_id}
    found = await read_each(connection, _OPEN_TIMES, jobs.c.id, _open_job_of, theirs)
    ends, undecided = tuple(end for end, _ in found), sum(is_undecided for _, is_undecided in found)
    if limits.credits is None:
        return Usage(ends, undecided_jobs=undecided)
    begin = {"begin": window_start(limits, now)}
    spends = await read_each(connection, _SPENDS, jobs.c.id, _spend_of, {**theirs, **begin})
    return Usage(ends, tuple(spends), undecided)


def _open_job_of(row: RowMapping) -> tuple[datetime, bool]:
    times = row["created_at"], row["submitted_at"], row["estimate_high_seconds"]
    return expected_end(*times), bool(row["is_undecided"])


def _spend_of(row: RowMapping) -> Spend:
    return Spend(row["created_at"], int(row["credits"]))


async def read_open_jobs(connection: AsyncConnection, guild_id: int, member_id: int) -> list[Job]:
    """Read a member's open jobs, oldest first.

    Args:
        connection: inside a transaction.
        guild_id: of the server.
        member_id: of the member.
    """
    rows = await connection.execute(_OPEN_JOBS, {"guild": guild_id, "member": member_id})
    return [job_of(row) for row in rows.mappings()]


def account_of(job: Job, actor_id: int | None = None) -> JobAccount:
    """Return who pays for a job, and the moderator whose decision moves its credits."""
    return JobAccount(job.id, job.requester.guild_id, job.requester.member_id, job.session_id, actor_id)


@lru_cache
def _role_ids(text: str) -> frozenset[int]:
    """Parse role ids; cached, since members of a server share few sets of roles."""
    return frozenset(json.loads(text))


def job_of(row: RowMapping) -> Job:
    """Return the job that a row describes."""
    low, high = row["estimate_low_seconds"], row["estimate_high_seconds"]
    return Job(
        requester=Requester(
            interaction_id=row["interaction_id"],
            guild_id=row["guild_id"],
            channel_id=row["channel_id"],
            member_id=row["member_id"],
            in_thread=row["in_thread"],
            role_ids=_role_ids(row["role_ids"]),
        ),
        request=GenerationRequest(
            mode=GenerationMode(row["mode"]),
            prompt=row["prompt"],
            duration_seconds=row["duration_seconds"],
            sound=row["sound"],
            publish=row["publish"],
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
    "delivery_began_at",
    "result_channel_id",
    "result_message_id",
    "delivered_at",
    "kept_at",
    "session_id",
    "moved_to_front_at",
)


_AWAITING = frozenset({JobState.AWAITING_APPROVAL})


async def insert_approval(connection: AsyncConnection, job_id: int, cause: ApprovalCause) -> None:
    """Insert the approval of a job that was just created.

    Args:
        connection: inside the transaction that inserts the job.
        job_id: of the job.
        cause: why it needs approval.
    """
    await connection.execute(insert(approvals).values(job_id=job_id, cause=cause.value))


async def read_approval(connection: AsyncConnection, job_id: int) -> Approval | None:
    """Read a job's approval; None: it needed none."""
    query = select(approvals).where(approvals.c.job_id == job_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    return approval_of(row) if row else None


async def close_approval(
    connection: AsyncConnection,
    job_id: int,
    decision: ApprovalDecision,
    now: datetime,
    *,
    decided_by: int | None = None,
    reason: str | None = None,
) -> Approval | None:
    """Write down what was decided about a job that waited for approval.

    Args:
        connection: of the transaction.
        job_id: of the job.
        decision: what became of it.
        now: the time.
        decided_by: of the moderator, or of the member who cancelled; None: nobody decided in time.
        reason: what the moderator wrote.

    Returns:
        The approval; None: the job needed none, or it was decided before.
    """
    query = (
        update(approvals)
        .where(approvals.c.job_id == job_id, approvals.c.decision.is_(None))
        .values(decision=decision.value, decided_by=decided_by, decided_at=now, reason=reason)
        .returning(*approvals.c)
    )
    row = (await connection.execute(query)).mappings().one_or_none()
    return approval_of(row) if row else None


async def expire_job(connection: AsyncConnection, job_id: int, failure: Reason, now: datetime) -> Job:
    """`awaiting_approval -> expired`: the hold is released.

    Args:
        connection: inside a transaction.
        job_id: of the job.
        failure: why.
        now: when.

    Raises:
        TransitionError: it is not awaiting approval any more.
    """
    job = await move(connection, job_id, _AWAITING, JobState.EXPIRED, failure=failure, **new_outcome(now))
    await close_approval(connection, job_id, ApprovalDecision.EXPIRED, now)
    await ledger.release(connection, account_of(job), job.held_credits, now)
    return job


async def expire_of_session(connection: AsyncConnection, session_id: int, now: datetime) -> list[Job]:
    """Expire the jobs that await approval when their creative session ends.

    Their holds go back to the session's budget; call `ledger.give_back_rest` afterwards.

    Args:
        connection: inside a transaction.
        session_id: of the session.
        now: when it ends.

    Returns:
        The jobs. After the transaction each is to be passed to `Worker.track`, which notifies its member and closes its
        card.
    """
    query = select(jobs.c.id).where(jobs.c.session_id == session_id, jobs.c.state == JobState.AWAITING_APPROVAL.value)
    job_ids = (await connection.execute(query.order_by(jobs.c.id))).scalars().all()
    return [await expire_job(connection, job_id, Reason(Failure.SESSION_OVER), now) for job_id in job_ids]


async def close_unconfirmed(
    connection: AsyncConnection,
    job: Job,
    decision: UnconfirmedDecision,
    now: datetime,
    *,
    decided_by: int | None = None,
) -> None:
    """Write down what was decided about an unconfirmed job, with the messages that ask about it.

    Args:
        connection: of the transaction.
        job: as it was before.
        decision: what became of it.
        now: the time.
        decided_by: of the moderator; None: nobody decided in time.
    """
    case = unconfirmed_cases.c
    values = {
        "failure": job.failure,
        "post_channel_id": job.result_channel_id,
        "post_message_id": job.result_message_id,
        "decision": decision.value,
        "decided_by": decided_by,
        "decided_at": now,
    }
    is_open = and_(case.job_id == job.id, case.decision.is_(None))
    found = await connection.execute(update(unconfirmed_cases).where(is_open).values(values))
    if not found.rowcount:
        await connection.execute(insert(unconfirmed_cases).values(job_id=job.id, **values))


def approval_of(row: RowMapping) -> Approval:
    """Return the approval that a row describes."""
    return Approval(
        cause=ApprovalCause(row["cause"]),
        decision=ApprovalDecision(row["decision"]) if row["decision"] else None,
        **{name: row[name] for name in _APPROVAL_COLUMNS},
    )


_APPROVAL_COLUMNS = (
    "job_id",
    "card_channel_id",
    "card_message_id",
    "decided_by",
    "decided_at",
    "reason",
    "card_closed_at",
)
