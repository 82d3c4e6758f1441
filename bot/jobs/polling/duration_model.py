"""How long a job is likely to take: what the provider says, and what the last jobs of its kind took. Pure.

Each finished job stands for ages around its own: a kernel as wide as the way to its fourteenth neighbour, so that
narrow modes stay narrow and long tails smooth. How fast older jobs are forgotten is learned as well: three rates are
kept, and each counts by how well it would have foretold the last jobs. The provider's estimate counts as a third of
a job more, with a long tail, so that nothing is ever held to be impossible.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from statistics import NormalDist

from bot.provider.models import Estimate

MEMORY = 96
"""So many of the newest durations of a kind are kept."""

# Ages in steps of half a percent, from two seconds to four hours.
_STEP = 0.005
_YOUNGEST_SECONDS = 2.0
AGES = tuple(_YOUNGEST_SECONDS * math.exp(_STEP * place) for place in range(1777))

_ESTIMATE_JOBS = 0.3
_NEIGHBOUR = 14
# Kernels reach this far in the logarithm of the age: 1.5 to 15 percent.
_NARROWEST, _WIDEST = 0.015, 0.15
_FORGETTING = (0.8, 0.93, 0.99)
_REHEARSED = 16
_REHEARSED_BY = 32
_REHEARSAL_MEMORY = 0.85
_REHEARSAL_REACH = 0.15


def running_shares(durations: Sequence[float], estimate: Estimate) -> list[float]:
    """Return the share of jobs that run longer than each of `AGES`.

    Args:
        durations: in seconds, of the last jobs of the kind, newest first.
        estimate: the provider's.
    """
    prior = _prior_ends(estimate.low_seconds, estimate.high_seconds)
    weights = forgetting_weights(durations)
    total = _ESTIMATE_JOBS + sum(weights)
    slopes = [0.0] * (len(AGES) + 1)
    for begin, end, weight in _kernels(durations, weights):
        slopes[begin] += weight / total / (end - begin)
        slopes[end] -= weight / total / (end - begin)
    share = _ESTIMATE_JOBS / total
    learned = accumulate(accumulate(slopes[:-1]))
    return [max(0.0, 1.0 - ended - share * guessed) for ended, guessed in zip(learned, prior, strict=True)]


def forgetting_weights(durations: Sequence[float]) -> list[float]:
    """Return how much each duration, newest first, counts; their sum is the number of jobs that they are worth."""
    if not durations:
        return []
    scores = _rehearse([math.log(max(1.0, duration)) for duration in durations])
    best = max(scores)
    trusts = [math.exp(score - best) for score in scores]
    weights = [0.0] * len(durations)
    for trust, rate in zip(trusts, _FORGETTING, strict=True):
        whole = (1 - rate ** len(durations)) / (1 - rate) * sum(trusts)
        for place in range(len(durations)):
            weights[place] += trust * rate**place / whole
    worth = 1 / sum(weight * weight for weight in weights)
    return [weight * worth for weight in weights]


def _rehearse(logs: Sequence[float]) -> list[float]:
    """Score each forgetting rate by how probable it made the last jobs, each seen from those before it."""
    scores = [0.0] * len(_FORGETTING)
    for place in range(min(len(logs) - 1, _REHEARSED) - 1, -1, -1):
        target = logs[place]
        hits = [max(0.0, 1 - abs(log - target) / _REHEARSAL_REACH) for log in logs[place + 1 : place + _REHEARSED_BY]]
        for number, rate in enumerate(_FORGETTING):
            weight, hit, whole = 1.0, 0.0, 0.0
            for height in hits:
                hit += weight * height
                whole += weight
                weight *= rate
            scores[number] = scores[number] * _REHEARSAL_MEMORY + math.log(0.02 + hit / max(whole, 1.0))
    return scores


def _kernels(durations: Sequence[float], weights: Sequence[float]) -> list[tuple[int, int, float]]:
    """Return for each duration the places in `AGES` that it stands for, and its weight."""
    pairs = sorted(zip(durations, weights, strict=True))
    places = [_place(duration) for duration, _ in pairs]
    kernels = []
    for number, (place, (_, weight)) in enumerate(zip(places, pairs, strict=True)):
        below = place - places[number - _NEIGHBOUR] if number >= _NEIGHBOUR else math.inf
        above = places[number + _NEIGHBOUR] - place if number + _NEIGHBOUR < len(places) else math.inf
        reach = round(max(_NARROWEST / _STEP, min(below, above, _WIDEST / _STEP)))
        # Ends are counted at the later edge of the step that they fall in.
        kernels.append((max(0, place - reach + 1), min(len(AGES), place + reach + 1), weight))
    return kernels


def _place(age: float) -> int:
    place = round(math.log(max(age, _YOUNGEST_SECONDS) / _YOUNGEST_SECONDS) / _STEP)
    return min(len(AGES) - 1, place)


@lru_cache(maxsize=64)
def _prior_ends(low: float, high: float) -> tuple[float, ...]:
    """Return the share of ends up to each of `AGES` by the estimate alone.

    Half of them as it says, most of the rest around it, a tenth anywhere later (with ever lower hazard).
    """
    low = max(low, _YOUNGEST_SECONDS)
    high = max(high, low * 1.05)
    around = NormalDist(math.log(low * high) / 2, 0.5)
    return tuple(
        0.5 * min(1.0, max(0.0, (age - low) / (high - low)))
        + 0.4 * around.cdf(math.log(age))
        + (0.1 * (1 - (low / age) ** 1.5) if age > low else 0.0)
        for age in AGES
    )
