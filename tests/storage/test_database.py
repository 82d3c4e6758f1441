import asyncio
import sqlite3
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import IntegrityError

from bot.errors import StorageError
from bot.jobs.models import JobState
from bot.pools.models import EntryKind
from bot.provider.models import GenerationMode
from bot.storage import schema
from bot.storage.database import Database
from bot.storage.lock import only_bot_on

POOL = "INSERT INTO pools (guild_id) VALUES (1)"
DEPOSIT = "INSERT INTO ledger_entries (guild_id, kind, credits, created_at) VALUES (1, 'deposit', 5, '2026-01-01')"


def url_of(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


def tables(connection: sqlite3.Connection) -> dict[str, set[object]]:
    """Each table, index and trigger with the parts of its definition, in no order."""
    rows = connection.execute(
        "SELECT name, type, sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'alembic_version'"
    ).fetchall()
    return {
        name: parts_of_table(connection, name, sql)
        if kind == "table"
        else {part.strip(" ,") for part in sql.splitlines()}
        for name, kind, sql in rows
    }


def parts_of_table(connection: sqlite3.Connection, name: str, sql: str) -> set[object]:
    """Columns and keys as SQLite understands them, for one that was added later is written otherwise; and the rules."""
    columns = {tuple(row[1:]) for row in connection.execute(f"PRAGMA table_info({name})")}
    keys = {tuple(row[2:]) for row in connection.execute(f"PRAGMA foreign_key_list({name})")}
    rules = {part.strip(" ,") for part in sql.splitlines() if " CHECK " in part or " UNIQUE " in part}
    return {*columns, *keys, *rules, "AUTOINCREMENT" in sql}


async def test_schema_equals_migrations(tmp_path: Path) -> None:
    async with Database.open(url_of(tmp_path / "migrated.db")):
        pass
    declared = create_engine(f"sqlite:///{tmp_path / 'declared.db'}")
    with declared.begin() as connection:
        schema.metadata.create_all(connection)
        for trigger in schema.TRIGGERS:
            connection.exec_driver_sql(trigger)
    declared.dispose()
    with sqlite3.connect(tmp_path / "migrated.db") as migrated, sqlite3.connect(tmp_path / "declared.db") as model:
        found, wanted = tables(migrated), tables(model)
    migrated.close()
    model.close()
    assert found == wanted


def test_enums_equal_the_tables_check_constraints() -> None:
    assert tuple(JobState) == schema.JOB_STATES
    assert tuple(EntryKind) == schema.ENTRY_KINDS
    assert tuple(GenerationMode) == schema.MODES


@pytest.mark.parametrize("statement", ["UPDATE ledger_entries SET credits = 6", "DELETE FROM ledger_entries"])
async def test_the_ledger_is_append_only(tmp_path: Path, statement: str) -> None:
    async with Database.open(url_of(tmp_path / "a.db")) as database:
        async with database.transaction() as connection:
            await connection.execute(text(POOL))
            await connection.execute(text(DEPOSIT))
        with pytest.raises(IntegrityError, match="append-only"):
            async with database.transaction() as connection:
                await connection.execute(text(statement))


async def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    async with Database.open(url_of(tmp_path / "a.db")) as database:
        with pytest.raises(RuntimeError):
            await _deposit_and_break_off(database)
        async with database.reading() as connection:
            assert await connection.scalar(text("SELECT count(*) FROM ledger_entries")) == 0


async def _deposit_and_break_off(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(text(POOL))
        await connection.execute(text(DEPOSIT))
        raise RuntimeError


async def test_commits_outlive_a_power_cut(tmp_path: Path) -> None:
    def pragmas(connection: Connection) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys")
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]

    async with Database.open(url_of(tmp_path / "a.db")) as database, database.reading() as connection:
        assert await connection.run_sync(pragmas) == ["wal", 2, 1]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc to see which files are open")
@pytest.mark.parametrize("switches", range(4))
async def test_connections_whose_opening_was_cancelled_are_closed_with_the_rest(tmp_path: Path, switches: int) -> None:
    path = tmp_path / "reelpool.db"

    async def read(database: Database) -> None:
        async with database.reading() as connection:
            await connection.execute(text("SELECT 1"))

    async with Database.open(url_of(path)) as database:
        assert path.resolve() in open_files()
        reading = [asyncio.create_task(read(database)) for _ in range(4)]
        for _ in range(switches):
            await asyncio.sleep(0)
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
    assert path.resolve() not in open_files()


def open_files() -> list[Path]:
    """The files that this process has open."""
    with suppress(FileNotFoundError):
        return [link.resolve() for link in Path("/proc/self/fd").iterdir()]
    return open_files()


async def test_a_newer_database_is_refused_and_untouched(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with Database.open(url_of(path)) as database, database.transaction() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    before = path.read_bytes()
    with pytest.raises(StorageError, match="does not fit this version"):
        async with Database.open(url_of(path)):
            pass
    assert path.read_bytes() == before


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"these are not the bytes of a database, nor ever were" * 100)
    with pytest.raises(StorageError, match="not a database"):
        async with Database.open(url_of(path)):
            pass


async def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="can't make the folder"):
        async with Database.open(url_of(tmp_path / "file" / "a.db")):
            pass


async def test_only_the_owner_may_read_the_database_and_what_is_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "data" / "a.db"
    for _ in range(2):
        with only_bot_on(path):
            async with Database.open(f"sqlite+aiosqlite:///{path}"):
                assert {file.name for file in path.parent.iterdir()} >= {"a.db", "a.db-wal", "a.db-shm", "a.db.lock"}
                assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}
        # As an earlier version left them.
        path.chmod(0o644)
    assert path.parent.stat().st_mode & 0o777 == 0o700
