"""What members can do with jobs: ask for one, cancel one, see theirs."""

from dataclasses import dataclass

from bot.errors import NotCancellableError, RefusedError, TransitionError
from bot.jobs.checks import list_price
from bot.jobs.models import Asker, Job, JobState
from bot.jobs.repository import JobRepository
from bot.pools.models import Limits, Usage
from bot.pools.rules import credits_left
from bot.provider.models import GenerationRequest


@dataclass(frozen=True, slots=True)
class Overview:
    """What a member uses now.

    Attributes:
        limits: what the member may use.
        usage: what the member uses.
        open_jobs: the jobs in the making, oldest first.
    """

    limits: Limits
    usage: Usage
    open_jobs: tuple[Job, ...] = ()

    @property
    def credits_left(self) -> int | None:
        """What may still be spent in this window; None where there is no limit."""
        return credits_left(self.limits, self.usage)


class JobService:
    """The members' side of jobs. It answers from the database alone and never waits for the network."""

    def __init__(self, repository: JobRepository, limits: Limits) -> None:
        self._repository = repository
        self._limits = limits

    async def submit(self, asker: Asker, request: GenerationRequest) -> tuple[Job, Overview]:
        """Take a request: check the limits, hold the price and insert the job, in one transaction.

        The worker sends it once it is told of it.

        Raises:
            RefusedError: it is not taken, for the reason that the error tells the member.
            StorageError: the database can't be written.
        """
        job, usage = await self._repository.take(asker, request, list_price(request), self._limits)
        return job, Overview(self._limits, usage)

    async def cancel(self, job_id: int, guild_id: int, member_id: int) -> Job:
        """Cancel a job of this member's that has not been sent yet.

        Raises:
            NotCancellableError: it has been sent, is done, or is not theirs.
        """
        try:
            return await self._repository.cancel(job_id, guild_id, member_id)
        except TransitionError:
            raise NotCancellableError(
                "That video is already with UlazAI or done, so it can't be cancelled any more; `/usage` shows yours."
            ) from None

    async def overview(self, guild_id: int, member_id: int) -> Overview:
        """Return a member's open jobs and use of the limits."""
        usage, open_jobs = await self._repository.usage(guild_id, member_id, self._limits)
        return Overview(self._limits, usage, tuple(open_jobs))

    async def allowance(self, guild_id: int, member_id: int) -> Overview:
        """Return a member's use of the limits, without the open jobs themselves."""
        return Overview(self._limits, await self._repository.spending(guild_id, member_id, self._limits))

    async def history(self, guild_id: int, member_id: int, limit: int = 10) -> list[Job]:
        """Return a member's last jobs, newest first."""
        return await self._repository.history(guild_id, member_id, limit)

    async def videos(self, guild_id: int, member_id: int, typed: str, limit: int = 25) -> list[Job]:
        """Return a member's finished videos with `typed` in their number and prompt, newest first."""
        return await self._repository.videos(guild_id, member_id, typed, limit)

    async def video(self, job_id: int, guild_id: int, member_id: int) -> Job:
        """Return a finished video of this member's.

        Raises:
            RefusedError: it is not theirs, is of another server, or is no video.
        """
        job = await self._repository.get(job_id)
        is_theirs = job and (job.asker.guild_id, job.asker.member_id) == (guild_id, member_id)
        if job is None or not is_theirs or job.state is not JobState.SUCCEEDED:
            raise RefusedError("You have no such video here; `/history` without the option shows yours.")
        return job

    async def kept(self, guild_id: int, member_id: int) -> list[Job]:
        """Return a member's jobs whose outcome could not be posted anywhere, until they are told of them."""
        return await self._repository.kept(guild_id, member_id)

    async def record_telling(self, job: Job) -> None:
        """Remember that a member was told of such a job."""
        await self._repository.record_telling(job.id)

    async def record_card(self, job: Job, message_id: int) -> Job:
        """Remember the status card of a job."""
        return await self._repository.record_card(job.id, message_id)

    async def record_thread(self, job: Job, thread_id: int) -> Job:
        """Remember the thread of a job."""
        return await self._repository.record_thread(job.id, thread_id)
