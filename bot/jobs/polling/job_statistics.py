"""Statistics of the finished jobs of one kind: durations, and how reliable reported progress is. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.jobs.polling.duration_model import MEMORY
from bot.jobs.polling.progress_model import ROUNDINGS, ProgressSample, end_interval

# Weight that earlier jobs keep when one more is counted: trust in progress is gained slowly and lost fast.
_DECAY = 0.995
_DECAY_WHEN_REFUTED = 0.8
# In jobs. At first progress is trusted, since otherwise a cold start polls as if there were none; but one job whose
# progress was wrong is enough to ignore it.
_PRIOR_CONFIRMED, _PRIOR_REFUTED = 0.35, 0.04
_INFORMATIVE_PROGRESS = 0.05
_CONFIRMED_WITHIN = 0.015


@dataclass(frozen=True, slots=True)
class ProgressReliability:
    """How often reported progress predicted the end, assuming that progress is the share of time that has passed.

    Attributes:
        confirmed: decayed count of jobs that ended when their progress said.
        judged: decayed count of all jobs.
        misfits: for each of `ROUNDINGS`, the decayed count of confirmed jobs whose end it does not explain.
    """

    confirmed: float = 0.0
    judged: float = 0.0
    misfits: tuple[float, ...] = (0.0,) * len(ROUNDINGS)

    @property
    def trust(self) -> float:
        """Estimated probability that a job's progress predicts its end."""
        return (self.confirmed + _PRIOR_CONFIRMED) / (self.judged + _PRIOR_CONFIRMED + _PRIOR_REFUTED)

    @property
    def rounding(self) -> float:
        """The most likely of `ROUNDINGS`."""
        return self.roundings[0]

    @property
    def roundings(self) -> list[float]:
        """`ROUNDINGS`, the most likely first."""
        return [rounding for _, rounding in sorted(zip(self.misfits, ROUNDINGS, strict=True), key=lambda pair: pair[0])]

    def after(
        self, samples: Sequence[ProgressSample], last_poll_age: float, finished_age: float
    ) -> "ProgressReliability":
        """Return the statistics with one more job.

        Args:
            samples: what its polls showed.
            last_poll_age: its age, in seconds, at the last poll that found it unfinished.
            finished_age: its age, in seconds, at the poll that found it finished.
        """
        informative = [sample for sample in samples if sample.progress >= _INFORMATIVE_PROGRESS]
        if not informative and last_poll_age <= 0:
            return self
        fits = (_is_confirmed(sample, last_poll_age, finished_age) for sample in informative)
        confirmed = bool(informative) and all(fits)
        decay = _DECAY if confirmed else _DECAY_WHEN_REFUTED
        return ProgressReliability(
            confirmed=self.confirmed * decay + confirmed,
            judged=self.judged * decay + 1,
            misfits=tuple(
                misfits * _DECAY + _misfits(informative, rounding, last_poll_age, finished_age)
                for rounding, misfits in zip(ROUNDINGS, self.misfits, strict=True)
            )
            if confirmed
            else self.misfits,
        )


@dataclass(frozen=True, slots=True)
class JobStatistics:
    """Statistics of the finished jobs of one kind.

    Attributes:
        durations: in seconds, newest first, at most `MEMORY`.
        reliability: of the progress that they reported.
    """

    durations: tuple[float, ...] = ()
    reliability: ProgressReliability = ProgressReliability()

    def with_durations(self, durations: Sequence[float]) -> "JobStatistics":
        """Return the statistics with more durations, newest first."""
        return replace(self, durations=(*durations, *self.durations)[:MEMORY])

    def with_reliability(self, reliability: ProgressReliability) -> "JobStatistics":
        """Return the statistics with another reliability of progress."""
        return replace(self, reliability=reliability)


NO_STATISTICS = JobStatistics()


def _is_confirmed(sample: ProgressSample, last_poll_age: float, finished_age: float) -> bool:
    """Tell whether the job ended when this sample said, to within 1.5 percentage points."""
    latest = max(last_poll_age, sample.age_seconds)
    most = sample.age_seconds / latest if latest else 1.0
    least = sample.age_seconds / finished_age if finished_age else 1.0
    return least - _CONFIRMED_WITHIN <= sample.progress <= most + _CONFIRMED_WITHIN


def _misfits(samples: Sequence[ProgressSample], rounding: float, last_poll_age: float, finished_age: float) -> bool:
    """Tell whether no end between the two ages explains all samples if progress is rounded this way."""
    ends = [end_interval(sample, rounding) for sample in samples]
    earliest = max(last_poll_age, *(begin for begin, _ in ends))
    latest = min(finished_age, *(end for _, end in ends))
    return earliest > latest
