"""Predicts a job's end from the progress that it reports. Pure.

If progress is the share of time that has passed, progress p at age a means an end at a / p. Progress comes in whole
percents, so the end lies in an interval, and several samples leave the intersection of their intervals. A poll just
where the progress is about to change halves an interval of about one percent: the sample is k or k + 1, depending on
the half in which the end lies. So a few polls before the end predict it to a fraction of a second, and the one after
it finds it. How the share is rounded to a whole percent (to the nearest, down, up) is estimated over the jobs by
`ProgressReliability`; `JobStatistics` is all that is known of the finished jobs of a kind.

The provider does not document that progress is linear in time. Samples that contradict one another, or the time that
has passed, lower the consistency, and with it their weight.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.jobs.polling.forecast import MEMORY

ROUNDINGS = (0.005, 0.0, -0.005)
"""Offset from progress to the middle of the shares that are rounded to it: rounded down, to the nearest, or up.

The one that predicts the earliest end comes first: a poll that comes too early shows the mistake, a late one does not.
"""

# Half a percent, and some slack for inexact times.
_HALF = 0.0051
_FULL = 0.985
_LAST_CHANGE = 98
_INSTANT = 1e-6
_SLIP = 0.01
_SLIP_WEIGHT = 0.5
_BREAK_WEIGHT = 0.1
# An interval of this length needs no further poll. It grows with the duration, as the interval that one sample leaves
# does, but only up to a limit: a poll is worth the same lateness for long jobs as for short ones.
_SHARP_SECONDS = 0.45
_SHARP_SHARE = 0.0052
_SHARP_ENOUGH_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class ProgressSample:
    """What one poll showed: the job's age in seconds, and its progress from 0 to 1."""

    age_seconds: float
    progress: float


@dataclass(frozen=True, slots=True)
class EndEstimate:
    """When a job should end by its progress.

    Attributes:
        earliest_seconds: the lowest possible age at its end.
        latest_seconds: the highest one; infinite without any progress.
        consistency: 1 if all samples agree, lower the less they do.
    """

    earliest_seconds: float = 0.0
    latest_seconds: float = math.inf
    consistency: float = 1.0


def end_interval(sample: ProgressSample, rounding: float) -> tuple[float, float]:
    """Return the ages, in seconds, between which a job ends by this sample."""
    middle = sample.progress + rounding
    # Progress stays at 99 percent until the video is there, so it may mean any share from there on.
    most = 1.0 if sample.progress >= _FULL else min(1.0, max(_HALF, middle + _HALF))
    least = middle - _HALF
    return sample.age_seconds / most, sample.age_seconds / least if least > 0 else math.inf


def estimate_end(samples: Sequence[ProgressSample], rounding: float, last_poll_age: float) -> EndEstimate:
    """Combine a job's samples; where they contradict one another, the newest one counts.

    Args:
        samples: oldest first.
        rounding: one of `ROUNDINGS`.
        last_poll_age: in seconds, at the last poll that found the job unfinished, with progress or without.
    """
    earliest, latest, consistency = 0.0, math.inf, 1.0
    for sample in samples:
        begin, end = end_interval(sample, rounding)
        if begin < latest and earliest < end:
            earliest, latest = max(earliest, begin), min(latest, end)
            continue
        apart = max(begin / max(latest, _INSTANT), earliest / max(end, _INSTANT))
        consistency *= _SLIP_WEIGHT if apart <= 1 + _SLIP else _BREAK_WEIGHT
        earliest, latest = begin, end
    if last_poll_age >= latest:
        consistency *= _BREAK_WEIGHT
    return EndEstimate(earliest, latest, consistency)


def narrowing_poll(end: EndEstimate, rounding: float, age: float, gap_seconds: float) -> float:
    """Return the age, in seconds, at which the next poll narrows the end down most, or finds it.

    Args:
        end: by the job's samples.
        rounding: one of `ROUNDINGS`.
        age: of the job now, in seconds.
        gap_seconds: the shortest time to the next poll.
    """
    earliest, latest = max(end.earliest_seconds, age), end.latest_seconds
    sharp = min(max(_SHARP_SECONDS, _SHARP_SHARE * latest), _SHARP_ENOUGH_SECONDS)
    halvings = math.ceil(math.log2(max(1.0, (latest - earliest) / sharp)))
    for later in range(halvings - 1, -1, -1):
        halving = _halving_poll(earliest, latest, rounding, gap_seconds, later)
        if halving >= age + gap_seconds:
            return halving
    return max(latest, age + gap_seconds)


def _halving_poll(earliest: float, latest: float, rounding: float, gap_seconds: float, later: int) -> float:
    """Return an age at which progress changes if the job ends where the interval is best divided.

    It is the last such age that leaves time for `later` more polls of this kind, and for the poll at the end.
    """
    place = _dividing_place(earliest, latest)
    before = min(earliest, latest - gap_seconds) - later * gap_seconds
    # Progress changes half a percent after the middle of the shares that are rounded to it, for the last time to 99.
    change = math.floor((before / place - rounding - 0.005) * 100)
    return place * (min(change, _LAST_CHANGE - later) / 100 + rounding + 0.005)


def _dividing_place(earliest: float, latest: float) -> float:
    """Return the end at which progress should change at the next poll, to leave the shortest interval on average.

    The end lies in a part with a probability in proportion to its length, so the sum of the squared lengths counts. An
    interval of about two percent is best divided into a quarter, a half and a quarter, one of three in its middle.
    """
    middle = (earliest + latest) / 2
    percent = middle / 100
    percents = round((latest - earliest) / percent)
    if percents % 2 or percents == 0:
        return middle
    return middle + percent / 2


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
        counted: decayed count of all jobs.
        misfits: for each of `ROUNDINGS`, the decayed count of confirmed jobs whose end it does not explain.
    """

    confirmed: float = 0.0
    counted: float = 0.0
    misfits: tuple[float, ...] = (0.0,) * len(ROUNDINGS)

    @property
    def trust(self) -> float:
        """Estimated probability that a job's progress predicts its end."""
        return (self.confirmed + _PRIOR_CONFIRMED) / (self.counted + _PRIOR_CONFIRMED + _PRIOR_REFUTED)

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
            counted=self.counted * decay + 1,
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
    """Return whether the job ended when this sample said, to within 1.5 percentage points."""
    latest = max(last_poll_age, sample.age_seconds)
    most = sample.age_seconds / latest if latest else 1.0
    least = sample.age_seconds / finished_age if finished_age else 1.0
    return least - _CONFIRMED_WITHIN <= sample.progress <= most + _CONFIRMED_WITHIN


def _misfits(samples: Sequence[ProgressSample], rounding: float, last_poll_age: float, finished_age: float) -> bool:
    """Return whether no end between the two ages explains all samples if progress is rounded this way."""
    ends = [end_interval(sample, rounding) for sample in samples]
    earliest = max(last_poll_age, *(begin for begin, _ in ends))
    latest = min(finished_age, *(end for _, end in ends))
    return earliest > latest
