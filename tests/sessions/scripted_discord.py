"""Sets the stage for tests of the session worker: a Discord that is scripted, and a real file."""

from collections import Counter
from dataclasses import dataclass, field

from bot.errors import DeliveryDelayedError, PlaceRefusedError
from bot.jobs.models import Job, Requester
from bot.jobs.ports import Posted
from bot.jobs.store.repository import JobRepository
from bot.pools.models import PoolSettings, Session, SessionPlan
from bot.provider.models import Submission
from bot.sessions.models import SessionCard, SessionStatus, Summary
from bot.sessions.service import SessionService
from bot.sessions.worker import SessionWorker
from bot.storage.database import Database
from tests.builders import CHANNEL, GUILD, MEMBER, TEXT_REQUEST, UNLIMITED, members_side
from tests.clock import FakeClock

MANAGER = 900
SETTINGS = PoolSettings(UNLIMITED, starting_credits=10_000)
REFUSED, AWAY = PlaceRefusedError("no"), DeliveryDelayedError("away")


@dataclass
class ScriptedDiscord:
    """Does what it is asked, or fails as it was unconfirmed to, and remembers."""

    answer: int | None = None
    trouble: dict[str, list[Exception]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    opened: list[tuple[int, bool]] = field(default_factory=list)
    shown: list[SessionStatus] = field(default_factory=list)
    closed: list[tuple[Summary, bool]] = field(default_factory=list)

    async def find_answer(self, session: Session) -> int | None:
        del session
        self.play("find_answer")
        return self.answer

    async def open(self, status: SessionStatus, *, may_be_posted: bool) -> SessionCard:
        self.play("open")
        self.opened.append((status.session.id, may_be_posted))
        return SessionCard(70_000 + status.session.id, is_pinned=True)

    async def show(self, status: SessionStatus) -> None:
        self.play("show")
        self.shown.append(status)

    async def close(self, summary: Summary, *, may_be_posted: bool) -> None:
        self.play("close")
        self.closed.append((summary, may_be_posted))

    def play(self, name: str) -> None:
        self.calls[name] += 1
        if self.trouble.get(name):
            raise self.trouble[name].pop(0)


class WorkerSetup:
    """A worker with all that it works on."""

    def __init__(self, database: Database) -> None:
        self.clock = FakeClock()
        self.database = database
        self.jobs = JobRepository(database, self.clock)
        self.service = SessionService(database, self.clock, SETTINGS)
        self.woken: list[Job] = []
        self.restart()

    def restart(self) -> None:
        """As after a restart: nothing is known but what stands in the file."""
        self.discord = ScriptedDiscord()
        self.worker = SessionWorker(self.service, self.clock, self.discord, self.woken.append)

    async def start(self, number: int = 1, *, budget: int = 300, minutes: int | None = None) -> Session:
        plan = SessionPlan(GUILD, number, CHANNEL, MANAGER, "Night", budget, None, minutes)
        return await self.service.start(plan)

    async def opened(self, number: int = 1, *, budget: int = 300, minutes: int | None = None) -> Session:
        session = await self.start(number, budget=budget, minutes=minutes)
        session = await self.service.record_thread(session.id, 40_000 + number)
        assert await self.worker.open(session)
        await self.pass_time(0)
        return await self.session(session.id)

    async def take(self, session: Session, number: int) -> Job:
        requester = Requester(80_000 + number, GUILD, session.thread_id or 0, MEMBER, in_thread=True)
        job, _ = await members_side(self.jobs, SETTINGS).create(requester, TEXT_REQUEST, 55)
        return job

    async def finish(self, job: Job, *, delivered: bool = True) -> None:
        await self.jobs.begin_submission(job.id)
        await self.jobs.accept(job.id, Submission(f"task-{job.id}", 55))
        await self.jobs.succeed(job.id, "https://cdn/v.mp4")
        if delivered:
            await self.jobs.record_delivery(job.id, Posted(1, 2))

    async def pass_time(self, seconds: float = 3) -> None:
        """Let time pass and do what is due then, with what follows from it at once."""
        self.clock.advance(seconds)
        for _ in range(3):
            await self.worker.run_once()
            await self.worker.idle()

    async def settle(self) -> None:
        """Let everything follow that has happened so far, and no more."""
        for _ in range(3):
            await self.pass_time()

    async def session(self, session_id: int) -> Session:
        (found,) = [each.session for each in await self.service.statuses() if each.session.id == session_id]
        return found
