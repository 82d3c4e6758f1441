"""The database as a file: its folder, and looking into it without changing anything."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from bot.errors import StorageError

BUSY_TIMEOUT_SECONDS = 2.0
"""How long SQLite waits for a lock on the file. The bot is its only writer, and a stop may not take longer."""


def make_folder(path: Path) -> None:
    """Make the folder that a file is to be in; if it is not there yet, only this user may enter it.

    Raises:
        StorageError: it can't be made.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"can't make the folder of {path}: {error.strerror}") from error


def make_private(path: Path) -> None:
    """Make an empty file if there is none, and let only its owner read and write it: prompts and names are in it.

    Files that SQLite makes beside a database have the database's mode. Where the mode can't be set, as on a file of
    somebody else, it stays: whether the file can be used is for SQLite to say.
    """
    with suppress(OSError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    for ending in ("", "-wal", "-shm"):
        file = path.with_name(path.name + ending)
        with suppress(OSError):
            # Rights are taken from others; none is given to an owner who may only read it.
            file.chmod(file.stat().st_mode & 0o700)


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
