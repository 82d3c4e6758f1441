"""Drift between the provider account's balance and the ledger: how much, and since which jobs. Pure.

The answer to each submission has the account's balance. That balance, plus all charges and minus all refunds so far, is
what the account had at first: the reading's level. All readings have the same level, unless credits were bought, used
by somebody else, or booked wrongly: that is drift.

The time of a charge or refund at the provider is known only within bounds: a job was charged between the time before
its request was sent and the time when the answer was booked, and refunded between then and when that was booked.
Movements that may be on either side of a reading make its level a range. So simultaneous submissions, a refund that the
bot has not seen yet, and unconfirmed jobs widen the ranges around them and are no drift: readings disagree only where
no level is in all of their ranges. Then the drift began after the last reading that contradicts the new level, and
before the first that contradicts the old one.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, pairwise


@dataclass(frozen=True, slots=True)
class CreditRange:
    """A number of credits between `low` and `high`, both included."""

    low: int
    high: int

    def overlap(self, other: "CreditRange") -> "CreditRange | None":
        """Return the intersection; None: it is empty."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return CreditRange(low, high) if low <= high else None

    def since(self, other: "CreditRange") -> "CreditRange":
        """Return the difference to an earlier number."""
        return CreditRange(self.low - other.high, self.high - other.low)


@dataclass(frozen=True, slots=True)
class Movement:
    """A charge or a refund at the provider.

    Attributes:
        credits: of the charge; negative: of the refund.
        earliest: the time before which it can't have happened.
        booked_at: the time after which it can't have happened; None: it is not booked and may not have happened.
        entry_id: of the ledger; None: it is not booked.
    """

    job_id: int
    credits: int
    earliest: datetime
    booked_at: datetime | None = None
    entry_id: int | None = None


@dataclass(frozen=True, slots=True)
class BalanceReading:
    """The account's balance in the answer to a submission.

    Attributes:
        account: the balance after it, in credits.
        charged: for this job.
        sent_at: just before the request was sent.
        booked_at: when the charge was booked, under `entry_id`.
    """

    job_id: int
    account: int
    charged: int
    sent_at: datetime
    booked_at: datetime
    entry_id: int


@dataclass(frozen=True, slots=True)
class BalanceStep:
    """A change of the drift.

    Attributes:
        before: the last reading that contradicts what came after.
        after: the first reading that contradicts what was before.
        credits: by which the balance is higher than the ledger explains, such as bought ones; negative: lower.
        job_ids: of the jobs with charges or refunds booked in between, that of `after` included.
    """

    before: BalanceReading
    after: BalanceReading
    credits: CreditRange
    job_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Drift:
    """The drift between balance and ledger.

    Attributes:
        readings: how many there are.
        newest: the last one that was booked.
        agreeing: the last two neighbouring readings that agree.
        credits: by which the balance is higher than the ledger explains since the first reading; negative: lower.
        steps: its changes, oldest first; none: they agree.
    """

    readings: int = 0
    first: BalanceReading | None = None
    newest: BalanceReading | None = None
    agreeing: tuple[BalanceReading, BalanceReading] | None = None
    credits: CreditRange = CreditRange(0, 0)
    steps: tuple[BalanceStep, ...] = ()


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighbouring readings with a level in common: from number `first` up to and without `end`."""

    first: int
    end: int
    level: CreditRange


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
        credits=runs[-1].level.since(runs[0].level) if len(runs) > 1 else CreditRange(0, 0),
        steps=tuple(_step(old, new, levels, readings, movements) for old, new in pairwise(runs)),
    )


def _levels(readings: Sequence[BalanceReading], movements: Sequence[Movement]) -> list[CreditRange]:
    charges = _Sums(movement for movement in movements if movement.credits > 0)
    refunds = _Sums(movement for movement in movements if movement.credits < 0)
    return [_level(reading, charges, refunds) for reading in readings]


def _level(reading: BalanceReading, charges: "_Sums", refunds: "_Sums") -> CreditRange:
    charged, refunded = charges.booked_before(reading.sent_at), refunds.booked_before(reading.sent_at)
    certain = reading.account + charged + refunded
    # The job's own charge is in the balance; its own refund, begun when the charge was booked, is not.
    perhaps_charged = charges.begun_until(reading.booked_at) - charged - reading.charged
    perhaps_refunded = refunds.begun_before(reading.booked_at) - refunded
    return CreditRange(certain + reading.charged + perhaps_refunded, certain + reading.charged + perhaps_charged)


def _runs(levels: Sequence[CreditRange], readings: Sequence[BalanceReading]) -> Iterator[_Run]:
    old: CreditRange | None = None
    first, common = 0, levels[0]
    for number, level in enumerate(levels):
        if old and old.overlap(level) and readings[number].sent_at <= readings[first].booked_at:
            # It may be from before the last step, and have been booked after the first one behind it.
            continue
        overlap = common.overlap(level)
        if overlap is None:
            yield _Run(first, number, common)
            old, first, overlap = common, number, level
        common = overlap
    yield _Run(first, len(levels), common)


def _step(
    old: _Run,
    new: _Run,
    levels: Sequence[CreditRange],
    readings: Sequence[BalanceReading],
    movements: Sequence[Movement],
) -> BalanceStep:
    # There is one: were the new level in each range of the old run, it would be in what they have in common.
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
