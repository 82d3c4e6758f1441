"""Forecast for a job that has not been polled yet: when it may end, and when to poll it. Pure.

The problem is that of R. E. Barlow, L. C. Hunter and F. Proschan, "Optimum checking procedures", Journal of the
Society for Industrial and Applied Mathematics 11 (1963), 1078-1095. An end falls at age T; S(t) is the share of jobs
that are still running at age t, f(t) the density of ends. Polls fall at ages x1 < x2 < ..., and the first one
at or after T finds the end. A poll at x is made with probability S(previous poll), and costs as much as c seconds of
lateness. Over all schedules, minimise

    sum over k of  c S(x(k-1))  +  integral from x(k-1) to x(k) of (x(k) - t) f(t) dt

Where polls are dense, with n(t) of them per second, this is the integral of c S n + f / (2 n), which is smallest for
n(t) = sqrt(f / (2 c S)): polls follow the square root of the hazard f / S. With the budget B of expected polls in
place of c (a Lagrange multiplier: B is the integral of S n, plus half a poll), sqrt(2 c) = K / (B - 1/2), where K
is the integral of sqrt(f S). That gives the multiplier to start from. The approximation fails where f drops sharply,
as between two modes, so the schedule is the exact optimum on a grid of ages, by dynamic programming backwards:

    V(x) = c S(x) + min over y >= x + gap of  (y - x) S(x) - (I(y) - I(x)) + V(y),     I(y) = integral of S up to y

The term to minimise over y is y S(x) + (V(y) - I(y)): a line in S(x) with slope y. As x falls, S(x) grows and slopes
shrink, so the lower envelope of the lines is kept as a queue, and the schedule takes time linear in the grid
(the convex hull trick). `V` depends on the age alone, so the plan also gives the best poll after one that came late.

The distribution of T is a kernel density estimate over the logarithm of the duration, from the provider's estimate and
the last jobs of the kind. Each kernel reaches to its fourteenth neighbour, so that narrow modes stay narrow and long
tails smooth. Older jobs count less. Three decay rates are mixed, each weighted by how well it would have predicted the
last jobs. The provider's estimate is the prior. It has the weight of little more than one job, and a long tail, so that
no duration is impossible.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from operator import neg
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


# Past a plan's last age, the pause between two polls is this share of the age.
LATE_SHARE = 0.05
_ENOUGH = 0.975
# The exact schedule needs about this share of the cost that the dense approximation gives.
_DISCRETE = 0.85
_ROUNDS = 8
_MOST_ROUNDS = 60


@dataclass(frozen=True, slots=True)
class InspectionPlan:
    """The best next poll for every age of a grid.

    Attributes:
        ages: the grid in seconds, rising from 0.
        following: for each age of the grid, the index in the grid of the next poll.
        polls: expected polls per job.
        lateness_seconds: expected time from a job's end to the poll that finds it.
    """

    ages: Sequence[float]
    following: Sequence[int]
    polls: float
    lateness_seconds: float

    @property
    def last_age(self) -> float:
        """Age in seconds at which practically every job has ended."""
        return self.ages[-1]

    def after(self, age: float, steps: int = 1) -> float:
        """Return the age, in seconds, of the poll that is `steps` polls after one at `age`."""
        place = max(0, bisect_right(self.ages, age * 1.001) - 1)
        for _ in range(steps):
            if place == self.following[place]:
                return max(age, self.last_age) * (1 + LATE_SHARE)
            place = self.following[place]
        return self.ages[place]


def best_plan(ages: Sequence[float], survival: Sequence[float], budget: float, gap_seconds: float) -> InspectionPlan:
    """Return the schedule with the least expected lateness at no more than `budget` expected polls.

    Args:
        ages: in seconds, rising from 0; polls are placed on them.
        survival: the share of jobs that run longer than each age, falling from 1; what is left at the last age is
            taken to end there.
        budget: expected polls per job, at least 1.5.
        gap_seconds: the shortest time between two polls.
    """
    areas = _areas(ages, survival)
    cost = _DISCRETE * (_spread(ages, survival) / (budget - 0.5)) ** 2 / 2 + 1e-9
    best: InspectionPlan | None = None
    for round_ in range(_MOST_ROUNDS):
        plan = _solve(ages, survival, areas, cost, gap_seconds)
        gained = plan.polls - (best.polls if best else 0.0)
        if plan.polls <= budget and gained > 0:
            best = plan
        if best and (best.polls >= _ENOUGH * budget or gained < 0.01 or round_ >= _ROUNDS):
            break
        step = ((plan.polls - 0.5) / (0.995 * budget - 0.5)) ** 2
        cost *= max(step, 1.02) if plan.polls > budget else min(step, 0.98)
    return best or plan


def _areas(ages: Sequence[float], survival: Sequence[float]) -> list[float]:
    """Return I, the integral of `survival` up to each age."""
    areas = [0.0]
    for (age, share), (next_age, next_share) in pairwise(zip(ages, survival, strict=True)):
        areas.append(areas[-1] + (next_age - age) * (share + next_share) / 2)
    return areas


def _spread(ages: Sequence[float], survival: Sequence[float]) -> float:
    """Return K, the integral of sqrt(f S)."""
    steps = pairwise(zip(ages, survival, strict=True))
    return sum(math.sqrt(max(0.0, s - next_s) * (s + next_s) / 2 * (next_t - t)) for (t, s), (next_t, next_s) in steps)


def _solve(
    ages: Sequence[float], survival: Sequence[float], areas: Sequence[float], cost: float, gap_seconds: float
) -> InspectionPlan:
    """Run the dynamic program of the module's docstring for one cost of a poll."""
    last = len(ages) - 1
    value, polls, following = [0.0] * (last + 1), [0.0] * (last + 1), [last] * (last + 1)
    envelope = _Envelope()
    envelope.add(last, ages[last], -areas[last])
    candidate = last - 1
    for place in range(last - 1, -1, -1):
        while ages[candidate] >= ages[place] + gap_seconds and candidate > place:
            envelope.add(candidate, ages[candidate], value[candidate] - areas[candidate])
            candidate -= 1
        share = survival[place]
        chosen, least = envelope.lowest(share)
        value[place] = cost * share + least - ages[place] * share + areas[place]
        polls[place] = share + polls[chosen]
        following[place] = chosen
    return InspectionPlan(tuple(ages), tuple(following), polls[0], value[0] - cost * polls[0])


class _Envelope:
    """Lower envelope of lines that are added with falling slopes and queried at rising x."""

    def __init__(self) -> None:
        self._lines: list[tuple[int, float, float]] = []
        self._first = 0

    def add(self, name: int, slope: float, start: float) -> None:
        """Add the line `start + slope * x`."""
        lines = self._lines
        while len(lines) - self._first >= 2:
            (_, slope_a, start_a), (_, slope_b, start_b) = lines[-2], lines[-1]
            # The last line is nowhere the lowest if the new one meets it before it meets the one ahead of it.
            if (start - start_b) * (slope_a - slope_b) > (start_b - start_a) * (slope_b - slope):
                break
            lines.pop()
        lines.append((name, slope, start))

    def lowest(self, x: float) -> tuple[int, float]:
        """Return the name and the height of the lowest line at `x`."""
        lines, first = self._lines, self._first
        name, slope, start = lines[first]
        least = start + slope * x
        while first + 1 < len(lines):
            next_name, slope, start = lines[first + 1]
            if (height := start + slope * x) > least:
                break
            first, name, least = first + 1, next_name, height
        self._first = first
        return name, least


POLLS_PER_JOB = 10.5
"""Most polls that a plan may expect to need for a job, however long the job is."""

# The provider's documented loop polls at once and then every ten seconds, the last time on average 5 s after the end.
_LOOP_SECONDS = 10.0
_LOOP_EXTRA_POLLS = 1.5
# The estimated distribution is smoother than the true one, so jobs need slightly fewer polls than planned.
_SMOOTHING = 1.005
_ALL_BUT = 0.0005
_EARLY_SHARE = 0.9987


@dataclass(frozen=True, slots=True)
class Forecast:
    """Forecast for jobs of one kind.

    Attributes:
        plan: the best polls for a job that reports no progress.
        early_age: in seconds; almost no job ends before, so progress read at this age helps nearly all.
        survival: the share of jobs that run longer than each of the plan's ages.
    """

    plan: InspectionPlan
    early_age: float
    survival: tuple[float, ...]

    def likely_end(self, last_poll_age: float, finished_age: float, quantile: float) -> float:
        """Return an age at which a job may have ended, in seconds.

        Args:
            last_poll_age: at which a poll found it unfinished, in seconds.
            finished_age: at which a poll found it finished.
            quantile: from 0 to 1, of the distribution between these two ages.
        """
        begin, end = self.survival_at(last_poll_age), self.survival_at(finished_age)
        wanted = begin + (end - begin) * quantile
        place = bisect_left(self.survival, -wanted, key=neg)
        return min(max(self.plan.ages[min(place, len(self.survival) - 1)], last_poll_age), finished_age)

    def survival_at(self, age: float) -> float:
        """Return the share of jobs that run longer than this age, in seconds."""
        return self.survival[max(0, bisect_right(self.plan.ages, age) - 1)]


@lru_cache(maxsize=64)
def forecast_for(durations: tuple[float, ...], estimate: Estimate, gap_seconds: float) -> Forecast:
    """Return the forecast for jobs of one kind.

    Args:
        durations: in seconds, of the last jobs of the kind, newest first.
        estimate: the provider's, in seconds.
        gap_seconds: the shortest time between two polls.
    """
    survival = survival_function(durations, estimate)
    begin = next((place for place, share in enumerate(survival) if share < 1 - _ALL_BUT), len(survival) - 2)
    end = next((place for place, share in enumerate(survival) if share < _ALL_BUT), len(survival) - 1)
    ages = (0.0, *AGES[begin : end + 1])
    shares = (1.0, *survival[begin : end + 1])
    early = next(age for age, share in zip(ages, shares, strict=True) if share < _EARLY_SHARE or age == ages[-1])
    return Forecast(best_plan(ages, shares, poll_budget(ages, shares), gap_seconds), early, shares)


def poll_budget(ages: tuple[float, ...], survival: tuple[float, ...]) -> float:
    """Return how many polls a plan may expect to need: as many as the documented loop, up to `POLLS_PER_JOB`."""
    steps = pairwise(zip(ages, survival, strict=True))
    mean = sum((next_age - age) * (share + next_share) / 2 for (age, share), (next_age, next_share) in steps)
    return min(POLLS_PER_JOB, _SMOOTHING * (mean / _LOOP_SECONDS + _LOOP_EXTRA_POLLS))
