"""A repository on a real file, and a clock that is set by hand."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.jobs.store.repository import JobRepository
from tests.builders import repository_at
from tests.clock import FakeClock
from tests.jobs.scripted import Stage, stage_at


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def repository(tmp_path: Path, clock: FakeClock) -> AsyncIterator[JobRepository]:
    async with repository_at(tmp_path / "a.db", clock) as opened:
        yield opened


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage_at(tmp_path / "stage.db") as opened:
        yield opened
