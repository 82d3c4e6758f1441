"""What the fair queue goes by, in SQL. Each function runs inside a transaction."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import BigInteger, and_, column, func, select, values
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.jobs.models import UNPAID_STATES, JobState
from bot.jobs.queueing.fair_queue import Member
from bot.storage.database import read_each
from bot.storage.schema import jobs

_MEMBERS_PER_QUERY = 1000
_REMEMBERED_JOBS = 1000
_NOT_SUBMITTED = (JobState.AWAITING_APPROVAL, JobState.QUEUED, *UNPAID_STATES)


async def read_used(connection: AsyncConnection, members: Collection[Member], since: datetime) -> dict[Member, int]:
    """Read the credits of members' submitted jobs that were created since then; members with none are absent.

    Args:
        connection: inside a transaction.
        members: of any servers, and any number of them.
        since: counts jobs that were created after it.
    """
    wanted, used = list(members), {}
    for start in range(0, len(wanted), _MEMBERS_PER_QUERY):
        used.update(await _read_some(connection, wanted[start : start + _MEMBERS_PER_QUERY], since))
    return used


async def _read_some(connection: AsyncConnection, members: list[Member], since: datetime) -> dict[Member, int]:
    # A join, since with IN SQLite would not search the index for each member.
    them = values(column("guild_id", BigInteger), column("member_id", BigInteger), name="them").data(members).cte()
    theirs = and_(
        jobs.c.guild_id == them.c.guild_id,
        jobs.c.member_id == them.c.member_id,
        jobs.c.created_at > since,
        jobs.c.state.not_in([state.value for state in _NOT_SUBMITTED]),
    )
    cost = func.sum(func.coalesce(jobs.c.charged_credits, jobs.c.held_credits))
    query = select(jobs.c.guild_id, jobs.c.member_id, cost).select_from(them.join(jobs, theirs))
    rows = await connection.execute(query.group_by(jobs.c.guild_id, jobs.c.member_id))
    return {(guild_id, member_id): credits_used for guild_id, member_id, credits_used in rows}


async def read_last_served(connection: AsyncConnection) -> dict[int, datetime]:
    """Read when a job of each server was last submitted, among the newest jobs."""
    newest = select(jobs.c.guild_id, jobs.c.submitted_at).order_by(jobs.c.id.desc()).limit(_REMEMBERED_JOBS).subquery()
    last = func.max(newest.c.submitted_at).label("last")
    query = select(newest.c.guild_id, last).where(newest.c.submitted_at.is_not(None)).group_by(newest.c.guild_id)
    found = await read_each(connection, query, newest.c.guild_id, lambda row: (int(row["guild_id"]), row["last"]))
    return dict(found)
