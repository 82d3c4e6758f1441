"""A file that is damaged, newer or somebody else's is refused with its cure, and nothing about it changes."""

import asyncio
import os
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from bot.errors import StorageError
from bot.storage.database import Database
from bot.storage.inspection import Schema, inspect_file
from tests.storage.test_database import url_of

PAGE = 4096

CRASH = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")
for statement in sys.argv[2:]:
    connection.execute(statement)
os.kill(os.getpid(), signal.SIGKILL)
"""


async def make(path: Path) -> None:
    async with Database.open(url_of(path)):
        pass


def fill(path: Path) -> None:
    """Put in enough for a few hundred pages, all in the file itself."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO pools (guild_id) VALUES (1)")
        connection.executemany(
            "INSERT INTO ledger_entries (guild_id, kind, credits, reason, created_at) VALUES (1, 'deposit', 5, ?, 0)",
            [("x" * 1000,)] * 1000,
        )


async def crash(path: Path, *statements: str) -> None:
    """Let a process do this to a database, and kill it."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", CRASH, str(path), *statements)
    assert await process.wait() == -signal.SIGKILL


def files(path: Path) -> dict[str, bytes]:
    """A database and its log. Every first reader makes the -shm anew, and an empty log where there is none."""
    found = {file.name: file.read_bytes() for file in path.parent.iterdir() if not file.name.endswith("-shm")}
    return {name: content for name, content in found.items() if content}


async def refused(path: Path, words: str) -> None:
    """Opening it fails with these words, and leaves everything as it was."""
    before = files(path)
    with pytest.raises(StorageError, match=words) as caught:
        async with Database.open(url_of(path)):
            pass
    assert "\n" not in str(caught.value)
    assert files(path) == before


@pytest.mark.parametrize("page", [1, 20, 150])
async def test_a_damaged_page_is_found_wherever_it_is(tmp_path: Path, page: int) -> None:
    path = tmp_path / "a.db"
    await make(path)
    fill(path)
    with path.open("r+b") as file:
        file.seek(page * PAGE)
        file.write(os.urandom(PAGE))
    await refused(path, r"a.db is damaged \(.+\)\. Nothing was changed\. Stop the bot, .* put a backup in its place")


async def test_a_cut_file_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    await make(path)
    fill(path)
    os.truncate(path, path.stat().st_size // 2)
    await refused(path, "a.db is damaged .* put a backup in its place")


async def test_a_damaged_file_with_a_crash_behind_it_keeps_its_wal(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    await make(path)
    fill(path)
    with path.open("r+b") as file:
        file.seek(20 * PAGE)
        file.write(os.urandom(PAGE))
    await crash(path, "CREATE TABLE more (x)")
    assert (tmp_path / "a.db-wal").stat().st_size > 0
    await refused(path, "a.db is damaged")


async def test_a_newer_file_with_a_crash_behind_it_keeps_its_wal(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    await make(path)
    await crash(path, "UPDATE alembic_version SET version_num = '9999'")
    assert (tmp_path / "a.db-wal").stat().st_size > 0
    await refused(path, r"does not fit this version: a newer one wrote it \(its tables have version 9999, mine \d+\)")


async def test_somebody_elses_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE recipes (name)")
    await refused(path, "a.db is a database of something else: let DATABASE_URL")


async def test_a_folder_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "a.db").mkdir()
    with pytest.raises(StorageError, match="is a folder: let DATABASE_URL"):
        inspect_file(tmp_path / "a.db")


async def test_a_crash_in_a_rollback_journal_blocks_nobody(tmp_path: Path) -> None:
    """As in the moment before the first start switches to the write-ahead log, or after a backup was put back."""
    path = tmp_path / "a.db"
    await make(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    fill(path)
    await crash(
        path,
        "BEGIN",
        "UPDATE ledger_entries SET id = id + 10000 WHERE 0",
        "CREATE TABLE more AS SELECT * FROM jobs",
        "INSERT INTO ledger_entries SELECT id + 10000, guild_id, kind, credits, job_id, member_id, actor_id, reason, "
        "created_at, session_id FROM ledger_entries",
    )
    assert (tmp_path / "a.db-journal").stat().st_size > 0
    assert inspect_file(path) is Schema.CURRENT
    async with Database.open(url_of(path)):
        pass
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM ledger_entries").fetchone() == (1000,)


async def test_the_state_of_the_tables(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    assert inspect_file(path) is Schema.MISSING
    assert not path.exists()
    path.touch()
    assert inspect_file(path) is Schema.MISSING
    await make(path)
    assert inspect_file(path) is Schema.CURRENT
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM alembic_version")
    assert inspect_file(path) is Schema.OLDER


async def test_only_the_thorough_inspection_compares_indexes(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    await make(path)
    fill(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        # An index that does not hold what its table does: a lookup by it goes wrong, the file can be read.
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, 'guild_id, created_at', 'credits, created_at') "
            "WHERE name = 'ix_ledger_entries_guild'"
        )
    assert inspect_file(path) is Schema.CURRENT
    with pytest.raises(StorageError, match=r"damaged .*ix_ledger_entries_guild"):
        inspect_file(path, thorough=True)
