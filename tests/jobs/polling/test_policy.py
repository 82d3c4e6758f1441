import math
from dataclasses import replace
from datetime import timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from bot.jobs.polling.duration_model import MEMORY
from bot.jobs.polling.job_statistics import JobStatistics, ProgressReliability
from bot.jobs.polling.policy import MOST_LOOKS, TYPICAL, PollState, next_poll, progress_now
from bot.jobs.polling.progress_model import ProgressSample
from bot.provider.models import Estimate
from cogs.rendering.jobs import bar
from tests.clock import START
from tests.properties import PROPERTY

LONGEST = timedelta(minutes=5)

intervals = st.floats(0.05, 300)
ages = st.floats(-3600, 30 * 24 * 3600)
fractions = st.floats(0, 1)
estimates = st.builds(
    lambda low, more: Estimate(low, min(low + more, 86_400)),
    st.floats(0, 86_400),
    st.floats(0.001, 86_400),
)
watches = st.builds(
    PollState,
    sent_at=st.just(START),
    estimate=st.one_of(st.just(TYPICAL), estimates),
    sightings=st.lists(st.builds(ProgressSample, st.floats(0, 86_400), fractions), max_size=4).map(tuple),
    unfinished_age=st.floats(0, 86_400),
)
counts = st.floats(0, 100)
learnings = st.builds(
    JobStatistics,
    durations=st.lists(st.floats(0, 100_000), max_size=MEMORY).map(tuple),
    figures=st.builds(
        lambda kept, broken, misfits: ProgressReliability(kept, kept + broken, misfits),
        counts,
        counts,
        st.tuples(counts, counts, counts),
    ),
)


@PROPERTY
@given(watches, ages, intervals, learnings)
def test_the_next_look_is_neither_too_soon_nor_too_late(
    watch: PollState, age: float, interval: float, learned: JobStatistics
) -> None:
    now = START + timedelta(seconds=age)
    pause = next_poll(watch, now, interval, learned) - now
    assert timedelta(seconds=interval) <= pause <= LONGEST


@PROPERTY
@given(watches, st.floats(0, 100_000), intervals, st.one_of(st.none(), fractions), learnings)
@example(PollState(START, TYPICAL), 75.0, 2.0, None, JobStatistics())
@example(PollState(START, Estimate(0.0, 0.001)), 100_000.0, 0.05, 0.99, JobStatistics())
def test_every_job_is_seen_to_end(
    watch: PollState, duration: float, interval: float, progress: float | None, learned: JobStatistics
) -> None:
    """Walk from look to look until one falls after the job's end: it follows soon, and after few looks."""
    ends_at = START + timedelta(seconds=duration)
    now, looks = START, 0
    while now < ends_at:
        now = next_poll(watch, now, interval, learned)
        watch = watch.seen(now, progress)
        looks += 1
    assert now - ends_at <= LONGEST
    # The bounded part, then pauses of a twentieth of the age, then of five minutes.
    growing = math.log(max(1.0, duration / interval)) / math.log(1.05)
    assert looks <= MOST_LOOKS + growing + duration / LONGEST.total_seconds() + 1


def test_usual_jobs_are_seen_to_end_soon_and_as_cheaply_as_by_the_documented_loop() -> None:
    durations = range(60, 91)
    counts = []
    for duration in durations:
        watch, now, looks = PollState(START, TYPICAL), START, 0
        while now < START + timedelta(seconds=duration):
            now = next_poll(watch, now, 2.0)
            seconds = (now - START).total_seconds()
            watch = watch.seen(now, min(0.99, seconds / duration))
            looks += 1
        assert now - START <= timedelta(seconds=duration + 4)
        counts.append(looks)
    # One look at once, and then one every ten seconds.
    documented = [1 + math.ceil(duration / 10) for duration in durations]
    assert sum(counts) <= sum(documented)
    assert max(counts) <= 15


@PROPERTY
@given(watches, ages)
def test_progress_is_within_bounds_and_the_bar_never_full(watch: PollState, age: float) -> None:
    fraction = progress_now(watch, START + timedelta(seconds=age))
    assert 0 <= fraction < 1
    assert "░" in bar(fraction)
    assert "100 %" not in bar(fraction)


@PROPERTY
@given(st.one_of(st.none(), fractions), st.floats(0, 1000), st.floats(0, 1000))
def test_the_bar_does_not_go_back_between_looks(progress: float | None, first: float, more: float) -> None:
    watch = PollState(START, TYPICAL).seen(START + timedelta(seconds=first), progress)
    early, late = (progress_now(watch, START + timedelta(seconds=age)) for age in (first, first + more))
    assert early <= late


@PROPERTY
@given(watches, st.floats(1, 10**7), intervals)
def test_a_clock_that_was_set_back_makes_a_job_young_again(watch: PollState, back: float, interval: float) -> None:
    now = START - timedelta(seconds=back)
    assert next_poll(watch, now, interval) == next_poll(watch, START, interval) - timedelta(seconds=back)
    assert watch.seen(now, 0.5).sightings[-1] == ProgressSample(0.0, 0.5)


def test_a_look_without_progress_tells_that_the_job_still_runs() -> None:
    watch = PollState(START, TYPICAL, (ProgressSample(30, 0.4),), 30.0)
    assert watch.seen(START + timedelta(seconds=40), None) == replace(watch, unfinished_age=40.0, looks=1)
