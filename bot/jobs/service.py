"""What members can do with jobs: ask for one, cancel one, see theirs."""

from collections.abc import Collection

from bot.codes import Refusal
from bot.errors import RefusedError, TransitionError
from bot.jobs.models import Job, JobState, MemberUsage, Requester
from bot.jobs.store.repository import JobRepository
from bot.jobs.validation import list_price
from bot.pools.models import PoolSettings
from bot.provider.models import GenerationRequest


class JobService:
    """The members' side of jobs. It answers from the database alone and never waits for the network."""

    def __init__(self, repository: JobRepository, terms: PoolSettings) -> None:
        self._repository = repository
        self._terms = terms

    async def submit(
        self, requester: Requester, request: GenerationRequest, *, is_asked: bool = False
    ) -> tuple[Job, MemberUsage]:
        """Take a request: check rules and limits, hold the price and insert the job, in one transaction.

        The worker sends it once it is told of it, or waits for a moderator.

        Args:
            requester: who asks, and where.
            request: for what.
            is_asked: the member wants a moderator to look at a prompt that was refused.

        Raises:
            PromptRefusedError: the prompt may not fit the rules; asked for again with `is_asked`, it is taken.
            RefusedError: it is not taken, for the reason that the error tells the member.
            StorageError: the database can't be written.
        """
        return await self._repository.take(requester, request, list_price(request), self._terms, is_asked=is_asked)

    async def cancel(self, job_id: int, guild_id: int, member_id: int) -> Job:
        """Cancel a job of this member's that has not been sent yet.

        Raises:
            RefusedError: NOT_CANCELLABLE: it has been submitted, is done, or is not theirs.
        """
        try:
            return await self._repository.cancel(job_id, guild_id, member_id)
        except TransitionError:
            raise RefusedError(Refusal.NOT_CANCELLABLE, job_id=job_id) from None

    async def overview(self, guild_id: int, member_id: int, role_ids: Collection[int]) -> MemberUsage:
        """Return a member's open jobs and use of the limits."""
        return await self._repository.overview(guild_id, member_id, role_ids, self._terms)

    async def overview_after(self, job: Job) -> MemberUsage:
        """Return what the member of a job uses of the limits, without the open jobs themselves."""
        return await self._repository.spending_after(job, self._terms)

    async def history(self, guild_id: int, member_id: int, limit: int = 10) -> list[Job]:
        """Return a member's last jobs, newest first."""
        return await self._repository.history(guild_id, member_id, limit)

    async def videos(self, guild_id: int, member_id: int, typed: str, limit: int = 25) -> list[Job]:
        """Return a member's finished videos with `typed` in their number and prompt, newest first."""
        return await self._repository.videos(guild_id, member_id, typed, limit)

    async def video(self, job_id: int, guild_id: int, member_id: int) -> Job:
        """Return a finished video of this member's.

        Raises:
            RefusedError: NO_SUCH_VIDEO: it is not theirs, is another server's, or was not made.
        """
        job = await self._repository.get(job_id)
        is_theirs = job and (job.requester.guild_id, job.requester.member_id) == (guild_id, member_id)
        if job is None or not is_theirs or job.state is not JobState.SUCCEEDED:
            raise RefusedError(Refusal.NO_SUCH_VIDEO, job_id=job_id)
        return job

    async def kept(self, guild_id: int, member_id: int) -> list[Job]:
        """Return a member's jobs whose outcome could not be posted anywhere, until they are told of them."""
        return await self._repository.kept(guild_id, member_id)

    async def record_telling(self, job: Job) -> None:
        """Remember that a member was told of such a job."""
        await self._repository.record_telling(job.id)

    async def waiting(self, guild_id: int, typed: str, limit: int = 25) -> list[Job]:
        """Return a server's jobs that wait for their turn with `typed` in their number or prompt, oldest first."""
        found = await self._repository.waiting(guild_id)
        return [job for job in found if typed.casefold() in f"{job.id}: {job.request.prompt}".casefold()][:limit]

    async def move_to_front(self, job_id: int, guild_id: int, moderator_id: int) -> Job:
        """Move a job of this server's to the front of the line.

        Raises:
            RefusedError: NOT_QUEUED: it is not queued any more, or is another server's.
        """
        try:
            return await self._repository.move_to_front(job_id, guild_id, moderator_id)
        except TransitionError:
            raise RefusedError(Refusal.NOT_QUEUED, job_id=job_id) from None

    async def record_card(self, job: Job, message_id: int) -> Job:
        """Remember the status card of a job."""
        return await self._repository.record_card(job.id, message_id)

    async def record_thread(self, job: Job, thread_id: int) -> Job:
        """Remember the thread of a job."""
        return await self._repository.record_thread(job.id, thread_id)
