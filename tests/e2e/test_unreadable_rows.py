"""One row that can't be read is set aside with a line in the log; all else starts and runs."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import structlog

from tests.e2e.moderation import pool, set_up
from tests.e2e.stage import Stage, hold_finish, running_bot, servers, text_of

SPOILS = {
    "roles": "UPDATE jobs SET role_ids = '[1, ' WHERE id = 1",
    "roles of another kind": "UPDATE jobs SET role_ids = '7' WHERE id = 1",
    "time": "UPDATE jobs SET created_at = 'yesterday' WHERE id = 1",
    "time of submission": "UPDATE jobs SET submitted_at = 'soon' WHERE id = 1",
    "policy": """UPDATE pools SET policy = '{"moderators_channel":"none","paused":5}'""",
}


@pytest.mark.parametrize("spoil", SPOILS)
async def test_the_bot_starts_and_makes_the_other_videos(tmp_path: Path, spoil: str) -> None:
    async with servers(tmp_path) as stage:
        hold = hold_finish(stage)
        async with running_bot(stage):
            await set_up(stage)
            for number in range(2):
                await stage.ask(f"video {number}")
            await stage.until(lambda: stage.states == ["processing"] * 2)
        spoil_row(stage, SPOILS[spoil])
        with structlog.testing.capture_logs() as logs:
            async with running_bot(stage):
                hold.release()
                await stage.until(lambda: stage.states[1] == "succeeded" and stage.jobs[1]["delivered_at"])
                assert "Available: " in text_of((await pool(stage, "show")).message)
        of_a_policy = "a server's rules can't be read: it is paused"
        event = of_a_policy if spoil == "policy" else "row can't be read and is left out"
        assert event in {line["event"] for line in logs}


def spoil_row(stage: Stage, statement: str) -> None:
    with closing(sqlite3.connect(stage.settings.database_path)) as connection, connection:
        assert connection.execute(statement).rowcount == 1
