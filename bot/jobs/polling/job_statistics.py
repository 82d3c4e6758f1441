"""What finished jobs of a kind teach about the next ones. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.jobs.polling.duration_model import MEMORY
from bot.jobs.polling.progress_model import CUTS, ProgressSample, end_between

# What a job taught about figures counts this much less with each one after it: trust grows slowly and goes fast.
_FADING = 0.995
_FADING_WHEN_BROKEN = 0.8
# The figures' word is neither trusted nor distrusted at first: a quarter of a job of each.
_PRIOR_JOBS = 0.25
_TELLING_PROGRESS = 0.05
_KEPT_WITHIN = 0.015


@dataclass(frozen=True, slots=True)
class ProgressReliability:
    """How far progress figures kept their word.

    Attributes:
        kept: how many jobs, the newest counting most, ended when their figures said.
        judged: of how many.
        misfits: for each of `CUTS`, in how many of those that kept it the figures did not fit the end to the percent.
    """

    kept: float = 0.0
    judged: float = 0.0
    misfits: tuple[float, ...] = (0.0,) * len(CUTS)

    @property
    def trust(self) -> float:
        """How probable it is, from 0 to 1, that a job's figures are honest."""
        return (self.kept + _PRIOR_JOBS) / (self.judged + 2 * _PRIOR_JOBS)

    @property
    def cut(self) -> float:
        """The way of cutting figures that fitted best."""
        return CUTS[self.misfits.index(min(self.misfits))]

    def after(
        self, sightings: Sequence[ProgressSample], unfinished_age: float, finished_age: float
    ) -> "ProgressReliability":
        """Return what is known after one more job.

        Args:
            sightings: what its looks showed.
            unfinished_age: its age, in seconds, at the last look that found it unfinished.
            finished_age: its age when it was found finished.
        """
        telling = [sighting for sighting in sightings if sighting.progress >= _TELLING_PROGRESS]
        if not telling and unfinished_age <= 0:
            return self
        kept = bool(telling) and all(_keeps_word(sighting, unfinished_age, finished_age) for sighting in telling)
        fading = _FADING if kept else _FADING_WHEN_BROKEN
        return ProgressReliability(
            kept=self.kept * fading + kept,
            judged=self.judged * fading + 1,
            misfits=tuple(
                misfits * _FADING + _misfits(telling, cut, unfinished_age, finished_age)
                for cut, misfits in zip(CUTS, self.misfits, strict=True)
            )
            if kept
            else self.misfits,
        )


@dataclass(frozen=True, slots=True)
class JobStatistics:
    """What is known of jobs of one kind.

    Attributes:
        durations: in seconds, newest first, at most `MEMORY`.
        figures: how far progress can be believed.
    """

    durations: tuple[float, ...] = ()
    figures: ProgressReliability = ProgressReliability()

    def with_durations(self, durations: Sequence[float]) -> "JobStatistics":
        """Return what is known after more jobs, given newest first."""
        return replace(self, durations=(*durations, *self.durations)[:MEMORY])

    def with_figures(self, figures: ProgressReliability) -> "JobStatistics":
        """Return this with what is known of progress figures now."""
        return replace(self, figures=figures)


NO_STATISTICS = JobStatistics()


def _keeps_word(sighting: ProgressSample, unfinished_age: float, finished_age: float) -> bool:
    """Whether the end came when the figure said, give or take one and a half points."""
    latest = max(unfinished_age, sighting.age_seconds)
    most = sighting.age_seconds / latest if latest else 1.0
    least = sighting.age_seconds / finished_age if finished_age else 1.0
    return least - _KEPT_WITHIN <= sighting.progress <= most + _KEPT_WITHIN


def _misfits(sightings: Sequence[ProgressSample], cut: float, unfinished_age: float, finished_age: float) -> bool:
    """Whether no end between the two ages fits all figures if they are cut this way."""
    ends = [end_between(sighting, cut) for sighting in sightings]
    earliest = max(unfinished_age, *(begin for begin, _ in ends))
    latest = min(finished_age, *(end for _, end in ends))
    return earliest > latest
