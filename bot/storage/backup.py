"""A consistent copy of the database while the bot runs."""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.errors import StorageError
from bot.storage.files import read_only
from bot.storage.inspection import find_damage

# The files that SQLite has beside a database (its documentation, "Temporary Files Used By SQLite").
_ENDINGS = ("-journal", "-wal", "-shm")


@dataclass(frozen=True, slots=True)
class Backup:
    """What was copied; `size` in bytes."""

    size: int
    jobs: int
    ledger_entries: int


def back_up(source: Path, target: Path, *, overwrite: bool = False) -> Backup:
    """Copy a database as it is at one moment, to one file that is complete in itself.

    The bot may run: its readers and its writer go on. The copy is written beside the target, checked and on the
    disk before it takes the target's name, so that the target is never half a backup.

    Args:
        source: the database's file.
        target: the copy's file.
        overwrite: replaces a target that is there.

    Raises:
        StorageError: there is nothing to copy, the copy can't be written or is not sound, or the target is there
            already and `overwrite` is not set.
    """
    with _errors(source, target):
        _check_names(source, target, overwrite=overwrite)
        with _unfinished(target) as copy:
            _copy(source, copy)
            backup = _verify(source, copy)
            _write_through(copy)
            _check_names(source, target, overwrite=overwrite)
            copy.replace(target)
            _write_through(target.parent)
    return backup


def _check_names(source: Path, target: Path, *, overwrite: bool) -> None:
    if not source.exists():
        raise StorageError(f"there is no database at {source}: DATABASE_URL says where it is.")
    file = source.resolve()
    own = {file.with_name(file.name + ending) for ending in ("", ".lock", *_ENDINGS)}
    if target.resolve() in own or (target.exists() and target.samefile(source)):
        raise StorageError(f"{target} is the database itself: name another file.")
    if target.is_dir():
        raise StorageError(f"{target} is a folder: name a file in it.")
    if target.exists() and not overwrite:
        raise StorageError(f"{target} is there already: name another file, or add --force to replace it.")


@contextmanager
def _errors(source: Path, target: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StorageError(f"can't copy {source} to {target}: {error}") from error
    except OSError as error:
        raise StorageError(f"can't write {target}: {error.strerror or error}") from error


@contextmanager
def _unfinished(target: Path) -> Iterator[Path]:
    """Give the name of a file beside the target, which is gone at the end unless it was renamed."""
    # Only its owner may read it, whatever the folder allows: prompts are in it.
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    os.close(descriptor)
    copy = Path(name)
    try:
        yield copy
    finally:
        for ending in ("", *_ENDINGS):
            copy.with_name(copy.name + ending).unlink(missing_ok=True)


def _copy(source: Path, copy: Path) -> None:
    with read_only(source) as reader, closing(sqlite3.connect(copy)) as writer:
        # The copying itself would wait for ever for somebody else's lock; this only as long as is allowed.
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_master")
        # All pages in one step: a write that came between two steps would start the copy again each time.
        reader.backup(writer, pages=-1)
        # Without it the copy would need a -wal beside it even to be read.
        writer.execute("PRAGMA journal_mode = DELETE")


def _verify(source: Path, copy: Path) -> Backup:
    with read_only(copy) as connection:
        if damage := find_damage(connection, thorough=True):
            raise StorageError(f"the copy was thrown away, as {source} is damaged ({damage}): keep your older backups.")
        (jobs,) = connection.execute("SELECT count(*) FROM jobs").fetchone()
        (entries,) = connection.execute("SELECT count(*) FROM ledger_entries").fetchone()
    return Backup(copy.stat().st_size, jobs, entries)


def _write_through(path: Path) -> None:
    """Have a file, or a folder's list of names, written to the disk.

    Raises:
        PermissionError: the file can't be opened.
    """
    is_folder = path.is_dir()
    try:
        descriptor = os.open(path, os.O_RDONLY if is_folder else os.O_RDWR)
    except PermissionError:
        # Windows opens no folders; there names are written with the file.
        if is_folder:
            return
        raise
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
