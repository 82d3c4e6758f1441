"""Creative sessions with their jobs, in SQL. Each runs inside a transaction."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, RowMapping, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.jobs.models import OPEN_STATES, Job, JobState
from bot.jobs.store.queries import expire_of_session, job_of, values_of
from bot.pools.models import SessionEnd
from bot.pools.queries import read_session, session_of
from bot.sessions.models import EndedSession, SessionStatus
from bot.sessions.repository import end_session
from bot.storage.database import read_each
from bot.storage.schema import jobs, sessions

_UNDELIVERED = and_(jobs.c.finished_at.is_not(None), jobs.c.delivered_at.is_(None), jobs.c.kept_at.is_(None))


async def read_session_statuses(
    connection: AsyncConnection, session_ids: Collection[int] | None = None
) -> list[SessionStatus]:
    """Read the statuses of sessions whose summary has not been posted, the oldest first; None: of all of them."""
    # A query of its own, so that an index finds them however many sessions there were.
    active = select(sessions.c.id).where(sessions.c.summarised_at.is_(None))
    if session_ids is not None:
        active = active.where(sessions.c.id.in_(session_ids))
    return await _statuses(connection, sessions.c.id.in_(active))


async def read_session_status(connection: AsyncConnection, session_id: int) -> SessionStatus | None:
    """Read the status of a session; None: there is no such session."""
    return next(iter(await _statuses(connection, sessions.c.id == session_id)), None)


async def read_jobs_of(connection: AsyncConnection, session_id: int) -> list[Job]:
    """Read the jobs that are paid from a session's budget, the oldest first."""
    query = select(jobs).where(jobs.c.session_id == session_id).order_by(jobs.c.id)
    return await read_each(connection, query, jobs.c.id, job_of)


async def finish_session(
    connection: AsyncConnection, session_id: int, cause: SessionEnd, now: datetime, *, ended_by: int | None = None
) -> EndedSession | None:
    """End a session: its jobs that wait for approval expire, and what is left of the budget goes back to the pool.

    Args:
        connection: of the transaction.
        session_id: of the session.
        cause: why it ends.
        now: the time.
        ended_by: the manager who ended it; None: it ended by itself.

    Returns:
        The ended session; None: it had ended before, or there is no such session.
    """
    before = await read_session(connection, session_id)
    if before is None or before.ended_at is not None:
        return None
    expired = await expire_of_session(connection, session_id, now)
    await end_session(connection, session_id, cause, now, ended_by=ended_by)
    status = await read_session_status(connection, session_id)
    return EndedSession(status, tuple(expired)) if status else None


async def _statuses(connection: AsyncConnection, condition: ColumnElement[bool]) -> list[SessionStatus]:
    query = (
        select(
            *sessions.c,
            _count(jobs.c.state == JobState.SUCCEEDED.value).label("ready"),
            _count(jobs.c.state.in_(values_of(OPEN_STATES))).label("open_jobs"),
            _count(_UNDELIVERED).label("undelivered"),
        )
        .select_from(sessions.outerjoin(jobs, jobs.c.session_id == sessions.c.id))
        .where(condition)
        .group_by(sessions.c.id)
        .order_by(sessions.c.id)
    )
    return await read_each(connection, query, sessions.c.id, _status_of)


def _status_of(row: RowMapping) -> SessionStatus:
    return SessionStatus(session_of(row), row["ready"], row["open_jobs"], row["undelivered"])


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count(jobs.c.id).filter(condition)
