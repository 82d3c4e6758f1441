import math
from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from bot.jobs.polling.duration_model import MEMORY
from bot.jobs.polling.job_statistics import JobStatistics, ProgressReliability
from bot.jobs.polling.policy import MOST_LOOKS, TYPICAL, PollState, next_poll, progress_now
from bot.jobs.polling.progress_model import ProgressSample
from bot.provider.models import Estimate
from cogs.rendering.jobs import bar
from tests.properties import PROPERTY

LONGEST = 300.0

intervals = st.floats(0.05, 300)
ages = st.floats(0, 30 * 24 * 3600)
fractions = st.floats(0, 1)
estimates = st.builds(
    lambda low, more: Estimate(low, min(low + more, 86_400)),
    st.floats(0, 86_400),
    st.floats(0.001, 86_400),
)
watches = st.builds(
    PollState,
    sent_at=st.just(0.0),
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
    pause = next_poll(watch, age, interval, learned) - age
    assert interval - 1e-6 <= pause <= LONGEST + 1e-6


@PROPERTY
@given(watches, st.floats(0, 100_000), intervals, st.one_of(st.none(), fractions), learnings)
@example(PollState(0.0, TYPICAL), 75.0, 2.0, None, JobStatistics())
@example(PollState(0.0, Estimate(0.0, 0.001)), 100_000.0, 0.05, 0.99, JobStatistics())
def test_every_job_is_seen_to_end(
    watch: PollState, duration: float, interval: float, progress: float | None, learned: JobStatistics
) -> None:
    """Walk from look to look until one falls after the job's end: it follows soon, and after few looks."""
    now, looks = 0.0, 0
    while now < duration:
        now = next_poll(watch, now, interval, learned)
        watch = watch.seen(now, progress)
        looks += 1
    assert now - duration <= LONGEST + 1e-6
    # The bounded part, then pauses of a twentieth of the age, then of five minutes.
    growing = math.log(max(1.0, duration / interval)) / math.log(1.05)
    assert looks <= MOST_LOOKS + growing + duration / LONGEST + 1


def test_usual_jobs_are_seen_to_end_soon_and_as_cheaply_as_by_the_documented_loop() -> None:
    durations = range(60, 91)
    counts = []
    for duration in durations:
        watch, now, looks = PollState(0.0, TYPICAL), 0.0, 0
        while now < duration:
            now = next_poll(watch, now, 2.0)
            watch = watch.seen(now, min(0.99, now / duration))
            looks += 1
        assert now <= duration + 4
        counts.append(looks)
    # One look at once, and then one every ten seconds.
    documented = [1 + math.ceil(duration / 10) for duration in durations]
    assert sum(counts) <= sum(documented)
    assert max(counts) <= 15


@PROPERTY
@given(watches, ages)
def test_progress_is_within_bounds_and_the_bar_never_full(watch: PollState, age: float) -> None:
    fraction = progress_now(watch, age)
    assert 0 <= fraction < 1
    assert "░" in bar(fraction)
    assert "100 %" not in bar(fraction)


@PROPERTY
@given(st.one_of(st.none(), fractions), st.floats(0, 1000), st.floats(0, 1000))
def test_the_bar_does_not_go_back_between_looks(progress: float | None, first: float, more: float) -> None:
    watch = PollState(0.0, TYPICAL).seen(first, progress)
    early, late = (progress_now(watch, age) for age in (first, first + more))
    assert early <= late


def test_a_look_without_progress_tells_that_the_job_still_runs() -> None:
    watch = PollState(0.0, TYPICAL, (ProgressSample(30, 0.4),), 30.0)
    assert watch.seen(40.0, None) == replace(watch, unfinished_age=40.0, looks=1)
