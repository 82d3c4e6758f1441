"""A backup is consistent, complete in one file, and there whole or not at all."""

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bot.errors import StorageError
from bot.storage.backup import Backup, back_up
from bot.storage.database import Database
from tests.storage.test_database import url_of
from tests.storage.test_inspection import PAGE, fill, make
from tests.storage.test_trouble import add, count, opened


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_a_copy_is_complete_in_one_file_and_can_be_run_from(tmp_path: Path) -> None:
    (tmp_path / "copies").mkdir()
    target = tmp_path / "copies" / "b.db"
    async with opened(tmp_path / "a.db") as database:
        # What is only in the -wal so far is in the copy as well.
        await add(database, entries=5)
        done = await asyncio.to_thread(back_up, tmp_path / "a.db", target)
    assert done == Backup(size=target.stat().st_size, jobs=0, ledger_entries=5)
    assert names(tmp_path / "copies") == {"b.db"}
    assert target.stat().st_mode & 0o077 == 0
    async with Database.open(url_of(target)) as copy:
        assert await count(copy) == 5


async def test_copies_made_while_somebody_writes_hold_whole_transactions(tmp_path: Path) -> None:
    source, target = tmp_path / "a.db", tmp_path / "b.db"

    async def write(database: Database) -> None:
        while True:
            await add(database, entries=3, size=3000)

    async with opened(source) as database:
        writer = asyncio.create_task(write(database))
        seen = [0]
        while seen[-1] < 150:
            done = await asyncio.to_thread(back_up, source, target, overwrite=True)
            assert done.ledger_entries % 3 == 0
            assert done.ledger_entries >= seen[-1]
            seen.append(done.ledger_entries)
        assert not writer.done()
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)


async def test_an_existing_file_is_replaced_only_on_request(tmp_path: Path) -> None:
    await make(tmp_path / "a.db")
    target = tmp_path / "b.db"
    target.write_bytes(b"precious")
    with pytest.raises(StorageError, match=r"b.db is there already: name another file, or add --force"):
        back_up(tmp_path / "a.db", target)
    assert target.read_bytes() == b"precious"
    back_up(tmp_path / "a.db", target, overwrite=True)
    assert target.read_bytes().startswith(b"SQLite format 3")


@pytest.mark.parametrize("name", ["a.db", "a.db-wal", "a.db-shm", "a.db-journal", "a.db.lock", "link.db", "hard.db"])
async def test_the_database_itself_is_never_written_over(tmp_path: Path, name: str) -> None:
    source = tmp_path / "a.db"
    await make(source)
    (tmp_path / "link.db").symlink_to(source)
    (tmp_path / "hard.db").hardlink_to(source)
    before = source.read_bytes()
    with pytest.raises(StorageError, match="is the database itself: name another file"):
        back_up(source, tmp_path / name, overwrite=True)
    assert source.read_bytes() == before


async def test_a_failed_copy_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    source = tmp_path / "a.db"
    with pytest.raises(StorageError, match=r"there is no database at .*a.db: DATABASE_URL"):
        back_up(source, tmp_path / "b.db")
    source.write_bytes(b"no database" * 1000)
    with pytest.raises(StorageError, match=r"can't copy .*a.db to .*b.db: file is not a database"):
        back_up(source, tmp_path / "b.db")
    source.write_bytes(b"")
    with pytest.raises(StorageError, match=r"can't copy .*a.db to .*b.db: no such table"):
        back_up(source, tmp_path / "b.db")
    assert not [name for name in names(tmp_path) if "b.db" in name]


async def test_a_place_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    await make(tmp_path / "a.db")
    with pytest.raises(StorageError, match=r"can't write .*b.db: No such file or directory"):
        back_up(tmp_path / "a.db", tmp_path / "missing" / "b.db")
    with pytest.raises(StorageError, match="is a folder: name a file in it"):
        back_up(tmp_path / "a.db", tmp_path)


async def test_a_damaged_database_is_not_taken_for_a_backup(tmp_path: Path) -> None:
    source, target = tmp_path / "a.db", tmp_path / "b.db"
    await make(source)
    fill(source)
    back_up(source, target)
    sound = target.read_bytes()
    with source.open("r+b") as file:
        file.seek(30 * PAGE)
        file.write(os.urandom(PAGE))
    with pytest.raises(StorageError, match=r"thrown away, as .*a.db is damaged .*: keep your older backups"):
        back_up(source, target, overwrite=True)
    assert target.read_bytes() == sound
    assert not [name for name in names(tmp_path) if name.endswith(".part")]


async def test_a_database_that_stays_locked_is_not_waited_for_without_end(tmp_path: Path) -> None:
    source = tmp_path / "a.db"
    await make(source)
    with closing(sqlite3.connect(source, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StorageError, match="database is locked"):
            back_up(source, tmp_path / "b.db")
