"""The database as a file: its folder, and looking into it without changing anything."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bot.errors import StorageError

BUSY_TIMEOUT_SECONDS = 2.0
"""How long SQLite waits for a lock on the file. The bot is its only writer, and a stop may not take longer."""


def make_folder(path: Path) -> None:
    """Make the folder that a file is to be in.

    Raises:
        StorageError: it can't be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"can't make the folder of {path}: {error.strerror}") from error


@contextmanager
def read_only(path: Path, busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS) -> Iterator[sqlite3.Connection]:
    """Open a database that exists so that nothing can change it, also where a crash left a `-wal` beside it.

    Only where a crash left a rollback journal is it brought back to its last commit, as nobody can read it before.

    Raises:
        sqlite3.Error: it can't be opened.
    """
    file = path.resolve()
    mode = "rw" if file.with_name(f"{file.name}-journal").exists() else "ro"
    address = f"{file.as_uri()}?mode={mode}"
    with closing(sqlite3.connect(address, uri=True, timeout=busy_timeout_seconds)) as connection:
        connection.execute("PRAGMA query_only = ON")
        yield connection
