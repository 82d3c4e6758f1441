"""The bot and its commands as an operator starts them: `python -m bot`, each in a process of its own."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

WAIT_SECONDS = 40


@dataclass(frozen=True)
class Ended:
    """How a process ended, and what it printed."""

    code: int
    output: str
    errors: str


@dataclass(frozen=True)
class Running:
    """A process, and the lines that it has logged so far."""

    process: asyncio.subprocess.Process
    log: list[str]

    async def stop(self) -> int:
        """Ask it to stop, and return its exit code."""
        self.process.terminate()
        async with asyncio.timeout(WAIT_SECONDS):
            return await self.process.wait()


@asynccontextmanager
async def started(environment: Mapping[str, str], folder: Path) -> AsyncIterator[Running]:
    """Start the bot, and kill it at the end if it is still there."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot"), env=environment, cwd=folder, stderr=asyncio.subprocess.PIPE
    )
    running = Running(process, [])
    reader = asyncio.create_task(_read(process, running.log))
    try:
        yield running
    finally:
        if process.returncode is None:
            process.kill()
        await asyncio.gather(process.wait(), reader)


async def _read(process: asyncio.subprocess.Process, log: list[str]) -> None:
    assert process.stderr
    while line := await process.stderr.readline():
        log.append(line.decode())


async def run(environment: Mapping[str, str], folder: Path, *arguments: str, wrapper: tuple[str, ...] = ()) -> Ended:
    """Run a process to its end."""
    process = await asyncio.create_subprocess_exec(
        *(*wrapper, sys.executable, "-m", "bot", *arguments),
        env=environment,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Ended(process.returncode or 0, output.decode(), errors.decode())
