"""The worker: takes each open job a step further when it is due.

    awaiting approval  request_approval.py  asks moderators -> queued, denied; undecided in time -> expired
    queued             dispatcher.py        waits for a slot, then
                       submit.py            -> processing; queued again, failed, unconfirmed
    processing         poll.py              -> processing, succeeded, failed, unconfirmed
    any outcome        deliver.py           -> delivered; unconfirmed and undecided in time -> failed, as charged

A step returns when the next one is due, or what to write to the database. Jobs are isolated: an error in one step
neither reaches another job nor ends the loop.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog

from bot.clock import Clock
from bot.codes import Failure, Reason
from bot.errors import DeliveryDelayedError, DeliveryError, StorageError, TransitionError
from bot.jobs.models import Job, JobState
from bot.jobs.moderation.decisions import DecisionRepository
from bot.jobs.polling import initial_poll_state
from bot.jobs.ports import JobNotifier, JobStatus
from bot.jobs.store.repository import JobRepository
from bot.jobs.worker.deliver import Deliverer
from bot.jobs.worker.dispatcher import Dispatcher
from bot.jobs.worker.poll import Poller
from bot.jobs.worker.request_approval import ApprovalRequester
from bot.jobs.worker.submit import Submitter
from bot.jobs.worker.tracking import PendingWrite, StepResult, TimerQueue, TrackedJob
from bot.provider.ports import VideoProvider

_log = structlog.get_logger(__name__)

FAIRNESS_WINDOW = timedelta(hours=24)
"""For how long used credits count in the fair queue, where the limits have no window."""

_CONCURRENCY = 32
# Every movement of credits is a change of the pool: held jobs are tried no more often.
_AFTER_POOL_CHANGE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """The worker's timeouts and limits.

    Attributes:
        min_interval_seconds: the shortest time between two polls of a job.
        job_max: after which a job that is still processing is unconfirmed.
        approval_after: after which a job that no moderator decided expires.
        unconfirmed_after: after which an unconfirmed job that nobody decided counts as charged.
        wait_for_credits: whether jobs wait while the provider's account is empty, or fail.
        requests_per_second: how many requests the provider gets in all; 0: no limit.
        active_jobs: how many jobs the provider has at once; 0: no limit.
        fairness_window: for how long used credits count in the fair queue.
    """

    min_interval_seconds: float = 1.0
    job_max: timedelta = timedelta(hours=24)
    approval_after: timedelta = timedelta(hours=24)
    unconfirmed_after: timedelta = timedelta(hours=48)
    wait_for_credits: bool = False
    requests_per_second: float = 0.0
    active_jobs: int = 0
    fairness_window: timedelta = FAIRNESS_WINDOW


class Worker:
    """Drives every open job. Call `recover` once, then `run` in a loop."""

    def __init__(
        self,
        repository: JobRepository,
        decisions: DecisionRepository,
        provider: VideoProvider,
        clock: Clock,
        notifier: JobNotifier,
        settings: WorkerSettings | None = None,
    ) -> None:
        """Make a worker without jobs.

        Args:
            repository: the jobs.
            decisions: what moderators decide.
            provider: makes the videos.
            clock: the time.
            notifier: the Discord side.
            settings: timeouts and limits; None: the defaults.
        """
        settings = settings or WorkerSettings()
        self._repository = repository
        self._clock = clock
        self._min_interval = settings.min_interval_seconds
        self._approval_requester = ApprovalRequester(decisions, clock, notifier, approval_after=settings.approval_after)
        self._submitter = Submitter(repository, provider, clock, notifier, wait_for_credits=settings.wait_for_credits)
        self._poller = Poller(
            repository,
            provider,
            clock,
            notifier,
            min_interval_seconds=settings.min_interval_seconds,
            job_max=settings.job_max,
        )
        self._deliverer = Deliverer(repository, clock, notifier, unconfirmed_after=settings.unconfirmed_after)
        # The one place where an open job is held: dispatcher and queue refer to it.
        self._tracked: dict[int, TrackedJob] = {}
        self._dispatcher = self._make_dispatcher(settings)
        self._queue = self._dispatcher.queue
        self._timers = TimerQueue(clock)
        # Unconfirmed jobs whose post shows no hint from the provider account's balance yet.
        self._unconfirmed_without_hint: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        # Separate limits, so that neither a hanging provider nor many requests delay the posts.
        self._submissions = asyncio.Semaphore(_CONCURRENCY)
        self._polls = asyncio.Semaphore(_CONCURRENCY)
        self._posts = asyncio.Semaphore(_CONCURRENCY)
        self._notifier = notifier
        # Queued jobs that moderators' rules hold, by server.
        self._held: dict[int, set[int]] = {}
        repository.on_pool_change(self._pool_changed)
        self._stopping = False

    def _make_dispatcher(self, settings: WorkerSettings) -> Dispatcher:
        return Dispatcher(
            self._tracked,
            self._repository,
            self._clock,
            self._submitter,
            self._poller,
            per_second=settings.requests_per_second,
            active_jobs=settings.active_jobs,
            window=settings.fairness_window,
        )

    def __len__(self) -> int:
        return len(self._tracked)

    def __contains__(self, job_id: int) -> bool:
        return job_id in self._tracked

    async def recover(self) -> None:
        """Go on where the last process stopped.

        Raises:
            StorageError: the database can't be read or written.
        """
        for job in await self._repository.half_submitted():
            await self._repository.mark_unconfirmed(job.id, Reason(Failure.INTERRUPTED))
            _log.warning("job was half submitted: it is unconfirmed now", job_id=job.id)
        self._poller.load_statistics(await self._repository.durations())
        await self._queue.load()
        for job in await self._repository.unfinished():
            self._add(job, self._clock.monotonic())
            # An earlier process may have posted the outcome, or the approval card.
            self._tracked[job.id].may_be_posted = job.awaits_delivery or job.state is JobState.AWAITING_APPROVAL
            if job.awaits_delivery:
                self._notifier.show(JobStatus(job))
            if job.state is JobState.PROCESSING:
                self._timers.put(job.id, self._poller.resumed_poll(self._tracked[job.id]))
            if job.state is JobState.QUEUED and not job.card_message_id:
                # It was approved just before the stop.
                self._spawn(self._open_thread(job), f"card of job {job.id}")
        _log.info("jobs recovered", jobs=len(self._tracked))

    def track(self, job: Job) -> None:
        """Drive a job from now on: a new one, or one whose state was changed in the database."""
        # Moderators may have decided before the command that created the job gets here.
        is_outdated = job.state is JobState.AWAITING_APPROVAL and job.id in self._tracked
        if self._stopping or is_outdated:
            return
        has_moved = job.id in self._tracked
        self._add(job, self._clock.monotonic())
        if has_moved:
            self._notifier.show(JobStatus(job))
        if job.state is JobState.QUEUED and not (job.card_message_id and job.thread_id):
            self._spawn(self._open_thread(job), f"thread of job {job.id}")

    async def _open_thread(self, job: Job) -> None:
        """Create a job's thread if possible, and its card if there is none; delivery does without them."""
        try:
            if not job.card_message_id:
                job = await self._repository.record_card(job.id, await self._notifier.post_card(job))
                if tracked := self._tracked.get(job.id):
                    tracked.job = replace(tracked.job, card_message_id=job.card_message_id)
            thread_id = await self._notifier.open_thread(job)
            tracked = self._tracked.get(job.id)
            if tracked:
                tracked.job = replace(tracked.job, thread_id=thread_id)
            # `accept` writes the thread of a job that is being submitted, with the provider's answer.
            if tracked is None or tracked.job.state is not JobState.SUBMITTING:
                await self._repository.record_thread(job.id, thread_id)
        except (DeliveryError, StorageError) as error:
            _log.warning("thread not created", job_id=job.id, error=str(error))

    def untrack(self, job: Job) -> None:
        """Stop driving a job."""
        self._tracked.pop(job.id, None)
        self._queue.remove(job.id)

    def moved_to_front(self, job: Job) -> None:
        """Put a job that a moderator moved to the front first in its server's queue."""
        tracked = self._tracked.get(job.id)
        if tracked is None or tracked.job.state is not JobState.QUEUED:
            return
        tracked.update(job)
        if job.id in self._queue:
            self._queue.enqueue(tracked.job)
        self._timers.wake()

    async def wait_until_due(self) -> None:
        """Sleep until a step is due, or the dispatcher may allow one."""
        await self._timers.wait(None if self._stopping else self._dispatcher.next_at(self._clock.monotonic()))

    async def run(self) -> None:
        """Wait until something is due, and start it. Never raises."""
        await self.wait_until_due()
        await self.run_once()

    async def run_once(self) -> None:
        """Start the step of every job that is due, without waiting for any. Never raises."""
        now = self._clock.monotonic()
        for job_id in self._timers.pop_due():
            if tracked := self._tracked.get(job_id):
                self._dispatch(tracked, now)
        if not self._stopping:
            self._run_dispatcher(now)

    def _dispatch(self, tracked: TrackedJob, now: float) -> None:
        """Hand a due job to the dispatcher if its step needs the provider; else start the step."""
        job, needs_provider = tracked.job, tracked.unwritten is None and not tracked.job.awaits_delivery
        if job.state is JobState.QUEUED and needs_provider:
            tracked.is_held = False
            self._queue.enqueue(job)
        elif job.state is JobState.PROCESSING and needs_provider and self._poller.may_poll(now):
            self._dispatcher.add_poll(tracked)
        else:
            self._start(tracked)

    def _run_dispatcher(self, now: float) -> None:
        dispatcher = self._dispatcher
        if dispatcher.needs_usage(now):
            self._spawn(self._read_usage(), "used credits")
        for job_id in dispatcher.next_submissions(now):
            self._start(self._tracked[job_id])
        for tracked in dispatcher.next_polls(now):
            self._start(tracked)
        for status in dispatcher.changed_statuses(now):
            self._notifier.show(status)

    async def _read_usage(self) -> None:
        await self._dispatcher.read_usage()
        self._timers.wake()

    def _start(self, tracked: TrackedJob) -> None:
        if not self._stopping and self._tracked.get(tracked.job.id) is tracked:
            self._spawn(self._step(tracked), f"job {tracked.job.id}")

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def idle(self) -> None:
        """Wait until no step is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def stop(self, grace_seconds: float) -> None:
        """Begin no steps, and let those under way finish within the grace period, in seconds.

        A submission that is cut off stays `submitting`; `recover` makes it unconfirmed.
        """
        self._stopping = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace_seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for tracked in self._tracked.values():
            if tracked.unwritten:
                _log.error("job's result could not be written", job_id=tracked.job.id, task_id=tracked.job.task_id)

    def _add(self, job: Job, due: float) -> None:
        self._tracked[job.id] = TrackedJob(job, initial_poll_state(job, self._clock))
        self._queue.remove(job.id)
        self._queue.sync(job)
        self._timers.put(job.id, due)

    async def _step(self, tracked: TrackedJob) -> None:
        if tracked.job.awaits_delivery and tracked.unwritten is None:
            # Not under the semaphore: videos of a slow host must not delay the posts of others.
            await self._notifier.prepare_outcome(tracked.job)
        async with self._semaphore_of(tracked.job):
            try:
                due = await self._advance(tracked)
            except TransitionError:
                due = await self._reload(tracked)
            except StorageError as error:
                _log.error("database failed; the step will be tried again", job_id=tracked.job.id, error=str(error))
                due = self._retry_at(tracked)
            except DeliveryDelayedError as error:
                _log.warning(
                    "Discord is not available; the step will be tried again", job_id=tracked.job.id, error=str(error)
                )
                due = self._retry_at(tracked)
            except Exception:  # noqa: BLE001 - jobs are isolated, whatever it is
                _log.exception("step failed unexpectedly; it will be tried again", job_id=tracked.job.id)
                due = self._retry_at(tracked)
        self._dispatcher.submission_ended(tracked.job.id)
        # Tracked again in the meantime, as after a moderator's decision: then that timer counts.
        if self._tracked.get(tracked.job.id) is not tracked:
            return
        if due is None:
            self.untrack(tracked.job)
            self._timers.wake()
        else:
            if tracked.is_held:
                self._hold(tracked.job)
            else:
                self._queue.sync(tracked.job)
            self._timers.put(tracked.job.id, due)

    def _hold(self, job: Job) -> None:
        self._queue.remove(job.id)
        self._held.setdefault(job.requester.guild_id, set()).add(job.id)

    def _pool_changed(self, guild_id: int) -> None:
        """Try a server's held jobs again soon: its rules may have changed."""
        for job_id in self._held.pop(guild_id, ()):
            if job_id in self._tracked:
                self._timers.put_if_earlier(job_id, self._clock.monotonic() + _AFTER_POOL_CHANGE_SECONDS)

    def _semaphore_of(self, job: Job) -> asyncio.Semaphore:
        if job.state is JobState.PROCESSING:
            return self._polls
        is_posted = job.awaits_delivery or job.state is JobState.AWAITING_APPROVAL
        return self._posts if is_posted else self._submissions

    async def _reload(self, tracked: TrackedJob) -> float | None:
        """Read a job again that was changed elsewhere, as by `/cancel`."""
        try:
            job = await self._repository.get(tracked.job.id)
        except StorageError:
            return self._retry_at(tracked)
        tracked.unwritten = None
        _log.warning("job was changed elsewhere", job_id=tracked.job.id, state=job.state.value if job else "gone")
        if job is None or not job.needs_worker:
            return None
        tracked.job = job
        return self._retry_at(tracked)

    async def _advance(self, tracked: TrackedJob) -> float | None:
        """Do the job's next step, and return when the one after it is due; None: there is none."""
        if tracked.unwritten is None:
            result = await self._next(tracked)
            if result is None or isinstance(result, float):
                return result
            tracked.unwritten = result
        return await self._write(tracked, tracked.unwritten)

    async def _next(self, tracked: TrackedJob) -> StepResult | None:
        if tracked.job.awaits_delivery:
            return await self._deliverer.step(tracked)
        if tracked.job.state is JobState.SUBMITTING:
            # Nothing in this process is submitting it, so the provider's answer is not known.
            job_id = tracked.job.id
            return lambda: self._repository.mark_unconfirmed(job_id, Reason(Failure.UNCLEAR))
        step = self._step_of(tracked.job.state)
        return await step(tracked) if step else None

    def _step_of(self, state: JobState) -> Callable[[TrackedJob], Awaitable[StepResult]] | None:
        return {
            JobState.AWAITING_APPROVAL: self._approval_requester.step,
            JobState.QUEUED: self._submitter.step,
            JobState.PROCESSING: self._poller.step,
            JobState.UNCONFIRMED: self._deliverer.undecided_step,
        }.get(state)

    async def _write(self, tracked: TrackedJob, write: PendingWrite) -> float | None:
        """Write a result; if the database fails it stays in `unwritten` for the next try."""
        tracked.update(await write())
        tracked.unwritten, tracked.failures, tracked.may_be_posted = None, 0, False
        if tracked.job.state is JobState.UNCONFIRMED and not tracked.job.awaits_delivery:
            self._unconfirmed_without_hint.add(tracked.job.id)
        if tracked.job.state is JobState.QUEUED:
            return self._clock.monotonic()
        if tracked.job.state is not JobState.PROCESSING:
            self._notifier.show(JobStatus(tracked.job))
            return self._clock.monotonic() if tracked.job.needs_worker else None
        tracked.poll_state = initial_poll_state(tracked.job, self._clock)
        self._notifier.show(JobStatus(tracked.job, tracked.poll_state))
        self._request_hints()
        return self._poller.first_poll(tracked)

    def _request_hints(self) -> None:
        """Show hints again: the provider's answer named its balance, which may say more about unconfirmed jobs."""
        for job_id in self._unconfirmed_without_hint & self._tracked.keys():
            self._tracked[job_id].needs_hint = True
            self._timers.put(job_id, self._clock.monotonic())
        self._unconfirmed_without_hint.clear()

    def _retry_at(self, tracked: TrackedJob) -> float:
        return tracked.retry_at(self._clock.monotonic(), self._min_interval)
