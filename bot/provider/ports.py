"""What the rest of the bot needs of a provider."""

from typing import Protocol

from bot.provider.models import GenerationRequest, Submission, TaskStatus


class VideoProvider(Protocol):
    """Makes videos for credits."""

    async def submit(self, request: GenerationRequest) -> Submission:
        """Ask for a video. This spends credits and must never be repeated by itself.

        Raises:
            NotStartedError: it is certain that nothing was started or spent; one of its kinds says why.
            ProviderUnclearError: it may have been started and paid.
        """
        ...

    async def status(self, task_id: str) -> TaskStatus:
        """Poll a task. This costs nothing.

        Raises:
            ProviderError: there was no answer, or none that says how the task is.
        """
        ...
