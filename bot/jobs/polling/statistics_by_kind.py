"""Statistics of finished jobs by kind: from the database at the start, and from each job since."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from statistics import median
from typing import NamedTuple

from bot.jobs.polling.forecast import forecast_for
from bot.jobs.polling.policy import TYPICAL, PollState
from bot.jobs.polling.progress_model import NO_STATISTICS, JobStatistics
from bot.provider.models import GenerationMode, GenerationRequest

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
