"""When to poll a job next, and how far it probably is. Pure.

Without progress, polls follow the best schedule for the distribution of durations of such jobs (`forecast`), with as
many polls as the provider's documented ten-second loop would make.

With progress (`progress_model`), an early poll reads it, the next ones narrow the end down, and the last one falls just
after it. How far progress is trusted depends on how well it predicted the end of earlier jobs, and on whether this
job's samples agree. It is never trusted alone: where progress is right with probability q, and the share S of jobs
runs this long, it is wrong with probability d = (1 - q) S / ((1 - q) S + q) by Bayes' rule. The hazard of an end that
progress does not predict is d of what it was. Polls follow the square root of the hazard, so they go on at sqrt(d) of
the schedule's rate.
"""

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.clock import Clock
from bot.jobs.models import Job
from bot.jobs.polling.forecast import LATE_SHARE, forecast_for
from bot.jobs.polling.progress_model import (
    NO_STATISTICS,
    EndEstimate,
    JobStatistics,
    ProgressSample,
    estimate_end,
    narrowing_poll,
)
from bot.provider.models import Estimate

TYPICAL = Estimate(60.0, 90.0)
"""How long a job takes by the provider's documentation."""

LONGEST_PAUSE_SECONDS = 300.0
MAX_REGULAR_POLLS = 50
"""After so many polls of one job, the pauses are at least a share of its age."""

_LEAST_CONFIDENCE = 0.3
# Progress that predicts an end this many times later than practically all jobs end is taken to stand still.
_BEYOND = 2.0
_MAX_SAMPLES = 12
# The bar must not look full before the video is there, also when it is rounded to 16 steps.
_FULLEST_BAR = 0.96


@dataclass(frozen=True, slots=True)
class PollState:
    """What polls have shown of a job that the provider is working on.

    Attributes:
        sent_at: when it was submitted, by the monotonic clock.
        estimate: how long it may take.
        samples: the newest progress samples, oldest first.
        last_poll_age: its age, in seconds, at the last poll that found it unfinished; 0 before the first.
        polls: how many polls found it unfinished.
    """

    sent_at: float
    estimate: Estimate
    samples: tuple[ProgressSample, ...] = ()
    last_poll_age: float = 0.0
    polls: int = 0

    def after_poll(self, now: float, progress: float | None) -> "PollState":
        """Return the state after a poll at `now` that found the job unfinished and showed `progress`, from 0 to 1."""
        age, samples = now - self.sent_at, self.samples
        if progress is not None:
            samples = (*samples, ProgressSample(age, progress))[-_MAX_SAMPLES:]
        return replace(self, samples=samples, last_poll_age=age, polls=self.polls + 1)


def initial_poll_state(job: Job, clock: Clock) -> PollState:
    """Return the state of a job before its first poll, also of one that an earlier process submitted."""
    age = clock.age(job.submitted_at or job.created_at)
    return PollState(sent_at=clock.monotonic() - age, estimate=job.estimate or TYPICAL)


def next_poll(
    state: PollState, now: float, min_interval_seconds: float, statistics: JobStatistics = NO_STATISTICS
) -> float:
    """Return when to poll next, by the monotonic clock: in at least `min_interval_seconds`, at most five minutes.

    Args:
        state: of the job.
        now: by the monotonic clock, usually just after a poll.
        min_interval_seconds: the shortest time between two polls of a job.
        statistics: of the jobs of its kind.
    """
    age = now - state.sent_at
    pause = _next_age(state, statistics, age, min_interval_seconds) - age
    if state.polls >= MAX_REGULAR_POLLS:
        pause = max(pause, age * LATE_SHARE)
    return now + max(min_interval_seconds, min(pause, LONGEST_PAUSE_SECONDS))


def _next_age(state: PollState, statistics: JobStatistics, age: float, gap_seconds: float) -> float:
    forecast = forecast_for(statistics.durations, state.estimate, gap_seconds)
    reliability = statistics.reliability
    ends = (
        (rounding, estimate_end(state.samples, rounding, state.last_poll_age)) for rounding in reliability.roundings
    )
    # The most likely rounding, unless another one explains this job's samples better.
    rounding, end = max(ends, key=lambda pair: pair[1].consistency)
    confidence = reliability.trust * end.consistency
    if end.earliest_seconds > _BEYOND * forecast.plan.last_age or confidence < _LEAST_CONFIDENCE:
        return forecast.plan.after(age)
    # The longer a job runs, as its progress predicted, the less likely it is that progress is wrong.
    doubt = (1 - confidence) * forecast.survival_at(age)
    fallback = forecast.plan.after(age, steps=max(1, int(math.sqrt(1 + confidence / max(doubt, 1e-6)))))
    if math.isinf(end.latest_seconds):
        return min(fallback, forecast.early_age) if forecast.early_age > age else forecast.plan.after(age)
    return min(fallback, narrowing_poll(end, rounding, age, gap_seconds))


def expected_wait(
    state: PollState, now: float, min_interval_seconds: float, statistics: JobStatistics = NO_STATISTICS
) -> float:
    """Return for how long, in seconds, the job's video is expected to have been ready by now.

    A job that a poll found unfinished at age u has ended by age t with probability 1 - S(t) / S(u), and then on average
    halfway between the two.

    Args:
        state: of the job.
        now: by the monotonic clock.
        min_interval_seconds: the shortest time between two polls of a job.
        statistics: of the jobs of its kind.
    """
    age = now - state.sent_at
    forecast = forecast_for(statistics.durations, state.estimate, min_interval_seconds)
    survival = forecast.survival_at(state.last_poll_age)
    ended = 1 - forecast.survival_at(age) / survival if survival else 1.0
    return ended * max(0.0, age - state.last_poll_age) / 2


def progress_now(state: PollState, now: float) -> float:
    """Return how far the job probably is, from 0 to 0.96: by its last progress sample and the time since."""
    age = now - state.sent_at
    reported = state.samples[-1].progress if state.samples else 0.0
    end = _likely_end(state, estimate_end(state.samples, 0.0, state.last_poll_age))
    return min(_FULLEST_BAR, max(reported, age / end if end else 0.0))


def _likely_end(state: PollState, end: EndEstimate) -> float:
    low, high = state.estimate.low_seconds, state.estimate.high_seconds
    if end.consistency == 1 and 0 < end.latest_seconds <= 2 * high:
        return (end.earliest_seconds + end.latest_seconds) / 2
    return (low + high) / 2


def expected_finish(job: Job) -> datetime:
    """Return when an open job should be done, if all goes as is usual."""
    return expected_end(job.created_at, job.submitted_at, job.estimate.high_seconds if job.estimate else None)


def expected_end(created_at: datetime, submitted_at: datetime | None, estimate_seconds: float | None) -> datetime:
    """Return when a job should be done, if all goes as is usual.

    Args:
        created_at: when it was requested.
        submitted_at: when it was submitted, if it was.
        estimate_seconds: how long it takes at most, by the provider's estimate, if there is one.
    """
    return (submitted_at or created_at) + timedelta(seconds=estimate_seconds or TYPICAL.high_seconds)
