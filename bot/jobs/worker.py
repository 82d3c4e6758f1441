"""Takes each open job one step further when its time has come: send, look, settle, deliver.

    queued      -> send it              -> processing, or back to queued, failed, unconfirmed
    processing  -> look at it           -> processing, succeeded, failed
    any outcome -> post it              -> delivered

Every step of a job ends with the time of its next one. A job fails alone: nothing that happens in one step
reaches another job or ends the loop.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from bot.clock import Clock
from bot.errors import (
    DeliveryDelayedError,
    NotStartedError,
    PlaceRefusedError,
    ProviderBusyError,
    ProviderError,
    ProviderKeyError,
    ProviderNotFoundError,
    ProviderOutOfCreditsError,
    ProviderRejectedError,
    ProviderUnclearError,
    StorageError,
    TransitionError,
)
from bot.jobs.checks import picture_expires_at
from bot.jobs.delivery import Notifier, Standing, deliver
from bot.jobs.gate import Gate
from bot.jobs.models import Job, JobState
from bot.jobs.polling import Watch, next_look, watch_of
from bot.jobs.repository import JobRepository
from bot.jobs.schedule import Schedule
from bot.provider.models import TaskState, TaskStatus
from bot.provider.ports import VideoProvider

_log = structlog.get_logger(__name__)

_CONCURRENCY = 32
_LONGEST_PAUSE_SECONDS = 300.0
# An answer that cannot be (an unknown task, a finished one without a video) is believed when it stays.
_ODD_LOOKS = 3
_ODD_AFTER = timedelta(minutes=4)
_PICTURE_MARGIN = timedelta(hours=1)

_UNCLEAR = "UlazAI did not say whether it started this video, so I won't send it again by itself."
_INTERRUPTED = "I was stopped while I was sending this video to UlazAI, so I won't send it again by itself."
_LOST = "UlazAI does not know this video any more."
_NO_VIDEO = "UlazAI says that this video is done, but gives no link to it."
_PICTURE_GONE = "Discord does not have your picture any more; please send it again."


@dataclass(slots=True)
class _Entry:
    """What the worker knows of a job beyond its row."""

    job: Job
    watch: Watch
    failures: int = 0
    odd_looks: int = 0
    odd_since: datetime | None = None
    # An outcome that is known but not written yet: it outlives a database that can't be written.
    unwritten: Callable[[], Awaitable[Job]] | None = None


class Worker:
    """Drives every open job. `run_once` starts what is due; `recover` begins after a start."""

    def __init__(
        self,
        repository: JobRepository,
        provider: VideoProvider,
        clock: Clock,
        *,
        poll_min_interval_seconds: float,
        wait_for_credits: bool = False,
    ) -> None:
        self._repository = repository
        self._provider = provider
        self._clock = clock
        self._min_interval = poll_min_interval_seconds
        self._wait_for_credits = wait_for_credits
        self._schedule = Schedule(clock)
        self._entries: dict[int, _Entry] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        # Two queues, so that a provider that hangs does not keep finished videos from their members.
        self._requests = asyncio.Semaphore(_CONCURRENCY)
        self._posts = asyncio.Semaphore(_CONCURRENCY)
        self._submissions = Gate()
        self._looks = Gate()
        self._notifier: Notifier | None = None
        self._stopping = False

    def __len__(self) -> int:
        return len(self._entries)

    def attach(self, notifier: Notifier) -> None:
        """Say through whom members hear of their jobs; needed before the first step."""
        self._notifier = notifier

    async def recover(self) -> None:
        """Go on where the last process stopped."""
        for job in await self._repository.half_submitted():
            await self._repository.mark_unconfirmed(job.id, _INTERRUPTED)
            _log.warning("job was half submitted: it is unconfirmed now", job_id=job.id)
        for job in await self._repository.unfinished():
            self._watch(job, self._clock.now())
        _log.info("jobs recovered", jobs=len(self._entries))

    def wake(self, job: Job) -> None:
        """Take up a job that was just taken; it is sent at once."""
        if not self._stopping:
            self._watch(job, self._clock.now())

    def refresh(self, job: Job) -> None:
        """Tell which card and thread a job has got in the meantime."""
        if entry := self._entries.get(job.id):
            # Only these: the job itself may have moved on since that row was read.
            entry.job = replace(entry.job, card_message_id=job.card_message_id, thread_id=job.thread_id)

    def forget(self, job: Job) -> None:
        """Drop a job that was cancelled."""
        self._entries.pop(job.id, None)

    async def wait_until_due(self) -> None:
        """Sleep until a job wants a step, or may."""
        await self._schedule.wait()

    async def run_once(self) -> None:
        """Start the step of every job that is due. Never raises, and waits for none of them."""
        for job_id in self._schedule.pop_due():
            if (entry := self._entries.get(job_id)) and not self._stopping:
                task = asyncio.create_task(self._step(entry), name=f"job {job_id}")
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def idle(self) -> None:
        """Wait for the steps that are under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def stop(self, grace_seconds: float) -> None:
        """Begin nothing new, and let what is under way finish for a while.

        A submission that is cut off then stays `submitting`, which `recover` knows how to read.
        """
        self._stopping = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace_seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for entry in self._entries.values():
            if entry.unwritten:
                _log.error("job's outcome could not be written", job_id=entry.job.id, task_id=entry.job.task_id)

    def _watch(self, job: Job, due: datetime) -> None:
        self._entries[job.id] = _Entry(job, watch_of(job))
        self._schedule.put(job.id, due)

    async def _step(self, entry: _Entry) -> None:
        async with self._posts if entry.job.awaits_delivery else self._requests:
            try:
                due = await self._advance(entry)
            except TransitionError:
                due = await self._read_again(entry)
            except StorageError as error:
                _log.error("database trouble: the job goes on in memory", job_id=entry.job.id, error=str(error))
                due = self._later(entry)
            except DeliveryDelayedError as error:
                _log.warning("Discord is away; the job goes on later", job_id=entry.job.id, error=str(error))
                due = self._later(entry)
            except Exception:  # noqa: BLE001 - a job fails alone, whatever it is
                _log.exception("job's step failed; it will be tried again", job_id=entry.job.id)
                due = self._later(entry)
        if due is None:
            self._entries.pop(entry.job.id, None)
        elif entry.job.id in self._entries:
            self._schedule.put(entry.job.id, due)

    async def _read_again(self, entry: _Entry) -> datetime | None:
        """Somebody else moved the job, such as a member who cancelled it: go by what its row says."""
        try:
            job = await self._repository.get(entry.job.id)
        except StorageError:
            return self._later(entry)
        entry.unwritten = None
        _log.warning("job is not where it was", job_id=entry.job.id, state=job.state.value if job else "gone")
        if job is None or not (job.is_open or job.awaits_delivery):
            return None
        entry.job = job
        return self._later(entry)

    async def _advance(self, entry: _Entry) -> datetime | None:
        """Do the job's next step and return when the one after it is due; None: there is none."""
        if entry.unwritten:
            return await self._write(entry)
        if entry.job.awaits_delivery:
            return await self._deliver(entry)
        match entry.job.state:
            case JobState.QUEUED:
                return await self._submit(entry)
            case JobState.PROCESSING:
                return await self._look(entry)
            case JobState.SUBMITTING:
                # Its row says so, but nobody here is sending it, and what the provider said is not known.
                job_id = entry.job.id
                return await self._settle(entry, lambda: self._repository.mark_unconfirmed(job_id, _UNCLEAR))
            case _:
                return None

    async def _settle(self, entry: _Entry, write: Callable[[], Awaitable[Job]]) -> datetime | None:
        """Write down what happened. What can't be written now is kept and written later."""
        entry.unwritten = write
        return await self._write(entry)

    async def _write(self, entry: _Entry) -> datetime | None:
        if entry.unwritten is None:
            return self._clock.now()
        written = await entry.unwritten()
        # The card may have been noted while the provider was asked.
        entry.job, entry.unwritten, entry.failures = written, None, 0
        self._show(entry)
        if written.awaits_delivery:
            return self._clock.now()
        if written.state is JobState.PROCESSING:
            entry.watch = watch_of(written)
            return next_look(entry.watch, self._clock.now(), self._min_interval)
        return self._clock.now() if written.is_open else None

    # Sending

    async def _submit(self, entry: _Entry) -> datetime | None:
        job, repository = entry.job, self._repository
        if come_back := self._submissions.enter(self._clock.now()):
            self._show(entry, waiting=self._submissions.reason, retry_at=come_back)
            return come_back
        try:
            if failed := await self._renew_picture(entry):
                return await self._settle(entry, lambda: repository.fail(job.id, failed))
            entry.job = await repository.begin_submission(job.id)
            self._show(entry)
            return await self._send(entry)
        finally:
            self._submissions.left()

    async def _send(self, entry: _Entry) -> datetime | None:
        job, repository = entry.job, self._repository
        try:
            submission = await self._provider.submit(job.request)
        except NotStartedError as error:
            return await self._not_started(entry, error)
        except ProviderUnclearError as error:
            _log.error("submission without a clear answer: unconfirmed", job_id=job.id, error=str(error))
            return await self._settle(entry, lambda: repository.mark_unconfirmed(job.id, _UNCLEAR))
        except Exception:  # noqa: BLE001 - whatever went wrong, the request may have been carried out
            _log.exception("submission went wrong: unconfirmed", job_id=job.id)
            return await self._settle(entry, lambda: repository.mark_unconfirmed(job.id, _UNCLEAR))
        self._submissions.opened()
        _log.info("job submitted", job_id=job.id, task_id=submission.task_id, credits_used=submission.credits_used)
        return await self._settle(entry, lambda: repository.accept(job.id, submission))

    async def _not_started(self, entry: _Entry, error: NotStartedError) -> datetime | None:
        job, repository, now = entry.job, self._repository, self._clock.now()
        final = isinstance(error, ProviderRejectedError) or (
            isinstance(error, ProviderOutOfCreditsError) and not self._wait_for_credits
        )
        if final:
            _log.warning("provider refused the job", job_id=job.id, error=str(error))
            return await self._settle(entry, lambda: repository.fail(job.id, error.user_text))
        wish = error.retry_after_seconds if isinstance(error, ProviderBusyError) else None
        reason = _waiting_reason(error)
        if self._submissions.refused(now, reason, wish):
            _log.error("provider takes no jobs for now; they stay queued", job_id=job.id, error=str(error))
        return await self._settle(entry, lambda: repository.requeue(job.id))

    async def _renew_picture(self, entry: _Entry) -> str | None:
        """Make sure that the provider will find the picture; returns why the job must fail, if it must."""
        url = entry.job.request.image_url
        expires_at = picture_expires_at(url) if url else None
        if expires_at is None or expires_at > self._clock.now() + _PICTURE_MARGIN:
            return None
        try:
            fresh = await self._discord().fresh_picture(entry.job)
        except PlaceRefusedError:
            return _PICTURE_GONE
        entry.job = await self._repository.record_picture(entry.job.id, fresh)
        return None

    # Looking

    async def _look(self, entry: _Entry) -> datetime | None:
        now = self._clock.now()
        if come_back := self._looks.enter(now):
            return come_back
        try:
            status = await self._provider.status(entry.job.task_id or "")
        except ProviderNotFoundError:
            return await self._odd(entry, _LOST)
        except (ProviderBusyError, ProviderKeyError) as error:
            wish = error.retry_after_seconds if isinstance(error, ProviderBusyError) else None
            if self._looks.refused(now, str(error), wish):
                _log.error("provider answers no looks for now", job_id=entry.job.id, error=str(error))
            return self._not_too_soon(self._looks.enter(self._clock.now()))
        except ProviderError as error:
            _log.warning("look failed; it will be tried again", job_id=entry.job.id, error=str(error))
            return self._later(entry)
        finally:
            self._looks.left()
        self._looks.opened()
        return await self._judge(entry, status)

    async def _judge(self, entry: _Entry, status: TaskStatus) -> datetime | None:
        job, repository = entry.job, self._repository
        entry.failures = 0
        if status.state is TaskState.FAILED:
            reason = status.error_message or "UlazAI could not make this video."
            refunded = status.credits_refunded is not False
            _log.warning("provider failed the job", job_id=job.id, error=reason, refunded=refunded)
            return await self._settle(entry, lambda: repository.fail(job.id, reason, refunded=refunded))
        if status.state is TaskState.COMPLETED:
            url = status.video_url
            if url is None:
                return await self._odd(entry, _NO_VIDEO)
            _log.info("video is ready", job_id=job.id)
            return await self._settle(entry, lambda: repository.succeed(job.id, url))
        now = self._clock.now()
        entry.odd_looks, entry.odd_since = 0, None
        entry.watch = entry.watch.seen(now, status.progress)
        self._show(entry)
        return next_look(entry.watch, now, self._min_interval)

    async def _odd(self, entry: _Entry, reason: str) -> datetime | None:
        """Believe an answer that cannot be only when it stays the same for minutes."""
        job, repository, now = entry.job, self._repository, self._clock.now()
        entry.odd_looks += 1
        entry.odd_since = entry.odd_since or now
        if entry.odd_looks >= _ODD_LOOKS and now - entry.odd_since >= _ODD_AFTER:
            _log.error("job given up", job_id=job.id, task_id=job.task_id, error=reason)
            return await self._settle(entry, lambda: repository.fail(job.id, reason))
        return self._not_too_soon(now + _ODD_AFTER / (_ODD_LOOKS - 1))

    # Telling

    async def _deliver(self, entry: _Entry) -> datetime | None:
        job, repository = entry.job, self._repository
        message_id = await deliver(job, self._discord())
        if message_id is None:
            _log.error("no place takes the outcome; it is kept for /history", job_id=job.id)
            return await self._settle(entry, lambda: repository.keep(job.id))
        _log.info("outcome posted", job_id=job.id, state=job.state.value, message_id=message_id)
        return await self._settle(entry, lambda: repository.record_delivery(job.id, message_id))

    def _show(self, entry: _Entry, waiting: str | None = None, retry_at: datetime | None = None) -> None:
        watch = entry.watch if entry.job.state is JobState.PROCESSING else None
        self._discord().show(Standing(entry.job, watch, waiting, retry_at))

    def _discord(self) -> Notifier:
        if self._notifier is None:
            raise RuntimeError("attach a notifier before the first step")
        return self._notifier

    def _not_too_soon(self, due: datetime | None) -> datetime:
        """Keep the shortest time between two looks at a job."""
        soonest = self._clock.now() + timedelta(seconds=self._min_interval)
        return max(due or soonest, soonest)

    def _later(self, entry: _Entry) -> datetime:
        """Return when to try again, later with each failure in a row."""
        entry.failures += 1
        pause = min(self._min_interval * 2 ** min(entry.failures, 20), _LONGEST_PAUSE_SECONDS)
        return self._clock.now() + timedelta(seconds=pause)


def _waiting_reason(error: NotStartedError) -> str:
    match error:
        case ProviderBusyError():
            return "UlazAI is busy"
        case ProviderOutOfCreditsError():
            return "the UlazAI account is out of credits, a moderator has to top it up"
        case ProviderKeyError() | ProviderNotFoundError():
            return "the bot can't use its UlazAI account, its operator has to look"
        case _:
            return "UlazAI can't be reached"
