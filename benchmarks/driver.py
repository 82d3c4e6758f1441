"""Records the calls of SQLite's driver: the statements, and the time that they take."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, overload
from unittest import mock

if TYPE_CHECKING:
    from sqlite3 import _Parameters

_P = ParamSpec("_P")
_T = TypeVar("_T")
_C = TypeVar("_C", bound=sqlite3.Cursor)


Statement = tuple[str, "_Parameters"]
"""A statement and its values."""


@dataclass(slots=True, eq=False)
class DriverLog:
    """What passed through the driver.

    Attributes:
        seconds: that all calls took together.
        statements: every statement with its values, in order; a commit is an empty one.
    """

    seconds: float = 0.0
    statements: list["Statement"] = field(default_factory=list)

    def time(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Make a call and add its time.

        Args:
            call: a method of the driver.
            args: its arguments.
            kwargs: its arguments by name.
        """
        started = time.perf_counter()
        try:
            return call(*args, **kwargs)
        finally:
            self.seconds += time.perf_counter() - started


class _Cursor(sqlite3.Cursor):
    log: DriverLog

    def execute(self, sql: str, parameters: "_Parameters" = ()) -> Self:
        self.log.statements.append((sql, parameters))
        return self.log.time(super().execute, sql, parameters)

    def fetchall(self) -> list[tuple[object, ...]]:
        return self.log.time(super().fetchall)


class _Connection(sqlite3.Connection):
    log: DriverLog

    @overload
    def cursor(self, factory: None = None) -> sqlite3.Cursor: ...

    @overload
    def cursor(self, factory: Callable[[sqlite3.Connection], _C]) -> _C: ...

    def cursor(self, factory: Any = None) -> sqlite3.Cursor:
        """Return a cursor of the given class that is recorded."""
        cursor: sqlite3.Cursor = super().cursor(_recorded(_Cursor, factory or sqlite3.Cursor, self.log))
        return cursor

    def commit(self) -> None:
        self.log.statements.append(("", ()))
        self.log.time(super().commit)


@cache
def _recorded(recorder: type, factory: type, log: DriverLog) -> type:
    """Return a class that is `factory`, with its calls recorded."""
    return type(f"{recorder.__name__}Of{factory.__name__}", (recorder, factory), {"log": log})


@contextmanager
def recorded_driver() -> Iterator[DriverLog]:
    """Record every connection that is made until the end of the block."""
    log = DriverLog()
    connect = sqlite3.connect

    def recording(path: Path | str, *, factory: type = sqlite3.Connection, **options: object) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(path, factory=_recorded(_Connection, factory, log), **options)  # type: ignore[call-overload]
        return connection

    with mock.patch("sqlite3.connect", recording):
        yield log


def replay(connection: sqlite3.Connection, statements: list["Statement"]) -> None:
    """Run recorded statements again, in a plain loop."""
    for sql, parameters in statements:
        if sql:
            connection.execute(sql, parameters).fetchall()
        else:
            connection.commit()
