"""Pools and jobs on one real file, for tests of what moderators do and see."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import text

from bot.jobs.models import Job
from bot.jobs.store.repository import JobRepository
from bot.pools.models import PoolSettings
from bot.pools.service import PoolService
from bot.provider.models import Submission
from bot.storage.database import Database
from tests.blank_database import lay_blank_database
from tests.builders import GUILD, MEMBER, TEXT_REQUEST, UNLIMITED, members_side, requester
from tests.clock import FakeClock

START_CREDITS = 1000
MODERATOR = 900


@dataclass(frozen=True)
class Treasury:
    """A database with the services that use it."""

    database: Database
    clock: FakeClock
    pools: PoolService
    jobs: JobRepository
    terms: PoolSettings

    async def rows(self, query: str) -> list[dict[str, Any]]:
        """What the database says."""
        async with self.database.reading() as connection:
            return [dict(row) for row in (await connection.execute(text(query))).mappings()]

    async def job(self, member_id: int = MEMBER, guild_id: int = GUILD, price: int = 55) -> Job:
        """Take a job, which holds its price."""
        job, _ = await members_side(self.jobs, self.terms).create(requester(guild_id, member_id), TEXT_REQUEST, price)
        return job

    async def paid(
        self, member_id: int = MEMBER, guild_id: int = GUILD, price: int = 55, account: int | None = None
    ) -> Job:
        """Take a job and have the provider charge it."""
        job = await self.job(member_id, guild_id, price)
        await self.jobs.begin_submission(job.id)
        return await self.jobs.accept(job.id, Submission(f"task-{job.id}", price, credits_remaining=account))


@asynccontextmanager
async def treasury_at(path: Path, *, starting_credits: int = START_CREDITS) -> AsyncIterator[Treasury]:
    """Open a file."""
    clock, terms = FakeClock(), PoolSettings(UNLIMITED, starting_credits)
    lay_blank_database(path)
    async with Database.open(f"sqlite+aiosqlite:///{path}") as database:
        yield Treasury(database, clock, PoolService(database, clock, terms), JobRepository(database, clock), terms)
