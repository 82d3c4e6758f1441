"""What this process has learned of each kind of job, from the database at its start and from each job since."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from statistics import median
from typing import NamedTuple

from bot.jobs.polling.forecast import forecast_for
from bot.jobs.polling.job_statistics import NO_STATISTICS, JobStatistics
from bot.jobs.polling.policy import TYPICAL, PollState
from bot.provider.models import GenerationMode, GenerationRequest

# New durations are taken in by so many parts of what is known, since each time a new plan must be made.
_BATCHES = 12
# The fractional parts of this number's multiples are spread evenly.
_GOLDEN = 0.6180339887498949


class VideoKind(NamedTuple):
    """Jobs that take about the same time."""

    mode: GenerationMode
    duration_seconds: int
    sound: bool

    @classmethod
    def of(cls, request: GenerationRequest) -> "VideoKind":
        """Return the kind of job that a request makes."""
        return cls(request.mode, request.duration_seconds, request.sound)


class StatisticsByKind:
    """What is known of each kind of job.

    Args:
        gap_seconds: the shortest time between two looks at a job, for the plans that are made of it.
    """

    def __init__(self, gap_seconds: float) -> None:
        self._gap_seconds = gap_seconds
        self._learned: dict[VideoKind, JobStatistics] = {}
        self._fresh: dict[VideoKind, list[float]] = {}
        self._jobs = 0

    def of(self, request: GenerationRequest) -> JobStatistics:
        """Return what is known of jobs such as this."""
        return self._learned.get(VideoKind.of(request), NO_STATISTICS)

    def typical_seconds(self, request: GenerationRequest) -> float:
        """Return how long a job such as this usually takes."""
        return _median(self.of(request).durations)

    def recall(self, durations: Mapping[VideoKind, Sequence[float]]) -> None:
        """Begin with the durations of earlier jobs, in seconds, newest first."""
        self._learned = {kind: NO_STATISTICS.with_durations(seconds) for kind, seconds in durations.items()}

    def learn(self, request: GenerationRequest, watch: PollState, now: float) -> None:
        """Take in a job that a look at `now` found finished."""
        kind = VideoKind.of(request)
        learned = self._learned.get(kind, NO_STATISTICS)
        age = now - watch.sent_at
        fresh = self._fresh.setdefault(kind, [])
        fresh.insert(0, self._duration(learned, watch, age))
        learned = learned.with_figures(learned.figures.after(watch.sightings, watch.unfinished_age, age))
        if len(fresh) >= max(1, len(learned.durations) // _BATCHES):
            learned = learned.with_durations(fresh)
            fresh.clear()
        self._learned[kind] = learned

    def _duration(self, learned: JobStatistics, watch: PollState, age: float) -> float:
        """Return when the job may have ended since it was last seen unfinished.

        Were it taken to have ended when it was seen, looks would never learn that they come too late. So a place
        between the two looks is drawn from what is known of such jobs, evenly over many jobs.
        """
        self._jobs += 1
        outlook = forecast_for(learned.durations, watch.estimate, self._gap_seconds)
        return outlook.likely_end(watch.unfinished_age, age, self._jobs * _GOLDEN % 1)


@lru_cache(maxsize=64)
def _median(durations: tuple[float, ...]) -> float:
    return median(durations) if durations else (TYPICAL.low_seconds + TYPICAL.high_seconds) / 2
