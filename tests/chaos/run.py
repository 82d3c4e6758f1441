"""One run: both servers here, the real bot in a process of its own, members who ask, and deaths by plan."""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.run import bot_environment
from tests.chaos.audit import Verdict, gather, judge
from tests.chaos.crowd import Crowd
from tests.chaos.killer import Killer, Trap, rows
from tests.chaos.points import Death, drawn_from, plan_deaths
from tests.local.servers import LocalDiscord, LocalUlazAI

_SPEED = 200.0
_CREDITS = 10_000_000
_SETTINGS = {
    "LIMIT_ACTIVE_JOBS": "0",
    "LIMIT_WINDOW_CREDITS": "0",
    "POOL_STARTING_CREDITS": "1000000",
    "POLL_MIN_INTERVAL_SECONDS": "0.1",
}
_REST_SECONDS = 120.0
_STOP_SECONDS = 15.0
_TAKEN = "SELECT count(*) FROM jobs"
_UNDONE = (
    "SELECT count(*) FROM jobs WHERE state IN ('queued', 'submitting', 'processing') "
    "OR (finished_at IS NOT NULL AND delivered_at IS NULL AND kept_at IS NULL)"
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done.

    Attributes:
        jobs: how many are to be taken.
        kills: how often the bot is killed.
        seed: of everything that is random.
        module: what is run as the bot.
        where: only points with this in their name are chosen; empty: every point, and random moments.
    """

    jobs: int
    kills: int
    seed: int
    module: str = "bot"
    where: str = ""


@dataclass(slots=True)
class Result:
    """What came of a run; `kills` counts by point."""

    verdict: Verdict
    kills: Counter[str]
    asked: int
    log: Path


@dataclass(slots=True)
class _World:
    folder: Path
    plan: Plan
    local_discord: LocalDiscord
    ulazai: LocalUlazAI
    killer: Killer
    crowd: Crowd
    kills: Counter[str] = field(default_factory=Counter)

    @property
    def database(self) -> Path:
        return self.folder / "reelpool.db"

    @property
    def log(self) -> Path:
        return self.folder / "bot.log"


async def run_chaos(plan: Plan, folder: Path) -> Result:
    """Carry out a plan; the folder is left with the database and the bot's log.

    Raises:
        RuntimeError: the bot ended by itself, or did not come to rest.
    """
    deaths = plan_deaths(plan.kills, plan.seed, plan.where)
    async with _world(plan, folder) as world:
        asking = asyncio.create_task(world.crowd.run(), name="crowd")
        try:
            for number, death in enumerate(deaths, 1):
                world.crowd.allowed = -(-plan.jobs * number // (plan.kills + 1))
                await _live_and_die(world, death)
            world.crowd.allowed = plan.jobs
            await _live_to_the_end(world)
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        evidence = gather(world.database, world.local_discord, world.ulazai, world.crowd.asked)
        return Result(judge(evidence), world.kills, len(world.crowd.asked), world.log)


@asynccontextmanager
async def _world(plan: Plan, folder: Path) -> AsyncIterator[_World]:
    killer = Killer(folder / "reelpool.db")
    local_discord = LocalDiscord()
    ulazai = LocalUlazAI(speed=_SPEED, seed=plan.seed, render=False, starting_credits=_CREDITS)
    local_discord.faults, ulazai.faults = Trap(killer), Trap(killer)
    async with AsyncExitStack() as stack:
        await local_discord.start()
        stack.push_async_callback(local_discord.stop)
        await ulazai.start()
        stack.push_async_callback(ulazai.stop)
        crowd = Crowd(
            local_discord, ulazai, drawn_from(plan.seed, "crowd"), lambda: rows(folder / "reelpool.db", _TAKEN)
        )
        yield _World(folder, plan, local_discord, ulazai, killer, crowd)


async def _live_and_die(world: _World, death: Death) -> None:
    process = await _start(world)
    try:
        world.kills[await world.killer.kill(process, death)] += 1
    finally:
        await _end(process)
    world.crowd.bot_died()
    await asyncio.sleep(death.pause_seconds)


async def _live_to_the_end(world: _World) -> None:
    process = await _start(world)
    try:
        async with asyncio.timeout(_REST_SECONDS):
            while rows(world.database, _TAKEN) < world.plan.jobs or rows(world.database, _UNDONE):
                if process.returncode is not None:
                    raise RuntimeError(f"the bot ended by itself, with code {process.returncode}")
                await asyncio.sleep(0.1)
        process.terminate()
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        undone = rows(world.database, _UNDONE)
        raise RuntimeError(f"the bot did not come to rest: {undone} jobs undone; see {world.log}") from None
    finally:
        await _end(process)


async def _start(world: _World) -> asyncio.subprocess.Process:
    environment = bot_environment(world.local_discord, world.ulazai, world.folder) | _SETTINGS
    with world.log.open("ab") as log:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", world.plan.module, env=environment, cwd=world.folder, stdout=log, stderr=log
        )


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
