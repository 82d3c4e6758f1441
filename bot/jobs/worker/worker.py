"""Takes each open job one step further when its time has come.

    awaiting     approving.py  asks moderators, and waits -> queued, denied; undecided in time -> expired
    queued       dispatcher.py  waits for its turn, then
                 sending.py    -> processing, or back to queued, failed, unconfirmed
    processing   watching.py   -> processing, succeeded, failed, unconfirmed
    any outcome  telling.py    -> delivered; an undecided unconfirmed one -> failed, as charged

Every step ends with the time of the next one, or with something to write down. A job fails alone: nothing that
happens in one step reaches another job or ends the loop.
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
from bot.jobs.moderation.approval_repository import ApprovalRepository
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
"""For how long what a member used counts when turns are given, where no other window is set."""

_CONCURRENCY = 32


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """How long the worker waits for what.

    Attributes:
        min_interval_seconds: the shortest time between two looks at a job.
        job_max: after which a job that is still processing is handed to the moderators.
        approval_after: after which a job that no moderator decided expires.
        unconfirmed_after: after which an unconfirmed job that nobody decided counts as charged.
        wait_for_credits: whether jobs wait while the provider's account is empty, or fail.
        requests_per_second: how many requests the provider gets in all; 0: no limit.
        active_jobs: how many jobs the provider has at once; 0: no limit.
        turn_window: for how long what a member used counts when turns are given.
    """

    min_interval_seconds: float = 1.0
    job_max: timedelta = timedelta(hours=24)
    approval_after: timedelta = timedelta(hours=24)
    unconfirmed_after: timedelta = timedelta(hours=48)
    wait_for_credits: bool = False
    requests_per_second: float = 0.0
    active_jobs: int = 0
    turn_window: timedelta = FAIRNESS_WINDOW


class Worker:
    """Drives every open job. `run_once` starts what is due; `recover` begins after a start."""

    def __init__(
        self,
        repository: JobRepository,
        approvals: ApprovalRepository,
        provider: VideoProvider,
        clock: Clock,
        notifier: JobNotifier,
        settings: WorkerSettings | None = None,
    ) -> None:
        """Make a worker that has nothing to do yet.

        Args:
            repository: the jobs.
            approvals: what moderators decide.
            provider: makes the videos.
            clock: the time.
            notifier: the Discord side.
            settings: how long it waits for what; None: the defaults.
        """
        settings = settings or WorkerSettings()
        self._repository = repository
        self._clock = clock
        self._min_interval = settings.min_interval_seconds
        self._approval_requester = ApprovalRequester(approvals, clock, notifier, approval_after=settings.approval_after)
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
        self._dispatcher = self._make_dispatcher(settings)
        self._pending = self._dispatcher.pending
        self._timers = TimerQueue(clock)
        self._tracked: dict[int, TrackedJob] = {}
        # Unconfirmed jobs whose post has no hint from the account's balance yet.
        self._unconfirmed_without_hint: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        # Queues of their own, so that neither a provider that hangs nor many requests keep videos from members.
        self._sends = asyncio.Semaphore(_CONCURRENCY)
        self._polls = asyncio.Semaphore(_CONCURRENCY)
        self._posts = asyncio.Semaphore(_CONCURRENCY)
        self._notifier = notifier
        self._stopping = False

    def _make_dispatcher(self, settings: WorkerSettings) -> Dispatcher:
        return Dispatcher(
            self._repository,
            self._clock,
            self._submitter,
            self._poller,
            per_second=settings.requests_per_second,
            active_jobs=settings.active_jobs,
            window=settings.turn_window,
        )

    def __len__(self) -> int:
        return len(self._tracked)

    def __contains__(self, job_id: int) -> bool:
        return job_id in self._tracked

    async def recover(self) -> None:
        """Go on where the last process stopped."""
        for job in await self._repository.half_submitted():
            await self._repository.mark_unconfirmed(job.id, Reason(Failure.INTERRUPTED))
            _log.warning("job was half submitted: it is unconfirmed now", job_id=job.id)
        self._poller.load_statistics(await self._repository.durations())
        await self._pending.recall()
        for job in await self._repository.unfinished():
            self._add(job, self._clock.monotonic())
            # Of an outcome as well as of a card for moderators.
            self._tracked[job.id].may_be_posted = job.awaits_delivery or job.state is JobState.AWAITING_APPROVAL
            if job.awaits_delivery:
                self._notifier.show(JobStatus(job))
            if job.state is JobState.PROCESSING:
                self._timers.put(job.id, self._poller.resumed_poll(self._tracked[job.id]))
        _log.info("jobs recovered", jobs=len(self._tracked))

    def track(self, job: Job) -> None:
        """Drive a job from now on: one that was just accepted, or one that has moved in the database."""
        # Moderators may decide before the command that accepted the job comes to this.
        is_overtaken = job.state is JobState.AWAITING_APPROVAL and job.id in self._tracked
        if self._stopping or is_overtaken:
            return
        has_moved = job.id in self._tracked
        self._add(job, self._clock.monotonic())
        if has_moved:
            self._notifier.show(JobStatus(job))
        if job.state is JobState.QUEUED and job.card_message_id and not job.thread_id:
            self._spawn(self._open_thread(job), f"thread of job {job.id}")

    async def _open_thread(self, job: Job) -> None:
        """Open a job's thread if that is possible now; the result finds its way without one."""
        try:
            thread_id = await self._notifier.open_thread(job)
            tracked = self._tracked.get(job.id)
            if tracked:
                tracked.job = replace(tracked.job, thread_id=thread_id)
            # What is being submitted is written with the provider's answer, in a moment.
            if tracked is None or tracked.job.state is not JobState.SUBMITTING:
                await self._repository.record_thread(job.id, thread_id)
        except (DeliveryError, StorageError) as error:
            _log.warning("thread not made", job_id=job.id, error=str(error))

    def untrack(self, job: Job) -> None:
        """Drive a job no more."""
        self._tracked.pop(job.id, None)
        self._pending.leave(job.id)

    def moved_to_front(self, job: Job) -> None:
        """Let a job that a moderator moved to the front of the line have the next turn of its server."""
        tracked = self._tracked.get(job.id)
        if tracked is None or tracked.job.state is not JobState.QUEUED:
            return
        tracked.update(job)
        if job.id in self._pending:
            self._pending.join(tracked.job)
        self._timers.nudge()

    async def wait_until_due(self) -> None:
        """Sleep until a job wants a step, or may."""
        await self._timers.wait(None if self._stopping else self._dispatcher.next_at(self._clock.monotonic()))

    async def run(self) -> None:
        """Wait until something is due, and start it."""
        await self.wait_until_due()
        await self.run_once()

    async def run_once(self) -> None:
        """Start the step of every job that is due. Never raises, and waits for none of them."""
        now = self._clock.monotonic()
        for job_id in self._timers.pop_due():
            if tracked := self._tracked.get(job_id):
                self._dispatch(tracked, now)
        if not self._stopping:
            self._run_dispatcher(now)

    def _dispatch(self, tracked: TrackedJob, now: float) -> None:
        """Let a job whose time has come wait for its turn, if its step asks the provider; else start the step."""
        job, is_told = tracked.job, tracked.unwritten is not None or tracked.job.awaits_delivery
        if job.state is JobState.QUEUED and not is_told:
            self._pending.join(job)
        elif job.state is JobState.PROCESSING and not is_told and self._poller.would_ask(now):
            self._dispatcher.add_look(tracked)
        else:
            self._start(tracked)

    def _run_dispatcher(self, now: float) -> None:
        dispatcher = self._dispatcher
        if dispatcher.wants_to_learn(now):
            self._spawn(self._learn(), "turns")
        for job_id in dispatcher.sends(now):
            self._start(self._tracked[job_id])
        for tracked in dispatcher.looks(now):
            self._start(tracked)
        for status in dispatcher.news(now, self._tracked):
            self._notifier.show(status)

    async def _learn(self) -> None:
        await self._dispatcher.learn()
        self._timers.nudge()

    def _start(self, tracked: TrackedJob) -> None:
        if not self._stopping and self._tracked.get(tracked.job.id) is tracked:
            self._spawn(self._step(tracked), f"job {tracked.job.id}")

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

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
        for tracked in self._tracked.values():
            if tracked.unwritten:
                _log.error("job's outcome could not be written", job_id=tracked.job.id, task_id=tracked.job.task_id)

    def _add(self, job: Job, due: float) -> None:
        self._tracked[job.id] = TrackedJob(job, initial_poll_state(job, self._clock))
        self._pending.leave(job.id)
        self._pending.note(job)
        self._timers.put(job.id, due)

    async def _step(self, tracked: TrackedJob) -> None:
        async with self._queue_of(tracked.job):
            try:
                due = await self._advance(tracked)
            except TransitionError:
                due = await self._reload(tracked)
            except StorageError as error:
                _log.error("database trouble: the job goes on in memory", job_id=tracked.job.id, error=str(error))
                due = self._later(tracked)
            except DeliveryDelayedError as error:
                _log.warning("Discord is away; the job goes on later", job_id=tracked.job.id, error=str(error))
                due = self._later(tracked)
            except Exception:  # noqa: BLE001 - a job fails alone, whatever it is
                _log.exception("job's step failed; it will be tried again", job_id=tracked.job.id)
                due = self._later(tracked)
        self._dispatcher.sent(tracked.job.id)
        # Woken anew in the meantime, as by a moderator's decision? Then that plan counts.
        if self._tracked.get(tracked.job.id) is not tracked:
            return
        if due is None:
            self.untrack(tracked.job)
            self._timers.nudge()
        else:
            self._pending.note(tracked.job)
            self._timers.put(tracked.job.id, due)

    def _queue_of(self, job: Job) -> asyncio.Semaphore:
        if job.state is JobState.PROCESSING:
            return self._polls
        is_posted = job.awaits_delivery or job.state is JobState.AWAITING_APPROVAL
        return self._posts if is_posted else self._sends

    async def _reload(self, tracked: TrackedJob) -> float | None:
        """Somebody else moved the job, such as a member who cancelled it: go by what its row says."""
        try:
            job = await self._repository.get(tracked.job.id)
        except StorageError:
            return self._later(tracked)
        tracked.unwritten = None
        _log.warning("job is not where it was", job_id=tracked.job.id, state=job.state.value if job else "gone")
        if job is None or not job.wants_work:
            return None
        tracked.job = job
        return self._later(tracked)

    async def _advance(self, tracked: TrackedJob) -> float | None:
        """Do the job's next step and return when the one after it is due; None: there is none."""
        if tracked.unwritten is None:
            following = await self._next(tracked)
            if following is None or isinstance(following, float):
                return following
            tracked.unwritten = following
        return await self._write(tracked, tracked.unwritten)

    async def _next(self, tracked: TrackedJob) -> StepResult | None:
        if tracked.job.awaits_delivery:
            return await self._deliverer.step(tracked)
        if tracked.job.state is JobState.SUBMITTING:
            # Its row says so, but nobody here is sending it, and what the provider said is not known.
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
        """PendingWrite down what happened. What can't be written now stays in memory, and is written later."""
        tracked.update(await write())
        tracked.unwritten, tracked.failures, tracked.may_be_posted = None, 0, False
        if tracked.job.state is JobState.UNCONFIRMED and not tracked.job.awaits_delivery:
            self._unconfirmed_without_hint.add(tracked.job.id)
        if tracked.job.state is JobState.QUEUED:
            return self._clock.monotonic()
        if tracked.job.state is not JobState.PROCESSING:
            self._notifier.show(JobStatus(tracked.job))
            return self._clock.monotonic() if tracked.job.wants_work else None
        tracked.poll_state = initial_poll_state(tracked.job, self._clock)
        self._notifier.show(JobStatus(tracked.job, tracked.poll_state))
        self._reconsider_undecided()
        return self._poller.first_poll(tracked)

    def _reconsider_undecided(self) -> None:
        """The answer to a submission told the account's balance: it may say something about other jobs."""
        for job_id in self._unconfirmed_without_hint & self._tracked.keys():
            self._tracked[job_id].wants_hint = True
            self._timers.put(job_id, self._clock.monotonic())
        self._unconfirmed_without_hint.clear()

    def _later(self, tracked: TrackedJob) -> float:
        return tracked.later(self._clock.monotonic(), self._min_interval)
