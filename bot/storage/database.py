"""The SQLite file: one writer at a time, many readers, and its migrations."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Self

from sqlalchemy import Connection, event
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from bot.errors import StorageError
from bot.storage.driver import DriverConnection
from bot.storage.files import BUSY_TIMEOUT_SECONDS, make_folder
from bot.storage.inspection import Schema, inspect_file

_CLOSE_SECONDS = 1.0
# Under this key a connection keeps the servers whose pools its transaction has changed.
_CHANGED_POOLS = "changed_pools"
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
        # Of those who are not urgent, one at a time stands in the writer's queue: so it is short for the others.
        self._patient = asyncio.Lock()
        self._uses = 0
        self._unused = asyncio.Event()
        self._closing = False
        self._pool_listeners: list[Callable[[int], None]] = []

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
        # First of all, and without changing anything: merely opening it as usual writes to a file.
        schema = await asyncio.to_thread(inspect_file, path, busy_timeout_seconds=busy_timeout_seconds)
        engine = create_async_engine(
            url,
            pool_size=4,
            max_overflow=0,
            async_creator=lambda: DriverConnection(str(path), busy_timeout_seconds),
        )
        event.listen(engine.sync_engine, "connect", _set_up_connection)
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

    def on_pool_change(self, listener: Callable[[int], None]) -> None:
        """Call `listener` with a server's id after each commit that moved its credits or changed its rules.

        It runs inside of the writer's call, so it must neither block nor raise.
        """
        self._pool_listeners.append(listener)

    async def _end_uses(self) -> None:
        """Let nobody begin, and wait for those under way: a connection in use would outlive the closing."""
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

        Who is cancelled inside takes all of it back; only at the very end may it have been written already.

        Args:
            is_urgent: somebody waits for it: it goes before all but one of those that are not.

        Raises:
            StorageError: the file can't be written.
        """
        changed_pools: set[int] = set()
        with self._in_use(), _database_errors():
            async with nullcontext() if is_urgent else self._patient, self._writer, self._engine.begin() as connection:
                connection.info[_CHANGED_POOLS] = changed_pools
                yield connection
        for guild_id in changed_pools:
            for listener in self._pool_listeners:
                listener(guild_id)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A consistent view for reading.

        Raises:
            StorageError: the file can't be read.
        """
        with self._in_use(), _database_errors():
            async with self._readers.begin() as connection:
                yield connection


def note_pool_change(connection: AsyncConnection, guild_id: int) -> None:
    """Have the listeners of `Database.on_pool_change` called for a server once this transaction is committed."""
    connection.info.setdefault(_CHANGED_POOLS, set()).add(guild_id)


@contextmanager
def _database_errors(context: str = "") -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        # A broken rule of the tables is our own mistake and must stay visible as such.
        if isinstance(error.orig, sqlite3.IntegrityError):
            raise
        raise StorageError(f"{context}{error.orig}") from error
    except PoolTimeoutError as error:
        raise StorageError(f"{context}every connection is busy") from error


def _set_up_connection(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
    del record
    with ExitStack() as stack:
        # The pool drops a connection that could not be set up, and does not close it.
        stack.callback(connection.close)
        # Python's driver would otherwise begin transactions by itself, and later than we need.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            cursor.execute(pragma)
        cursor.close()
        stack.pop_all()


def _begin(connection: Connection) -> None:
    # A writer takes its lock at once: a limit that was read can't change before it is used.
    read_only = connection.get_execution_options().get("read_only", False)
    driver = connection.connection.driver_connection
    if not isinstance(driver, DriverConnection):
        raise TypeError(f"not a connection of this database's driver: {driver!r}")
    driver.begin("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _upgrade(connection: Connection) -> None:
    from bot.storage.upgrade import upgrade  # noqa: PLC0415 - it takes long, and hardly any start needs it

    upgrade(connection)
