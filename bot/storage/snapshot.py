"""Reading the database as it is at one moment, without changing it, while the bot may be writing to it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from bot.errors import StorageError
from bot.storage.files import read_only


@contextmanager
def snapshot(path: Path) -> Iterator[Connection]:
    """Open a database of this version so that all that is read is of one moment. It blocks: not for the event loop.

    Raises:
        StorageError: it can't be read.
    """
    try:
        with read_only(path) as file:
            # Python's driver would otherwise begin transactions by itself, and none for reading.
            file.isolation_level = None
            engine = create_engine("sqlite://", creator=lambda: file, poolclass=StaticPool)
            event.listen(engine, "begin", _begin)
            with engine.connect() as connection:
                yield connection
    except (sqlite3.Error, DBAPIError) as error:
        raise StorageError(f"can't read the database {path}: {getattr(error, 'orig', error)}") from error


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
