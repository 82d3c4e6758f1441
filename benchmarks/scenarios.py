"""Loads under which a bot is measured."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.backlog import Span
from benchmarks.harness import Stage, open_stage, running_bot
from benchmarks.measuring import Window, measure

SHORT = Span(60.0, 90.0)
LONG = Span(600.0, 840.0)

_WITHOUT_END = 10**9


@dataclass(frozen=True, slots=True)
class Load:
    """A load on a bot.

    Attributes:
        per_second: how many commands are used in a second.
        span: of the durations of videos.
        warm_up_seconds: before it is measured.
        measured_seconds: for how long.
        backlog: whether as many jobs as such a flow keeps in flight are there from the start.
        burst: how many commands come on top, at the end.
        burst_seconds: in how many seconds.
    """

    per_second: float
    span: Span
    warm_up_seconds: float
    measured_seconds: float
    backlog: bool = False
    burst: int = 0
    burst_seconds: float = 4.0

    @property
    def in_flight(self) -> int:
        """How many jobs such a flow keeps in flight."""
        return round(self.per_second * self.span.mean)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was measured: under the steady load, and in the burst if there was one."""

    steady: Window
    burst: Window | None


async def run_load(load: Load, module: str = "bot") -> Outcome:
    """Start a bot, put it under a load, and stop it.

    Raises:
        RuntimeError: the bot did not start, or ended by itself.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        async with (
            open_stage(Path(folder), load.span, in_flight=load.in_flight, backlog=load.backlog) as stage,
            running_bot(stage, module) as meter,
            _asking(stage, load.per_second),
        ):
            await asyncio.sleep(load.warm_up_seconds)
            steady = await measure(stage, meter, load.measured_seconds)
            if not load.burst:
                return Outcome(steady, None)
            async with _asking(stage, load.burst / load.burst_seconds, load.burst):
                return Outcome(steady, await measure(stage, meter, load.burst_seconds))


@asynccontextmanager
async def _asking(stage: Stage, per_second: float, count: int = _WITHOUT_END) -> AsyncIterator[None]:
    asking = asyncio.create_task(stage.guilds.ask_steadily(count, per_second), name="members")
    try:
        yield
    finally:
        asking.cancel()
        failure = (await asyncio.gather(asking, return_exceptions=True))[0]
    if isinstance(failure, Exception):
        raise failure
