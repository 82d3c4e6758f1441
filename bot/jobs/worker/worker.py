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
from bot.errors import DeliveryDelayedError, StorageError, TransitionError
from bot.jobs.models import Job, JobState
from bot.jobs.moderation.approval_repository import ApprovalRepository
from bot.jobs.polling.policy import initial_poll_state
from bot.jobs.ports import JobNotifier, JobStatus
from bot.jobs.store.repository import JobRepository
from bot.jobs.worker.deliver import Deliverer
from bot.jobs.worker.dispatcher import Dispatcher
from bot.jobs.worker.poll import Poller
from bot.jobs.worker.request_approval import ApprovalRequester
from bot.jobs.worker.submit import INTERRUPTED, UNCLEAR, Submitter
from bot.jobs.worker.timer_queue import TimerQueue
from bot.jobs.worker.tracked_job import PendingWrite, StepResult, TrackedJob
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
        patience: WorkerSettings | None = None,
    ) -> None:
        patience = patience or WorkerSettings()
        self._repository = repository
        self._clock = clock
        self._min_interval = patience.min_interval_seconds
        self._approver = ApprovalRequester(approvals, clock, self._discord, approval_after=patience.approval_after)
        self._sender = Submitter(repository, provider, clock, self._discord, wait_for_credits=patience.wait_for_credits)
        self._watcher = Poller(
            repository,
            provider,
            clock,
            self._discord,
            min_interval_seconds=patience.min_interval_seconds,
            job_max=patience.job_max,
        )
        self._teller = Deliverer(repository, clock, self._discord, unconfirmed_after=patience.unconfirmed_after)
        self._dispatcher = self._make_dispatcher(patience)
        self._line = self._dispatcher.line
        self._schedule = TimerQueue(clock)
        self._entries: dict[int, TrackedJob] = {}
        # Unconfirmed jobs whose post has no hint from the account's balance yet.
        self._undecided: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        # Queues of their own, so that neither a provider that hangs nor many requests keep videos from members.
        self._sends = asyncio.Semaphore(_CONCURRENCY)
        self._looks = asyncio.Semaphore(_CONCURRENCY)
        self._posts = asyncio.Semaphore(_CONCURRENCY)
        self._notifier: JobNotifier | None = None
        self._stopping = False

    def _make_dispatcher(self, patience: WorkerSettings) -> Dispatcher:
        return Dispatcher(
            self._repository,
            self._clock,
            self._sender,
            self._watcher,
            per_second=patience.requests_per_second,
            active_jobs=patience.active_jobs,
            window=patience.turn_window,
        )

    def __len__(self) -> int:
        return len(self._entries)

    def attach(self, notifier: JobNotifier) -> None:
        """Say through whom members hear of their jobs; needed before the first step."""
        self._notifier = notifier

    async def recover(self) -> None:
        """Go on where the last process stopped."""
        for job in await self._repository.half_submitted():
            await self._repository.mark_unconfirmed(job.id, INTERRUPTED)
            _log.warning("job was half submitted: it is unconfirmed now", job_id=job.id)
        self._watcher.recall(await self._repository.durations())
        await self._line.recall()
        for job in await self._repository.unfinished():
            self._watch(job, self._clock.monotonic())
            # Of an outcome as well as of a card for moderators.
            self._entries[job.id].may_be_posted = job.awaits_delivery or job.state is JobState.AWAITING_APPROVAL
            if job.awaits_delivery:
                self._discord().show(JobStatus(job))
            if job.state is JobState.PROCESSING:
                self._schedule.put(job.id, self._watcher.resumed_look(self._entries[job.id]))
        _log.info("jobs recovered", jobs=len(self._entries))

    def wake(self, job: Job) -> None:
        """Take up a job that was just taken, or that goes another way now; a queued one waits for its turn."""
        # Moderators may decide before the command that took the job comes to this.
        is_overtaken = job.state is JobState.AWAITING_APPROVAL and job.id in self._entries
        if not self._stopping and not is_overtaken:
            self._watch(job, self._clock.monotonic())

    def refresh(self, job: Job) -> bool:
        """Tell which card and thread a job has got in the meantime.

        Returns:
            Whether they will be written down with what comes next.
        """
        entry = self._entries.get(job.id)
        if entry is None:
            return False
        # Only these: the job itself may have moved on since that row was read.
        entry.job = replace(entry.job, card_message_id=job.card_message_id, thread_id=job.thread_id)
        # One that waits in the queue may do so for an hour.
        return entry.job.state is JobState.SUBMITTING

    def forget(self, job: Job) -> None:
        """Drop a job that was cancelled."""
        self._entries.pop(job.id, None)
        self._line.leave(job.id)

    def moved_to_front(self, job: Job) -> None:
        """Let a job that a moderator moved to the front of the line have the next turn of its server."""
        entry = self._entries.get(job.id)
        if entry is None or entry.job.state is not JobState.QUEUED:
            return
        entry.update(job)
        if job.id in self._line:
            self._line.join(entry.job)
        self._schedule.nudge()

    async def wait_until_due(self) -> None:
        """Sleep until a job wants a step, or may."""
        await self._schedule.wait(None if self._stopping else self._dispatcher.next_at(self._clock.monotonic()))

    async def run_once(self) -> None:
        """Start the step of every job that is due. Never raises, and waits for none of them."""
        now = self._clock.monotonic()
        for job_id in self._schedule.pop_due():
            if entry := self._entries.get(job_id):
                self._take_up(entry, now)
        if not self._stopping:
            self._give_turns(now)

    def _take_up(self, entry: TrackedJob, now: float) -> None:
        """Let a job whose time has come wait for its turn, if its step asks the provider; else start the step."""
        job, is_told = entry.job, entry.unwritten is not None or entry.job.awaits_delivery
        if job.state is JobState.QUEUED and not is_told:
            self._line.join(job)
        elif job.state is JobState.PROCESSING and not is_told and self._watcher.would_ask(now):
            self._dispatcher.add_look(entry)
        else:
            self._start(entry)

    def _give_turns(self, now: float) -> None:
        dispatcher = self._dispatcher
        if dispatcher.wants_to_learn(now):
            self._spawn(self._learn(), "turns")
        for job_id in dispatcher.sends(now):
            self._start(self._entries[job_id])
        for entry in dispatcher.looks(now):
            self._start(entry)
        for status in dispatcher.news(now, self._entries):
            self._discord().show(status)

    async def _learn(self) -> None:
        await self._dispatcher.learn()
        self._schedule.nudge()

    def _start(self, entry: TrackedJob) -> None:
        if not self._stopping and self._entries.get(entry.job.id) is entry:
            self._spawn(self._step(entry), f"job {entry.job.id}")

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
        for entry in self._entries.values():
            if entry.unwritten:
                _log.error("job's outcome could not be written", job_id=entry.job.id, task_id=entry.job.task_id)

    def _watch(self, job: Job, due: float) -> None:
        self._entries[job.id] = TrackedJob(job, initial_poll_state(job, self._clock))
        self._line.leave(job.id)
        self._line.note(job)
        self._schedule.put(job.id, due)

    async def _step(self, entry: TrackedJob) -> None:
        async with self._queue_of(entry.job):
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
        self._dispatcher.sent(entry.job.id)
        # Woken anew in the meantime, as by a moderator's decision? Then that plan counts.
        if self._entries.get(entry.job.id) is not entry:
            return
        if due is None:
            self.forget(entry.job)
            self._schedule.nudge()
        else:
            self._line.note(entry.job)
            self._schedule.put(entry.job.id, due)

    def _queue_of(self, job: Job) -> asyncio.Semaphore:
        if job.state is JobState.PROCESSING:
            return self._looks
        is_posted = job.awaits_delivery or job.state is JobState.AWAITING_APPROVAL
        return self._posts if is_posted else self._sends

    async def _read_again(self, entry: TrackedJob) -> float | None:
        """Somebody else moved the job, such as a member who cancelled it: go by what its row says."""
        try:
            job = await self._repository.get(entry.job.id)
        except StorageError:
            return self._later(entry)
        entry.unwritten = None
        _log.warning("job is not where it was", job_id=entry.job.id, state=job.state.value if job else "gone")
        if job is None or not job.wants_work:
            return None
        entry.job = job
        return self._later(entry)

    async def _advance(self, entry: TrackedJob) -> float | None:
        """Do the job's next step and return when the one after it is due; None: there is none."""
        if entry.unwritten is None:
            following = await self._next(entry)
            if following is None or isinstance(following, float):
                return following
            entry.unwritten = following
        return await self._write(entry, entry.unwritten)

    async def _next(self, entry: TrackedJob) -> StepResult | None:
        if entry.job.awaits_delivery:
            return await self._teller.step(entry)
        if entry.job.state is JobState.SUBMITTING:
            # Its row says so, but nobody here is sending it, and what the provider said is not known.
            job_id = entry.job.id
            return lambda: self._repository.mark_unconfirmed(job_id, UNCLEAR)
        step = self._step_of(entry.job.state)
        return await step(entry) if step else None

    def _step_of(self, state: JobState) -> Callable[[TrackedJob], Awaitable[StepResult]] | None:
        return {
            JobState.AWAITING_APPROVAL: self._approver.step,
            JobState.QUEUED: self._sender.step,
            JobState.PROCESSING: self._watcher.step,
            JobState.UNCONFIRMED: self._teller.undecided_step,
        }.get(state)

    async def _write(self, entry: TrackedJob, write: PendingWrite) -> float | None:
        """PendingWrite down what happened. What can't be written now stays in memory, and is written later."""
        entry.update(await write())
        entry.unwritten, entry.failures, entry.may_be_posted = None, 0, False
        if entry.job.state is JobState.UNCONFIRMED and not entry.job.awaits_delivery:
            self._undecided.add(entry.job.id)
        if entry.job.state is JobState.QUEUED:
            return self._clock.monotonic()
        if entry.job.state is not JobState.PROCESSING:
            self._discord().show(JobStatus(entry.job))
            return self._clock.monotonic() if entry.job.wants_work else None
        entry.watch = initial_poll_state(entry.job, self._clock)
        self._discord().show(JobStatus(entry.job, entry.watch))
        self._reconsider_undecided()
        return self._watcher.first_look(entry)

    def _reconsider_undecided(self) -> None:
        """The answer to a submission told the account's balance: it may say something about other jobs."""
        for job_id in self._undecided & self._entries.keys():
            self._entries[job_id].wants_hint = True
            self._schedule.put(job_id, self._clock.monotonic())
        self._undecided.clear()

    def _discord(self) -> JobNotifier:
        if self._notifier is None:
            raise RuntimeError("attach a notifier before the first step")
        return self._notifier

    def _later(self, entry: TrackedJob) -> float:
        return entry.later(self._clock.monotonic(), self._min_interval)
