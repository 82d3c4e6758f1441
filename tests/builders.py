"""Values that many tests need, with only what a test is about spelt out."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bot.clock import Clock
from bot.codes import Failure, Reason
from bot.jobs.models import Job, Requester
from bot.jobs.service import JobService
from bot.jobs.store.repository import JobRepository
from bot.pools.models import Limits, PoolSettings
from bot.provider.models import GenerationMode, GenerationRequest
from bot.storage.database import Database
from tests.blank_database import lay_blank_database

FAILURE = Reason(Failure.FAILED_AT_PROVIDER, {"reason": "too dark"})
UNLIMITED = Limits(active_jobs=None, window_credits=None, window_hours=0)
PLENTY = 1_000_000
GUILD, CHANNEL, MEMBER = 100, 200, 300
TEXT_REQUEST = GenerationRequest(GenerationMode.TEXT, "A dog in a field", aspect_ratio="16:9")

_interaction_ids = itertools.count(1_000)


def requester(guild_id: int = GUILD, member_id: int = MEMBER, *, in_thread: bool = False) -> Requester:
    """Somebody who asks, with an interaction of their own."""
    return Requester(next(_interaction_ids), guild_id, CHANNEL, member_id, in_thread)


def picture_request(url: str = "https://cdn.discordapp.com/attachments/1/2/a.png") -> GenerationRequest:
    """A request for a video from a picture."""
    return GenerationRequest(GenerationMode.IMAGE, "It moves", image_url=url)


@asynccontextmanager
async def repository_at(path: Path, clock: Clock, busy_timeout_seconds: float = 5.0) -> AsyncIterator[JobRepository]:
    """A repository on a real file."""
    lay_blank_database(path)
    url = f"sqlite+aiosqlite:///{path}"
    async with Database.open(url, busy_timeout_seconds=busy_timeout_seconds) as database:
        yield JobRepository(database, clock)


def members_side(repository: JobRepository, settings: PoolSettings = PoolSettings(UNLIMITED, PLENTY)) -> JobService:  # noqa: B008
    """What members can do, on the same database."""
    return JobService(repository._database, repository._clock, settings)


async def take(
    repository: JobRepository,
    who: Requester | None = None,
    request: GenerationRequest = TEXT_REQUEST,
    price: int = 55,
    limits: Limits = UNLIMITED,
) -> Job:
    """Take a job, out of a pool that has enough."""
    job, _overview = await members_side(repository, PoolSettings(limits, PLENTY)).create(
        who or requester(), request, price
    )
    return job
