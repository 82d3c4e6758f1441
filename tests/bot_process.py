"""The bot and its commands as an operator starts them: `python -m bot`, each in a process of its own."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Protocol

WAIT_SECONDS = 40


class Process(Protocol):
    """What tests want of a process."""

    @property
    def pid(self) -> int: ...

    @property
    def returncode(self) -> int | None: ...

    def send_signal(self, signal: int) -> None: ...

    async def wait(self) -> int: ...


@dataclass(frozen=True)
class Ended:
    """How a process ended, and what it printed."""

    code: int
    output: str
    errors: str


@dataclass(frozen=True)
class Running:
    """A process, and the lines that it has logged so far."""

    process: Process
    log: list[str]

    async def stop(self) -> int:
        """Ask it to stop, and return its exit code."""
        self.process.send_signal(SIGTERM)
        async with asyncio.timeout(WAIT_SECONDS):
            return await self.process.wait()


@asynccontextmanager
async def started(environment: Mapping[str, str], folder: Path) -> AsyncIterator[Running]:
    """Start the bot, and kill it at the end if it is still there."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot"), env=environment, cwd=folder, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr
    async with watched(process, process.stderr) as running:
        yield running


@asynccontextmanager
async def watched(process: Process, errors: asyncio.StreamReader) -> AsyncIterator[Running]:
    """Read what a process logs, and kill it at the end if it is still there."""
    running = Running(process, [])
    reader = asyncio.create_task(_read(errors, running.log))
    try:
        yield running
    finally:
        if process.returncode is None:
            process.send_signal(SIGKILL)
        await asyncio.gather(process.wait(), reader)


async def _read(errors: asyncio.StreamReader, log: list[str]) -> None:
    while line := await errors.readline():
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
