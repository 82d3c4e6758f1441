"""Start and end creative sessions in SQL, with their entries in the ledger and the audit trail.

Each function runs inside one transaction. `open -> ended -> summarised` are the columns `ended_at` and
`summarised_at`. A session is ended once, by whoever comes first.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.codes import AuditAction, LedgerReason, Reason, Refusal, Value
from bot.errors import RefusedError
from bot.jobs.validation import LOWEST_PRICE
from bot.pools.ledger import entries as ledger
from bot.pools.models import Pool, Session, SessionEnd, SessionPlan
from bot.pools.queries import read_session, session_of, write_audit
from bot.storage.database import note_session_change
from bot.storage.schema import sessions


async def start_session(connection: AsyncConnection, pool: Pool, plan: SessionPlan, now: datetime) -> Session:
    """Insert a session and set its budget aside.

    Args:
        connection: of the transaction.
        pool: the server's, read in the same transaction.
        plan: what to start.
        now: the time.

    Raises:
        RefusedError: the pool has too few credits, or this interaction has started one already.
    """
    available = pool.funds.available
    if plan.budget > available:
        raise RefusedError(Refusal.BUDGET_TOO_LARGE, budget=plan.budget, available=available, least=LOWEST_PRICE)
    session = await _insert(connection, plan, now)
    await ledger.set_aside(
        connection, plan.guild_id, session.id, plan.budget, now, reason=_reason(session), actor_id=plan.started_by
    )
    data: dict[str, Value] = {"session_id": session.id, "title": session.title, "budget": plan.budget}
    await write_audit(connection, plan.guild_id, plan.started_by, AuditAction.SESSION_START, now, **data)
    return replace(session, available=plan.budget)


async def end_session(
    connection: AsyncConnection, session_id: int, cause: SessionEnd, now: datetime, *, ended_by: int | None = None
) -> Session | None:
    """End a session and return what is left of its budget to the pool.

    Expire its jobs that need approval before. Jobs that were submitted are still paid from the budget.

    Args:
        connection: of the transaction.
        session_id: of the session.
        cause: why it ends.
        now: the time.
        ended_by: who ended it; None: it ended by itself.

    Returns:
        The session as it is now; None: it was ended before, or there is none.
    """
    query = (
        update(sessions)
        .where(sessions.c.id == session_id, sessions.c.ended_at.is_(None))
        .values(ended_at=now, end_cause=cause.value, ended_by=ended_by)
        .returning(*sessions.c)
    )
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        return None
    session = session_of(row)
    note_session_change(connection, session.id)
    rest = await ledger.give_back_rest(
        connection, session.guild_id, session.id, now, reason=_reason(session), actor_id=ended_by
    )
    data: dict[str, Value] = {
        "session_id": session.id,
        "title": session.title,
        "cause": cause.value,
        "returned": rest,
        "budget": session.budget,
    }
    # What ends by itself was set up like that by whoever started it.
    actor_id = ended_by or session.started_by
    await write_audit(connection, session.guild_id, actor_id, AuditAction.SESSION_END, now, **data)
    return await read_session(connection, session_id)


async def open_sessions(connection: AsyncConnection, guild_id: int) -> list[Session]:
    """Read a server's sessions that have not ended, the newest first."""
    query = select(sessions).where(
        sessions.c.guild_id == guild_id, sessions.c.summarised_at.is_(None), sessions.c.ended_at.is_(None)
    )
    rows = (await connection.execute(query.order_by(sessions.c.id.desc()))).mappings()
    return [session_of(row) for row in rows]


async def note_session(connection: AsyncConnection, session_id: int, **values: int | datetime) -> Session:
    """Record a session's thread, card or summary.

    Args:
        connection: of the transaction.
        session_id: of the session.
        values: by the columns of `sessions`.
    """
    query = update(sessions).where(sessions.c.id == session_id).values(**values).returning(*sessions.c)
    note_session_change(connection, session_id)
    return session_of((await connection.execute(query)).mappings().one())


async def _insert(connection: AsyncConnection, plan: SessionPlan, now: datetime) -> Session:
    query = insert(sessions).values(
        guild_id=plan.guild_id,
        interaction_id=plan.interaction_id,
        channel_id=plan.channel_id,
        title=plan.title,
        role_id=plan.role_id,
        budget_credits=plan.budget,
        started_by=plan.started_by,
        started_at=now,
        ends_at=now + timedelta(minutes=plan.minutes) if plan.minutes else None,
    )
    try:
        row = (await connection.execute(query.returning(*sessions.c))).mappings().one()
    except IntegrityError as error:
        if "sessions.interaction_id" not in str(error.orig):
            raise
        raise RefusedError(Refusal.SESSION_STARTED_ALREADY) from error
    return session_of(row)


def _reason(session: Session) -> Reason:
    return Reason(LedgerReason.SESSION, {"session_id": session.id, "title": session.title})
