"""What moderators decide about a job of which nobody knows whether it was made and paid."""

from bot.codes import Failure, Reason
from bot.errors import ProviderError, ProviderNotFoundError, RefusedError, TransitionError
from bot.jobs.models import Job, SurroundingBalances
from bot.jobs.moderation.unconfirmed_repository import UnconfirmedRepository
from bot.provider.ports import VideoProvider

_DECIDED = "This has been decided already."
_MAX_TASK_ID = 200


def hint(job: Job, readings: SurroundingBalances | None) -> str:
    """Say what the account's arithmetic suggests; it decides nothing, for others may use the account too."""
    if readings is None:
        return "There is no later balance of the account yet to compare with."
    missing = readings.before - readings.after - readings.charged_after
    if missing == 0:
        return "By the account's balance it was probably **not** charged."
    if missing == job.held_credits:
        return f"By the account's balance its {missing} credits were probably charged."
    return "The account's balance does not tell whether it was charged."


class UnconfirmedService:
    """The moderators' side of unconfirmed jobs; each decision is one guarded transition, so the first one wins."""

    def __init__(self, repository: UnconfirmedRepository, provider: VideoProvider) -> None:
        self._repository = repository
        self._provider = provider

    async def of_guild(self, guild_id: int) -> list[Job]:
        """Return a server's unconfirmed jobs, oldest first."""
        return await self._repository.unconfirmed(guild_id)

    async def hint(self, job: Job) -> str:
        """Say what the account's balance suggests."""
        return hint(job, await self._repository.readings_around(job))

    async def it_was_made(self, job_id: int, guild_id: int, task_id: str) -> Job:
        """Go on with a task that a moderator found in the provider's account.

        Raises:
            RefusedError: the provider knows no such task, can't be asked now, or it was decided already.
        """
        task_id = task_id.strip()
        if not task_id or len(task_id) > _MAX_TASK_ID or not task_id.isprintable():
            raise RefusedError("That is no task id: copy it from UlazAI's list of generations.")
        try:
            await self._provider.status(task_id)
        except ProviderNotFoundError:
            raise RefusedError("UlazAI knows no task with this id. Nothing was changed.") from None
        except ProviderError:
            raise RefusedError("UlazAI can't be asked right now. Nothing was changed; please try again.") from None
        try:
            return await self._repository.confirm_made(job_id, guild_id, task_id)
        except TransitionError:
            raise RefusedError(f"{_DECIDED} Or the task belongs to another video.") from None

    async def nothing_was_made(self, job_id: int, guild_id: int) -> Job:
        """Give the credits back.

        Raises:
            RefusedError: it was decided already.
        """
        try:
            return await self._repository.confirm_nothing(job_id, guild_id, Reason(Failure.NOTHING_MADE))
        except TransitionError:
            raise RefusedError(_DECIDED) from None

    async def try_again(self, job_id: int, guild_id: int) -> Job:
        """Send the job once more, knowing that the first time may have been paid.

        Raises:
            RefusedError: it was decided already.
        """
        try:
            return await self._repository.send_again(job_id, guild_id)
        except TransitionError:
            raise RefusedError(_DECIDED) from None
