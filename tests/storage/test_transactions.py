"""Transactions: few switches to SQLite's thread, and no statement lost, left open or committed by accident."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import StorageError
from bot.storage.database import Database
from bot.storage.schema import pools

COUNT = text("SELECT count(*) FROM pools")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database.open(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}", busy_timeout_seconds=0.05) as opened:
        yield opened


@pytest.fixture
async def switches(database: Database, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What comes back from SQLite's thread from now on."""
    await count(database)
    seen: list[object] = []
    loop = asyncio.get_running_loop()
    call = loop.call_soon_threadsafe

    def note(callback: Callable[..., object], *values: object) -> asyncio.Handle:
        seen.append(values)
        return call(callback, *values)

    monkeypatch.setattr(loop, "call_soon_threadsafe", note)
    return seen


async def add(connection: AsyncConnection, guild_id: int) -> None:
    await connection.execute(insert(pools).values(guild_id=guild_id))


async def add_two(database: Database, *guild_ids: int) -> None:
    async with database.transaction() as connection:
        for guild_id in guild_ids:
            await add(connection, guild_id)


async def count(database: Database) -> int:
    async with database.reading() as connection:
        return int((await connection.execute(COUNT)).scalar_one())


async def test_a_statement_takes_one_switch_and_a_commit_another(database: Database, switches: list[object]) -> None:
    async with database.transaction() as connection:
        await add(connection, 1)
        await add(connection, 2)
        assert (await connection.execute(COUNT)).scalar_one() == 2
    assert len(switches) == 4
    switches.clear()
    assert await count(database) == 2
    assert len(switches) == 2


async def test_a_transaction_in_which_nothing_is_done_takes_no_switch(
    database: Database, switches: list[object]
) -> None:
    async with database.transaction():
        pass
    with pytest.raises(KeyError):
        async with database.transaction():
            raise KeyError
    assert switches == []


async def test_no_thread_of_the_database_keeps_the_process_from_ending(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    async with Database.open(f"sqlite+aiosqlite:///{tmp_path / 'b.db'}"):
        # The event loop's own helpers end with the loop.
        new = [thread for thread in set(threading.enumerate()) - before if not thread.name.startswith("asyncio_")]
        assert new
        assert all(thread.daemon for thread in new)


async def test_many_rows_in_the_first_statement_are_of_the_transaction(database: Database) -> None:
    async def add_and_fail() -> None:
        async with database.transaction() as connection:
            await connection.execute(insert(pools), [{"guild_id": number} for number in range(5)])
            raise KeyError

    with pytest.raises(KeyError):
        await add_and_fail()
    assert await count(database) == 0


async def test_a_writer_has_the_lock_from_its_first_statement_on(database: Database, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None, timeout=0)
    async with database.transaction() as connection:
        await connection.execute(COUNT)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match="locked"):
        async with database.transaction() as connection:
            await add(connection, 1)
    other.execute("ROLLBACK")
    other.close()
    async with database.transaction() as connection:
        await add(connection, 1)
    assert await count(database) == 1


async def test_a_failed_statement_rolls_everything_back(database: Database) -> None:
    async with database.transaction() as connection:
        await add(connection, 1)
    with pytest.raises(IntegrityError):
        await add_two(database, 2, 1)
    assert await count(database) == 1
    await add_two(database, 2, 3)
    assert await count(database) == 3


@pytest.mark.parametrize("turns", range(8))
async def test_a_task_cancelled_in_a_switch_leaves_nothing_open(database: Database, tmp_path: Path, turns: int) -> None:
    async def write() -> None:
        async with database.transaction() as connection:
            await add(connection, 1)
            await add(connection, 2)
            await asyncio.Event().wait()

    writing = asyncio.create_task(write())
    for _ in range(turns):
        await asyncio.sleep(0)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    assert await count(database) == 0
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None, timeout=0)
    other.execute("BEGIN IMMEDIATE")
    other.close()


async def test_many_rows_at_once(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(insert(pools), [{"guild_id": number} for number in range(5)])
    async with database.reading() as connection:
        found = (await connection.execute(select(pools.c.guild_id).order_by(pools.c.guild_id))).scalars().all()
    assert found == list(range(5))


async def test_an_urgent_task_waits_for_one_other_at_most(database: Database) -> None:
    order: list[str] = []
    over = asyncio.Event()

    async def hold() -> None:
        async with database.transaction():
            await over.wait()

    async def write(name: str, *, is_urgent: bool) -> None:
        async with database.transaction(is_urgent=is_urgent) as connection:
            await connection.execute(COUNT)
            order.append(name)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(hold())
        await asyncio.sleep(0)
        for number in range(4):
            tasks.create_task(write(f"patient {number}", is_urgent=False))
        await asyncio.sleep(0)
        for number in range(3):
            tasks.create_task(write(f"urgent {number}", is_urgent=True))
        await asyncio.sleep(0)
        over.set()
    assert sorted(order[:4]) == ["patient 0", "urgent 0", "urgent 1", "urgent 2"]
    assert order[4:] == ["patient 1", "patient 2", "patient 3"]
