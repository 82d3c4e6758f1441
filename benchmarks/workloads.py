"""Durations and reported progress of the jobs in the benchmarks. All of it follows from seeds."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import NormalDist

_STANDARD = NormalDist()

ReportedProgress = Callable[[float], float | None]
"""From a job's age in seconds to the progress that it reports, 0 to 1, or none."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a distribution: normal, log-normal or uniform.

    Attributes:
        weight: its share of the jobs.
        shape: the standard variable's image, rising.
        inverse: from an age in seconds back to the standard normal variable.
    """

    weight: float
    shape: Callable[[float], float]
    inverse: Callable[[float], float]


@dataclass(frozen=True, slots=True)
class Durations:
    """A distribution of durations.

    Attributes:
        name: for the tables.
        parts: of which it is a mixture.
    """

    name: str
    parts: tuple[Part, ...]

    def ended(self, age: float) -> float:
        """Return the share of jobs that take at most `age` seconds."""
        return sum(part.weight * _STANDARD.cdf(part.inverse(age)) for part in self.parts)

    def drawn(self, jobs: int, seed: int) -> Iterator[float]:
        """Yield so many durations in seconds."""
        choices = _STANDARD.samples(jobs, seed=2 * seed)
        for choice, draw in zip(choices, _STANDARD.samples(jobs, seed=2 * seed + 1), strict=True):
            yield max(1.0, self._part(_STANDARD.cdf(choice)).shape(draw))

    def _part(self, choice: float) -> Part:
        for part in self.parts:
            choice -= part.weight
            if choice < 0:
                return part
        return self.parts[-1]


def normal(mean: float, deviation: float, weight: float = 1.0) -> Part:
    """Return a normal part.

    Args:
        mean: in seconds.
        deviation: in seconds.
        weight: its share of the jobs.
    """
    return Part(weight, lambda draw: mean + deviation * draw, lambda age: (age - mean) / deviation)


def log_normal(mean: float, deviation: float) -> Part:
    """Return a log-normal part; both numbers are of the logarithm."""
    return Part(
        1.0,
        lambda draw: math.exp(mean + deviation * draw),
        lambda age: (math.log(age) - mean) / deviation if age > 0 else -math.inf,
    )


def uniform(low: float, high: float) -> Part:
    """Return a uniform part, in seconds."""

    def inverse(age: float) -> float:
        share = (age - low) / (high - low)
        return _STANDARD.inv_cdf(share) if 0 < share < 1 else math.copysign(math.inf, share - 0.5)

    return Part(1.0, lambda draw: low + (high - low) * _STANDARD.cdf(draw), inverse)


UNIFORM = Durations("uniform 60 to 90", (uniform(60, 90),))
NORMAL = Durations("normal(75, 12)", (normal(75, 12),))
LOG_NORMAL = Durations("log-normal(4.3, 0.3)", (log_normal(4.3, 0.3),))
HEAVY_TAIL = Durations("log-normal(4.3, 0.5)", (log_normal(4.3, 0.5),))
BIMODAL = Durations("70:30 normal(65, 4), normal(130, 10)", (normal(65, 4, 0.7), normal(130, 10, 0.3)))
SLOWER = Durations("uniform 90 to 150, longer than estimated", (uniform(90, 150),))
STEADY = (UNIFORM, NORMAL, LOG_NORMAL, HEAVY_TAIL, BIMODAL)

SLOW_SECONDS = 150.0
_USUAL = NORMAL
_USUAL_SECONDS = 75.0
_DRIFT_JOBS = 50


def drift_factor(job: int) -> float:
    """Return how much slower than usual a job is: fifty usual ones, fifty ever slower, fifty slow ones, and back."""
    leg, step = divmod(job % (4 * _DRIFT_JOBS), _DRIFT_JOBS)
    rise = (0.0, step / _DRIFT_JOBS, 1.0, 1 - step / _DRIFT_JOBS)[leg]
    return 1 + rise * (SLOW_SECONDS / _USUAL_SECONDS - 1)


def drifting(jobs: int, seed: int) -> Iterator[float]:
    """Yield durations that drift between normal(75, 12) and normal(150, 24)."""
    for job, duration in enumerate(_USUAL.drawn(jobs, seed)):
        yield duration * drift_factor(job)


def _percent(duration: float, age: float, to_whole: Callable[[float], int]) -> float:
    return min(99, to_whole(100 * age / duration)) / 100


def linear(duration: float, _chance: float) -> ReportedProgress:
    """Progress that is the share of time, rounded down to a whole percent."""
    return lambda age: _percent(duration, age, int)


def linear_rounded(duration: float, _chance: float) -> ReportedProgress:
    """Return the same, rounded to the nearest percent."""
    return lambda age: _percent(duration, age, round)


def absent(_duration: float, _chance: float) -> ReportedProgress:
    """No progress at all."""
    return lambda _age: None


def standing_still(_duration: float, chance: float) -> ReportedProgress:
    """Return the same progress from start to end."""
    return lambda _age: int(100 * chance) / 100


def jumping(duration: float, chance: float) -> ReportedProgress:
    """Any progress at any time."""
    return lambda age: (int(100 * age / duration) * 37 + int(100 * chance)) % 100 / 100


def lying(duration: float, chance: float) -> ReportedProgress:
    """Progress that grows linearly, but towards an end at half to twice the duration."""
    return lambda age: _percent(duration * 2 ** (2 * chance - 1), age, int)


def sometimes_lying(duration: float, chance: float) -> ReportedProgress:
    """Linear progress, which is false for one job in ten."""
    return lying(duration, chance * 10) if chance < 0.1 else linear(duration, chance)


PROGRESS: dict[str, Callable[[float, float], ReportedProgress]] = {
    "absent": absent,
    "linear, rounded down": linear,
    "linear, rounded": linear_rounded,
    "status still": standing_still,
    "jumping": jumping,
    "lying": lying,
    "one in ten lying": sometimes_lying,
}


def chances(jobs: int, seed: int) -> Iterator[float]:
    """Yield numbers that are spread evenly from 0 to 1."""
    return (_STANDARD.cdf(draw) for draw in _STANDARD.samples(jobs, seed=seed))
