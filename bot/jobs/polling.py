"""When to look at a job next, and how far it probably is. Pure.

The provider's documentation gives 60 to 90 seconds as the typical time and no promise about progress. Looks are
spent where finishing is likely: one early, to see whether progress is reported, then at the end that progress
points to, or spread over the estimated span; past that, ever less often, as a share of the job's age.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.jobs.models import Job
from bot.provider.models import Estimate

TYPICAL = Estimate(60.0, 90.0)
_LOOKS_IN_SPAN = 10
_LATE_SHARE = 0.05
_LONGEST_PAUSE_SECONDS = 300.0
# A bar that fills up before the video is there would be a lie; also when it is rounded to 16 steps.
_FULLEST_BAR = 0.95


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one look showed: how old the job was, in seconds, and its progress from 0 to 1."""

    age_seconds: float
    progress: float


@dataclass(frozen=True, slots=True)
class Watch:
    """What is known of a job that the provider is working on.

    Attributes:
        sent_at: when it was submitted.
        estimate: how long it may take.
        sighting: the newest progress that was seen.
    """

    sent_at: datetime
    estimate: Estimate
    sighting: Sighting | None = None

    def seen(self, now: datetime, progress: float | None) -> "Watch":
        """Return the watch after a look at `now` that showed `progress`."""
        if progress is None:
            return self
        return replace(self, sighting=Sighting(age_seconds(self.sent_at, now), progress))


def watch_of(job: Job) -> Watch:
    """Begin to watch a job, also one that was sent by an earlier process."""
    return Watch(sent_at=job.submitted_at or job.created_at, estimate=job.estimate or TYPICAL)


def age_seconds(since: datetime, now: datetime) -> float:
    """Return the seconds since then, never negative even if the clock was set back."""
    return max(0.0, (now - since).total_seconds())


def next_look(watch: Watch, now: datetime, min_interval_seconds: float) -> datetime:
    """Return when to look next: at least `min_interval_seconds` from now, at most five minutes."""
    age = age_seconds(watch.sent_at, now)
    pause = _pause_seconds(watch, age)
    return now + timedelta(seconds=max(min_interval_seconds, min(pause, _LONGEST_PAUSE_SECONDS)))


def _pause_seconds(watch: Watch, age: float) -> float:
    low, high = watch.estimate.low_seconds, watch.estimate.high_seconds
    if age < low / 2:
        return low / 2 - age
    step = max(high - low, high / 5) / _LOOKS_IN_SPAN
    if age >= high:
        return max(step, age * _LATE_SHARE)
    end = _predicted_end(watch)
    return max(step, (low if end is None else end) - age)


def _predicted_end(watch: Watch) -> float | None:
    """Return at which age progress, taken as linear, would be complete; None if it says nothing."""
    sighting = watch.sighting
    if sighting is None or not 0.05 <= sighting.progress < 1:
        return None
    end = sighting.age_seconds / sighting.progress
    return end if end <= 2 * watch.estimate.high_seconds else None


def progress_now(watch: Watch, now: datetime) -> float:
    """Return how far the job probably is, from 0 to 0.95: by its last sighting, and the time since."""
    age = age_seconds(watch.sent_at, now)
    end = _predicted_end(watch) or (watch.estimate.low_seconds + watch.estimate.high_seconds) / 2
    seen = watch.sighting.progress if watch.sighting else 0.0
    return min(_FULLEST_BAR, max(seen, age / end if end else 0.0))


def expected_finish(job: Job) -> datetime:
    """Return when an open job should be done, if all goes as is usual."""
    watch = watch_of(job)
    return watch.sent_at + timedelta(seconds=watch.estimate.high_seconds)
