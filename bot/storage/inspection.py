"""Check that a database file is sound and of a version that can be used here. Read only."""

import sqlite3
from enum import StrEnum
from pathlib import Path

from bot.errors import StorageError
from bot.storage.files import BUSY_TIMEOUT_SECONDS, read_only
from bot.storage.migrations import HEAD

_RESTORE = (
    "Nothing was changed. Stop the bot, move this file and those beside it (-wal, -shm) away, "
    "put a backup in its place, and start again."
)
# SQLite's documentation, "Result and Error Codes": these two say that the file itself is bad.
_DAMAGE_CODES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_PRIMARY_CODE = 0xFF


class Schema(StrEnum):
    """How a file's tables stand to this version's."""

    MISSING = "missing"
    OLDER = "older"
    CURRENT = "current"


def inspect_file(path: Path, *, thorough: bool = False, busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS) -> Schema:
    """Check a database file without changing it.

    Args:
        path: of the file; one that is not there, or is empty, is a database to be made.
        thorough: compares the indexes with their tables as well. The quick way reads every page once, which
            takes seconds where the other takes minutes, and sees what a broken disk or a cut copy leaves.
        busy_timeout_seconds: how long to wait for somebody else's lock.

    Raises:
        StorageError: it can't be read, is damaged, is not Reelpool's, or was written by a newer version.
    """
    try:
        if not path.exists():
            return Schema.MISSING
        if path.is_dir():
            raise StorageError(f"{path} is a folder: let DATABASE_URL name a file.")
        with read_only(path, busy_timeout_seconds) as connection:
            if damage := find_damage(connection, thorough=thorough):
                raise StorageError(_damaged(path, damage))
            return _schema(connection, path)
    except sqlite3.Error as error:
        # Errors of the driver itself carry no code of SQLite's.
        code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE
        if code in _DAMAGE_CODES:
            raise StorageError(_damaged(path, str(error))) from error
        raise StorageError(f"can't read the database {path}: {error}") from error
    except OSError as error:
        raise StorageError(f"can't read {path}: {error.strerror}") from error


def find_damage(connection: sqlite3.Connection, *, thorough: bool = False) -> str | None:
    """Return what is wrong with a database's file, if anything is; for `thorough` see `inspect_file`.

    Raises:
        sqlite3.Error: it can't be read at all.
    """
    pragma = "integrity_check" if thorough else "quick_check"
    (finding,) = connection.execute(f"PRAGMA {pragma}(1)").fetchone()
    return None if finding == "ok" else " ".join(finding.split())


def _damaged(path: Path, damage: str) -> str:
    return f"the database {path} is damaged ({damage}). {_RESTORE}"


def _schema(connection: sqlite3.Connection, path: Path) -> Schema:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return Schema.MISSING
    if "alembic_version" not in tables:
        raise StorageError(f"{path} is a database of something else: let DATABASE_URL name a file of Reelpool's own.")
    found = {version for (version,) in connection.execute("SELECT version_num FROM alembic_version")}
    if found == {HEAD}:
        return Schema.CURRENT
    from bot.storage.upgrade import known_versions  # noqa: PLC0415 - it takes long, and hardly any start needs it

    if not found <= known_versions():
        raise StorageError(
            f"the database {path} does not fit this version: a newer one wrote it (its tables have version "
            f"{', '.join(sorted(found))}, mine {HEAD}). Nothing was changed. Install the newer "
            "version again, or put an older backup in its place."
        )
    return Schema.OLDER
