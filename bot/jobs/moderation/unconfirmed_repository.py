"""What moderators decide about unconfirmed jobs, in SQL: guarded transitions, so that the first decision wins."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.clock import Clock
from bot.codes import Reason
from bot.errors import TransitionError
from bot.jobs.models import Job, JobState, SurroundingBalances
from bot.jobs.store.queries import NO_DELIVERY, account_of, job_of, move, unique_task
from bot.pools.ledger import entries as ledger
from bot.storage.database import Database
from bot.storage.schema import jobs

_UNCONFIRMED = {JobState.UNCONFIRMED}
_NO_OUTCOME: dict[str, object] = {**NO_DELIVERY, "finished_at": None, "failure": None}


class UnconfirmedRepository:
    """The ways out of `unconfirmed`. Every transition is for one server's moderators.

    Each raises `TransitionError` where the job is not unconfirmed any more, or is another server's.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def confirm_made(self, job_id: int, guild_id: int, task_id: str) -> Job:
        """`unconfirmed -> processing`: it was made, as this task, and so it was paid."""
        now = self._clock.now()
        async with self._database.transaction() as connection:
            job = await _undecided(connection, job_id, guild_id)
            if job.charged_credits is None:
                await ledger.charge(connection, account_of(job), job.held_credits, job.held_credits, now)
            # Its time begins anew: by the old one it would be too late already.
            values = {**_NO_OUTCOME, "task_id": task_id, "charged_credits": job.credits, "submitted_at": now}
            with unique_task(job_id):
                return await move(connection, job_id, _UNCONFIRMED, JobState.PROCESSING, **values)

    async def confirm_nothing(self, job_id: int, guild_id: int, failure: Reason) -> Job:
        """`unconfirmed -> failed`: nothing was made, and what was held or charged comes back."""
        now = self._clock.now()
        async with self._database.transaction() as connection:
            job = await _undecided(connection, job_id, guild_id)
            await _give_back(connection, job, self._clock)
            values = {**NO_DELIVERY, "failure": failure, "finished_at": now, "refunded_credits": job.charged_credits}
            values["delivery_began_at"] = now
            return await move(connection, job_id, _UNCONFIRMED, JobState.FAILED, **values)

    async def send_again(self, job_id: int, guild_id: int) -> Job:
        """`unconfirmed -> queued`: a new request, knowing that the first may have been paid.

        Raises:
            PoolEmptyError: what was charged is given back, and the pool has too few credits to hold them anew.
        """
        async with self._database.transaction() as connection:
            job = await _undecided(connection, job_id, guild_id)
            if job.charged_credits is not None:
                await _give_back(connection, job, self._clock)
                await ledger.hold_again(connection, account_of(job), job.held_credits, self._clock.now())
            first = dict.fromkeys(("task_id", "charged_credits", "account_credits", "submitted_at"), None)
            values = {**_NO_OUTCOME, **first}
            return await move(connection, job_id, _UNCONFIRMED, JobState.QUEUED, **values)

    async def unconfirmed(self, guild_id: int) -> list[Job]:
        """Return a server's unconfirmed jobs, oldest first."""
        query = select(jobs).where(jobs.c.guild_id == guild_id, jobs.c.state == JobState.UNCONFIRMED)
        async with self._database.reading() as connection:
            return [job_of(row) for row in (await connection.execute(query.order_by(jobs.c.id))).mappings()]

    async def readings_around(self, job: Job) -> SurroundingBalances | None:
        """Return the account's balance before and after an unconfirmed job; None where one is missing."""
        known = jobs.c.account_credits.is_not(None)
        columns = select(jobs.c.account_credits, jobs.c.charged_credits)
        earlier = columns.where(known, jobs.c.submitted_at < job.submitted_at).order_by(jobs.c.submitted_at.desc())
        since = columns.where(known, jobs.c.submitted_at > job.finished_at).order_by(jobs.c.submitted_at)
        async with self._database.reading() as connection:
            before = (await connection.execute(earlier.limit(1))).one_or_none()
            after = (await connection.execute(since.limit(1))).one_or_none()
        if before is None or after is None:
            return None
        return SurroundingBalances(before.account_credits, after.account_credits, after.charged_credits)


async def _undecided(connection: AsyncConnection, job_id: int, guild_id: int) -> Job:
    query = select(jobs).where(jobs.c.id == job_id, jobs.c.guild_id == guild_id, jobs.c.state == JobState.UNCONFIRMED)
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        raise TransitionError(job_id, "decided")
    return job_of(row)


async def _give_back(connection: AsyncConnection, job: Job, clock: Clock) -> None:
    if job.charged_credits is None:
        await ledger.release(connection, account_of(job), job.held_credits, clock.now())
    else:
        await ledger.refund(connection, account_of(job), job.charged_credits, clock.now())
