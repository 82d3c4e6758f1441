"""The driver: few hops, and nothing of aiosqlite's safety lost with them."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import StorageError
from bot.storage.database import Database
from bot.storage.driver import DriverConnection
from bot.storage.schema import pools

COUNT = text("SELECT count(*) FROM pools")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database.open(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}", busy_timeout_seconds=0.05) as opened:
        yield opened


@pytest.fixture
async def hops(database: Database, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What goes to the thread from now on."""
    seen: list[str] = []
    hop: Callable[..., Awaitable[object]] = DriverConnection._execute

    async def count(connection: DriverConnection, function: object, *values: object, **named: object) -> object:
        seen.append(getattr(function, "__name__", "?"))
        return await hop(connection, function, *values, **named)

    monkeypatch.setattr(DriverConnection, "_execute", count)
    # Only connections that are made from now on go by it.
    await database._engine.dispose()
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


async def test_a_statement_is_one_hop_and_a_commit_another(database: Database, hops: list[str]) -> None:
    await count(database)
    hops.clear()
    async with database.transaction() as connection:
        await add(connection, 1)
        await add(connection, 2)
        assert (await connection.execute(COUNT)).scalar_one() == 2
    assert hops == ["_run", "_run", "_run", "commit"]
    hops.clear()
    assert await count(database) == 2
    assert hops == ["_run", "commit"]


async def test_a_transaction_in_which_nothing_is_done_is_no_hop(database: Database, hops: list[str]) -> None:
    await count(database)
    hops.clear()
    async with database.transaction():
        pass
    with pytest.raises(KeyError):
        async with database.transaction():
            raise KeyError
    assert hops == []


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


async def test_a_statement_that_fails_takes_all_of_it_back(database: Database) -> None:
    async with database.transaction() as connection:
        await add(connection, 1)
    with pytest.raises(IntegrityError):
        await add_two(database, 2, 1)
    assert await count(database) == 1
    await add_two(database, 2, 3)
    assert await count(database) == 3


@pytest.mark.parametrize("turns", range(8))
async def test_who_is_cancelled_in_a_hop_leaves_nothing_open(database: Database, tmp_path: Path, turns: int) -> None:
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


async def test_who_is_urgent_waits_for_one_of_the_others_at_most(database: Database) -> None:
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
