"""The database under real trouble: locked, read-only, full, failing, and cut off in the middle.

Whatever happens: a `StorageError` that says what, nothing half-written, and all works again once it is over.
"""

import asyncio
import resource
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text

from bot.clock import SystemClock
from bot.errors import StorageError
from bot.jobs.models import Requester
from bot.jobs.service import JobService
from bot.pools.models import Limits, PoolSettings
from bot.provider.models import GenerationMode, GenerationRequest
from bot.storage.database import Database

BUSY_SECONDS = 0.05
CONNECTIONS = 4
POOL = "INSERT OR IGNORE INTO pools (guild_id, opened_at, available_credits) VALUES (1, '2026-01-01', 1000000)"
ENTRY = "INSERT INTO ledger_entries (guild_id, kind, credits, reason, created_at) VALUES (1, 'deposit', 5, :reason, 0)"
COUNT = "SELECT count(*) FROM ledger_entries"
TAKEN = "taken"
REFUSAL = StorageError.__name__


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Database]:
    async with Database.open(f"sqlite+aiosqlite:///{path}", busy_timeout_seconds=BUSY_SECONDS) as database:
        async with database.transaction() as connection:
            await connection.execute(text(POOL))
        yield database


async def add(database: Database, *, size: int = 10, entries: int = 1) -> None:
    async with database.transaction() as connection:
        for _ in range(entries):
            await connection.execute(text(ENTRY), {"reason": "x" * size})


async def count(database: Database) -> int:
    async with database.reading() as connection:
        return int(await connection.scalar(text(COUNT)) or 0)


async def works(database: Database, entries: int) -> None:
    """Whichever connection is used, reading and writing work, and there is exactly what was committed."""
    for written in range(CONNECTIONS + 2):
        assert set(await asyncio.gather(*(count(database) for _ in range(2 * CONNECTIONS)))) == {entries + written}
        await add(database)


@dataclass(frozen=True)
class Trouble:
    """A way for writing to fail; `says` is how SQLite words it."""

    says: str
    begin: Callable[[Database, Path], AbstractContextManager[None]]


@contextmanager
def locked(_database: Database, path: Path) -> Iterator[None]:
    """Another program is in the middle of writing."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@contextmanager
def no_room_in_the_file_system(_database: Database, _path: Path) -> Iterator[None]:
    """This process may let no file grow: each write fails as it does on a full quota or a failing disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def full(database: Database, _path: Path) -> Iterator[None]:
    """The file may not become any larger, which SQLite reports as it does a full disk."""
    with pragma(database, "max_page_count", "1", "4294967294"):
        yield


@contextmanager
def read_only(database: Database, _path: Path) -> Iterator[None]:
    """SQLite may not write, which it reports as it does a file that it may only read."""
    with pragma(database, "query_only", "ON", "OFF"):
        yield


@contextmanager
def pragma(database: Database, name: str, value: str, afterwards: str) -> Iterator[None]:
    """Set a pragma on whichever connection is used, and another value from then on."""
    values = [value]

    def on_checkout(connection: sqlite3.Connection, _record: object, _proxy: object) -> None:
        connection.cursor().execute(f"PRAGMA {name} = {values[-1]}")

    event.listen(database._engine.sync_engine, "checkout", on_checkout)
    try:
        yield
    finally:
        values.append(afterwards)


TROUBLES = {
    "locked": Trouble("database is locked", locked),
    "no room": Trouble("disk I/O error", no_room_in_the_file_system),
    "full": Trouble("database or disk is full", full),
    "read-only": Trouble("attempt to write a readonly database", read_only),
}


@pytest.fixture(params=list(TROUBLES.values()), ids=list(TROUBLES))
def trouble(request: pytest.FixtureRequest) -> Trouble:
    assert isinstance(request.param, Trouble)
    return request.param


async def test_nothing_is_half_written_and_it_works_again(tmp_path: Path, trouble: Trouble) -> None:
    async with opened(tmp_path / "a.db") as database:
        await works(database, 0)
        before = await count(database)
        with trouble.begin(database, tmp_path / "a.db"):
            for _ in range(CONNECTIONS + 2):
                with pytest.raises(StorageError, match=trouble.says):
                    await add(database, size=100_000, entries=3)
                assert await count(database) == before
        await works(database, before)


async def test_many_at_once_all_end(tmp_path: Path, trouble: Trouble) -> None:
    async with opened(tmp_path / "a.db") as database:
        with trouble.begin(database, tmp_path / "a.db"):
            writers = [add(database, size=100_000) for _ in range(3 * CONNECTIONS)]
            ended = await asyncio.gather(*writers, return_exceptions=True)
        assert {type(error) for error in ended} == {StorageError}
        await works(database, 0)


async def test_requests_are_refused_with_a_clear_sentence_and_accepted_afterwards(
    tmp_path: Path, trouble: Trouble
) -> None:
    async with opened(tmp_path / "a.db") as database:
        service = JobService(database, SystemClock(), PoolSettings(Limits(None, None, 0)))
        with trouble.begin(database, tmp_path / "a.db"):
            # Where the file may not grow, what is left of its last page may take one or two yet.
            answers = [await answer(service, number) for number in range(6)]
            taken = answers.count(TAKEN)
            assert answers.count(REFUSAL) == 6 - taken >= 4
            assert len((await service.overview(1, 1, ())).open_jobs) == taken
        assert await answer(service, 7) == TAKEN
        assert len((await service.overview(1, 1, ())).open_jobs) == await count(database) == taken + 1


async def answer(service: JobService, number: int) -> str:
    requester = Requester(interaction_id=number, guild_id=1, channel_id=1, member_id=1, in_thread=False)
    request = GenerationRequest(GenerationMode.TEXT, "x" * 2000, 5, sound=False, publish=False, aspect_ratio="16:9")
    try:
        await service.create(requester, request)
    except StorageError as error:
        return type(error).__name__
    return TAKEN


async def test_a_lock_that_keeps_readers_out_as_well(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with opened(path) as database:
        await add(database)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StorageError, match=r"can't read the database .*a.db: database is locked"):
            async with opened(path):
                pass
    async with opened(path) as database:
        await works(database, 1)


async def test_every_connection_taken_is_an_error_of_the_storage(tmp_path: Path) -> None:
    async with opened(tmp_path / "a.db") as database:
        pool: Any = database._engine.sync_engine.pool
        async with asyncio.TaskGroup() as readers:
            over = asyncio.Event()
            held = [asyncio.Event() for _ in range(CONNECTIONS)]
            for event_ in held:
                readers.create_task(_hold(database, event_, over))
            for event_ in held:
                await event_.wait()
            usual, pool._timeout = pool._timeout, 0.05
            with pytest.raises(StorageError, match="every connection is busy"):
                await count(database)
            pool._timeout = usual
            over.set()
        await works(database, 0)


async def _hold(database: Database, holding: asyncio.Event, over: asyncio.Event) -> None:
    async with database.reading():
        holding.set()
        await over.wait()


@pytest.mark.parametrize("turns", range(0, 60, 3))
async def test_a_cancelled_task_leaves_nothing_and_blocks_nobody(tmp_path: Path, turns: int) -> None:
    """At whatever await it happens: waiting for its turn, beginning, writing or committing."""
    async with opened(tmp_path / "a.db") as database:
        first = asyncio.create_task(add(database, entries=3))
        second = asyncio.create_task(add(database, entries=3))
        for _ in range(turns):
            await asyncio.sleep(0)
            # A thread does the work: give it the time that the loop's turns alone would not.
            await asyncio.sleep(0.0001)
        first.cancel()
        second.cancel()
        ended = await asyncio.gather(first, second, return_exceptions=True)
        entries = await count(database)
        # A cancelled one may have been written whole, where it was cancelled while it was being committed.
        assert entries in (0, 3, 6)
        assert entries >= 3 * sum(result is None for result in ended)
        await works(database, entries)


async def test_a_task_cancelled_while_the_file_is_locked_blocks_nobody(tmp_path: Path) -> None:
    async with opened(tmp_path / "a.db") as database:
        with locked(database, tmp_path / "a.db"):
            writer = asyncio.create_task(add(database))
            await asyncio.sleep(BUSY_SECONDS / 2)
            writer.cancel()
            with pytest.raises(asyncio.CancelledError):
                await writer
        await works(database, 0)
