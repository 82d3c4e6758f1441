"""Drives each creative session, however often the bot is restarted in between.

    started    its thread and card are made          -> open; where Discord allows none, ended
    open       its card follows its numbers          -> ended: by a manager, its time or its budget
    ended      its card waits for its last results   -> summarised: done

A session's status is read when something has changed (`Database.on_session_change`), when its time is over, or when a
step that failed is due again. What is to be done follows from the status alone, also after a restart.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace

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

# However much happens in a session, its status is read and its card edited no more often.
_INTERVAL_SECONDS = 3.0
# Of all cards together.
_EDITS_PER_INTERVAL = 6
_STEPS_AT_ONCE = 4
# Discord lets a message older than an hour be edited less often (error 30046); how often it does not say.
_YOUNG_SECONDS = 3000.0
_LATE_INTERVAL_SECONDS = 180.0
_BACKOFF = Backoff(first_seconds=2.0, longest_seconds=60.0)
_LONG_AGO = -math.inf


@dataclass(slots=True)
class _TrackedSession:
    """What is known of a session beyond its row. Times are monotonic.

    Attributes:
        may_be_posted: its next post may exist already, as after a restart.
        shown: what its card shows.
        is_stale: its card may name a role that was deleted, perhaps while it was being sent.
        ends_at: when its time is over; as a monotonic time, no step of the machine's clock changes it.
        read_at: when its status was last read.
        next_edit_at: when its card may be edited again, as long as the session is open.
        retry_at: when a step that failed is tried again.
    """

    may_be_posted: bool = False
    ends_at: float | None = None
    shown: SessionStatus | None = None
    is_stale: bool = False
    is_card_gone: bool = False
    read_at: float = _LONG_AGO
    next_edit_at: float = _LONG_AGO
    retry_at: float = _LONG_AGO
    failures: int = 0


class SessionWorker:
    """Drives every session. `recover` begins after a start, `run_once` does what is due."""

    def __init__(
        self, service: SessionService, clock: Clock, notifier: SessionNotifier, track: Callable[[Job], None]
    ) -> None:
        """Make a worker without sessions, which is notified of each change from now on.

        Args:
            service: the sessions.
            clock: the time.
            notifier: the Discord side.
            track: passes a job whose state has changed to the jobs' worker.
        """
        self._service = service
        self._clock = clock
        self._notifier = notifier
        self._track = track
        self._tracked: dict[int, _TrackedSession] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._timers = TimerQueue(clock)
        self._step_slots = asyncio.Semaphore(_STEPS_AT_ONCE)
        # When the last edits began.
        self._edits: deque[float] = deque(maxlen=_EDITS_PER_INTERVAL)
        service.on_change(self._changed)

    async def recover(self) -> None:
        """Continue with the sessions of the last process.

        Raises:
            StorageError: they can't be read.
        """
        statuses = await self._service.statuses()
        for status in statuses:
            self._tracked[status.session.id] = _TrackedSession(may_be_posted=True)
        self._begin_steps(statuses)

    def role_gone(self) -> None:
        """Update the cards, as one may name a role that was deleted."""
        for session_id, tracked in self._tracked.items():
            tracked.is_stale = True
            self._nudge(session_id)

    async def run(self) -> None:
        """Wait until something is due, and begin it."""
        await self._timers.wait()
        await self.run_once()

    async def run_once(self) -> None:
        """Begin what is due. Never raises, and does not wait for Discord."""
        due = self._timers.pop_due()
        if not due:
            return
        try:
            statuses = await self._service.statuses(due)
        except StorageError as error:
            _log.error("sessions can't be read", error=str(error))
            for session_id in due:
                self._timers.put_if_earlier(session_id, self._clock.monotonic() + _INTERVAL_SECONDS)
            return
        for session_id in set(due) - {status.session.id for status in statuses} - self._tasks.keys():
            self._tracked.pop(session_id, None)
        self._begin_steps(statuses)

    async def open(self, session: Session) -> SessionCard | None:
        """Make the thread and the card of a session that was just started.

        Returns:
            The card; None: Discord refuses it here, so the session has ended and its budget is back in the pool.

        Raises:
            DeliveryDelayedError: not possible now; the worker tries it again.
            StorageError: the same, of the database.
        """
        tracked = self._tracked.setdefault(session.id, _TrackedSession())
        current = asyncio.current_task()
        if current is not None:
            self._tasks[session.id] = current
        try:
            return await self._open(SessionStatus(session), tracked)
        finally:
            self._tasks.pop(session.id, None)
            self._nudge(session.id)

    async def end(self, session_id: int, guild_id: int, manager_id: int) -> EndedSession:
        """End a session for a manager.

        Args:
            session_id: of the session.
            guild_id: of the server in which it is ended.
            manager_id: of the member who ends it.

        Raises:
            RefusedError: it has ended before, or is not one of this server's.
            StorageError: the database can't be written.
        """
        ended = await self._service.end(session_id, guild_id, manager_id)
        self._ended(ended)
        return ended

    async def give_up(self, session: Session) -> None:
        """End a session whose answer Discord did not accept.

        Raises:
            StorageError: the database can't be written; the worker searches for the answer and decides by that.
        """
        self.adopt(session)
        self._ended(await self._service.give_up(session.id))

    def adopt(self, session: Session) -> None:
        """Continue with a session whose command could not finish opening it."""
        self._tracked.setdefault(session.id, _TrackedSession()).may_be_posted = True
        self._nudge(session.id)

    async def idle(self) -> None:
        """Wait for the steps that are under way."""
        while self._tasks:
            await asyncio.wait(self._tasks.values())

    async def stop(self) -> None:
        """Cancel the steps that are under way; the next process repeats them."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _nudge(self, session_id: int) -> None:
        self._timers.put(session_id, self._clock.monotonic())

    def _changed(self, session_id: int) -> None:
        """Read a session's status soon, since a commit has changed it."""
        tracked = self._tracked.setdefault(session_id, _TrackedSession())
        self._timers.put_if_earlier(session_id, max(self._clock.monotonic(), tracked.read_at + _INTERVAL_SECONDS))

    def _begin_steps(self, statuses: list[SessionStatus]) -> None:
        """Begin each session's next step, or plan when to check it again."""
        now = self._clock.monotonic()
        for status in sorted(statuses, key=self._urgency):
            session_id = status.session.id
            tracked = self._tracked[session_id]
            tracked.read_at = now
            if session_id in self._tasks:
                continue
            if tracked.ends_at is None:
                tracked.ends_at = self._end_of(status.session)
            if status.session.ended_at is None and now < tracked.ends_at < math.inf:
                self._timers.put_if_earlier(session_id, tracked.ends_at)
            if now < tracked.retry_at:
                self._timers.put_if_earlier(session_id, tracked.retry_at)
            elif step := self._next_step(status, tracked):
                self._begin(session_id, tracked, step)
            elif self._needs_edit(status, tracked):
                self._edit_card(status, tracked, now)

    def _end_of(self, session: Session) -> float:
        """Return the monotonic time at which a session's time is over; infinite if it has no end."""
        if session.ends_at is None:
            return math.inf
        length = (session.ends_at - session.started_at).total_seconds()
        return self._clock.monotonic() + length - self._clock.age(session.started_at)

    def _urgency(self, status: SessionStatus) -> tuple[bool, float]:
        """Sort ended sessions first, then by how long ago their cards were edited."""
        tracked = self._tracked.setdefault(status.session.id, _TrackedSession())
        return status.session.ended_at is None, tracked.next_edit_at

    def _next_step(self, status: SessionStatus, tracked: _TrackedSession) -> Coroutine[None, None, object] | None:
        session = status.session
        if session.ended_at is not None:
            return self._close(status, tracked) if status.is_settled else None
        if session.thread_id is None:
            # Otherwise its command is being answered right now.
            return self._find_thread(session) if tracked.may_be_posted else None
        is_time_over = tracked.ends_at is not None and self._clock.monotonic() >= tracked.ends_at
        if status.due_end(is_time_over=is_time_over):
            return self._end_by_itself(session, is_time_over=is_time_over)
        return self._open(status, tracked) if session.card_message_id is None else None

    def _needs_edit(self, status: SessionStatus, tracked: _TrackedSession) -> bool:
        if status.session.card_message_id is None or tracked.is_card_gone:
            return False
        return status != tracked.shown or tracked.is_stale

    def _edit_card(self, status: SessionStatus, tracked: _TrackedSession, now: float) -> None:
        """Begin to edit a card, or plan it for when that is allowed."""
        allowed_at = tracked.next_edit_at if status.session.ended_at is None else _LONG_AGO
        if len(self._edits) == _EDITS_PER_INTERVAL:
            allowed_at = max(allowed_at, self._edits[0] + _INTERVAL_SECONDS)
        if now < allowed_at:
            self._timers.put_if_earlier(status.session.id, allowed_at)
            return
        self._edits.append(now)
        self._begin(status.session.id, tracked, self._show(status, tracked))

    def _begin(self, session_id: int, tracked: _TrackedSession, step: Coroutine[None, None, object]) -> None:
        task = asyncio.create_task(self._carry_out(session_id, tracked, step), name=f"session {session_id}")
        self._tasks[session_id] = task
        task.add_done_callback(lambda done: self._done(session_id, tracked, done))

    async def _carry_out(self, session_id: int, tracked: _TrackedSession, step: Coroutine[None, None, object]) -> None:
        async with self._step_slots:
            try:
                await step
            except (DeliveryDelayedError, StorageError) as error:
                _log.warning("session's step is delayed", session_id=session_id, error=str(error))
                self._put_off(tracked)
            else:
                tracked.failures = 0

    def _done(self, session_id: int, tracked: _TrackedSession, task: asyncio.Task[None]) -> None:
        self._tasks.pop(session_id, None)
        if task.cancelled():
            return
        if error := task.exception():
            _log.error("session's step failed; it will be tried again", session_id=session_id, exc_info=error)
            self._put_off(tracked)
        self._nudge(session_id)

    def _put_off(self, tracked: _TrackedSession) -> None:
        tracked.failures += 1
        tracked.retry_at = self._clock.monotonic() + _BACKOFF.pause(tracked.failures)

    async def _find_thread(self, session: Session) -> None:
        """Find the answer from which the thread is made; without one the session never began."""
        try:
            message_id = await self._notifier.find_answer(session)
        except PlaceRefusedError:
            message_id = None
        if message_id is None:
            _log.warning("session was never announced: it has ended", session_id=session.id)
            self._ended(await self._service.give_up(session.id))
        else:
            await self._service.record_thread(session.id, message_id)

    async def _open(self, status: SessionStatus, tracked: _TrackedSession) -> SessionCard | None:
        session = status.session
        may_be_posted, tracked.may_be_posted = tracked.may_be_posted, True
        tracked.is_stale = False
        try:
            card = await self._notifier.open(status, may_be_posted=may_be_posted)
        except PlaceRefusedError as error:
            _log.warning("session can't be opened: it has ended", session_id=session.id, error=str(error))
            self._ended(await self._service.give_up(session.id))
            return None
        session = await self._service.record_card(session.id, card.message_id)
        # The card shows what was known before; what has changed since then follows with the next edit.
        known = replace(status.session, thread_id=session.thread_id, card_message_id=session.card_message_id)
        tracked.may_be_posted, tracked.shown = False, replace(status, session=known)
        return card

    async def _end_by_itself(self, session: Session, *, is_time_over: bool) -> None:
        self._ended(await self._service.end_by_itself(session.id, is_time_over=is_time_over))

    def _ended(self, ended: EndedSession | None) -> None:
        if ended is None:
            return
        session = ended.status.session
        _log.info("session ended", session_id=session.id, cause=session.end_cause, returned=session.returned)
        for job in ended.expired:
            self._track(job)
        self._nudge(session.id)

    async def _show(self, status: SessionStatus, tracked: _TrackedSession) -> None:
        tracked.shown, tracked.is_stale = None, False
        is_young = self._clock.age(status.session.started_at) < _YOUNG_SECONDS
        pause = _INTERVAL_SECONDS if is_young else _LATE_INTERVAL_SECONDS
        tracked.next_edit_at = self._clock.monotonic() + pause
        try:
            await self._notifier.show(status)
        except PlaceRefusedError as error:
            _log.info("session's card is gone", session_id=status.session.id, error=str(error))
            tracked.is_card_gone = True
        tracked.shown = status

    async def _close(self, status: SessionStatus, tracked: _TrackedSession) -> None:
        session = status.session
        summary = await self._service.summary(session)
        may_be_posted, tracked.may_be_posted = tracked.may_be_posted, True
        await self._notifier.close(summary, may_be_posted=may_be_posted)
        await self._service.record_summary(session.id)
        _log.info("session summarised", session_id=session.id, videos=summary.videos, spent=summary.session.spent)
