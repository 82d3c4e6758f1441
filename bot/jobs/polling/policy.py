"""When to poll a job next, how far it probably is, and what finished jobs taught of each kind of video. Pure.

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
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from statistics import median
from typing import NamedTuple

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
from bot.provider.models import Estimate, GenerationMode, GenerationRequest

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


# New durations are added in batches of this fraction of those that there are, since each batch means a new plan.
_BATCHES = 12
_COHORT_JOBS = 20
# Share of a full cohort that may still be running when its durations are used.
_STILL_RUNNING = 0.1
# The fractional parts of this number's multiples are spread evenly.
_GOLDEN = 0.6180339887498949


class VideoKind(NamedTuple):
    """What the duration of a job depends on."""

    mode: GenerationMode
    duration_seconds: int
    sound: bool

    @classmethod
    def of(cls, request: GenerationRequest) -> "VideoKind":
        """Return the kind of job that a request makes."""
        return cls(request.mode, request.duration_seconds, request.sound)


@dataclass(slots=True)
class _Cohort:
    """Jobs that were submitted one after the other."""

    sent: int = 0
    running: int = 0
    durations: list[float] = field(default_factory=list)
    is_complete: bool = False


class Cohorts:
    """Holds durations back until practically all jobs that were submitted with them have ended.

    Of a hundred jobs that are submitted together, the first to end are the shortest (right censoring). By their
    durations alone the others would be overdue, and be polled every second. So each job belongs to a cohort, by the
    order of submission, and the durations of a cohort are used together. A cohort that is not full is complete as soon
    as none of it is running, so jobs that are submitted one by one are used at once.
    """

    def __init__(self) -> None:
        self._of_job: dict[int, _Cohort] = {}
        self._newest = _Cohort()

    def start(self, job_id: int) -> None:
        """Add a job that was just submitted, unless it is there."""
        if job_id in self._of_job:
            return
        if self._newest.is_complete or self._newest.sent == _COHORT_JOBS:
            self._newest = _Cohort()
        self._newest.sent += 1
        self._newest.running += 1
        self._of_job[job_id] = self._newest

    def end(self, job_id: int, duration: float | None) -> list[float]:
        """Take out a job that has ended, and return the durations that can be used now.

        Args:
            job_id: of any job; one that was not added is a cohort of its own.
            duration: in seconds; None of a job that failed or was given up.
        """
        cohort = self._of_job.pop(job_id, None) or _Cohort(sent=1, running=1)
        cohort.running -= 1
        if duration is not None:
            cohort.durations.append(duration)
        allowed = _STILL_RUNNING * _COHORT_JOBS if cohort.sent == _COHORT_JOBS else 0
        if cohort.running > allowed:
            return []
        # Those that are still running are used one by one as they end.
        cohort.is_complete, durations, cohort.durations = True, cohort.durations, []
        return durations


class StatisticsByKind:
    """Statistics of each kind of job.

    Args:
        gap_seconds: the shortest time between two polls of a job.
    """

    def __init__(self, gap_seconds: float) -> None:
        self._gap_seconds = gap_seconds
        self._statistics: dict[VideoKind, JobStatistics] = {}
        self._fresh: defaultdict[VideoKind, list[float]] = defaultdict(list)
        self._cohorts: defaultdict[VideoKind, Cohorts] = defaultdict(Cohorts)
        self._jobs = 0

    def of(self, request: GenerationRequest) -> JobStatistics:
        """Return the statistics of the kind of job that this request makes."""
        return self._statistics.get(VideoKind.of(request), NO_STATISTICS)

    def typical_seconds(self, request: GenerationRequest) -> float:
        """Return the median duration, in seconds, of the kind of job that this request makes."""
        return _median(self.of(request).durations)

    def load(self, durations: Mapping[VideoKind, Sequence[float]]) -> None:
        """Start from the durations of earlier jobs, in seconds, newest first."""
        self._statistics = {kind: NO_STATISTICS.with_durations(seconds) for kind, seconds in durations.items()}

    def start(self, request: GenerationRequest, job_id: int) -> None:
        """Count a job as running, from its submission until `finish` or `drop`."""
        self._cohorts[VideoKind.of(request)].start(job_id)

    def drop(self, request: GenerationRequest, job_id: int) -> None:
        """Stop counting a job as running; it failed or was given up."""
        self._add(VideoKind.of(request), job_id, None)

    def finish(self, request: GenerationRequest, job_id: int, state: PollState, now: float) -> None:
        """Add a finished job.

        Args:
            request: of the job.
            job_id: as in `start`.
            state: before the poll that found the job finished.
            now: the time of that poll, by the monotonic clock.
        """
        kind = VideoKind.of(request)
        statistics = self._statistics.get(kind, NO_STATISTICS)
        age = now - state.sent_at
        reliability = statistics.reliability.after(state.samples, state.last_poll_age, age)
        self._statistics[kind] = statistics.with_reliability(reliability)
        self._add(kind, job_id, self._duration(statistics, state, age))

    def _add(self, kind: VideoKind, job_id: int, duration: float | None) -> None:
        fresh, statistics = self._fresh[kind], self._statistics.get(kind, NO_STATISTICS)
        fresh[:0] = self._cohorts[kind].end(job_id, duration)
        if fresh and len(fresh) >= len(statistics.durations) // _BATCHES:
            self._statistics[kind] = statistics.with_durations(fresh)
            fresh.clear()

    def _duration(self, statistics: JobStatistics, state: PollState, age: float) -> float:
        """Return the age, in seconds, at which a finished job may have ended.

        It is drawn from the forecast between the last two polls, evenly over many jobs. If the age at the last poll
        were taken, the statistics would never show that polls come too late.
        """
        self._jobs += 1
        forecast = forecast_for(statistics.durations, state.estimate, self._gap_seconds)
        return forecast.likely_end(state.last_poll_age, age, self._jobs * _GOLDEN % 1)


@lru_cache(maxsize=64)
def _median(durations: tuple[float, ...]) -> float:
    return median(durations) if durations else (TYPICAL.low_seconds + TYPICAL.high_seconds) / 2
