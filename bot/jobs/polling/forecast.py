"""Forecast for a job that has not been polled yet: when it may end, and when to poll it. Pure."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from operator import neg

from bot.jobs.polling.duration_model import AGES, survival_function
from bot.jobs.polling.inspection_schedule import InspectionPlan, best_plan
from bot.provider.models import Estimate

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
