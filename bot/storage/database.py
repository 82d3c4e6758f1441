"""The SQLite file: one writer at a time, many readers, and its migrations.

aiosqlite runs SQLite in a thread of its own and switches to it for every call: to open a cursor, to execute, to fetch,
to close, and to roll back what is already committed. On a busy loop each switch waits for the interpreter. Here a
statement takes one switch for all of that, and `BEGIN` is executed in the switch of the transaction's first statement.
"""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

import aiosqlite
import structlog
from aiosqlite.context import Result
from sqlalchemy import ColumnElement, Connection, RowMapping, Select, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bot.errors import StorageError
from bot.storage.files import BUSY_TIMEOUT_SECONDS, make_folder, make_private
from bot.storage.inspection import Schema, inspect_file

if TYPE_CHECKING:
    from sqlite3 import _Parameters

_log = structlog.get_logger(__name__)

_Value = TypeVar("_Value")
# A time, a list of ids or a policy that is none, or a word that no version had.
_UNREADABLE = (ValueError, TypeError, LookupError)
_CLOSE_SECONDS = 1.0
# Under these keys a connection keeps the ids of what its transaction has changed.
_CHANGED_POOLS = "changed_pools"
_CHANGED_SESSIONS = "changed_sessions"
_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    # A commit must outlive a power cut: a request is only paid after its row is on the disk.
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
)


class Database:
    """The bot's database. Use `transaction()` to write and `reading()` to read."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._readers = engine.execution_options(read_only=True)
        # SQLite has one writer; waiting here is fair and does not block its thread.
        self._writer = asyncio.Lock()
        # Only one that is not urgent waits for the writer at a time, so that urgent ones overtake the rest.
        self._not_urgent = asyncio.Lock()
        self._uses = 0
        self._unused = asyncio.Event()
        self._closing = False
        self._listeners: dict[str, list[Callable[[int], None]]] = {_CHANGED_POOLS: [], _CHANGED_SESSIONS: []}

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, *, busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS) -> AsyncIterator[Self]:
        """Open the file at `url`, bring its tables up to date, and close it at the end.

        Args:
            url: the file's, as SQLAlchemy writes it.
            busy_timeout_seconds: how long to wait for a lock that another process has.

        Raises:
            StorageError: it can't be opened, is damaged, or was written by a newer version.
        """
        path = Path(make_url(url).database or "")
        make_folder(path)
        # Before anything else, and read only: opening a database as usual writes to it.
        schema = await asyncio.to_thread(inspect_file, path, busy_timeout_seconds=busy_timeout_seconds)
        make_private(path)
        ending: set[asyncio.Future[Any]] = set()
        engine = create_async_engine(
            url,
            pool_size=4,
            max_overflow=0,
            async_creator=partial(_Thread.connect, path, busy_timeout_seconds, ending),
        )
        event.listen(engine.sync_engine, "begin", _begin)
        try:
            with _database_errors(f"can't open the database {path}: "):
                async with engine.begin() as connection:
                    if schema is not Schema.CURRENT:
                        await connection.run_sync(_upgrade)
                    # SQLite lets a write transaction begin on a file that may only be read: ask now, and not with
                    # the first job.
                    await connection.exec_driver_sql("UPDATE alembic_version SET version_num = version_num")
            database = cls(engine)
            try:
                yield database
            finally:
                await database._end_uses()
        finally:
            await engine.dispose()
            # SQLAlchemy does not wait for connections whose statement was cancelled.
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    while ending:
                        await asyncio.wait(ending)

    def on_pool_change(self, listener: Callable[[int], None]) -> None:
        """Call `listener` with a server's id after each commit that moved its credits or changed its rules.

        It runs inside of the writer's call, so it must neither block nor raise.
        """
        self._listeners[_CHANGED_POOLS].append(listener)

    def on_session_change(self, listener: Callable[[int], None]) -> None:
        """Call `listener` with a creative session's id after each commit that changed it, its credits or its jobs.

        It runs inside of the writer's call, so it must neither block nor raise.
        """
        self._listeners[_CHANGED_SESSIONS].append(listener)

    async def _end_uses(self) -> None:
        """Refuse new uses and wait for the current ones: a connection in use would stay open."""
        self._closing = True
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                while self._uses:
                    self._unused.clear()
                    await self._unused.wait()

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        if self._closing:
            raise StorageError("the database is being closed")
        self._uses += 1
        try:
            yield
        finally:
            self._uses -= 1
            self._unused.set()

    @asynccontextmanager
    async def transaction(self, *, is_urgent: bool = False) -> AsyncIterator[AsyncConnection]:
        """One write transaction: all of it happens or none. Do not await the network inside.

        If the task is cancelled inside, everything is rolled back, unless the commit has already been sent.

        Args:
            is_urgent: a member waits for it: it overtakes all transactions that are not urgent but one.

        Raises:
            StorageError: the file can't be written.
        """
        changes: dict[str, set[int]] = {key: set() for key in self._listeners}
        with self._in_use(), _database_errors():
            async with (
                nullcontext() if is_urgent else self._not_urgent,
                self._writer,
                self._engine.begin() as connection,
            ):
                connection.info.update(changes)
                yield connection
        for key, changed_ids in changes.items():
            for changed_id in changed_ids:
                for listener in self._listeners[key]:
                    listener(changed_id)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A consistent view for reading.

        Raises:
            StorageError: the file can't be read.
        """
        with self._in_use(), _database_errors():
            async with self._readers.begin() as connection:
                yield connection


async def read_each(
    connection: AsyncConnection,
    query: Select[Any],
    key: ColumnElement[int],
    read: Callable[[RowMapping], _Value],
    parameters: Mapping[str, object] | None = None,
) -> list[_Value]:
    """Read every row of a query; those that can't be read are left out, with an error in the log.

    Args:
        connection: inside a transaction.
        query: selects the rows.
        key: which column names a row.
        read: returns what a row describes.
        parameters: of the query.
    """
    try:
        return [read(row) for row in (await connection.execute(query, parameters)).mappings()]
    except _UNREADABLE:
        # Also a value that SQLAlchemy itself can't read, which ends all rows.
        keys = (await connection.execute(query.with_only_columns(key), parameters)).scalars().all()
    found = []
    for each in keys:
        try:
            row = (await connection.execute(query.where(key == each), parameters)).mappings().one()
            found.append(read(row))
        except _UNREADABLE as error:
            _log.error(
                "row can't be read and is left out", key=f"{key} {each}", error=f"{type(error).__name__}: {error}"
            )
    return found


def note_pool_change(connection: AsyncConnection, guild_id: int) -> None:
    """Have the listeners of `Database.on_pool_change` called for a server once this transaction is committed."""
    connection.info.setdefault(_CHANGED_POOLS, set()).add(guild_id)


def note_session_change(connection: AsyncConnection, session_id: int | None) -> None:
    """Have the listeners of `Database.on_session_change` called once this transaction is committed."""
    if session_id is not None:
        connection.info.setdefault(_CHANGED_SESSIONS, set()).add(session_id)


@contextmanager
def _database_errors(context: str = "") -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        # A broken constraint is an error of our own code and must stay visible as one.
        if isinstance(error.orig, sqlite3.IntegrityError):
            raise
        raise StorageError(f"{context}{error.orig}") from error
    except PoolTimeoutError as error:
        raise StorageError(f"{context}every connection is busy") from error


def _begin(connection: Connection) -> None:
    # A write transaction locks the file at once: a limit that was read can't change before it is used.
    read_only = connection.get_execution_options().get("read_only", False)
    thread = connection.connection.driver_connection
    if not isinstance(thread, _Thread):
        raise TypeError(f"not a connection of this database: {thread!r}")
    thread.begin("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _upgrade(connection: Connection) -> None:
    from bot.storage.upgrade import upgrade  # noqa: PLC0415 - it takes long, and hardly any start needs it

    upgrade(connection)


class _First(str):
    """A transaction's first statement, with the one that begins the transaction."""

    __slots__ = ("begin",)

    begin: str


class _Connection(sqlite3.Connection):
    """SQLite's connection in aiosqlite's thread: it begins a transaction with the first statement."""

    def execute(self, sql: str, parameters: "_Parameters" = ()) -> sqlite3.Cursor:
        if isinstance(sql, _First):
            self.cursor().execute(sql.begin)
        return self.cursor(_Fetched).execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable["_Parameters"]) -> sqlite3.Cursor:
        if isinstance(sql, _First):
            self.cursor().execute(sql.begin)
        return self.cursor().executemany(sql, parameters)


class _Fetched(sqlite3.Cursor):
    def fetchall(self) -> list[Any]:
        """Return this cursor and its rows, so that aiosqlite's `execute_fetchall` returns both in one switch."""
        return [self, super().fetchall()]


class _Thread(aiosqlite.Connection):
    """aiosqlite's connection, for the `async_creator` of `create_async_engine`."""

    def __init__(self, path: Path, busy_timeout_seconds: float, ending: set[asyncio.Future[Any]]) -> None:
        super().__init__(partial(self._open, path, busy_timeout_seconds), iter_chunk_size=1)
        self._ending = ending
        # What begins a transaction that has no statement yet, and whether one may have begun.
        self._begin: str | None = None
        self._is_begun = False

    @classmethod
    async def connect(cls, path: Path, busy_timeout_seconds: float, ending: set[asyncio.Future[Any]]) -> Self:
        """Return an open connection whose thread does not keep the process from ending, even if a statement hangs.

        A thread is a daemon if the thread that creates it is one (`threading.Thread.daemon`).

        Args:
            path: of the database.
            busy_timeout_seconds: how long to wait for a lock that another process has.
            ending: gets what is still to end before the connection is closed.

        Raises:
            CancelledError: the task was cancelled; the connection is closed as soon as it is open.
        """
        created: list[Self] = []
        creator = threading.Thread(target=lambda: created.append(cls(path, busy_timeout_seconds, ending)), daemon=True)
        creator.start()
        creator.join()
        thread = created[0]
        opening = asyncio.ensure_future(thread)
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:
            # aiosqlite would forget the connection that its thread is opening.
            _keep(opening, ending)
            opening.add_done_callback(lambda _: opening.exception() or thread.stop())
            raise
        return thread

    def stop(self) -> asyncio.Future[Any] | None:
        """Close the connection and end its thread, without waiting for it."""
        stopped = super().stop()
        if stopped is not None:
            _keep(stopped, self._ending)
        return stopped

    def _open(self, path: Path, busy_timeout_seconds: float) -> sqlite3.Connection:
        with ExitStack() as stack:
            # Without an isolation level Python's driver begins no transactions by itself.
            connection = sqlite3.connect(path, timeout=busy_timeout_seconds, isolation_level=None, factory=_Connection)
            stack.callback(connection.close)
            for pragma in _PRAGMAS:
                connection.execute(pragma)
            # For cursors that have not executed anything: only this thread can create one.
            self.unused_cursor = connection.cursor()
            stack.pop_all()
        return connection

    def cursor(self) -> Result[aiosqlite.Cursor]:
        """Return a cursor without switching to the thread."""
        return Result(self._new_cursor())

    async def _new_cursor(self) -> aiosqlite.Cursor:
        return _Cursor(self)

    def begin(self, sql: str) -> None:
        """Begin a transaction with this statement, together with the first one that follows."""
        self._begin = sql

    def with_begin(self, sql: str) -> str:
        """Return the statement with what begins its transaction, if it is the first one.

        Call this before the switch to the thread: if that is cancelled, the statement may have been executed.
        """
        if self._begin is None:
            return sql
        first = _First(sql)
        first.begin, self._begin, self._is_begun = self._begin, None, True
        return first

    async def commit(self) -> None:
        """Commit, unless nothing was executed."""
        self._begin = None
        if self._is_begun:
            await super().commit()
        self._is_begun = False

    async def rollback(self) -> None:
        """Roll back, if something was executed; the pool calls this after every commit as well."""
        self._begin = None
        if self._is_begun:
            await super().rollback()
        self._is_begun = False


def _keep(future: asyncio.Future[Any], futures: set[asyncio.Future[Any]]) -> None:
    """Keep a future in the set until it is done."""
    futures.add(future)
    future.add_done_callback(futures.discard)


class _Cursor(aiosqlite.Cursor):
    """A cursor that has its rows as soon as it has executed."""

    def __init__(self, thread: _Thread) -> None:
        super().__init__(thread, thread.unused_cursor)
        self._thread = thread
        self._executed: sqlite3.Cursor | aiosqlite.Cursor = thread.unused_cursor
        self._rows: list[Any] = []

    async def execute(self, sql: str, parameters: Iterable[Any] | None = None) -> Self:
        """Execute a statement and fetch its rows."""
        executed = await self._thread.execute_fetchall(self._thread.with_begin(sql), parameters or ())
        self._executed, self._rows = cast("tuple[sqlite3.Cursor, list[Any]]", executed)
        return self

    async def executemany(self, sql: str, parameters: Iterable[Iterable[Any]]) -> Self:
        """Execute a statement once for each of several rows of values."""
        self._executed = await self._thread.executemany(self._thread.with_begin(sql), parameters)
        return self

    async def fetchall(self) -> Iterable[Any]:
        """Return the rows, once."""
        rows, self._rows = self._rows, []
        return rows

    @property
    def description(self) -> tuple[tuple[str, None, None, None, None, None, None], ...]:
        """The columns, as `sqlite3.Cursor.description`."""
        return self._executed.description

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""
        return self._executed.rowcount

    @property
    def lastrowid(self) -> int | None:
        """The id of the row that was inserted last."""
        return self._executed.lastrowid

    async def close(self) -> None:
        """Do nothing: there is nothing open."""
