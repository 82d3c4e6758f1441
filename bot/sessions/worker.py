"""Takes each creative session through its life, however often the bot is restarted in between.

    started    its thread and card are made        -> open; where Discord allows none, ended
    open       its card follows its numbers        -> ended: by a manager, its time or its budget
    ended      its card waits for its last jobs    -> summarised, and no more of interest

Jobs move in many places, so nothing tells a session of it: while there is one that goes on, the rows are read every
few seconds in one query, and what is to be done follows from them alone. That is also all that a restart needs.
"""

import asyncio
import math
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from bot.backoff import Backoff
from bot.clock import Clock
from bot.errors import DeliveryDelayedError, PlaceRefusedError, StorageError
from bot.jobs.models import Job
from bot.jobs.worker.tracking import TimerQueue
from bot.pools.models import Session
from bot.sessions.models import EndedSession, SessionCard, SessionNotifier, SessionStatus
from bot.sessions.service import SessionService

_log = structlog.get_logger(__name__)

_BETWEEN_ROUNDS_SECONDS = 3.0
_EDITS_PER_ROUND = 6
_STEPS_AT_ONCE = 4
# Discord lets a message older than an hour be edited less often (error 30046); how often it does not say.
_YOUNG_SECONDS = 3000.0
_BETWEEN_LATE_EDITS_SECONDS = 180.0
_BACKOFF = Backoff(first_seconds=2.0, longest_seconds=60.0)
# The one thing in the schedule.
_ROUND = 0
_LONG_AGO = -math.inf


@dataclass(slots=True)
class _TrackedSession:
    """What is known of a session beyond its row.

    Attributes:
        may_be_posted: what it posts next may be there already, as after a restart.
        shown: what its card shows.
        is_stale: its card may name a role that is gone, also one that is being sent just now.
        next_edit_at: before which its card is left alone, as long as the session goes on.
        retry_at: when a step that failed is tried again.
    """

    may_be_posted: bool = False
    shown: SessionStatus | None = None
    is_stale: bool = False
    is_card_gone: bool = False
    next_edit_at: float = _LONG_AGO
    retry_at: float = _LONG_AGO
    failures: int = 0


class SessionWorker:
    """Drives every session. `recover` begins after a start, `run_once` does what is due."""

    def __init__(
        self, service: SessionService, clock: Clock, notifier: SessionNotifier, track: Callable[[Job], None]
    ) -> None:
        """Make a worker that knows no session yet.

        Args:
            service: the sessions.
            clock: the time.
            notifier: the Discord side.
            track: gives the jobs' worker a job that has moved.
        """
        self._service = service
        self._clock = clock
        self._track = track
        self._memories: dict[int, _TrackedSession] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._schedule = TimerQueue(clock)
        self._room = asyncio.Semaphore(_STEPS_AT_ONCE)
        self._notifier = notifier

    async def recover(self) -> None:
        """Take over the sessions of the last process."""
        for status in await self._service.statuses():
            self._memories[status.session.id] = _TrackedSession(may_be_posted=True)
        self.nudge()

    def nudge(self) -> None:
        """Look at the sessions at once."""
        self._schedule.put(_ROUND, self._clock.monotonic())

    def role_gone(self) -> None:
        """Show on the cards who may take part by now."""
        for memory in self._memories.values():
            memory.is_stale = True
        self.nudge()

    async def wait_until_due(self) -> None:
        """Sleep until it is time for a round, or may be."""
        await self._schedule.wait()

    async def run(self) -> None:
        """Wait until something is due, and start it."""
        await self.wait_until_due()
        await self.run_once()

    async def run_once(self) -> None:
        """Begin what is due. Never raises, and waits for nothing at Discord."""
        if not self._schedule.pop_due():
            return
        now = self._clock.now()
        try:
            statuses = await self._service.statuses()
        except StorageError as error:
            _log.error("sessions can't be read", error=str(error))
            self._schedule.put(_ROUND, self._clock.monotonic() + _BETWEEN_ROUNDS_SECONDS)
            return
        self._forget_all_but({status.session.id for status in statuses})
        self._begin_steps(statuses, now)
        self._plan_next(statuses, now)

    async def open(self, session: Session) -> SessionCard | None:
        """Give a session that was just started its thread and card.

        Returns:
            The card; None: Discord allows it not here, so the session is over and its budget is back in the pool.

        Raises:
            DeliveryDelayedError: not possible now; it is tried again by itself.
            StorageError: the same, of the database.
        """
        memory = self._memories.setdefault(session.id, _TrackedSession())
        current = asyncio.current_task()
        if current is not None:
            self._tasks[session.id] = current
        try:
            return await self._open(SessionStatus(session), memory)
        finally:
            self._tasks.pop(session.id, None)
            self.nudge()

    async def end(self, session_id: int, guild_id: int, manager_id: int) -> EndedSession:
        """End a session for a manager. See `SessionService.end`."""
        ending = await self._service.end(session_id, guild_id, manager_id)
        self._ended(ending)
        return ending

    async def give_up(self, session: Session) -> None:
        """End a session whose answer Discord did not take; if that can't be written, go by what is to be found."""
        self.adopt(session)
        self._ended(await self._service.give_up(session.id))

    def adopt(self, session: Session) -> None:
        """Go on with a session whose command could not see to it to the end."""
        self._memories.setdefault(session.id, _TrackedSession()).may_be_posted = True
        self.nudge()

    async def idle(self) -> None:
        """Wait for the steps that are under way."""
        while self._tasks:
            await asyncio.wait(self._tasks.values())

    async def stop(self) -> None:
        """Give up the steps that are under way; the next process takes them up."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _forget_all_but(self, session_ids: set[int]) -> None:
        for session_id in self._memories.keys() - session_ids - self._tasks.keys():
            del self._memories[session_id]

    def _begin_steps(self, statuses: list[SessionStatus], now: datetime) -> None:
        edits = 0
        for status in sorted(statuses, key=self._urgency):
            session_id = status.session.id
            memory = self._memories[session_id]
            if session_id in self._tasks or self._clock.monotonic() < memory.retry_at:
                continue
            if step := self._next_step(status, memory, now):
                self._begin(session_id, memory, step)
            elif edits < _EDITS_PER_ROUND and self._wants_edit(status, memory):
                edits += 1
                self._begin(session_id, memory, self._show(status, memory))

    def _urgency(self, status: SessionStatus) -> tuple[bool, float]:
        """Put what is over first, then whose card was left alone for longest."""
        memory = self._memories.setdefault(status.session.id, _TrackedSession())
        return status.session.ended_at is None, memory.next_edit_at

    def _next_step(
        self, status: SessionStatus, memory: _TrackedSession, now: datetime
    ) -> Coroutine[None, None, object] | None:
        session = status.session
        if session.ended_at is not None:
            return self._close(status, memory) if status.is_settled else None
        if session.thread_id is None:
            # Otherwise its command is just being answered.
            return self._find_thread(session) if memory.may_be_posted else None
        if status.due_end(now):
            return self._end_by_itself(session)
        return self._open(status, memory) if session.card_message_id is None else None

    def _wants_edit(self, status: SessionStatus, memory: _TrackedSession) -> bool:
        if status.session.card_message_id is None or memory.is_card_gone:
            return False
        if status == memory.shown and not memory.is_stale:
            return False
        return status.session.ended_at is not None or self._clock.monotonic() >= memory.next_edit_at

    def _plan_next(self, statuses: list[SessionStatus], now: datetime) -> None:
        if not statuses:
            return
        open_ones = (status.session for status in statuses if status.session.ended_at is None)
        ends = [session.ends_at - now for session in open_ones if session.ends_at is not None and session.ends_at > now]
        # A nudge may have come in the meantime.
        if _ROUND not in self._schedule:
            pause = min([_BETWEEN_ROUNDS_SECONDS, *(left.total_seconds() for left in ends)])
            self._schedule.put(_ROUND, self._clock.monotonic() + pause)

    def _begin(self, session_id: int, memory: _TrackedSession, step: Coroutine[None, None, object]) -> None:
        task = asyncio.create_task(self._carry_out(session_id, memory, step), name=f"session {session_id}")
        self._tasks[session_id] = task
        task.add_done_callback(lambda done: self._done(session_id, memory, done))

    async def _carry_out(self, session_id: int, memory: _TrackedSession, step: Coroutine[None, None, object]) -> None:
        async with self._room:
            try:
                await step
            except (DeliveryDelayedError, StorageError) as error:
                _log.warning("session goes on later", session_id=session_id, error=str(error))
                self._put_off(memory)
            else:
                memory.failures = 0

    def _done(self, session_id: int, memory: _TrackedSession, task: asyncio.Task[None]) -> None:
        self._tasks.pop(session_id, None)
        if task.cancelled():
            return
        if error := task.exception():
            _log.error("session's step failed; it will be tried again", session_id=session_id, exc_info=error)
            self._put_off(memory)
        self.nudge()

    def _put_off(self, memory: _TrackedSession) -> None:
        memory.failures += 1
        memory.retry_at = self._clock.monotonic() + _BACKOFF.pause(memory.failures)

    async def _find_thread(self, session: Session) -> None:
        """Find the answer from which the thread is to be made; where there is none, the session never began."""
        try:
            message_id = await self._notifier.find_answer(session)
        except PlaceRefusedError:
            message_id = None
        if message_id is None:
            _log.warning("session was never announced: it is over", session_id=session.id)
            self._ended(await self._service.give_up(session.id))
        else:
            await self._service.record_thread(session.id, message_id)

    async def _open(self, status: SessionStatus, memory: _TrackedSession) -> SessionCard | None:
        session = status.session
        may_be_posted, memory.may_be_posted = memory.may_be_posted, True
        memory.is_stale = False
        try:
            card = await self._notifier.open(status, may_be_posted=may_be_posted)
        except PlaceRefusedError as error:
            _log.warning("session can't be opened: it is over", session_id=session.id, error=str(error))
            self._ended(await self._service.give_up(session.id))
            return None
        session = await self._service.record_card(session.id, card.message_id)
        # The card shows what was known before; what has changed since is to be seen on the next one.
        known = replace(status.session, thread_id=session.thread_id, card_message_id=session.card_message_id)
        memory.may_be_posted, memory.shown = False, replace(status, session=known)
        return card

    async def _end_by_itself(self, session: Session) -> None:
        self._ended(await self._service.end_by_itself(session.id))

    def _ended(self, ending: EndedSession | None) -> None:
        if ending is None:
            return
        session = ending.status.session
        _log.info("session ended", session_id=session.id, cause=session.end_cause, returned=session.returned)
        for job in ending.expired:
            self._track(job)
        self.nudge()

    async def _show(self, status: SessionStatus, memory: _TrackedSession) -> None:
        memory.shown, memory.is_stale = None, False
        is_young = self._clock.age(status.session.started_at) < _YOUNG_SECONDS
        pause = _BETWEEN_ROUNDS_SECONDS if is_young else _BETWEEN_LATE_EDITS_SECONDS
        memory.next_edit_at = self._clock.monotonic() + pause
        try:
            await self._notifier.show(status)
        except PlaceRefusedError as error:
            _log.info("session's card is gone", session_id=status.session.id, error=str(error))
            memory.is_card_gone = True
        memory.shown = status

    async def _close(self, status: SessionStatus, memory: _TrackedSession) -> None:
        session = status.session
        summary = await self._service.summary(session)
        may_be_posted, memory.may_be_posted = memory.may_be_posted, True
        await self._notifier.close(summary, may_be_posted=may_be_posted)
        await self._service.record_summary(session.id)
        _log.info("session summarised", session_id=session.id, videos=summary.videos, spent=summary.session.spent)
