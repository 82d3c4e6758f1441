import math
from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from bot.jobs.polling.forecast import MEMORY
from bot.jobs.polling.policy import MAX_REGULAR_POLLS, TYPICAL, PollState, next_poll, progress_now
from bot.jobs.polling.progress_model import JobStatistics, ProgressReliability, ProgressSample
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
states = st.builds(
    PollState,
    sent_at=st.just(0.0),
    estimate=st.one_of(st.just(TYPICAL), estimates),
    samples=st.lists(st.builds(ProgressSample, st.floats(0, 86_400), fractions), max_size=4).map(tuple),
    last_poll_age=st.floats(0, 86_400),
)
counts = st.floats(0, 100)
statistics_of_kinds = st.builds(
    JobStatistics,
    durations=st.lists(st.floats(0, 100_000), max_size=MEMORY).map(tuple),
    reliability=st.builds(
        lambda confirmed, broken, misfits: ProgressReliability(confirmed, confirmed + broken, misfits),
        counts,
        counts,
        st.tuples(counts, counts, counts),
    ),
)


@PROPERTY
@given(states, ages, intervals, statistics_of_kinds)
def test_the_next_poll_is_neither_too_soon_nor_too_late(
    state: PollState, age: float, interval: float, statistics: JobStatistics
) -> None:
    pause = next_poll(state, age, interval, statistics) - age
    assert interval - 1e-6 <= pause <= LONGEST + 1e-6


@PROPERTY
@given(states, st.floats(0, 100_000), intervals, st.one_of(st.none(), fractions), statistics_of_kinds)
@example(PollState(0.0, TYPICAL), 75.0, 2.0, None, JobStatistics())
@example(PollState(0.0, Estimate(0.0, 0.001)), 100_000.0, 0.05, 0.99, JobStatistics())
def test_the_end_of_every_job_is_found(
    state: PollState, duration: float, interval: float, progress: float | None, statistics: JobStatistics
) -> None:
    """Walk from poll to poll until one falls after the job's end: it follows soon, and after few polls."""
    now, polls = 0.0, 0
    while now < duration:
        now = next_poll(state, now, interval, statistics)
        state = state.after_poll(now, progress)
        polls += 1
    assert now - duration <= LONGEST + 1e-6
    # The bounded part, then pauses of a twentieth of the age, then of five minutes.
    growing = math.log(max(1.0, duration / interval)) / math.log(1.05)
    assert polls <= MAX_REGULAR_POLLS + growing + duration / LONGEST + 1


def test_usual_jobs_need_no_more_polls_than_the_documented_loop() -> None:
    durations = range(60, 91)
    counts = []
    for duration in durations:
        state, now, polls = PollState(0.0, TYPICAL), 0.0, 0
        while now < duration:
            now = next_poll(state, now, 2.0)
            state = state.after_poll(now, min(0.99, now / duration))
            polls += 1
        assert now <= duration + 4
        counts.append(polls)
    # One poll at once, and then one every ten seconds.
    documented = [1 + math.ceil(duration / 10) for duration in durations]
    assert sum(counts) <= sum(documented)
    assert max(counts) <= 15


@PROPERTY
@given(states, ages)
def test_progress_is_within_bounds_and_the_bar_never_full(state: PollState, age: float) -> None:
    fraction = progress_now(state, age)
    assert 0 <= fraction < 1
    assert "░" in bar(fraction)
    assert "100 %" not in bar(fraction)


@PROPERTY
@given(st.one_of(st.none(), fractions), st.floats(0, 1000), st.floats(0, 1000))
def test_the_bar_does_not_go_back_between_polls(progress: float | None, first: float, more: float) -> None:
    state = PollState(0.0, TYPICAL).after_poll(first, progress)
    early, late = (progress_now(state, age) for age in (first, first + more))
    assert early <= late


def test_a_poll_without_progress_shows_that_the_job_still_runs() -> None:
    state = PollState(0.0, TYPICAL, (ProgressSample(30, 0.4),), 30.0)
    assert state.after_poll(40.0, None) == replace(state, last_poll_age=40.0, polls=1)
