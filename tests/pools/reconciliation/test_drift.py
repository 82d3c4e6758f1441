"""Drift between the provider's account and the books: found where there is one, and never where there is none."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bot.pools.reconciliation.drift import BalanceReading, CreditRange, Drift, Movement, find_drift
from tests.clock import START
from tests.properties import PROPERTY

AT_FIRST = 100_000
PRICES = st.sampled_from([45, 55, 100, 110, 210, 220])
LATE = 1000


@dataclass(frozen=True)
class Truth:
    """What really happened with one job, in seconds.

    Attributes:
        given_back: when the provider gave the price back, and when that was booked, if it did.
        is_booked: whether the answer arrived.
    """

    price: int
    sent: float
    taken: float
    booked: float
    given_back: tuple[float, float | None] | None = None
    is_booked: bool = True


@st.composite
def truths(draw: st.DrawFn) -> Truth:
    """One job at any time, with any other around it: answered, lost, failed and given back, seen by the bot or not."""
    moments = sorted(draw(st.lists(st.floats(0, LATE), min_size=5, max_size=5, unique=True)))
    truth = Truth(draw(PRICES), moments[0], moments[1], moments[2])
    match draw(st.sampled_from(["made", "made", "failed", "failed unseen", "unanswered"])):
        case "failed":
            return replace(truth, given_back=(moments[3], moments[4]))
        case "failed unseen":
            return replace(truth, given_back=(moments[3], None))
        case "unanswered":
            return replace(truth, is_booked=False)
    return truth


def quiet(price: int, at: float) -> Truth:
    """A job with nothing else around it."""
    return Truth(price, at, at + 1, at + 2)


def moment(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def drift_of(jobs: list[Truth], *changes: tuple[float, int]) -> Drift:
    """What is found where all this happened; `changes` are credits that came or went outside of the bot, and when."""
    taken = [(job.taken, -job.price) for job in jobs]
    given = [(job.given_back[0], job.price) for job in jobs if job.given_back]
    flow = [*taken, *given, *changes]
    entries = {key: number for number, key in enumerate(sorted(_bookings(jobs)), start=1)}
    readings: list[BalanceReading] = []
    movements: list[Movement] = []
    for job_id, job in enumerate(jobs):
        movements += _movements(job_id, job, entries)
        if job.is_booked:
            account = AT_FIRST + sum(amount for at, amount in flow if at <= job.taken)
            entry_id = entries[(job.booked, job_id)]
            readings.append(BalanceReading(job_id, account, job.price, moment(job.sent), moment(job.booked), entry_id))
    return find_drift(sorted(readings, key=lambda reading: reading.entry_id), movements)


def _bookings(jobs: list[Truth]) -> Iterator[tuple[float, int]]:
    for job_id, job in enumerate(jobs):
        if job.is_booked:
            yield job.booked, job_id
        if job.given_back and job.given_back[1] is not None:
            yield job.given_back[1], job_id


def _movements(job_id: int, job: Truth, entries: dict[tuple[float, int], int]) -> Iterator[Movement]:
    if not job.is_booked:
        yield Movement(job_id, job.price, moment(job.sent))
        return
    yield Movement(job_id, job.price, moment(job.sent), moment(job.booked), entries[(job.booked, job_id)])
    if job.given_back and job.given_back[1] is not None:
        seen = job.given_back[1]
        yield Movement(job_id, -job.price, moment(job.booked), moment(seen), entries[(seen, job_id)])
    elif job.given_back:
        yield Movement(job_id, -job.price, moment(job.booked))


@PROPERTY
@given(st.lists(truths(), max_size=12))
def test_jobs_at_the_same_time_refunds_and_lost_answers_are_no_drift(jobs: list[Truth]) -> None:
    drift = drift_of(jobs)
    assert drift.steps == ()
    assert drift.credits == CreditRange(0, 0)
    assert drift.readings == sum(job.is_booked for job in jobs)


SETTLED = truths().filter(lambda job: job.is_booked and not (job.given_back and job.given_back[1] is None))


@PROPERTY
@given(st.lists(SETTLED, max_size=10), st.floats(0, LATE), st.integers(-500, 5000).filter(bool))
def test_outside_use_is_found_to_the_credit_and_bounded_in_time(jobs: list[Truth], at: float, amount: int) -> None:
    jobs = [quiet(55, -10), *jobs, quiet(55, LATE + 10), quiet(110, LATE + 20)]
    drift = drift_of(jobs, (at, amount))
    (step,) = drift.steps
    assert drift.credits == step.credits == CreditRange(amount, amount)
    assert jobs[step.before.job_id].taken <= at <= jobs[step.after.job_id].taken
    assert step.after.job_id in step.job_ids
    assert drift.agreeing
    assert [reading.job_id for reading in drift.agreeing] == [len(jobs) - 2, len(jobs) - 1]
    assert drift.newest == drift.agreeing[1]


def test_without_readings_nothing_is_known() -> None:
    assert find_drift([], [Movement(1, 55, START)]) == Drift()


def test_two_readings_that_disagree_leave_none_that_agree() -> None:
    drift = drift_of([quiet(55, 0), quiet(55, 10)], (5, -300))
    assert drift.agreeing is None
    assert drift.credits == CreditRange(-300, -300)
    assert drift.steps[0].job_ids == (1,)


def test_drift_there_and_back_is_reported_twice() -> None:
    jobs = [quiet(55, at) for at in (0, 10, 20, 30, 40)]
    drift = drift_of(jobs, (15, -300), (35, 300))
    assert drift.credits == CreditRange(0, 0)
    assert [(step.before.job_id, step.after.job_id, step.credits.low) for step in drift.steps] == [
        (1, 2, -300),
        (3, 4, 300),
    ]


def test_less_than_an_open_question_is_seen_once_that_is_settled() -> None:
    first, later = quiet(55, 0), quiet(55, 30)
    # Whether those 40 credits belong to a job that costs 55 can't be told.
    unanswered = Truth(55, 10, math.inf, math.inf, is_booked=False)
    assert drift_of([first, unanswered, later], (20, -40)).steps == ()
    assert drift_of([first, later], (20, -40)).credits == CreditRange(-40, -40)
