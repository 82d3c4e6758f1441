"""A bot with one mistake: it writes `submitting` after the request and not before. Shows that chaos finds it.

What is killed in between sends its job a second time. The product has no switch for this.
"""

from contextlib import suppress
from dataclasses import replace

from bot import __main__, app
from bot.codes import Reason
from bot.errors import TransitionError
from bot.jobs.models import Job, JobState
from bot.jobs.store.repository import JobRepository
from bot.provider.models import Submission


class CarelessRepository(JobRepository):
    """Begins a submission when it is over."""

    async def begin_submission(self, job_id: int) -> Job:
        job = await self.get(job_id)
        if job is None or job.state is not JobState.QUEUED:
            raise TransitionError(job_id, JobState.SUBMITTING)
        return replace(job, state=JobState.SUBMITTING)

    async def accept(self, job_id: int, submission: Submission, thread_id: int | None = None) -> Job:
        await self._begin_late(job_id)
        return await super().accept(job_id, submission, thread_id)

    async def requeue(self, job_id: int) -> Job:
        await self._begin_late(job_id)
        return await super().requeue(job_id)

    async def mark_unconfirmed(self, job_id: int, failure: Reason) -> Job:
        await self._begin_late(job_id)
        return await super().mark_unconfirmed(job_id, failure)

    async def _begin_late(self, job_id: int) -> None:
        with suppress(TransitionError):
            await super().begin_submission(job_id)


if __name__ == "__main__":
    vars(app)["JobRepository"] = CarelessRepository
    __main__.main()
