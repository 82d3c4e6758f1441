"""Distribution of a job's duration, from the provider's estimate and the last jobs of its kind. Pure.

A kernel density estimate over the logarithm of the duration. Each kernel reaches to its fourteenth neighbour, so that
narrow modes stay narrow and long tails smooth. Older jobs count less. Three decay rates are mixed, each weighted by
how well it would have predicted the last jobs. The provider's estimate is the prior. It has the weight of little more
than one job, and a long tail, so that no duration is impossible.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from statistics import NormalDist

from bot.provider.models import Estimate

MEMORY = 96
"""How many durations of each kind are kept, the newest ones."""

# Ages in steps of half a percent, from two seconds to four hours.
_STEP = 0.005
_YOUNGEST_SECONDS = 2.0
AGES = tuple(_YOUNGEST_SECONDS * math.exp(_STEP * place) for place in range(1777))

# In jobs. Less, and after the first finished job the polls of the others crowd around its duration.
_PRIOR_WEIGHT = 1.2
# Shares of the prior. They set the cost of a cold start: with half of the jobs within the estimate, a job that keeps
# to it is polled too seldom, as most polls are planned for the tail.
_WITHIN_ESTIMATE, _AROUND_ESTIMATE, _IN_TAIL = 0.8, 0.1, 0.1
_NEIGHBOUR = 14
# Bounds of a kernel's half-width in the logarithm of the age.
_NARROWEST, _WIDEST = 0.015, 0.15
_DECAY_RATES = (0.8, 0.93, 0.99)
_SCORED_JOBS = 16
_SCORED_AGAINST = 32
_SCORE_DECAY = 0.85
_SCORE_REACH = 0.15


def survival_function(durations: Sequence[float], estimate: Estimate) -> list[float]:
    """Return S(t), the share of jobs that run longer than t, for each t of `AGES`.

    Args:
        durations: in seconds, of the last jobs of the kind, newest first.
        estimate: the provider's, in seconds.
    """
    prior = _prior_ends(estimate.low_seconds, estimate.high_seconds)
    weights = decayed_weights(durations)
    total = _PRIOR_WEIGHT + sum(weights)
    slopes = [0.0] * (len(AGES) + 1)
    for begin, end, weight in _kernels(durations, weights):
        slopes[begin] += weight / total / (end - begin)
        slopes[end] -= weight / total / (end - begin)
    share = _PRIOR_WEIGHT / total
    observed = accumulate(accumulate(slopes[:-1]))
    return [max(0.0, 1.0 - ended - share * expected) for ended, expected in zip(observed, prior, strict=True)]


def decayed_weights(durations: Sequence[float]) -> list[float]:
    """Return the weight of each duration, newest first; the sum is the effective number of jobs."""
    if not durations:
        return []
    scores = _score_decay_rates([math.log(max(1.0, duration)) for duration in durations])
    best = max(scores)
    trusts = [math.exp(score - best) for score in scores]
    weights = [0.0] * len(durations)
    for trust, rate in zip(trusts, _DECAY_RATES, strict=True):
        whole = (1 - rate ** len(durations)) / (1 - rate) * sum(trusts)
        for place in range(len(durations)):
            weights[place] += trust * rate**place / whole
    worth = 1 / sum(weight * weight for weight in weights)
    return [weight * worth for weight in weights]


def _score_decay_rates(logs: Sequence[float]) -> list[float]:
    """Return a log score for each decay rate: how well it predicted each of the last jobs from those before it."""
    scores = [0.0] * len(_DECAY_RATES)
    for place in range(min(len(logs) - 1, _SCORED_JOBS) - 1, -1, -1):
        target = logs[place]
        hits = [max(0.0, 1 - abs(log - target) / _SCORE_REACH) for log in logs[place + 1 : place + _SCORED_AGAINST]]
        for number, rate in enumerate(_DECAY_RATES):
            weight, hit, whole = 1.0, 0.0, 0.0
            for height in hits:
                hit += weight * height
                whole += weight
                weight *= rate
            scores[number] = scores[number] * _SCORE_DECAY + math.log(0.02 + hit / max(whole, 1.0))
    return scores


def _kernels(durations: Sequence[float], weights: Sequence[float]) -> list[tuple[int, int, float]]:
    """Return for each duration where in `AGES` its kernel begins and ends, and its weight."""
    pairs = sorted(zip(durations, weights, strict=True))
    places = [_place(duration) for duration, _ in pairs]
    kernels = []
    for number, (place, (_, weight)) in enumerate(zip(places, pairs, strict=True)):
        below = place - places[number - _NEIGHBOUR] if number >= _NEIGHBOUR else math.inf
        above = places[number + _NEIGHBOUR] - place if number + _NEIGHBOUR < len(places) else math.inf
        reach = round(max(_NARROWEST / _STEP, min(below, above, _WIDEST / _STEP)))
        # A duration within a step of the grid counts at the step's later edge.
        kernels.append((max(0, place - reach + 1), min(len(AGES), place + reach + 1), weight))
    return kernels


def _place(age: float) -> int:
    place = round(math.log(max(age, _YOUNGEST_SECONDS) / _YOUNGEST_SECONDS) / _STEP)
    return min(len(AGES) - 1, place)


@lru_cache(maxsize=64)
def _prior_ends(low: float, high: float) -> tuple[float, ...]:
    """Return the share of jobs that end by each of `AGES`, by the estimate alone.

    A mixture: uniform between the two numbers, log-normal around them, and a Pareto tail from the lower one on.
    """
    low = max(low, _YOUNGEST_SECONDS)
    high = max(high, low * 1.05)
    around = NormalDist(math.log(low * high) / 2, 0.5)
    return tuple(
        _WITHIN_ESTIMATE * min(1.0, max(0.0, (age - low) / (high - low)))
        + _AROUND_ESTIMATE * around.cdf(math.log(age))
        + (_IN_TAIL * (1 - (low / age) ** 1.5) if age > low else 0.0)
        for age in AGES
    )
