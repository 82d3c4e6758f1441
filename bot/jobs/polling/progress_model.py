"""What a job's progress figures say about its end, and whether they are to be believed. Pure.

If progress is the share of time that has passed, a figure of p percent at age a means an end at a / p. Figures are
whole percents, so the share is only known to one percent, and the end lies in an interval. Several figures leave the
intersection of their intervals. A look near the end divides it by the percents of the time until then: made just
where the figure is about to change, it halves what is not much more than a percent, for the next figure is k or k + 1
according to the half in which the end lies. So a few looks before the end pin it down to a fraction of a second, and
the one after it sees it. How the share was cut to a whole percent (to the nearest, down, up) is found
out over the jobs, see `bot.jobs.polling.job_statistics`.

Nobody promises any of this. Figures that disagree with one another, or with the time, stood still, leapt, or lied:
what they say is then given less and less weight.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

CUTS = (0.005, 0.0, -0.005)
"""From a figure to the middle of the shares it may stand for: cut down, to the nearest percent, or up.

The way that expects the end first comes first: looks that are too early show it, looks that are too late don't.
"""

# Half a percent, and a little for the rounding of times.
_HALF = 0.0051
_FULL = 0.985
_LAST_CHANGE = 98
_INSTANT = 1e-6
_SLIP = 0.01
_SLIP_WEIGHT = 0.5
_BREAK_WEIGHT = 0.1
# Two ages that differ by less are close enough, for a look is worth as much waiting for a long job as for a short
# one; in between they grow with what one figure leaves open, so that few looks do.
_SHARP_SECONDS = 0.45
_SHARP_SHARE = 0.0052
_SHARP_ENOUGH_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class ProgressSample:
    """What one look showed: how old the job was, in seconds, and its progress from 0 to 1."""

    age_seconds: float
    progress: float


@dataclass(frozen=True, slots=True)
class EndEstimate:
    """When a job should end by its figures.

    Attributes:
        earliest_seconds: the age at which it ends at the earliest.
        latest_seconds: and at the latest; infinite if nothing is known.
        honesty: 1 if all figures fit together, towards 0 the less they do.
    """

    earliest_seconds: float = 0.0
    latest_seconds: float = math.inf
    honesty: float = 1.0


def end_between(sighting: ProgressSample, cut: float) -> tuple[float, float]:
    """Return the ages between which a job ends if this figure is true."""
    middle = sighting.progress + cut
    # 99 percent is where figures stop until the video is there: it may stand for anything up to the end.
    most = 1.0 if sighting.progress >= _FULL else min(1.0, max(_HALF, middle + _HALF))
    least = middle - _HALF
    return sighting.age_seconds / most, sighting.age_seconds / least if least > 0 else math.inf


def read(sightings: Sequence[ProgressSample], cut: float, unfinished_age: float) -> EndEstimate:
    """Put a job's figures together; where they don't fit, the newest counts.

    Args:
        sightings: oldest first.
        cut: of these figures.
        unfinished_age: at which the job was last seen unfinished, with a figure or without.
    """
    earliest, latest, honesty = 0.0, math.inf, 1.0
    for sighting in sightings:
        begin, end = end_between(sighting, cut)
        if begin < latest and earliest < end:
            earliest, latest = max(earliest, begin), min(latest, end)
            continue
        apart = max(begin / max(latest, _INSTANT), earliest / max(end, _INSTANT))
        honesty *= _SLIP_WEIGHT if apart <= 1 + _SLIP else _BREAK_WEIGHT
        earliest, latest = begin, end
    if unfinished_age >= latest:
        honesty *= _BREAK_WEIGHT
    return EndEstimate(earliest, latest, honesty)


def sharpest_look(reading: EndEstimate, cut: float, age: float, gap_seconds: float) -> float:
    """Return the age for the next look at a job whose figures are believed.

    Args:
        reading: of its figures.
        cut: of these figures.
        age: of the job now, in seconds.
        gap_seconds: the shortest time to the next look.
    """
    earliest, latest = max(reading.earliest_seconds, age), reading.latest_seconds
    sharp = min(max(_SHARP_SECONDS, _SHARP_SHARE * latest), _SHARP_ENOUGH_SECONDS)
    halvings = math.ceil(math.log2(max(1.0, (latest - earliest) / sharp)))
    for later in range(halvings - 1, -1, -1):
        halving = _halving_look(earliest, latest, cut, gap_seconds, later)
        if halving >= age + gap_seconds:
            return halving
    return max(latest, age + gap_seconds)


def _halving_look(earliest: float, latest: float, cut: float, gap_seconds: float, later: int) -> float:
    """Return an age at which the figure changes if the end is at the best place to divide what is between two ages.

    It is the last one that leaves room for so many looks of the same kind `later`, and for the look at the end.
    """
    place = _dividing_place(earliest, latest)
    before = min(earliest, latest - gap_seconds) - later * gap_seconds
    # A figure changes half a percent after the middle of the shares that it stands for; after 99 none comes.
    change = math.floor((before / place - cut - 0.005) * 100)
    return place * (min(change, _LAST_CHANGE - later) / 100 + cut + 0.005)


def _dividing_place(earliest: float, latest: float) -> float:
    """Return where a figure is to change, so that the parts between changes, a percent each, are smallest on average.

    What lies where is left as it is in proportion to its length: so the sum of the parts' squares counts. About two
    percent are divided best into a quarter, a half and a quarter, about three again in their middle, and so on.
    """
    middle = (earliest + latest) / 2
    percent = middle / 100
    percents = round((latest - earliest) / percent)
    if percents % 2 or percents == 0:
        return middle
    return middle + percent / 2
