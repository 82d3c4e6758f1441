"""Measures a process and its servers from outside; the bot is not changed for it."""

import os
import struct
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from aiohttp import web
from aiohttp.typedefs import Handler

from tests.local.faults import FaultPlan

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_KIBIBYTE = 1024
_CHANGE_COUNTER = struct.Struct("=I")
_CHANGE_COUNTER_OFFSET = 8

Call = tuple[str, str, int]
"""A request: method, route template, status."""


@dataclass(frozen=True, slots=True)
class ProcessMeter:
    """Reads the resources that a process uses. Source: Linux's proc(5)."""

    process_id: int

    def cpu_seconds(self) -> float:
        """Return the processor time that it has used so far, in user and kernel mode, all threads together."""
        stat = Path(f"/proc/{self.process_id}/stat").read_text()
        # The second field is the program's name in brackets, which may hold blanks.
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND

    def waiting_seconds(self) -> float:
        """Return how long its threads have been ready to run while others had the processors.

        Source: Linux's Documentation/scheduler/sched-stats.rst.
        """
        threads = Path(f"/proc/{self.process_id}/task").glob("*/schedstat")
        return sum(int(thread.read_text().split()[1]) for thread in threads) / 1e9

    def resident_bytes(self) -> int:
        """Return how much of its memory is in RAM."""
        return self._status("VmRSS")

    def peak_resident_bytes(self) -> int:
        """Return the most that this has been."""
        return self._status("VmHWM")

    def _status(self, name: str) -> int:
        lines = Path(f"/proc/{self.process_id}/status").read_text().splitlines()
        line = next(line for line in lines if line.startswith(f"{name}:"))
        return int(line.split()[1]) * _KIBIBYTE


def commits(database: Path) -> int:
    """Return a number that grows by one with each write transaction on a SQLite file in WAL mode; 0 while it is closed.

    It is the counter in the header of the shared index, which goes round at 2**32. Source: SQLite's documentation,
    "WAL-mode File Format", 2.1.
    """
    try:
        header = Path(f"{database}-shm").read_bytes()[: _CHANGE_COUNTER_OFFSET + _CHANGE_COUNTER.size]
    except FileNotFoundError:
        return 0
    if len(header) < _CHANGE_COUNTER_OFFSET + _CHANGE_COUNTER.size:
        return 0
    return int(_CHANGE_COUNTER.unpack_from(header, _CHANGE_COUNTER_OFFSET)[0])


class Passed(NamedTuple):
    """A request that passed: Unix seconds at its answer, its method, its path."""

    at: float
    method: str
    path: str


class CallCounter(FaultPlan):
    """Stands where a local server's plan of faults stands, and counts what passes.

    Attributes:
        calls: how often each route was called, by how it was answered.
        passed: every request, in the order of the answers.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[Call] = Counter()
        self.passed: list[Passed] = []

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let the request through and count it."""
        response = await super().middleware(request, handler)
        resource = request.match_info.route.resource
        route = resource.canonical if resource else request.path
        self.calls[request.method, route, response.status] += 1
        self.passed.append(Passed(time.time(), request.method, request.path))
        return response


def is_counted(path: str) -> bool:
    """Tell whether a request to Discord counts towards the 50 per second that a bot has.

    Source: Discord's documentation, "Rate Limits": interactions are not bound to the bot's global limit; webhooks
    have limits of their own.
    """
    below = path.removeprefix("/api/v10")
    return below != path and not below.startswith(("/interactions/", "/webhooks/"))


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that `share` of all values do not exceed (nearest rank); NaN if there are none."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]
