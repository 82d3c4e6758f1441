"""When to look at a job next, and how far it probably is. Pure.

Without progress, looks follow the best schedule for what is known of such jobs: the distribution of their durations
(`duration_model`) and the optimal inspection of something that ends at such a time (`inspection_schedule`, after
Barlow, Hunter and Proschan), with as many looks as the documented ten-second loop would make.

With progress (`progress_model`), an early look reads the figure, the next ones narrow the end down, the last one
falls just after it. Figures are believed as far as they kept their word with jobs of the kind and as they fit
together for this one. They are never believed alone: where they are honest with probability q, and the share S of
jobs runs this long, the doubt that is left is d = (1 - q) S / ((1 - q) S + q) by Bayes' rule. The hazard of an end
that the figures don't foretell is d of what it was, and looks, which follow the square root of the hazard, go on at
sqrt(d) of the schedule's rate.
"""

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.clock import Clock
from bot.jobs.models import Job
from bot.jobs.polling.forecast import forecast_for
from bot.jobs.polling.inspection_schedule import LATE_SHARE
from bot.jobs.polling.job_statistics import NO_STATISTICS, JobStatistics
from bot.jobs.polling.progress_model import EndEstimate, ProgressSample, read, sharpest_look
from bot.provider.models import Estimate

TYPICAL = Estimate(60.0, 90.0)
"""Seconds that a job takes by the provider's documentation."""

LONGEST_PAUSE_SECONDS = 300.0
MOST_LOOKS = 50
"""After so many looks at one job, the next ones follow at a share of its age only."""

_BELIEVED = 0.3
# Figures that point this many times beyond the age at which practically all jobs have ended stand still.
_BEYOND = 2.0
_MOST_SIGHTINGS = 12
# A bar that fills up before the video is there would be a lie; also when it is rounded to 16 steps.
_FULLEST_BAR = 0.96


@dataclass(frozen=True, slots=True)
class PollState:
    """What is known of a job that the provider is working on.

    Attributes:
        sent_at: when it was submitted, by the monotonic clock.
        estimate: how long it may take.
        sightings: the progress that was seen, oldest first; the newest few.
        unfinished_age: how old it was, in seconds, when a look last found it unfinished; 0 before the first.
        looks: how many looks found it unfinished.
    """

    sent_at: float
    estimate: Estimate
    sightings: tuple[ProgressSample, ...] = ()
    unfinished_age: float = 0.0
    looks: int = 0

    def seen(self, now: float, progress: float | None) -> "PollState":
        """Return the watch after a look at `now` that found the job unfinished and showed `progress`."""
        age, sightings = now - self.sent_at, self.sightings
        if progress is not None:
            sightings = (*sightings, ProgressSample(age, progress))[-_MOST_SIGHTINGS:]
        return replace(self, sightings=sightings, unfinished_age=age, looks=self.looks + 1)


def initial_poll_state(job: Job, clock: Clock) -> PollState:
    """Return the state of a job before its first poll, also of one that an earlier process submitted."""
    age = clock.age(job.submitted_at or job.created_at)
    return PollState(sent_at=clock.monotonic() - age, estimate=job.estimate or TYPICAL)


def next_poll(
    watch: PollState, now: float, min_interval_seconds: float, learned: JobStatistics = NO_STATISTICS
) -> float:
    """Return when to look next: at least `min_interval_seconds` from now, at most five minutes.

    Args:
        watch: what is known of the job.
        now: by the monotonic clock, usually just after a look.
        min_interval_seconds: the shortest time between two looks at a job.
        learned: what is known of jobs of its kind.
    """
    age = now - watch.sent_at
    pause = _next_age(watch, learned, age, min_interval_seconds) - age
    if watch.looks >= MOST_LOOKS:
        pause = max(pause, age * LATE_SHARE)
    return now + max(min_interval_seconds, min(pause, LONGEST_PAUSE_SECONDS))


def _next_age(watch: PollState, learned: JobStatistics, age: float, gap_seconds: float) -> float:
    outlook = forecast_for(learned.durations, watch.estimate, gap_seconds)
    figures = learned.figures
    reading = read(watch.sightings, figures.cut, watch.unfinished_age)
    honesty = figures.trust * reading.honesty
    if reading.earliest_seconds > _BEYOND * outlook.plan.last_age or honesty < _BELIEVED:
        return outlook.plan.after(age)
    # The longer a job runs, as its figures said it would, the less they can be false.
    doubt = (1 - honesty) * outlook.running_at(age)
    fallback = outlook.plan.after(age, steps=max(1, int(math.sqrt(1 + honesty / max(doubt, 1e-6)))))
    if math.isinf(reading.latest_seconds):
        return min(fallback, outlook.early_age) if outlook.early_age > age else outlook.plan.after(age)
    return min(fallback, sharpest_look(reading, figures.cut, age, gap_seconds))


def expected_wait(
    watch: PollState, now: float, min_interval_seconds: float, learned: JobStatistics = NO_STATISTICS
) -> float:
    """Return how long, in seconds, the member of this job is expected to have waited for a look by now.

    With the share S of jobs that run longer than an age, the chance that a job last found unfinished at age u has
    ended by age t is 1 - S(t) / S(u); if it has, then halfway between the two, as far as is known.
    """
    age = now - watch.sent_at
    outlook = forecast_for(learned.durations, watch.estimate, min_interval_seconds)
    running = outlook.running_at(watch.unfinished_age)
    ended = 1 - outlook.running_at(age) / running if running else 1.0
    return ended * max(0.0, age - watch.unfinished_age) / 2


def progress_now(watch: PollState, now: float) -> float:
    """Return how far the job probably is, from 0 to 0.96: by its last sighting, and the time since."""
    age = now - watch.sent_at
    seen = watch.sightings[-1].progress if watch.sightings else 0.0
    end = _likely_end(watch, read(watch.sightings, 0.0, watch.unfinished_age))
    return min(_FULLEST_BAR, max(seen, age / end if end else 0.0))


def _likely_end(watch: PollState, reading: EndEstimate) -> float:
    low, high = watch.estimate.low_seconds, watch.estimate.high_seconds
    if reading.honesty == 1 and 0 < reading.latest_seconds <= 2 * high:
        return (reading.earliest_seconds + reading.latest_seconds) / 2
    return (low + high) / 2


def expected_finish(job: Job) -> datetime:
    """Return when an open job should be done, if all goes as is usual."""
    return expected_end(job.created_at, job.submitted_at, job.estimate.high_seconds if job.estimate else None)


def expected_end(created_at: datetime, submitted_at: datetime | None, estimate_seconds: float | None) -> datetime:
    """Return when a job that was taken and sent then should be done, if all goes as is usual."""
    return (submitted_at or created_at) + timedelta(seconds=estimate_seconds or TYPICAL.high_seconds)
