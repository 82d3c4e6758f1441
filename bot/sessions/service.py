"""What managers do with creative sessions, and what becomes of these by themselves; each step in one transaction."""

from dataclasses import replace

from bot.clock import Clock
from bot.codes import Refusal
from bot.errors import RefusedError
from bot.jobs.validation import LOWEST_PRICE
from bot.pools.models import PoolSettings, Session, SessionEnd, SessionPlan
from bot.pools.queries import open_pool, read_session, read_session_in
from bot.pools.rules.input_checks import Unit, check_credits, check_whole, clean_reason
from bot.sessions.models import EndedSession, SessionStatus, Summary
from bot.sessions.queries import finish_session, read_jobs_of, read_session_status, read_session_statuss
from bot.sessions.repository import note_session, open_sessions, start_session
from bot.storage.database import Database

MAX_MINUTES = 24 * 60
"""How long a session may be planned for."""

MAX_TITLE = 100
"""Discord's limit for the name of a thread, in characters."""


_TITLE = "Creative session"


class SessionService:
    """Creative sessions. It answers from the database alone and never waits for the network."""

    def __init__(self, database: Database, clock: Clock, terms: PoolSettings) -> None:
        self._database = database
        self._clock = clock
        self._terms = terms

    async def start(self, plan: SessionPlan) -> Session:
        """Start a session: its budget is set aside from the pool.

        Raises:
            RefusedError: a number can't be used, the pool has too few credits, or it was started already.
            StorageError: the database can't be written.
        """
        check_credits(plan.budget, least=LOWEST_PRICE)
        if plan.minutes is not None:
            check_whole(plan.minutes, 1, MAX_MINUTES, Unit.MINUTES)
        title = clean_reason(plan.title[:MAX_TITLE], is_needed=False) or _TITLE
        now = self._clock.now()
        async with self._database.transaction() as connection:
            pool = await open_pool(connection, plan.guild_id, self._terms.starting_credits, now)
            return await start_session(connection, pool, replace(plan, title=title), now)

    async def end(self, session_id: int, guild_id: int, manager_id: int) -> EndedSession:
        """End a session of a server's: what is left of its budget goes back to the pool.

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
            ending = await finish_session(
                connection, session_id, SessionEnd.COMMAND, self._clock.now(), ended_by=manager_id
            )
        if ending is None:
            raise RefusedError(Refusal.SESSION_ENDED_ALREADY, ended_by=session.ended_by, ended_at=session.ended_at)
        return ending

    async def end_by_itself(self, session_id: int) -> EndedSession | None:
        """End a session whose time or budget is used up; None: that is not so (any more)."""
        now = self._clock.now()
        async with self._database.transaction() as connection:
            status = await read_session_status(connection, session_id)
            cause = status.due_end(now) if status else None
            return await finish_session(connection, session_id, cause, now) if cause else None

    async def give_up(self, session_id: int) -> EndedSession | None:
        """End a session that can't be opened at Discord; None: it has ended before."""
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

    async def statuses(self) -> list[SessionStatus]:
        """Return how every session is doing whose summary has not been posted, the oldest first."""
        async with self._database.reading() as connection:
            return await read_session_statuss(connection)

    async def summary(self, session: Session) -> Summary:
        """Return what came of a session, as it is now."""
        async with self._database.reading() as connection:
            current = await read_session(connection, session.id)
            return Summary(current or session, tuple(await read_jobs_of(connection, session.id)))

    async def record_thread(self, session_id: int, thread_id: int) -> Session:
        """Remember the thread of a session: the id of the message that it is made from."""
        return await self._note(session_id, thread_id=thread_id)

    async def record_card(self, session_id: int, message_id: int) -> Session:
        """Remember the card of a session."""
        return await self._note(session_id, card_message_id=message_id)

    async def record_summary(self, session_id: int) -> Session:
        """Remember that what came of a session was posted."""
        async with self._database.transaction() as connection:
            return await note_session(connection, session_id, summarised_at=self._clock.now())

    async def _note(self, session_id: int, **ids: int) -> Session:
        async with self._database.transaction() as connection:
            return await note_session(connection, session_id, **ids)
