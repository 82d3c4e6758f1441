"""A database of the version without pools is brought up to date with its jobs and books as they were."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from bot.codes import TEXT, Failure, LedgerReason, Reason
from bot.jobs.models import JobState
from bot.jobs.store.repository import JobRepository
from bot.pools.ledger import entries as ledger
from bot.pools.models import Funds, Pool, PoolSettings
from bot.pools.reconciliation.service import reconcile
from bot.pools.service import PoolService
from bot.storage.database import Database
from bot.storage.migrations import HEAD
from bot.storage.upgrade import alembic_config
from tests.builders import FAILURE, GUILD, UNLIMITED, requester, take
from tests.clock import FakeClock
from tests.storage.test_database import url_of

OTHER_GUILD = GUILD + 1
HELD, CHARGED = 55, 50
JOBS = (
    # state, credits charged, credits refunded, and the entries that led there
    ("queued", None, None, [("hold", HELD)]),
    ("submitting", None, None, [("hold", HELD)]),
    ("unconfirmed", None, None, [("hold", HELD)]),
    ("processing", CHARGED, None, [("hold", HELD), ("charge", CHARGED), ("release", HELD - CHARGED)]),
    ("succeeded", CHARGED, None, [("hold", HELD), ("charge", CHARGED), ("release", HELD - CHARGED)]),
    ("succeeded", 60, None, [("hold", HELD), ("hold", 5), ("charge", 60)]),
    ("failed", CHARGED, CHARGED, [("hold", HELD), ("charge", CHARGED), ("release", 5), ("refund", CHARGED)]),
    ("failed", CHARGED, None, [("hold", HELD), ("charge", CHARGED), ("release", HELD - CHARGED)]),
    ("cancelled", None, None, [("hold", HELD), ("release", HELD)]),
)
BEFORE = Funds(available=0, held=3 * HELD, spent=3 * CHARGED + 60)
JOB = (
    "INSERT INTO jobs (interaction_id, guild_id, channel_id, in_thread, member_id, mode, prompt, duration_seconds, "
    "sound, share, state, held_credits, charged_credits, refunded_credits, task_id, video_url, created_at) VALUES "
    "(?, ?, 7, 0, 8, 'text_to_video', 'a cat', 5, 0, 0, ?, ?, ?, ?, ?, 'https://cdn/v.mp4', "
    "'2026-07-01 12:00:00.000000')"
)
ENTRY = (
    "INSERT INTO ledger_entries (guild_id, kind, credits, job_id, member_id, created_at) "
    "VALUES (?, ?, ?, ?, 8, '2026-07-01 12:00:00.000000')"
)


def migrate(path: Path, revision: str, *, back: bool = False) -> None:
    """Bring a file to a version, forward or back."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        (command.downgrade if back else command.upgrade)(config, revision)
    engine.dispose()


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A file as the version without pools left it: one server with every kind of job, and one with a single job."""
    path = tmp_path / "a.db"
    migrate(path, "0001")
    with closing(sqlite3.connect(path)) as file, file:
        for number, job in enumerate((*((GUILD, *job) for job in JOBS), (OTHER_GUILD, *JOBS[4])), start=1):
            guild_id, state, charged, refunded, entries = job
            task_id = f"task-{number}" if charged else None
            file.execute(JOB, (number, guild_id, state, HELD, charged, refunded, task_id))
            file.executemany(ENTRY, [(guild_id, kind, amount, number) for kind, amount in entries])
    return path


def test_the_newest_version_is_that_of_the_last_migration() -> None:
    assert ScriptDirectory.from_config(alembic_config()).get_current_head() == HEAD


def test_a_start_on_tables_of_today_does_without_the_migrations_library(tmp_path: Path) -> None:
    start = (
        "import asyncio, sys\n"
        "from bot.storage.database import Database\n"
        "async def start() -> None:\n"
        "    async with Database.open(sys.argv[1]):\n"
        "        print('alembic' in sys.modules)\n"
        "asyncio.run(start())\n"
    )
    line = [sys.executable, "-c", start, url_of(tmp_path / "a.db")]
    # The first start makes the tables.
    for needed in ("True\n", "False\n"):
        assert subprocess.check_output(line, text=True) == needed  # noqa: S603 - our own command


def contents(path: Path, table: str, columns: str = "*") -> list[dict[str, Any]]:
    """The rows of a table, oldest first."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(f"SELECT {columns} FROM {table} ORDER BY 1")]  # noqa: S608 - ours


_RENAMED = {"share": "publish"}


def without_new_columns(rows: list[dict[str, Any]], old_rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The rows with what they had before, under the names of then."""
    for row, old_row in zip(rows, old_rows, strict=False):
        yield {name: row[_RENAMED.get(name, name)] for name in old_row}


async def test_every_job_and_entry_is_kept_as_it_was(old: Path) -> None:
    jobs, entries = contents(old, "jobs"), contents(old, "ledger_entries")
    async with Database.open(url_of(old)):
        pass
    assert list(without_new_columns(contents(old, "jobs"), jobs)) == jobs
    assert len(contents(old, "jobs")) == len(jobs)
    found = contents(old, "ledger_entries")
    assert list(without_new_columns(found, entries)) == entries
    # What was held and spent came from no pool: an adjustment for each server says so.
    added = [(row["guild_id"], row["kind"], row["credits"]) for row in found[len(entries) :]]
    assert [Reason.from_json(row["reason"]) for row in found[len(entries) :]] == [Reason(LedgerReason.BEFORE_POOL)] * 2
    assert added == [(GUILD, "adjustment", BEFORE.held + BEFORE.spent), (OTHER_GUILD, "adjustment", CHARGED)]


async def test_the_ledger_is_consistent_afterwards(old: Path) -> None:
    async with Database.open(url_of(old)) as database, database.reading() as connection:
        recounted = await ledger.recount(connection)
    assert recounted == {GUILD: BEFORE, OTHER_GUILD: Funds(spent=CHARGED)}
    report = reconcile(old)
    assert report.is_sound
    assert {server.guild_id: server.funds for server in report.servers} == recounted


async def test_a_pool_opens_once_with_the_starting_credits(old: Path) -> None:
    clock = FakeClock()
    for _ in range(2):
        async with Database.open(url_of(old)) as database:
            for _ in range(2):
                pool: Pool = await PoolService(database, clock, PoolSettings(UNLIMITED, 1000)).pool(GUILD)
            assert pool.funds == Funds(available=1000, held=BEFORE.held, spent=BEFORE.spent)
            assert (pool.last_deposit, pool.opened_at) == (1000, clock.now())
    deposits = [row for row in contents(old, "ledger_entries") if row["kind"] == "deposit"]
    found = [(row["guild_id"], row["credits"], Reason.from_json(row["reason"])) for row in deposits]
    assert found == [(GUILD, 1000, Reason(LedgerReason.STARTING_CREDITS))]
    assert reconcile(old).is_sound


async def test_old_jobs_continue_and_new_ones_are_accepted(old: Path) -> None:
    async with Database.open(url_of(old)) as database:
        repository = JobRepository(database, FakeClock())
        assert {job.state for job in await repository.unfinished()} >= {JobState.QUEUED, JobState.PROCESSING}
        await repository.fail(1, FAILURE)
        await repository.fail(4, FAILURE)
        async with database.reading() as connection:
            assert (await ledger.recount(connection))[GUILD] == Funds(
                available=HELD + CHARGED, held=2 * HELD, spent=BEFORE.spent - CHARGED
            )
        new = await take(repository, requester(GUILD))
        assert new.id == len(JOBS) + 2
    assert reconcile(old).is_sound


def test_0_stays_no_limit_in_rules_of_earlier_versions(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    migrate(path, "0004")
    rule = {"window_credits": 0, "active_jobs": 2, "max_price": 0}
    policy = {"everyone": rule, "roles": {"7": {"max_price": 0}}, "paused": None, "words": ["0"]}
    detail = {"code": "allow", "before": {}, "after": {"members": {"8": {"active_jobs": 0}}}}
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO pools (guild_id, policy) VALUES (1, ?)", (json.dumps(policy),))
        connection.execute(
            "INSERT INTO audit_entries (guild_id, actor_id, action, detail, created_at) VALUES (1, 2, 'allow', ?, ?)",
            (json.dumps(detail), "2026-01-01 00:00:00"),
        )
    migrate(path, "head")
    (pool,), (entry,) = contents(path, "pools"), contents(path, "audit_entries")
    assert json.loads(pool["policy"]) == {
        "everyone": {"window_credits": -1, "active_jobs": 2, "max_price": -1},
        "roles": {"7": {"max_price": -1}},
        "paused": None,
        "words": ["0"],
    }
    assert json.loads(entry["detail"])["after"] == {"members": {"8": {"active_jobs": -1}}}


async def test_a_file_without_jobs_has_no_pool_yet(tmp_path: Path) -> None:
    async with Database.open(url_of(tmp_path / "a.db")):
        pass
    assert contents(tmp_path / "a.db", "pools") == []
    assert contents(tmp_path / "a.db", "ledger_entries") == []


FAILURES = (
    # state, what 0.1.0 wrote, and what is read now
    ("failed", "UlazAI did not accept this request: too\ndark", Reason(Failure.REJECTED, {"reason": "too\ndark"})),
    ("failed", "UlazAI did not accept this request: it gave no reason.", Reason(Failure.REJECTED, {"reason": None})),
    (
        "failed",
        "This bot's UlazAI account has run out of credits. Please tell a moderator.",
        Reason(Failure.OUT_OF_CREDITS),
    ),
    ("failed", "UlazAI could not make this video.", Reason(Failure.FAILED_AT_PROVIDER)),
    (
        "failed",
        "Discord does not have your picture any more; please send it again.",
        Reason(Failure.PICTURE_GONE),
    ),
    (
        "unconfirmed",
        "UlazAI did not say whether it started this video, so I won't send it again by itself.",
        Reason(Failure.UNCLEAR),
    ),
    (
        "unconfirmed",
        "I was stopped while I was sending this video to UlazAI, so I won't send it again by itself.",
        Reason(Failure.INTERRUPTED),
    ),
    ("unconfirmed", "UlazAI does not know this video any more.", Reason(Failure.LOST)),
    ("unconfirmed", "UlazAI says that this video is done, but gives no link to it.", Reason(Failure.NO_VIDEO)),
    (
        "unconfirmed",
        "UlazAI is still not done with this video, so a moderator has to look.",
        Reason(Failure.TOO_LATE),
    ),
    (
        "failed",
        "Nobody decided within 48 hours whether it was made, so it counts as paid.",
        Reason(Failure.NOBODY_DECIDED, {"hours": 48.0}),
    ),
    ("failed", "A moderator found that UlazAI made nothing of it.", Reason(Failure.NOTHING_MADE)),
    ("expired", "No moderator decided within 1.5 hours.", Reason(Failure.APPROVAL_EXPIRED, {"hours": 1.5})),
    ("expired", "Its session ended before a moderator decided.", Reason(Failure.SESSION_OVER)),
    (
        "denied",
        "No moderator decided within 1.5 hours.",
        Reason(Failure.DENIED, {"reason": "No moderator decided within 1.5 hours."}),
    ),
    ("denied", None, Reason(Failure.DENIED, {"reason": None})),
    ("failed", '{"code": "content ✓"}', Reason(TEXT, {"text": '{"code": "content ✓"}'})),
    ("failed", "", Reason(TEXT, {"text": ""})),
    ("succeeded", None, None),
)


@pytest.fixture
def with_failures(tmp_path: Path) -> Path:
    """A file as 0.1.0 left it, with every failure that it knew."""
    path = tmp_path / "a.db"
    migrate(path, "0002")
    with closing(sqlite3.connect(path)) as file, file:
        for number, (state, failure, _) in enumerate(FAILURES, start=1):
            file.execute(JOB, (number, GUILD, state, HELD, None, None, f"task-{number}"))
            file.execute("UPDATE jobs SET failure = ? WHERE id = ?", (failure, number))
    return path


async def test_the_sentences_of_failures_become_codes_with_their_numbers(with_failures: Path) -> None:
    async with Database.open(url_of(with_failures)) as database:
        repository = JobRepository(database, FakeClock())
        found = [await repository.get(number) for number in range(1, len(FAILURES) + 1)]
    assert [job.failure for job in found if job] == [failure for _, _, failure in FAILURES]
    # Each is in the row as a code, also one whose sentence nobody knows.
    assert all('"code": ' in row["failure"] for row in contents(with_failures, "jobs") if row["failure"])


def test_failures_go_back_as_sentences(with_failures: Path) -> None:
    migrate(with_failures, "head")
    migrate(with_failures, "0002", back=True)
    written = [row["failure"] for row in contents(with_failures, "jobs")]
    assert written == [failure or None for _, failure, _ in FAILURES]
