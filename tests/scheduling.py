"""Which tests the workers of pytest-xdist get first, and which stay together: little waiting, and no long tail."""

import os
import re
from importlib import import_module
from zlib import crc32

import pytest

# What takes longest is begun first. All else is mixed, so that at any time some tests compute while others wait.
_LONGEST_FIRST = (
    r"tests/faults/.*\[(submission|polling|video)\]",
    r"tests/sandbox/page/test_page\.py",
    r"tests/faults/.*\[(callback|thread|card|delivery)\]",
    r"tests/chaos/",
    r"tests/e2e/test_(sessions_)?restart\.py",
    r"tests/sandbox/page/test_page_\w+\.py",
    r"tests/benchmarks/test_policy\.py",
    r"tests/e2e/test_start_and_stop\.py",
    r"tests/fuzz/test_fuzz\.py",
    r"tests/e2e/test_(pool_)?in_browser\.py",
    r"tests/pools/test_pool_machine\.py",
    r"tests/e2e/test_operator\.py",
    r"tests/benchmarks/",
    r"tests/faults/",
)

# They share a browser, a bot or what was computed once; of the faults, two groups take all of two cores.
_TOGETHER = (
    r"tests/sandbox/page/test_page\.py",
    r"tests/sandbox/page/test_page_\w+\.py",
    r"tests/fuzz/test_fuzz\.py",
    r"tests/benchmarks/test_policy\.py",
    r"tests/faults/.*\[(submission|polling|video)\]",
    r"tests/faults/.*\[(callback|thread|card|delivery)\]",
)


def turn_of(nodeid: str) -> tuple[int, int]:
    """Return when a test has its turn: the lower, the earlier; the same in each run."""
    turns = (turn for turn, place in enumerate(_LONGEST_FIRST) if re.match(place, nodeid))
    turn = next(turns, len(_LONGEST_FIRST))
    return turn, crc32(unit_of(nodeid).encode()) if turn == len(_LONGEST_FIRST) else 0


def unit_of(nodeid: str) -> str:
    """Return what a worker is given as one piece: a test, or the group that it is in."""
    return next((place for place in _TOGETHER if re.match(place, nodeid)), nodeid)


def worker_count() -> int:
    """Return how many workers keep the cores busy, though most tests wait for processes, servers and clocks."""
    return len(os.sched_getaffinity(0)) + 3


def scheduler(config: pytest.Config, log: object) -> object:
    """Return the scheduler of pytest-xdist that hands out one unit after another, in the order of the tests."""
    config.option.loadscopereorder = False
    scheduling = import_module("xdist.scheduler").LoadScopeScheduling(config, log)
    scheduling._split_scope = unit_of
    return scheduling
