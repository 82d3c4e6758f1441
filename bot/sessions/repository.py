"""Creative sessions in SQL: how each begins and ends, with its entries in the books and the audit trail.

Each function runs inside one transaction. `open -> ended -> summarised` are the columns `ended_at` and
`summarised_at`; a session is ended once, whoever comes first.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import ChangeRefusedError, PoolEmptyError
from bot.pools.ledger import entries as ledger
from bot.pools.models import Pool, Session, SessionEnd, SessionPlan
from bot.pools.queries import read_session, session_of
from bot.pools.rules.store import write_audit
from bot.storage.schema import sessions

_CAUSES = {
    SessionEnd.COMMAND: "ended",
    SessionEnd.TIME: "its time was over",
    SessionEnd.BUDGET: "its budget was used up",
    SessionEnd.FAILURE: "it could not be opened",
}


async def start_session(connection: AsyncConnection, pool: Pool, plan: SessionPlan, now: datetime) -> Session:
    """Insert a session and set its budget aside.

    Args:
        connection: of the transaction.
        pool: the server's, read in this very transaction.
        plan: what to start.
        now: the time.

    Raises:
        PoolEmptyError: the pool has too few credits.
        ChangeRefusedError: this very interaction has started one already.
    """
    available = pool.funds.available
    if plan.budget > available:
        raise PoolEmptyError(
            f"This session would need {plan.budget} credits, and this server's pool has {available} left. "
            "Give it a smaller budget.",
            needed=plan.budget,
            available=available,
        )
    session = await _insert(connection, plan, now)
    await ledger.set_aside(
        connection, plan.guild_id, session.id, plan.budget, now, reason=_reason(session), actor_id=plan.started_by
    )
    detail = f"{_name(session)}, {plan.budget} credits"
    await write_audit(connection, plan.guild_id, plan.started_by, "session start", detail, now)
    return replace(session, available=plan.budget)


async def end_session(
    connection: AsyncConnection, session_id: int, cause: SessionEnd, now: datetime, *, ended_by: int | None = None
) -> Session | None:
    """End a session and give what is left of its budget to the pool.

    Its jobs that wait for a moderator are to be expired before; what it has sent is still paid by it.

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
    rest = await ledger.give_back_rest(
        connection, session.guild_id, session.id, now, reason=_reason(session), actor_id=ended_by
    )
    detail = f"{_name(session)}, {_CAUSES[cause]}: {rest} of {session.budget} credits went back"
    # What ends by itself was set up like that by whoever started it.
    await write_audit(connection, session.guild_id, ended_by or session.started_by, "session end", detail, now)
    return await read_session(connection, session_id)


async def open_sessions(connection: AsyncConnection, guild_id: int) -> list[Session]:
    """Read a server's sessions that have not ended, the newest first."""
    query = select(sessions).where(
        sessions.c.guild_id == guild_id, sessions.c.summarised_at.is_(None), sessions.c.ended_at.is_(None)
    )
    rows = (await connection.execute(query.order_by(sessions.c.id.desc()))).mappings()
    return [session_of(row) for row in rows]


async def note_session(connection: AsyncConnection, session_id: int, **values: int | datetime) -> Session:
    """Write down what became of a session at Discord: its thread, its card, its summary."""
    query = update(sessions).where(sessions.c.id == session_id).values(**values).returning(*sessions.c)
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
        raise ChangeRefusedError("I have started this session already.") from error
    return session_of(row)


def _name(session: Session) -> str:
    return f"{session.id}: {session.title}"


def _reason(session: Session) -> str:
    return f"session {_name(session)}"
