"""SQLite beside the event loop, with few hops between its thread and the loop's.

`aiosqlite` goes to its thread and back for every call: to open a cursor, to execute, to fetch, to close, and to roll
back what is committed already. On a busy loop, each way waits for the interpreter to change threads. Here a statement
is one hop with all that belongs to it, and a transaction begins in the hop of its first statement.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Self

import aiosqlite
from aiosqlite.context import Result

_Done = tuple[sqlite3.Cursor, list[Any]]
"""A cursor that has executed, and its rows."""


class DriverConnection(aiosqlite.Connection):
    """A connection for the `async_creator` of `create_async_engine`.

    Args:
        path: the file's.
        busy_timeout_seconds: how long to wait for a lock that another process has.
    """

    def __init__(self, path: str, busy_timeout_seconds: float) -> None:
        super().__init__(partial(self._open, path, busy_timeout_seconds), iter_chunk_size=1)
        # A process that ends waits for no statement that hangs.
        self._thread.daemon = True
        self._hop: Callable[..., Awaitable[_Done]] = self._execute
        # How a transaction begins that has no statement yet, and whether one may have begun.
        self._beginning: str | None = None
        self._is_begun = False

    def _open(self, path: str, busy_timeout_seconds: float) -> sqlite3.Connection:
        connection = sqlite3.connect(path, timeout=busy_timeout_seconds)
        # Stands for those that have not executed anything: only this thread can make one.
        self.idle = connection.cursor()
        return connection

    def cursor(self) -> Result[aiosqlite.Cursor]:
        """Return a cursor, which costs nothing until it executes."""
        return Result(self._new_cursor())

    async def _new_cursor(self) -> aiosqlite.Cursor:
        return DriverCursor(self)

    def begin(self, sql: str) -> None:
        """Begin a transaction, by this statement, with the first one that follows."""
        self._beginning = sql

    async def run(self, method: str, sql: str, parameters: Iterable[Any]) -> _Done:
        """Execute a statement, after the beginning of its transaction if it is the first, and fetch its rows."""
        beginning, self._beginning = self._beginning, None
        # Said before the hop: who is cancelled in it does not know how far it came.
        self._is_begun = self._is_begun or beginning is not None
        return await self._hop(_run, self._conn, beginning, method, sql, parameters)

    async def commit(self) -> None:
        """Commit, unless nothing was done."""
        self._beginning = None
        if self._is_begun:
            await super().commit()
        self._is_begun = False

    async def rollback(self) -> None:
        """Roll back, if there is anything to; the pool asks for it after every commit as well."""
        self._beginning = None
        if self._is_begun:
            await super().rollback()
        self._is_begun = False


class DriverCursor(aiosqlite.Cursor):
    """A cursor whose rows are there as soon as it has executed."""

    def __init__(self, connection: DriverConnection) -> None:
        super().__init__(connection, connection.idle)
        self._driver = connection
        self._rows: list[Any] = []

    async def execute(self, sql: str, parameters: Iterable[Any] | None = None) -> Self:
        """Execute a statement and fetch its rows."""
        self._cursor, self._rows = await self._driver.run("execute", sql, parameters or ())
        return self

    async def executemany(self, sql: str, parameters: Iterable[Iterable[Any]]) -> Self:
        """Execute a statement once for each of several rows of values."""
        self._cursor, self._rows = await self._driver.run("executemany", sql, parameters)
        return self

    async def fetchall(self) -> Iterable[Any]:
        """Return the rows, once."""
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        """Do nothing: there is nothing open."""


def _run(
    connection: sqlite3.Connection, beginning: str | None, method: str, sql: str, parameters: Iterable[Any]
) -> _Done:
    cursor = connection.cursor()
    if beginning:
        cursor.execute(beginning)
    getattr(cursor, method)(sql, parameters)
    return cursor, cursor.fetchall() if cursor.description else []
