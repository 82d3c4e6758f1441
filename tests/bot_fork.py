"""The bot as a process that is forked from one which has read the bot's modules already.

Reading them takes a second. Where it is not tried how the bot starts, but what it does when it is stopped, killed and
started again, its process begins at the command's entry point: a process as any other, with an id, files, sockets,
signals and an exit code of its own.
"""

import asyncio
import multiprocessing
import os
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

from bot import app
from bot.__main__ import main
from tests.bot_process import Running, watched

_FORKS = multiprocessing.get_context("forkserver")
# This module reads them.
_FORKS.set_forkserver_preload([__name__, app.__name__])


class _Forked:
    """A forked process, as asyncio would show it."""

    def __init__(self, process: BaseProcess) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        assert self._process.pid
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, signal: int) -> None:
        os.kill(self.pid, signal)

    async def wait(self) -> int:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(self._process.sentinel, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(self._process.sentinel)
        self._process.join()
        assert self._process.exitcode is not None
        return self._process.exitcode


@asynccontextmanager
async def forked(environment: Mapping[str, str], folder: Path) -> AsyncIterator[Running]:
    """Start the bot, and kill it at the end if it is still there."""
    ours, theirs = socket.socketpair()
    errors, writer = await asyncio.open_connection(sock=ours)
    with theirs:
        process = _FORKS.Process(target=_be_the_bot, args=(dict(environment), folder, theirs), daemon=True)
        process.start()
    try:
        async with watched(_Forked(process), errors) as running:
            yield running
    finally:
        writer.close()
        await writer.wait_closed()
        process.close()


def _be_the_bot(environment: Mapping[str, str], folder: Path, errors: socket.socket) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    os.dup2(errors.fileno(), sys.stderr.fileno())
    errors.close()
    # The stream was made for the file that stood there before, in which one can seek.
    sys.stderr = open(sys.stderr.fileno(), "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115
    sys.argv = ["reelpool"]
    main()
