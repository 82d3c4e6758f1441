"""Kills the bot at the point that is planned: from the servers' side, by its file, or by the clock."""

import asyncio
import os
import signal
import sqlite3
import threading
from contextlib import closing, suppress
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from tests.chaos.points import RANDOM, CommitPoint, Death, Moment, RequestPoint
from tests.local.faults import FaultPlan

# A point that the bot does not come past in this time is given up for a kill wherever it is.
_DEFER_AFTER_SECONDS = 12.0
_BETWEEN_LOOKS_SECONDS = 0.0005


class Killer:
    """Carries out one planned death at a time."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._death: Death | None = None
        self._process_id = 0
        self._passed = 0

    async def kill(self, process: asyncio.subprocess.Process, death: Death) -> str:
        """Wait until the point of a death is come, kill the process, and return where that was.

        Raises:
            RuntimeError: the process ended by itself.
        """
        self._process_id, self._passed, self._death = process.pid, 0, death
        stop = threading.Event()
        watching = asyncio.create_task(asyncio.to_thread(self._watch_file, death, stop))
        patience = death.point.seconds if isinstance(death.point, Moment) else _DEFER_AFTER_SECONDS
        try:
            async with asyncio.timeout(patience):
                await process.wait()
        except TimeoutError:
            pass
        finally:
            self._death = None
            stop.set()
            await watching
        was_met = process.returncode is not None
        if not was_met:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        if await process.wait() != -signal.SIGKILL:
            raise RuntimeError(f"the bot ended by itself, with code {process.returncode}")
        return death.point.name if was_met else RANDOM

    def meets(self, method: str, path: str) -> RequestPoint | None:
        """Return the point that a request is, if the bot is to die there."""
        point = self._death.point if self._death else None
        if not isinstance(point, RequestPoint) or method != point.method or not point.path.fullmatch(path):
            return None
        return point if self._comes_past() else None

    def strike(self) -> None:
        """Kill the bot now."""
        self._death = None
        with suppress(ProcessLookupError):
            os.kill(self._process_id, signal.SIGKILL)

    def _comes_past(self) -> bool:
        """Count one time that the bot came past the point; returns whether it was the last."""
        self._passed += 1
        return self._death is not None and self._passed > self._death.skipped

    def _watch_file(self, death: Death, stop: threading.Event) -> None:
        """Look into the file from outside until enough rows have come past the point."""
        if not isinstance(death.point, CommitPoint):
            return
        query = f"SELECT count(*) FROM jobs WHERE {death.point.condition}"  # noqa: S608 - of our own table of points
        wanted = rows(self._database, query) + 1 + death.skipped
        while not stop.is_set():
            with suppress(sqlite3.OperationalError), closing(_open(self._database)) as connection:
                if _reaches(connection, query, wanted, stop):
                    self.strike()
                    return
            stop.wait(0.01)


def rows(database: Path, query: str) -> int:
    """Return the number that a query finds; 0 where there is no such file or table yet."""
    with suppress(sqlite3.OperationalError), closing(_open(database)) as connection:
        return int(connection.execute(query).fetchone()[0])
    return 0


def _open(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{database}?mode=ro", uri=True, isolation_level=None)


def _reaches(connection: sqlite3.Connection, query: str, wanted: int, stop: threading.Event) -> bool:
    version = -1
    while not stop.is_set():
        # Changes only when another connection has committed, and costs next to nothing to ask.
        newest = connection.execute("PRAGMA data_version").fetchone()[0]
        if newest != version and connection.execute(query).fetchone()[0] >= wanted:
            return True
        version = newest
        stop.wait(_BETWEEN_LOOKS_SECONDS)
    return False


class Trap(FaultPlan):
    """Stands before a server's handlers and kills the bot at a request."""

    def __init__(self, killer: Killer) -> None:
        super().__init__()
        self._killer = killer

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let the request through, or kill the bot before or after it has its effect."""
        point = self._killer.meets(request.method, request.path)
        if point is None:
            return await handler(request)
        await request.read()
        if point.after_effect:
            await handler(request)
        self._killer.strike()
        if request.transport is not None:
            request.transport.close()
        return web.Response()  # aiohttp wants an answer from every handler; nobody is left to read it
