"""A provider and a Discord that do what a test says, and a worker between them on a real database."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.codes import WaitReason
from bot.errors import DeliveryDelayedError, PlaceRefusedError, StorageError
from bot.jobs.models import Approval, Job, JobState, Requester
from bot.jobs.moderation.decisions import DecisionRepository
from bot.jobs.ports import DeliveryTarget, JobStatus, Posted
from bot.jobs.store.repository import JobRepository
from bot.jobs.worker.worker import Worker, WorkerSettings
from bot.pools.ledger import entries as ledger
from bot.pools.models import Balance
from bot.provider.models import GenerationRequest, Submission, TaskState, TaskStatus
from tests.builders import TEXT_REQUEST, repository_at, take
from tests.clock import FakeClock

VIDEO = "https://cdn.ulazai.com/kling/videos/a.mp4"
PROCESSING = TaskStatus(TaskState.PROCESSING, progress=0.5)
COMPLETED = TaskStatus(TaskState.COMPLETED, video_url=VIDEO)
MIN_INTERVAL = 2.0


class ScriptedProvider:
    """Answers from two lists; when they are empty, it takes every job and works on it for ever."""

    def __init__(self) -> None:
        self.answers: deque[Submission | Exception] = deque()
        self.statuses: deque[TaskStatus | Exception] = deque()
        self.sent: list[GenerationRequest] = []
        self.looked: list[str] = []
        self.reached = asyncio.Event()
        self.before_answer: Callable[[], Awaitable[None]] | None = None

    async def submit(self, request: GenerationRequest) -> Submission:
        self.sent.append(request)
        number = len(self.sent)
        self.reached.set()
        if self.before_answer:
            await self.before_answer()
        answer = self.answers.popleft() if self.answers else Submission(f"task-{number}", 55, 1000 - 55 * number)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def status(self, task_id: str) -> TaskStatus:
        self.looked.append(task_id)
        status = self.statuses.popleft() if self.statuses else PROCESSING
        if isinstance(status, Exception):
            raise status
        return status


class ScriptedNotifier:
    """Takes every post, unless told otherwise; what was posted can be found again."""

    def __init__(self) -> None:
        self.posts: list[tuple[int, JobState, DeliveryTarget]] = []
        self.tried: list[DeliveryTarget] = []
        self.lost_answers = 0
        self.searches = 0
        self.hints: list[int] = []
        self.hint_trouble: Exception | None = None
        self.refusals: dict[DeliveryTarget, Exception] = {}
        self.pictures: deque[str | Exception] = deque()
        self.shown: list[JobStatus] = []
        self.cards: list[tuple[int, int]] = []
        self.card_refusals: dict[int, Exception] = {}
        self.closed_cards: list[int] = []
        self.before_card: Callable[[], Awaitable[None]] | None = None

    async def post_card(self, job: Job) -> int:
        raise PlaceRefusedError(f"job {job.id} has no card here")

    async def open_thread(self, job: Job) -> int:
        raise PlaceRefusedError(f"job {job.id} has no thread here")

    async def prepare_outcome(self, job: Job) -> None:
        assert job.awaits_delivery

    async def post_outcome(self, job: Job, place: DeliveryTarget) -> Posted:
        self.tried.append(place)
        if refusal := self.refusals.get(place):
            raise refusal
        self.posts.append((job.id, job.state, place))
        if self.lost_answers:
            self.lost_answers -= 1
            raise DeliveryDelayedError("the answer never came")
        return self._post(len(self.posts))

    async def find_outcome(self, job: Job) -> Posted | None:
        self.searches += 1
        ours = [number for number, post in enumerate(self.posts, 1) if post[:2] == (job.id, job.state)]
        return self._post(ours[0]) if ours else None

    def _post(self, number: int) -> Posted:
        return Posted(6000 + number, 7000 + number)

    async def show_hint(self, job: Job) -> None:
        self.hints.append(job.id)
        if isinstance(self.hint_trouble, Exception):
            raise self.hint_trouble

    async def fresh_picture(self, job: Job) -> str:
        assert job.request.image_url
        picture = self.pictures.popleft()
        if isinstance(picture, Exception):
            raise picture
        return picture

    async def post_approval_card(self, job: Job, approval: Approval, channel_id: int) -> Posted:
        assert approval.job_id == job.id
        if self.before_card:
            await self.before_card()
        if refusal := self.card_refusals.get(channel_id):
            raise refusal
        self.cards.append((job.id, channel_id))
        if self.lost_answers:
            self.lost_answers -= 1
            raise DeliveryDelayedError("the answer never came")
        return Posted(channel_id, 8000 + job.id)

    async def find_approval_card(self, job: Job, channel_id: int) -> Posted | None:
        self.searches += 1
        return Posted(channel_id, 8000 + job.id) if (job.id, channel_id) in self.cards else None

    def close_case(self, job_id: int) -> None:
        self.closed_cards.append(job_id)

    def show(self, status: JobStatus) -> None:
        self.shown.append(status)


class Stage:
    """A worker with all that it needs."""

    def __init__(self, repository: JobRepository, clock: FakeClock, *, wait_for_credits: bool = False) -> None:
        self.repository = repository
        self.approvals = DecisionRepository(repository._database, clock)
        self.clock = clock
        self.provider = ScriptedProvider()
        self.notifier = ScriptedNotifier()
        self.worker = self.new_worker(wait_for_credits=wait_for_credits)

    def new_worker(
        self,
        *,
        min_interval: float = MIN_INTERVAL,
        wait_for_credits: bool = False,
        requests_per_second: float = 0,
        active_jobs: int = 0,
    ) -> Worker:
        """Make the worker of a process that has just been started."""
        settings = WorkerSettings(
            min_interval_seconds=min_interval,
            wait_for_credits=wait_for_credits,
            requests_per_second=requests_per_second,
            active_jobs=active_jobs,
        )
        self.worker = Worker(self.repository, self.approvals, self.provider, self.clock, self.notifier, settings)
        return self.worker

    async def ask(self, request: GenerationRequest = TEXT_REQUEST, who: Requester | None = None) -> Job:
        """Take a job and tell the worker, as the command does."""
        job = await take(self.repository, who, request)
        self.worker.track(job)
        return job

    async def settle(self) -> None:
        """Let everything happen that is due now."""
        for _ in range(50):
            await self.worker.run_once()
            if not self.worker._tasks:
                return
            await self.worker.idle()
        raise AssertionError("something is due again and again")

    async def pass_time(self, seconds: float, step: float = 1.0) -> None:
        """Let time pass, and everything happen at its time."""
        for _ in range(round(seconds / step)):
            self.clock.advance(step)
            await self.settle()

    async def until_looked(self, times: int = 1) -> None:
        """Let time pass until so many looks were made in all, at most an hour."""
        for _ in range(3600):
            if len(self.provider.looked) >= times:
                return
            await self.pass_time(1)
        raise AssertionError("nobody looks")

    async def row(self, job: Job) -> Job:
        """What the database says of a job."""
        found = await self.repository.get(job.id)
        assert found is not None
        return found

    async def state(self, job: Job) -> JobState:
        """Where the database says that a job stands."""
        return (await self.row(job)).state

    async def balance(self, job: Job) -> Balance:
        """What a job holds and has cost."""
        async with self.repository._database.reading() as connection:
            return await ledger.balance(connection, job_id=job.id)

    def waiting(self, job: Job) -> WaitReason | None:
        """Why the job's card says that it waits."""
        return self.status(job).waiting

    def status(self, job: Job) -> JobStatus:
        """What the job's card shows."""
        return [status for status in self.notifier.shown if status.job.id == job.id][-1]


@asynccontextmanager
async def stage_at(
    path: Path, *, wait_for_credits: bool = False, busy_timeout_seconds: float = 5.0
) -> AsyncIterator[Stage]:
    """A stage on a real file."""
    clock = FakeClock()
    async with repository_at(path, clock, busy_timeout_seconds) as repository:
        stage = Stage(repository, clock, wait_for_credits=wait_for_credits)
        yield stage
        await stage.worker.stop(0)


def break_for_a_while(monkeypatch: pytest.MonkeyPatch, repository: JobRepository, method: str, times: int) -> None:
    """Let a method of the repository fail a few times, as on a full disk."""
    works = getattr(repository, method)
    failures = iter(range(times))

    async def fails_first(*args: object, **kwargs: object) -> Job:
        if next(failures, None) is not None:
            raise StorageError("disk is full")
        job = await works(*args, **kwargs)
        assert isinstance(job, Job)
        return job

    monkeypatch.setattr(repository, method, fails_first)


async def for_ever() -> None:
    """Never answer."""
    await asyncio.Event().wait()
