"""Creative sessions as managers and the worker use them; each method is one transaction."""

from collections.abc import Callable, Collection
from dataclasses import replace

from bot.clock import Clock
from bot.codes import Refusal
from bot.errors import RefusedError
from bot.jobs.validation import LOWEST_PRICE
from bot.pools.models import PoolSettings, Session, SessionEnd, SessionPlan
from bot.pools.queries import read_session, read_session_in, require_pool
from bot.pools.rules.input_checks import Unit, check_credits, check_whole, clean_reason
from bot.sessions.models import EndedSession, SessionStatus, Summary
from bot.sessions.queries import finish_session, read_jobs_of, read_session_status, read_session_statuses
from bot.sessions.repository import note_session, open_sessions, start_session
from bot.storage.database import Database

MAX_MINUTES = 24 * 60
"""The longest duration of a session, in minutes."""

MAX_TITLE = 100
"""Discord's limit for the name of a thread, in characters."""


class SessionService:
    """Creative sessions in the database. It never waits for the network."""

    def __init__(self, database: Database, clock: Clock, settings: PoolSettings) -> None:
        """Make the service.

        Args:
            database: the bot's.
            clock: the time.
            settings: the operator's; a new pool gets its starting credits.
        """
        self._database = database
        self._clock = clock
        self._settings = settings

    def on_change(self, listener: Callable[[int], None]) -> None:
        """See `Database.on_session_change`."""
        self._database.on_session_change(listener)

    async def start(self, plan: SessionPlan) -> Session:
        """Start a session: its budget is set aside from the pool.

        Raises:
            RefusedError: SERVER_NOT_APPROVED; a number or the title can't be used, the pool has too few credits, or
                this command has started a session already.
            StorageError: the database can't be written.
        """
        check_credits(plan.budget, least=LOWEST_PRICE)
        if plan.minutes is not None:
            check_whole(plan.minutes, 1, MAX_MINUTES, Unit.MINUTES)
        title = clean_reason(plan.title[:MAX_TITLE])
        now = self._clock.now()
        async with self._database.transaction() as connection:
            pool = await require_pool(connection, plan.guild_id, self._settings, now)
            return await start_session(connection, pool, replace(plan, title=title), now)

    async def end(self, session_id: int, guild_id: int, manager_id: int) -> EndedSession:
        """End a session of a server: what is left of its budget goes back to the pool.

        Args:
            session_id: of the session.
            guild_id: of the server in which it is ended.
            manager_id: of the member who ends it.

        Raises:
            RefusedError: it has ended before, or is not one of this server's.
            StorageError: the database can't be written.
        """
        async with self._database.transaction() as connection:
            session = await read_session(connection, session_id)
            if session is None or session.guild_id != guild_id:
                raise RefusedError(Refusal.SESSION_UNKNOWN)
            ended = await finish_session(
                connection, session_id, SessionEnd.COMMAND, self._clock.now(), ended_by=manager_id
            )
        if ended is None:
            raise RefusedError(Refusal.SESSION_ENDED_ALREADY, ended_by=session.ended_by, ended_at=session.ended_at)
        return ended

    async def end_by_itself(self, session_id: int, *, is_time_over: bool) -> EndedSession | None:
        """End a session whose time is over or whose budget is used up; None: it goes on, or had ended before.

        Raises:
            StorageError: the database can't be written.
        """
        now = self._clock.now()
        async with self._database.transaction() as connection:
            status = await read_session_status(connection, session_id)
            cause = status.due_end(is_time_over=is_time_over) if status else None
            return await finish_session(connection, session_id, cause, now) if cause else None

    async def give_up(self, session_id: int) -> EndedSession | None:
        """End a session that can't be opened at Discord; None: it had ended before.

        Raises:
            StorageError: the database can't be written.
        """
        async with self._database.transaction() as connection:
            return await finish_session(connection, session_id, SessionEnd.FAILURE, self._clock.now())

    async def open_in(self, guild_id: int) -> list[Session]:
        """Return a server's open sessions, the newest first."""
        async with self._database.reading() as connection:
            return await open_sessions(connection, guild_id)

    async def in_thread(self, thread_id: int) -> Session | None:
        """Return the session that a thread belongs to, open or ended."""
        async with self._database.reading() as connection:
            return await read_session_in(connection, thread_id)

    async def statuses(self, session_ids: Collection[int] | None = None) -> list[SessionStatus]:
        """Return the statuses of sessions whose summary has not been posted, the oldest first; None: of all of them.

        Raises:
            StorageError: the database can't be read.
        """
        async with self._database.reading() as connection:
            return await read_session_statuses(connection, session_ids)

    async def summary(self, session: Session) -> Summary:
        """Return a session with its jobs, as they are now."""
        async with self._database.reading() as connection:
            current = await read_session(connection, session.id)
            return Summary(current or session, tuple(await read_jobs_of(connection, session.id)))

    async def record_thread(self, session_id: int, thread_id: int) -> Session:
        """Record the thread of a session: the id of the message that it is made from."""
        return await self._note(session_id, thread_id=thread_id)

    async def record_card(self, session_id: int, message_id: int) -> Session:
        """Record the card of a session."""
        return await self._note(session_id, card_message_id=message_id)

    async def record_summary(self, session_id: int) -> Session:
        """Record that the summary of a session was posted."""
        async with self._database.transaction() as connection:
            return await note_session(connection, session_id, summarised_at=self._clock.now())

    async def _note(self, session_id: int, **ids: int) -> Session:
        async with self._database.transaction() as connection:
            return await note_session(connection, session_id, **ids)
