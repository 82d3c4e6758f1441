"""What the end-to-end tests share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bot.jobs.queueing.flow_control import CircuitBreaker
from tests.e2e.stage import Stage, staged


@pytest.fixture(autouse=True)
def _no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the seconds out of pauses that are there for the sake of real servers and readers."""
    monkeypatch.setattr("cogs.messages.status_cards._BETWEEN_EDITS_SECONDS", 0.3)
    monkeypatch.setattr("bot.jobs.polling.policy.LONGEST_PAUSE_SECONDS", 0.2)
    monkeypatch.setattr(CircuitBreaker.__init__, "__defaults__", (0.05,))


@pytest_asyncio.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """Both servers and the bot, with the settings that most tests want."""
    async with staged(tmp_path) as ready:
        yield ready
