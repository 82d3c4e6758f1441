"""The benchmark of submissions runs, and takes every command."""

import sqlite3
from pathlib import Path

from sqlalchemy import text

from benchmarks.driver import recorded_driver
from benchmarks.submission import run_submission, section
from bot.storage.database import Database


async def test_every_command_is_accepted_at_every_concurrency() -> None:
    result = await run_submission(20, (1, 5))

    assert [accepted.concurrency for accepted in result.accepted] == [1, 5]
    assert all(len(accepted.each_seconds) == 20 for accepted in result.accepted)
    assert all(accepted.driver_seconds > 0 for accepted in result.accepted)
    assert result.loop_seconds > 0
    assert "| plain loop |" in section(result)


def test_the_driver_is_traced_only_for_a_while() -> None:
    with recorded_driver() as log:
        connection = sqlite3.connect(":memory:")
        connection.cursor().execute("SELECT 1").fetchall()
        connection.commit()
        connection.close()
    sqlite3.connect(":memory:").close()

    assert log.statements == [("SELECT 1", ()), ("", ())]
    assert log.seconds > 0


async def test_what_the_bots_own_driver_does_is_seen(tmp_path: Path) -> None:
    with recorded_driver() as log:
        async with Database.open(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}") as database:
            log.statements.clear()
            async with database.transaction() as connection:
                await connection.execute(text("SELECT 1"))
            assert [sql for sql, _ in log.statements] == ["BEGIN IMMEDIATE", "SELECT 1", ""]
