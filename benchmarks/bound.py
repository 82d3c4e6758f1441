"""The least lateness that any schedule can reach at a number of requests, where the distribution is known.

Plain dynamic programming over polls on a fine grid. It is written apart from `bot.jobs.polling.forecast`, so
that each can show a mistake in the other: the same recursion, but every next poll is tried, and there is no shortest
interval.
"""

from bisect import bisect_left
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from benchmarks.workloads import Durations

_STEP_SECONDS = 0.25
_LONGEST_GAP_SECONDS = 60.0
_NEARLY_NOTHING = 1e-5
_COSTS = tuple(0.0005 * 1.7**power for power in range(17))


@dataclass(frozen=True, slots=True)
class Point:
    """What the best schedule reaches at some cost of a request."""

    requests: float
    lateness_seconds: float


@cache
def bound(durations: Durations, requests: float) -> float:
    """Return the least mean lateness, in seconds, at so many expected requests per job.

    Between two schedules it is interpolated: each job is given one of them at random.
    """
    curve = _curve(durations)
    place = min(max(1, bisect_left(curve, requests, key=lambda point: point.requests)), len(curve) - 1)
    low, high = curve[place - 1], curve[place]
    part = (requests - low.requests) / (high.requests - low.requests)
    return low.lateness_seconds + part * (high.lateness_seconds - low.lateness_seconds)


@cache
def _curve(durations: Durations) -> tuple[Point, ...]:
    running = _running(durations)
    return tuple(sorted((_best(running, cost) for cost in _COSTS), key=lambda point: point.requests))


def _running(durations: Durations) -> list[float]:
    running: list[float] = []
    while not running or running[-1] > _NEARLY_NOTHING:
        running.append(1 - durations.ended(len(running) * _STEP_SECONDS))
    running[-1] = 0.0
    return running


def _best(running: list[float], cost: float) -> Point:
    areas = [0.0]
    for share, next_share in pairwise(running):
        areas.append(areas[-1] + (share + next_share) / 2 * _STEP_SECONDS)
    last, window = len(running) - 1, round(_LONGEST_GAP_SECONDS / _STEP_SECONDS)
    value, requests = [0.0] * (last + 1), [0.0] * (last + 1)
    for place in range(last - 1, -1, -1):
        share = running[place] * _STEP_SECONDS
        # The first poll may come at any age, the others at most a minute apart.
        nexts = range(place + 1, last + 1 if place == 0 else min(last, place + window) + 1)
        least, chosen = min((value[later] - areas[later] + share * later, later) for later in nexts)
        value[place] = cost * running[place] + least + areas[place] - share * place
        requests[place] = running[place] + requests[chosen]
    return Point(requests[0], value[0] - cost * requests[0])
