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
"""Where a job is that can be decided."""


async def insert_approval(connection: AsyncConnection, job_id: int, cause: ApprovalCause) -> None:
    """Ask moderators about a job that was just taken."""
    await connection.execute(insert(approvals).values(job_id=job_id, cause=cause.value))


async def read_approval(connection: AsyncConnection, job_id: int) -> Approval | None:
    """Read what moderators were asked about a job; None: nothing."""
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
    """Write a decision down; None: nobody was asked about this job, or it was decided before."""
    query = (
        update(approvals)
        .where(approvals.c.job_id == job_id, approvals.c.decision.is_(None))
        .values(decision=decision.value, decided_by=decided_by, decided_at=now, reason=reason)
        .returning(*approvals.c)
    )
    row = (await connection.execute(query)).mappings().one_or_none()
    return approval_of(row) if row else None


async def expire_job(connection: AsyncConnection, job_id: int, failure: Reason, now: datetime) -> Job:
    """`awaiting_approval -> expired`: nobody decided, and the hold comes back.

    Raises:
        TransitionError: it does not wait any more.
    """
    job = await move(connection, job_id, AWAITING, JobState.EXPIRED, failure=failure, **new_outcome(now))
    await close_approval(connection, job_id, ApprovalDecision.EXPIRED, now)
    await ledger.release(connection, account_of(job), job.held_credits, now)
    return job


async def expire_of_session(connection: AsyncConnection, session_id: int, now: datetime) -> list[Job]:
    """Expire the jobs that still wait for a moderator when their creative session ends.

    Their holds go back to the session's budget, and from there to the pool once the session's row says that it has
    ended, whichever of the two is written first, as long as `ledger.give_back_rest` comes last.

    Returns:
        The jobs. After the transaction each is to be woken by `Worker.wake`, which tells its member and closes its
        card.
    """
    query = select(jobs.c.id).where(jobs.c.session_id == session_id, jobs.c.state == JobState.AWAITING_APPROVAL.value)
    job_ids = (await connection.execute(query.order_by(jobs.c.id))).scalars().all()
    return [await expire_job(connection, job_id, Reason(Failure.SESSION_OVER), now) for job_id in job_ids]


async def read_waiting(connection: AsyncConnection, job_id: int, guild_id: int) -> Job:
    """Read a job of a server's that waits for a moderator.

    Raises:
        TransitionError: it does not wait any more, or is another server's.
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
    """Return what a row says."""
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
