"""What is to be expected of a job before anything is seen of it: when it may end, and when to look. Pure."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from operator import neg

from bot.jobs.polling.duration_model import AGES, running_shares
from bot.jobs.polling.inspection_schedule import InspectionPlan, best_plan
from bot.provider.models import Estimate

LOOKS_PER_JOB = 10.5
"""A job is expected to take no more looks than this, however long it is."""

# The documented loop: at once, then every ten seconds, the last one on average half of that after the end.
_LOOP_SECONDS = 10.0
_LOOP_EXTRA_LOOKS = 1.5
# What is learned is smoother than the truth, so jobs take a little fewer looks than their plan expects.
_SMOOTHING = 1.005
_ALL_BUT = 0.0005
_EARLY_SHARE = 0.9987


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is to be expected of a job before anything is seen of it.

    Attributes:
        plan: the best looks, progress aside.
        early_age: in seconds; few jobs end before this age, so that progress read there is of use for the others.
        running: the share of jobs that run longer than each of the plan's ages.
    """

    plan: InspectionPlan
    early_age: float
    running: tuple[float, ...]

    def likely_end(self, unfinished_age: float, finished_age: float, quantile: float) -> float:
        """Return an age between the two at which a job may have ended, by its quantile of the possible ones."""
        begin, end = self.running_at(unfinished_age), self.running_at(finished_age)
        wanted = begin + (end - begin) * quantile
        place = bisect_left(self.running, -wanted, key=neg)
        return min(max(self.plan.ages[min(place, len(self.running) - 1)], unfinished_age), finished_age)

    def running_at(self, age: float) -> float:
        """Return the share of jobs that run longer than this age, in seconds."""
        return self.running[max(0, bisect_right(self.plan.ages, age) - 1)]


@lru_cache(maxsize=64)
def forecast_for(durations: tuple[float, ...], estimate: Estimate, gap_seconds: float) -> Forecast:
    """Return the outlook for jobs of which these durations, newest first, are known."""
    running = running_shares(durations, estimate)
    begin = next((place for place, share in enumerate(running) if share < 1 - _ALL_BUT), len(running) - 2)
    end = next((place for place, share in enumerate(running) if share < _ALL_BUT), len(running) - 1)
    ages = (0.0, *AGES[begin : end + 1])
    shares = (1.0, *running[begin : end + 1])
    early = next(age for age, share in zip(ages, shares, strict=True) if share < _EARLY_SHARE or age == ages[-1])
    return Forecast(best_plan(ages, shares, look_budget(ages, shares), gap_seconds), early, shares)


def look_budget(ages: tuple[float, ...], running: tuple[float, ...]) -> float:
    """Return how many looks a job may be expected to take: those of the documented loop, within a cap."""
    steps = pairwise(zip(ages, running, strict=True))
    mean = sum((next_age - age) * (share + next_share) / 2 for (age, share), (next_age, next_share) in steps)
    return min(LOOKS_PER_JOB, _SMOOTHING * (mean / _LOOP_SECONDS + _LOOP_EXTRA_LOOKS))
