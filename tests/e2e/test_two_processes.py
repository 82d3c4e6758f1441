"""Two processes with the same token on two databases: each video is made, and paid, once."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from bot import app
from bot.client import VideoBot
from cogs.rendering.refusals import ANSWERED_ELSEWHERE
from tests.e2e.pool import OPERATOR, use
from tests.e2e.stage import Stage, running_bot, servers

COUNT = 3


@asynccontextmanager
async def second_bot(stage: Stage, path: Path) -> AsyncIterator[VideoBot]:
    """Run another bot with the same token, on a database of its own."""
    settings = stage.settings.model_copy(update={"database_url": f"sqlite+aiosqlite:///{path}"})
    async with app.open_bot(settings) as bot:
        task = asyncio.create_task(bot.start(settings.discord_token.get_secret_value()))
        try:
            await asyncio.wait_for(bot.wait_until_ready(), 20)
            yield bot
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def states_in(*paths: Path) -> Counter[str]:
    """How many jobs are in which state, in all databases together."""
    found: Counter[str] = Counter()
    for path in paths:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            found.update(state for (state,) in connection.execute("SELECT state FROM jobs"))
    return found


@pytest.mark.parametrize("needs_approval", [False, True])
async def test_of_two_processes_one_continues_and_the_other_cancels_its_job(
    tmp_path: Path, needs_approval: bool
) -> None:
    second = tmp_path / "second" / "reelpool.db"
    second.parent.mkdir()
    async with servers(tmp_path, rate_limits=False) as stage:
        first = Path(stage.settings.database_path)
        async with running_bot(stage), second_bot(stage, second):
            if needs_approval:
                await use(stage, "pool approvals", price=1)
            for number in range(COUNT):
                await stage.ask(f"video {number}")
            state = "awaiting_approval" if needs_approval else "succeeded"
            await stage.until(lambda: states_in(first, second) == {state: COUNT, "cancelled": COUNT})
            assert len(stage.ulazai.tasks) == (0 if needs_approval else COUNT)
            operator = stage.discord.person(OPERATOR)
            notice = await stage.message_in(operator.dm().id)
            assert notice.content == ANSWERED_ELSEWHERE
        notices = [m for m in stage.discord.messages(operator.dm().id) if m.content == ANSWERED_ELSEWHERE]
        # One from each process that came second at least once.
        assert 1 <= len(notices) <= 2
