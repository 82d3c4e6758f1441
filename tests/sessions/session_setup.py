"""Sessions and jobs on one file, with only what a test is about spelt out."""

import itertools
from typing import Any

from sqlalchemy import select

from bot.jobs.models import Job, MemberUsage, Requester
from bot.jobs.moderation.decisions import DecisionRepository
from bot.jobs.ports import Posted
from bot.jobs.store.repository import JobRepository
from bot.jobs.validation import list_price
from bot.pools.models import Funds, Limits, PoolSettings, Session, SessionPlan
from bot.pools.queries import pool_of, read_session
from bot.provider.models import GenerationMode, GenerationRequest, Submission
from bot.sessions.models import SessionStatus
from bot.sessions.service import SessionService
from bot.storage.database import Database
from bot.storage.schema import audit_entries, ledger_entries, pools, sessions
from tests.builders import CHANNEL, GUILD, MEMBER, TEXT_REQUEST, members_side
from tests.clock import FakeClock

MANAGER, OTHER = 900, 301
DEPOSIT = 1000
# A member's own allowance, which sessions are outside of.
SETTINGS = PoolSettings(Limits(active_jobs=1, window_credits=60, window_hours=24), starting_credits=DEPOSIT)
CHEAPEST = GenerationRequest(GenerationMode.TEXT, "a cat", publish=True)

_ids = itertools.count(5_000)


def plan(
    budget: int = 300, *, minutes: int | None = None, role_id: int | None = None, title: str = "Night"
) -> SessionPlan:
    return SessionPlan(GUILD, next(_ids), CHANNEL, MANAGER, title, budget, role_id, minutes)


def asker_in(session: Session, member_id: int = MEMBER, *roles: int) -> Requester:
    thread_id = session.thread_id or 0
    return Requester(
        next(_ids), GUILD, thread_id, member_id, in_thread=True, parent_id=CHANNEL, role_ids=frozenset(roles)
    )


class SessionSetup:
    """Sessions and jobs on one file."""

    def __init__(self, database: Database, clock: FakeClock, settings: PoolSettings = SETTINGS) -> None:
        self.database, self.clock, self.settings = database, clock, settings
        self.jobs = JobRepository(database, clock)
        self.decisions = DecisionRepository(database, clock)
        self.service = SessionService(database, clock, settings)

    async def start(self, wanted: SessionPlan) -> Session:
        session = await self.service.start(wanted)
        return await self.service.record_thread(session.id, next(_ids))

    async def take(self, requester: Requester, request: GenerationRequest = TEXT_REQUEST) -> tuple[Job, MemberUsage]:
        return await members_side(self.jobs, self.settings).create(requester, request, list_price(request))

    async def submitted(self, requester: Requester, request: GenerationRequest = TEXT_REQUEST) -> Job:
        job, _ = await self.take(requester, request)
        return await self.jobs.begin_submission(job.id)

    async def made(self, requester: Requester, request: GenerationRequest = TEXT_REQUEST) -> Job:
        job = await self.submitted(requester, request)
        await self.jobs.accept(job.id, Submission(f"task-{job.id}", list_price(request)))
        job = await self.jobs.succeed(job.id, "https://cdn/v.mp4")
        return await self.jobs.record_delivery(job.id, Posted(requester.channel_id, next(_ids)))

    async def session(self, session_id: int) -> Session:
        async with self.database.reading() as connection:
            found = await read_session(connection, session_id)
        assert found
        return found

    async def status(self, session_id: int) -> SessionStatus:
        (found,) = [each for each in await self.service.statuses() if each.session.id == session_id]
        return found

    async def funds(self) -> Funds:
        async with self.database.reading() as connection:
            return pool_of((await connection.execute(select(pools))).mappings().one()).funds

    async def contents(self) -> list[Any]:
        async with self.database.reading() as connection:
            tables = (sessions, ledger_entries, audit_entries)
            return [(await connection.execute(select(table))).all() for table in tables]

    async def audit(self) -> list[tuple[str, int]]:
        async with self.database.reading() as connection:
            columns = select(audit_entries.c.action, audit_entries.c.actor_id).order_by(audit_entries.c.id)
            return [(action, actor_id) for action, actor_id in await connection.execute(columns)]
