"""`python -m benchmarks.submission`: accepted commands per second through check, hold and insert.

In process, on a real file. Beside it, the same statements in a plain loop over Python's own driver.
"""

import asyncio
import itertools
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import click

from benchmarks.driver import DriverLog, Statement, recorded_driver, replay
from benchmarks.meters import quantile
from benchmarks.report import circumstances, table, write_section
from bot.clock import SystemClock
from bot.jobs.models import Requester
from bot.jobs.service import JobService
from bot.pools.models import Limits, PoolSettings
from bot.provider.models import GenerationMode, GenerationRequest
from bot.storage.database import Database

_SECTION = "benchmarks.submission"
_CONCURRENCIES = (1, 10, 100)
_MEMBERS = 2000
_POOL_SETTINGS = PoolSettings(
    Limits(active_jobs=10**6, window_credits=10**9, window_hours=24), starting_credits=10_000_000
)
_REQUEST = GenerationRequest(GenerationMode.TEXT, "a lighthouse at dusk", aspect_ratio="16:9")

_TEXT = """
## Accepting a request

`python -m benchmarks.submission`. {circumstances}

Commands per second through the check of the limits, the hold and the insert, each in one transaction that is on the
disk when it returns: {commands:,} commands at each concurrency, by {members:,} members, on a file of its own. "SQLite"
is the share of the time that was spent inside its driver. The loop at the end does the same statements with Python's
own driver and nothing else.

{table}
"""


@dataclass(frozen=True, slots=True)
class Accepted:
    """Result of some commands at one concurrency.

    Attributes:
        concurrency: how many were in progress at a time.
        seconds: for all of them.
        each_seconds: for each of them.
        cpu_seconds: processor time of all.
        driver_seconds: of the time, inside SQLite's driver.
    """

    concurrency: int
    seconds: float
    each_seconds: list[float]
    cpu_seconds: float
    driver_seconds: float

    @property
    def per_second(self) -> float:
        """Commands per second."""
        return len(self.each_seconds) / self.seconds


@dataclass(frozen=True, slots=True)
class Submission:
    """All results; `loop_seconds` is of the plain loop with the statements of the first concurrency."""

    accepted: list[Accepted]
    loop_seconds: float
    loop_commands: int


async def run_submission(commands: int, concurrencies: Sequence[int] = _CONCURRENCIES) -> Submission:
    """Submit so many commands at each concurrency, each on a file of its own."""
    results: list[Accepted] = []
    statements: list[Statement] = []
    for concurrency in concurrencies:
        with tempfile.TemporaryDirectory(prefix="benchmark-") as folder, recorded_driver() as log:
            results.append(await _submit(Path(folder) / "jobs.db", commands, concurrency, log))
        statements = statements or log.statements
    return Submission(results, await _loop(statements), commands)


async def _submit(path: Path, commands: int, concurrency: int, log: DriverLog) -> Accepted:
    async with Database.open(_url(path)) as database:
        service = JobService(database, SystemClock(), _POOL_SETTINGS)
        await service.create(_requester(0), _REQUEST)  # opens the connections, and fills the caches
        log.statements.clear()
        numbers, each = iter(range(1, commands + 1)), list[float]()
        cpu, driver, started = time.process_time(), log.seconds, time.perf_counter()
        await asyncio.gather(*(_work(service, numbers, each) for _ in range(concurrency)))
        return Accepted(
            concurrency,
            seconds=time.perf_counter() - started,
            each_seconds=each,
            cpu_seconds=time.process_time() - cpu,
            driver_seconds=log.seconds - driver,
        )


async def _work(service: JobService, numbers: Iterator[int], each: list[float]) -> None:
    for number in numbers:
        started = time.perf_counter()
        await service.create(_requester(number), _REQUEST)
        each.append(time.perf_counter() - started)


def _requester(number: int) -> Requester:
    member = number % _MEMBERS
    return Requester(interaction_id=number + 1, guild_id=member % 50 + 1, channel_id=1, member_id=member + 1)


async def _loop(statements: list[Statement]) -> float:
    """Run the statements again on a new file, with the bot's settings of SQLite, and return the seconds."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        path = Path(folder) / "jobs.db"
        async with Database.open(_url(path)) as database:
            # The first command was accepted before the statements were recorded.
            await JobService(database, SystemClock(), _POOL_SETTINGS).create(_requester(0), _REQUEST)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
                connection.execute(f"PRAGMA {pragma}")
            started = time.perf_counter()
            replay(connection, statements)
            return time.perf_counter() - started


def _url(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


def section(result: Submission) -> str:
    """Return the section on submissions."""
    head = ("at once", "commands/s", "p50, ms", "p99, ms", "CPU per command, ms", "SQLite")
    plain = ["plain loop", f"{result.loop_commands / result.loop_seconds:,.0f}", "", "", "", "100 %"]
    return _TEXT.format(
        circumstances=circumstances("SQLAlchemy", "aiosqlite"),
        commands=result.loop_commands,
        members=_MEMBERS,
        table=table(head, itertools.chain(map(_row, result.accepted), [plain])),
    )


def _row(accepted: Accepted) -> list[str]:
    return [
        str(accepted.concurrency),
        f"{accepted.per_second:,.0f}",
        f"{quantile(accepted.each_seconds, 0.5) * 1000:.1f}",
        f"{quantile(accepted.each_seconds, 0.99) * 1000:.1f}",
        f"{accepted.cpu_seconds / len(accepted.each_seconds) * 1000:.2f}",
        f"{accepted.driver_seconds / accepted.seconds * 100:.0f} %",
    ]


@click.command()
@click.option("--commands", default=2000, show_default=True, help="At each concurrency.")
@click.option("--write/--no-write", default=True, help="Write to docs/performance.md.")
def main(commands: int, write: bool) -> None:
    """Measure how fast commands are accepted."""
    text = section(asyncio.run(run_submission(commands)))
    click.echo(text)
    if write:
        write_section(_SECTION, text)


if __name__ == "__main__":
    main()
