"""The provider's account against the books: how far have they drifted apart, and since which jobs? Pure.

With each job that the provider takes it tells the balance of its account. That balance and all that it has taken so
far, less what it has given back, add up to what was in the account at first: its level. Every reading gives the same
level, unless credits were bought, or used by somebody else, or booked wrongly: that is drift.

When the provider took or gave back credits is only known within bounds: it took a job's price between the moment
before it was asked and the moment when its answer was booked, and gave it back between then and when that was booked.
What may have happened on either side of a reading makes its level a span. So jobs that are sent at the same time, a
refund that the bot has not seen yet, and unconfirmed jobs widen the spans around them and are no drift: readings
only disagree where no level is in all of their spans. Then the drift came up after the last reading that contradicts
the new level, and before the first that contradicts the old one.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, pairwise


@dataclass(frozen=True, slots=True)
class DriftSpan:
    """A number of credits between `low` and `high`, both included."""

    low: int
    high: int

    def overlap(self, other: "DriftSpan") -> "DriftSpan | None":
        """Return what is in both; None: nothing."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return DriftSpan(low, high) if low <= high else None

    def since(self, other: "DriftSpan") -> "DriftSpan":
        """Return the difference to an earlier number."""
        return DriftSpan(self.low - other.high, self.high - other.low)


@dataclass(frozen=True, slots=True)
class Movement:
    """Credits that the provider took for a job, or gave back.

    Attributes:
        credits: that it took; negative: that it gave back.
        earliest: before which it can't have been.
        booked_at: after which it can't have been; None: it is not booked and may never have been.
        entry_id: of the ledger; None: it is not booked.
    """

    job_id: int
    credits: int
    earliest: datetime
    booked_at: datetime | None = None
    entry_id: int | None = None


@dataclass(frozen=True, slots=True)
class BalanceReading:
    """What the provider said with a job that it took.

    Attributes:
        account: the balance of its account after it, in credits.
        charged: what it took for this job.
        sent_at: just before it was asked.
        booked_at: when its answer was booked, under `entry_id`.
    """

    job_id: int
    account: int
    charged: int
    sent_at: datetime
    booked_at: datetime
    entry_id: int


@dataclass(frozen=True, slots=True)
class BalanceStep:
    """One time at which account and books drifted apart.

    Attributes:
        before: the last reading that contradicts what came after.
        after: the first reading that contradicts what was before.
        credits: by which the account has more than the books explain, such as bought ones; negative: less.
        job_ids: of the jobs with charges or refunds booked in between, that of `after` included.
    """

    before: BalanceReading
    after: BalanceReading
    credits: DriftSpan
    job_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Drift:
    """How account and books stand to each other.

    Attributes:
        readings: how many there are.
        newest: the last one that was booked.
        agreeing: the last two neighbouring readings that agree.
        credits: by which the account has more than the books explain since the first reading; negative: less.
        steps: where that came up, oldest first; none: they agree.
    """

    readings: int = 0
    first: BalanceReading | None = None
    newest: BalanceReading | None = None
    agreeing: tuple[BalanceReading, BalanceReading] | None = None
    credits: DriftSpan = DriftSpan(0, 0)
    steps: tuple[BalanceStep, ...] = ()


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighbouring readings with a level in common: from number `first` up to and without `end`."""

    first: int
    end: int
    level: DriftSpan


def find_drift(readings: Sequence[BalanceReading], movements: Sequence[Movement]) -> Drift:
    """Compare every reading with what was booked.

    Args:
        readings: all of them, in the order in which they were booked.
        movements: all of them, in the order in which they were booked.
    """
    if not readings:
        return Drift()
    levels = _levels(readings, movements)
    runs = list(_runs(levels, readings))
    pairs = [run.end - 1 for run in runs if run.end - run.first > 1]
    return Drift(
        readings=len(readings),
        first=readings[0],
        newest=readings[-1],
        agreeing=(readings[pairs[-1] - 1], readings[pairs[-1]]) if pairs else None,
        credits=runs[-1].level.since(runs[0].level) if len(runs) > 1 else DriftSpan(0, 0),
        steps=tuple(_step(old, new, levels, readings, movements) for old, new in pairwise(runs)),
    )


def _levels(readings: Sequence[BalanceReading], movements: Sequence[Movement]) -> list[DriftSpan]:
    charges = _Sums(movement for movement in movements if movement.credits > 0)
    refunds = _Sums(movement for movement in movements if movement.credits < 0)
    return [_level(reading, charges, refunds) for reading in readings]


def _level(reading: BalanceReading, charges: "_Sums", refunds: "_Sums") -> DriftSpan:
    charged, refunded = charges.booked_before(reading.sent_at), refunds.booked_before(reading.sent_at)
    certain = reading.account + charged + refunded
    # The job's own charge is in the balance; its own refund, begun when the charge was booked, is not.
    perhaps_charged = charges.begun_until(reading.booked_at) - charged - reading.charged
    perhaps_refunded = refunds.begun_before(reading.booked_at) - refunded
    return DriftSpan(certain + reading.charged + perhaps_refunded, certain + reading.charged + perhaps_charged)


def _runs(levels: Sequence[DriftSpan], readings: Sequence[BalanceReading]) -> Iterator[_Run]:
    old: DriftSpan | None = None
    first, common = 0, levels[0]
    for number, level in enumerate(levels):
        if old and old.overlap(level) and readings[number].sent_at <= readings[first].booked_at:
            # It may be of before the last step, and only have been booked later than the first one after it.
            continue
        overlap = common.overlap(level)
        if overlap is None:
            yield _Run(first, number, common)
            old, first, overlap = common, number, level
        common = overlap
    yield _Run(first, len(levels), common)


def _step(
    old: _Run, new: _Run, levels: Sequence[DriftSpan], readings: Sequence[BalanceReading], movements: Sequence[Movement]
) -> BalanceStep:
    # There is one: were the new level in each span of the old run, it would be in what they have in common.
    last = next(number for number in reversed(range(old.first, old.end)) if not levels[number].overlap(new.level))
    before, after = readings[last], readings[new.first]
    between = (each for each in movements if each.entry_id and before.entry_id < each.entry_id <= after.entry_id)
    job_ids = tuple(dict.fromkeys(movement.job_id for movement in between))
    return BalanceStep(before, after, new.level.since(old.level), job_ids)


class _Sums:
    """Adds movements up to a moment, without going through all of them each time."""

    def __init__(self, movements: Iterable[Movement]) -> None:
        found = list(movements)
        self._booked = _Cumulated((each.booked_at, each.credits) for each in found if each.booked_at)
        self._begun = _Cumulated((each.earliest, each.credits) for each in found)

    def booked_before(self, moment: datetime) -> int:
        return self._booked.sums[bisect_left(self._booked.moments, moment)]

    def begun_before(self, moment: datetime) -> int:
        return self._begun.sums[bisect_left(self._begun.moments, moment)]

    def begun_until(self, moment: datetime) -> int:
        return self._begun.sums[bisect_right(self._begun.moments, moment)]


class _Cumulated:
    """Moments in order, and what all before each of them add up to."""

    def __init__(self, pairs: Iterable[tuple[datetime, int]]) -> None:
        ordered = sorted(pairs)
        self.moments = [moment for moment, _ in ordered]
        self.sums = [0, *accumulate(amount for _, amount in ordered)]
