"""Sets the stage: both local servers in this process, their meters, and the bot as a process of its own."""

import asyncio
import contextlib
import json
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.backlog import Span, Started, lay_backlog, plan_backlog
from benchmarks.guilds import Guilds, found_town
from benchmarks.meters import Call, CallCounter, ProcessMeter, commits
from benchmarks.witness import Witness
from bot.config import MAX_CREDITS
from sandbox.run import bot_environment
from sandbox.ulazai.answers import TYPICAL_SECONDS
from tests.local.servers import LocalDiscord, LocalUlazAI

_CREDITS = 10**9
# Members and the provider set no limits; the archive is off, as it is by default.
_SETTINGS = {
    "LIMIT_ACTIVE_JOBS": "0",
    "LIMIT_WINDOW_CREDITS": "0",
    "POOL_STARTING_CREDITS": str(MAX_CREDITS),
    "PROVIDER_MAX_REQUESTS_PER_SECOND": "0",
    "ARCHIVE_DIR": "",
    "LOG_FORMAT": "json",
}
_START_SECONDS = 120.0
_STOP_SECONDS = 20.0
_REPOSITORY = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All counters at one moment; `at` is Unix seconds, `own_cpu_seconds` is of the servers' process."""

    at: float
    cpu_seconds: float
    waiting_seconds: float
    own_cpu_seconds: float
    commits: int
    to_discord: Counter[Call]
    to_provider: Counter[Call]


@dataclass(slots=True)
class Stage:
    """Both servers, the members, and what is recorded of the bot.

    Attributes:
        in_flight: how many jobs there were before the bot started.
        to_discord: counts the bot's requests to Discord.
        to_provider: counts its requests to UlazAI.
    """

    folder: Path
    local_discord: LocalDiscord
    ulazai: LocalUlazAI
    guilds: Guilds
    witness: Witness
    to_discord: CallCounter
    to_provider: CallCounter
    in_flight: int = 0

    @property
    def database(self) -> Path:
        """The bot's database."""
        return self.folder / "reelpool.db"

    @property
    def log(self) -> Path:
        """The log of the bot's process."""
        return self.folder / "bot.log"

    def said(self) -> Iterator[dict[str, Any]]:
        """Yield the events of the bot's log so far, oldest first."""
        for line in self.log.read_text().splitlines():
            with contextlib.suppress(ValueError):
                yield json.loads(line)

    def snapshot(self, meter: ProcessMeter) -> Snapshot:
        """Read all counters."""
        return Snapshot(
            time.time(),
            meter.cpu_seconds(),
            meter.waiting_seconds(),
            time.process_time(),
            commits(self.database),
            self.to_discord.calls.copy(),
            self.to_provider.calls.copy(),
        )


@asynccontextmanager
async def open_stage(folder: Path, span: Span, *, in_flight: int, backlog: bool = False) -> AsyncIterator[Stage]:
    """Start both servers, without the bot.

    Args:
        folder: for the bot's database and log.
        span: of the durations of videos.
        in_flight: for how many jobs at once there are members.
        backlog: whether so many jobs are in flight already.
    """
    draw = random.Random(3)  # noqa: S311 - must be repeatable
    local_discord = LocalDiscord()
    # The provider's estimate is "60-90 seconds" at speed 1, and scales with the speed.
    speed = sum(TYPICAL_SECONDS) / 2 / span.mean
    ulazai = LocalUlazAI(
        speed=speed,
        render=False,
        starting_credits=_CREDITS,
        durations=lambda: draw.uniform(span.low, span.high) * speed,
    )
    to_discord, to_provider = CallCounter(), CallCounter()
    local_discord.faults, ulazai.faults = to_discord, to_provider
    guilds = found_town(local_discord, in_flight)
    stage = Stage(folder, local_discord, ulazai, guilds, Witness(local_discord), to_discord, to_provider)
    async with AsyncExitStack() as stack:
        if backlog:
            await _lay(stage, plan_backlog(guilds, in_flight, span, time.time()))
        await local_discord.start()
        stack.push_async_callback(local_discord.stop)
        await ulazai.start()
        stack.push_async_callback(ulazai.stop)
        yield stage


async def _lay(stage: Stage, backlog: list[Started]) -> None:
    stage.in_flight = await lay_backlog(backlog, stage.database, stage.local_discord, stage.ulazai, time.time())


@asynccontextmanager
async def running_bot(stage: Stage, module: str = "bot") -> AsyncIterator[ProcessMeter]:
    """Run a bot as a process until the end of the block; it is ready when this yields.

    Raises:
        RuntimeError: the bot ended by itself, or did not start.
    """
    process = await start_bot(stage, module)
    try:
        await _ready(stage, process)
        yield ProcessMeter(process.pid)
        if process.returncode is not None:
            raise RuntimeError(f"the bot ended by itself, with code {process.returncode}; see {stage.log}")
    finally:
        await stop_bot(process)


async def start_bot(stage: Stage, module: str = "bot") -> asyncio.subprocess.Process:
    """Start a bot's process, and do not wait for it."""
    environment = bot_environment(stage.local_discord, stage.ulazai, stage.folder) | _SETTINGS
    with stage.log.open("ab") as log:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, env=environment, cwd=stage.folder, stdout=log, stderr=log
        )


async def stop_bot(process: asyncio.subprocess.Process) -> None:
    """Stop a bot's process, by force if it does not go."""
    if process.returncode is not None:
        return
    process.terminate()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    if process.returncode is None:
        process.kill()
        await process.wait()


async def _ready(stage: Stage, process: asyncio.subprocess.Process) -> None:
    def is_up() -> bool:
        if process.returncode is not None:
            raise RuntimeError(f"the bot did not start, code {process.returncode}; see {stage.log}")
        return stage.local_discord.bot_online and any(
            command.body["name"] == "video" for command in stage.local_discord.commands
        )

    await stage.local_discord.wait_for(is_up, _START_SECONDS)
