"""What an operator relies on, with real processes: one bot a database, backups, a database in trouble, and check."""

import asyncio
import os
import resource
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL
from typing import Any

import pytest
import pytest_asyncio

from bot.errors import StorageError
from cogs.rendering.refusals import sentence_of
from sandbox.run import bot_environment
from tests.bot_fork import forked
from tests.bot_process import WAIT_SECONDS, Ended, Running, run
from tests.e2e.stage import Stage, is_up, refusal_of, servers

# Root may write what permissions deny, unless it gives that right away.
AS_OTHERS = ("setpriv", "--bounding-set", "-dac_override", "--inh-caps", "-dac_override") if os.geteuid() == 0 else ()


@dataclass
class Operator:
    """Somebody who runs the bot on both local servers, by its commands."""

    stage: Stage
    folder: Path
    environment: dict[str, str]

    @property
    def database(self) -> Path:
        return self.stage.settings.database_path

    def bot(self) -> AbstractAsyncContextManager[Running]:
        return forked(self.environment, self.folder)

    async def command(self, *arguments: str, wrapper: tuple[str, ...] = ()) -> Ended:
        return await run(self.environment, self.folder, *arguments, wrapper=wrapper)

    async def up(self) -> None:
        await self.stage.discord.wait_for(lambda: is_up(self.stage), WAIT_SECONDS)

    async def down(self) -> None:
        await self.stage.discord.wait_for(lambda: not self.stage.discord.bot_online, WAIT_SECONDS)


@pytest_asyncio.fixture
async def operator(tmp_path: Path) -> AsyncIterator[Operator]:
    async with servers(tmp_path, rate_limits=False) as stage:
        environment = bot_environment(stage.discord, stage.ulazai, tmp_path)
        changes = {
            "LIMIT_ACTIVE_JOBS": "0",
            "LIMIT_WINDOW_CREDITS": "0",
            "POOL_STARTING_CREDITS": "99999",
            "POLL_MIN_INTERVAL_SECONDS": "0.1",
        }
        yield Operator(stage, tmp_path, environment | changes)


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


async def test_a_second_bot_ends_at_once_and_a_killed_one_blocks_nobody(operator: Operator) -> None:
    sessions = operator.stage.discord.services.sessions
    async with operator.bot() as first:
        await operator.up()
        second = await operator.command()
        assert second.code == 3
        assert second.output == ""
        assert second.errors == (
            f"reelpool: another bot is running on {operator.database}: stop it first, or give this one its own "
            "DATABASE_URL.\n"
        )
        assert (first.process.returncode, sessions.identified) == (None, 1)
        first.process.send_signal(SIGKILL)
        await operator.down()
    async with operator.bot() as third:
        await operator.up()
        await operator.stage.ask()
        await operator.stage.delivered()
        assert await third.stop() == 0
    async with operator.bot():
        await operator.up()


async def test_backups_of_a_running_bot_are_consistent_snapshots(operator: Operator) -> None:
    stage = operator.stage
    stage.ulazai.set_credits(100_000)
    copies = [operator.folder / f"copy-{number}.db" for number in range(2)]
    async with operator.bot() as bot:
        await operator.up()
        crowd = asyncio.create_task(_ask_on_and_on(stage))
        for copy in copies:
            done = await operator.command("backup", str(copy))
            assert (done.code, done.errors) == (0, "")
            (jobs,) = rows(copy, "SELECT count(*) FROM jobs")[0]
            assert f" {jobs} jobs, " in done.output
        assert not crowd.done()
        crowd.cancel()
        await asyncio.gather(crowd, return_exceptions=True)
        assert await bot.stop() == 0
    books = rows(operator.database, "SELECT * FROM ledger_entries ORDER BY id")
    for copy in copies:
        _is_one_moment(copy, books)
    assert len(rows(copies[-1], "SELECT 1 FROM ledger_entries")) > 0
    await _go_on_from(operator, copies[-1])


async def _ask_on_and_on(stage: Stage) -> None:
    while True:
        await stage.ask()


def _is_one_moment(copy: Path, books: list[tuple[Any, ...]]) -> None:
    """Its ledger is how the books began, and each job has the entries that its row tells of."""
    ledger = rows(copy, "SELECT * FROM ledger_entries ORDER BY id")
    assert ledger == books[: len(ledger)]
    kinds = "SELECT coalesce(sum(credits), 0), count(*) FROM ledger_entries WHERE kind = '{}'"
    assert rows(copy, kinds.format("hold")) == rows(copy, "SELECT coalesce(sum(held_credits), 0), count(*) FROM jobs")
    charged = "SELECT coalesce(sum(charged_credits), 0), count(charged_credits) FROM jobs"
    assert rows(copy, kinds.format("charge")) == rows(copy, charged)


async def _go_on_from(operator: Operator, copy: Path) -> None:
    """Put a backup in the database's place, as the README says, and have the bot finish what was open in it."""
    ledger = rows(copy, "SELECT * FROM ledger_entries ORDER BY id")
    jobs = rows(copy, "SELECT count(*) FROM jobs")[0][0]
    for ending in ("", "-wal", "-shm"):
        operator.database.with_name(operator.database.name + ending).unlink(missing_ok=True)
    shutil.copy(copy, operator.database)
    async with operator.bot():
        await operator.up()
        await operator.stage.delivered(jobs)
    restored = rows(operator.database, "SELECT * FROM ledger_entries ORDER BY id")
    assert restored[: len(ledger)] == ledger
    assert rows(operator.database, "SELECT count(*) FROM jobs") == [(jobs,)]


async def test_a_backup_that_cannot_be_made_is_one_line_and_exit_code_1(operator: Operator) -> None:
    ended = await operator.command("backup", "copy.db")
    assert (ended.code, ended.output) == (1, "")
    assert ended.errors.splitlines() == [
        f"reelpool: there is no database at {operator.database}: DATABASE_URL says where it is."
    ]


async def test_a_backup_needs_no_secrets(operator: Operator) -> None:
    async with operator.bot():
        await operator.up()
        for name in ("DISCORD_TOKEN", "ULAZAI_API_KEY"):
            operator.environment.pop(name)
        first, again, forced = [await operator.command("backup", "copy.db", *more) for more in ((), (), ("--force",))]
    assert [first.code, again.code, forced.code] == [0, 1, 0]
    assert again.errors == "reelpool: copy.db is there already: name another file, or add --force to replace it.\n"


@contextmanager
def locked(operator: Operator, _bot: Running) -> Iterator[None]:
    """Another program is in the middle of writing to the database."""
    with closing(sqlite3.connect(operator.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@contextmanager
def no_room(_operator: Operator, bot: Running) -> Iterator[None]:
    """The bot's process may let no file grow: its writes fail as they do on a full quota or a failing disk."""
    soft, hard = resource.prlimit(bot.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(bot.process.pid, resource.RLIMIT_FSIZE, (1, hard))
    yield
    resource.prlimit(bot.process.pid, resource.RLIMIT_FSIZE, (soft, hard))


Trouble = Callable[[Operator, Running], AbstractContextManager[None]]


@pytest.mark.parametrize("trouble", [locked, no_room])
async def test_while_the_database_fails_new_jobs_are_refused_and_running_ones_continue(
    operator: Operator, trouble: Trouble
) -> None:
    stage = operator.stage
    # The job ends while the trouble lasts.
    stage.ulazai.speed = 12
    async with operator.bot() as bot:
        await operator.up()
        await stage.ask("a job that runs already")
        await stage.until(lambda: stage.states == ["processing"])
        with trouble(operator, bot):
            refused = refusal_of(await stage.ask("a job that comes too late"))
            assert refused == sentence_of(StorageError())
            await stage.until(lambda: any("the step will be tried again" in line for line in bot.log))
            assert stage.states == ["processing"]
        await stage.delivered()
        assert stage.states == ["succeeded"]
        assert stage.balance == (0, 55)
        assert len(stage.ulazai.tasks) == 1
        stage.ulazai.speed = 200
        await stage.ask("a job that is taken again")
        await stage.delivered(2)


async def test_a_stop_while_the_database_is_locked_is_over_in_ten_seconds(operator: Operator) -> None:
    stage = operator.stage
    async with operator.bot() as bot:
        await operator.up()
        for number in range(3):
            await stage.ask(f"number {number}")
        with locked(operator, bot):
            for task_id in stage.ulazai.tasks:
                stage.ulazai.finish(task_id)
            began = time.monotonic()
            assert await bot.stop() == 0
            assert time.monotonic() - began < 10
    async with operator.bot():
        await operator.up()
        await stage.delivered(3)


async def test_a_read_only_database_is_refused_at_start(operator: Operator) -> None:
    async with operator.bot() as bot:
        await operator.up()
        await bot.stop()
    before = operator.database.read_bytes()
    operator.database.chmod(0o444)
    ended = await operator.command(wrapper=AS_OTHERS)
    assert (ended.code, ended.output) == (1, "")
    assert ended.errors == (
        f"reelpool: can't open the database {operator.database}: attempt to write a readonly database\n"
    )
    checked = await operator.command("check", wrapper=AS_OTHERS)
    assert checked.code == 1
    assert "WRONG   database: " in checked.output
    assert "can't be written by this user: change its owner or its permissions." in checked.output
    assert operator.database.read_bytes() == before


async def test_a_read_only_folder_is_refused_at_start(operator: Operator) -> None:
    folder = operator.folder / "closed"
    folder.mkdir(mode=0o555)
    operator.environment["DATABASE_URL"] = f"sqlite:///{folder}/a.db"
    ended = await operator.command(wrapper=AS_OTHERS)
    assert (ended.code, ended.output) == (1, "")
    assert ended.errors.startswith(f"reelpool: can't lock {folder}/a.db.lock: ")
    assert ended.errors.count("\n") == 1
    checked = await operator.command("check", wrapper=AS_OTHERS)
    assert f"WRONG   database: {folder} can't be written by this user: change its owner" in checked.output


async def test_a_damaged_database_is_refused_at_start_in_one_line(operator: Operator) -> None:
    operator.database.write_bytes(b"SQLite format 3\x00" + os.urandom(8000))
    ended = await operator.command()
    assert (ended.code, ended.output) == (1, "")
    (line,) = ended.errors.splitlines()
    assert "is damaged" in line
    assert "put a backup in its place" in line


async def test_check_reports_by_its_lines_and_its_exit_code(operator: Operator) -> None:
    async with operator.bot():
        await operator.up()
        well = await operator.command("check")
        operator.stage.ulazai.revoke_key()
        operator.stage.discord.admin.remove_bot(operator.stage.discord.guild_id)
        wrong = await operator.command("check")
    assert (well.code, well.errors) == (0, "")
    assert {line[:8] for line in well.output.splitlines()} == {"ok      "}
    assert len(well.output.splitlines()) == 10
    assert (wrong.code, wrong.errors) == (1, "")
    assert [line.split(":")[0] for line in wrong.output.splitlines() if not line.startswith("ok ")] == [
        "WRONG   UlazAI key",
        "warning servers",
    ]
    for secret in (operator.environment["DISCORD_TOKEN"], operator.environment["ULAZAI_API_KEY"]):
        assert secret not in well.output + wrong.output


async def test_books_of_a_running_bot_agree_until_somebody_else_uses_the_account(operator: Operator) -> None:
    stage = operator.stage
    async with operator.bot():
        await operator.up()
        await asyncio.gather(*(stage.ask(f"at the same time {number}") for number in range(4)))
        await stage.delivered(4)
        agreed = await operator.command("books")
        stage.ulazai.set_credits(stage.ulazai.credits - 77)
        for number in range(2):
            await stage.ask(f"after that {number}")
            await stage.delivered(5 + number)
        for name in ("DISCORD_TOKEN", "ULAZAI_API_KEY"):
            operator.environment.pop(name)
        drifted = await operator.command("books")
    assert (agreed.code, agreed.errors, drifted.code, drifted.errors) == (0, "", 0, "")
    guild_id = stage.discord.guild_id
    assert f"ok      server {guild_id}: 99,999 deposited, 0 withdrawn, 0 adjusted: 99,779 available," in agreed.output
    assert "ok      drift: none in 4 readings of the account since job 1 (" in agreed.output
    told = [line for line in drifted.output.splitlines() if line.startswith("warning drift: ")]
    assert [line.split(" credits ")[0] for line in told] == ["warning drift: -77"] * 2
    assert told[1].endswith("5.")
