"""Rows of the approvals table, and how a job leaves `awaiting_approval`. Each runs inside a transaction."""

from datetime import datetime

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.codes import Failure, Reason
from bot.errors import TransitionError
from bot.jobs.models import Approval, ApprovalDecision, Job, JobState
from bot.jobs.store.queries import account_of, job_of, move, new_outcome
from bot.pools.ledger import entries as ledger
from bot.pools.policy import ApprovalCause
from bot.storage.schema import approvals, jobs

AWAITING = frozenset({JobState.AWAITING_APPROVAL})
"""The state in which a job can be decided."""


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
    """Record a decision.

    Args:
        connection: inside a transaction.
        job_id: of the job.
        decision: how it was decided.
        now: when.
        decided_by: of the moderator, or of the member who cancelled; None: it expired.
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
    job = await move(connection, job_id, AWAITING, JobState.EXPIRED, failure=failure, **new_outcome(now))
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
        The jobs; pass each to `Worker.track` after the transaction, so that its outcome is posted.
    """
    query = select(jobs.c.id).where(jobs.c.session_id == session_id, jobs.c.state == JobState.AWAITING_APPROVAL.value)
    job_ids = (await connection.execute(query.order_by(jobs.c.id))).scalars().all()
    return [await expire_job(connection, job_id, Reason(Failure.SESSION_OVER), now) for job_id in job_ids]


async def read_waiting(connection: AsyncConnection, job_id: int, guild_id: int) -> Job:
    """Read a job of a server that awaits approval.

    Args:
        connection: inside a transaction.
        job_id: of the job.
        guild_id: of the server.

    Raises:
        TransitionError: it is not awaiting approval any more, or is another server's.
    """
    query = select(jobs).where(jobs.c.id == job_id, jobs.c.guild_id == guild_id)
    row = (
        (await connection.execute(query.where(jobs.c.state == JobState.AWAITING_APPROVAL.value)))
        .mappings()
        .one_or_none()
    )
    if row is None:
        raise TransitionError(job_id, "decided")
    return job_of(row)


def approval_of(row: RowMapping) -> Approval:
    """Return the approval that a row describes."""
    return Approval(
        cause=ApprovalCause(row["cause"]),
        decision=ApprovalDecision(row["decision"]) if row["decision"] else None,
        **{name: row[name] for name in _PLAIN_COLUMNS},
    )


_PLAIN_COLUMNS = (
    "job_id",
    "card_channel_id",
    "card_message_id",
    "decided_by",
    "decided_at",
    "reason",
    "card_closed_at",
)
