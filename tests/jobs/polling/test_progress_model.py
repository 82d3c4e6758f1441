"""Progress figures: what honest ones pin down, and how others lose their weight."""

import math
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.jobs.polling.job_statistics import ProgressReliability
from bot.jobs.polling.progress_model import CUTS, EndEstimate, ProgressSample, read, sharpest_look
from tests.properties import PROPERTY

CUTTING: dict[float, Callable[[float], int]] = {0.005: math.floor, 0.0: round, -0.005: math.ceil}
shares = st.lists(st.floats(0.02, 0.98), min_size=1, max_size=8).map(sorted)
durations = st.floats(5, 3600)


def sightings(duration: float, shares: list[float], cut: float) -> list[ProgressSample]:
    return [ProgressSample(share * duration, min(99, CUTTING[cut](100 * share)) / 100) for share in shares]


def reading_of(*points: tuple[float, float]) -> EndEstimate:
    return read([ProgressSample(age, progress) for age, progress in points], 0.0, points[-1][0])


@PROPERTY
@given(durations, shares, st.sampled_from(CUTS))
def test_honest_figures_fit_together_and_enclose_the_end(duration: float, shares: list[float], cut: float) -> None:
    reading = read(sightings(duration, shares, cut), cut, shares[-1] * duration)
    assert reading.honesty == 1
    assert reading.earliest_seconds <= duration <= reading.latest_seconds


@PROPERTY
@given(durations, st.floats(0.3, 0.7), st.sampled_from(CUTS))
def test_a_few_looks_pin_the_end_down_before_it_comes(duration: float, share: float, cut: float) -> None:
    gap, seen = duration / 100, sightings(duration, [share], cut)
    for _ in range(8):
        age = seen[-1].age_seconds
        reading = read(seen, cut, age)
        look = sharpest_look(reading, cut, age, gap)
        assert look >= age + gap - 1e-9
        if look >= duration:
            break
        seen += sightings(duration, [look / duration], cut)
    # Less than half a second is not worth a look.
    assert look - duration <= 0.02 * duration + 0.5
    assert len(seen) <= 8


@pytest.mark.parametrize("percents", [0.6, 1.2, 1.9, 2.6, 3.3])
def test_a_look_divides_what_is_open_into_the_smallest_parts(percents: float) -> None:
    earliest = 100.0
    latest = earliest * (1 + percents / 100)
    look = sharpest_look(EndEstimate(earliest, latest), 0.005, 50.0, 0.0)

    def open_after(age: float) -> float:
        """What the figure at an age leaves open on average, for all ends that are possible."""
        ends = [earliest + (latest - earliest) * (number + 0.5) / 1000 for number in range(1000)]
        parts = Counter(math.floor(100 * age / end) for end in ends)
        return sum(count * count for count in parts.values()) / 1000

    assert look <= earliest
    others = [look + shift / 100 for shift in range(-100, 1, 5)]
    assert open_after(look) <= min(map(open_after, others)) * 1.1


@pytest.mark.parametrize(
    "points",
    [
        [(30, 0.4), (40, 0.4), (50, 0.4)],
        [(30, 0.4), (40, 0.35)],
        [(30, 0.4), (40, 0.9), (50, 0.1)],
        [(60, 0.99), (63, 0.99), (66, 0.99)],
        [(40, 0.0), (60, 0.5)],
    ],
    ids=["still", "back", "leaps", "full and still", "late start"],
)
def test_figures_that_do_not_fit_lose_their_weight(points: list[tuple[float, float]]) -> None:
    assert reading_of(*points).honesty <= 0.25


def test_a_job_that_runs_on_after_its_figure_proves_it_false() -> None:
    seen = [ProgressSample(30, 0.5)]
    assert read(seen, 0.0, 50).honesty == 1
    assert read(seen, 0.0, 70).honesty < 0.3


def test_no_figures_say_nothing() -> None:
    assert read([], 0.0, 80) == EndEstimate(0.0, math.inf, 1.0)


def after_jobs(figures: ProgressReliability, jobs: int, claimed: float, cut: float = 0.0) -> ProgressReliability:
    """Let jobs of 60 to 90 seconds teach whose figures claim `claimed` times the true share of time."""
    for job in range(jobs):
        duration = 60 + job * 7.3 % 30
        seen = [
            ProgressSample(share * duration, CUTTING[cut](min(99, 100 * share * claimed)) / 100)
            for share in (0.5 + job * 0.17 % 0.3, 0.94 + job * 0.0137 % 0.04)
        ]
        figures = figures.after(seen, duration * 0.998, duration * 1.001)
    return figures


def test_trust_grows_with_kept_words_and_goes_within_twenty_broken_ones() -> None:
    honest = after_jobs(ProgressReliability(), 60, claimed=1.0)
    assert honest.trust > 0.98
    assert after_jobs(honest, 20, claimed=0.7).trust < 0.3
    assert after_jobs(honest, 1, claimed=0.7).trust > 0.9


@pytest.mark.parametrize("cut", CUTS)
def test_how_figures_are_cut_is_found_out(cut: float) -> None:
    assert after_jobs(ProgressReliability(), 60, claimed=1.0, cut=cut).cut == cut


def test_figures_that_are_missing_are_not_waited_for() -> None:
    figures = ProgressReliability()
    for _ in range(5):
        figures = figures.after([], 70, 72)
    assert figures.trust < 0.1
    assert ProgressReliability().after([], 0.0, 72) == ProgressReliability()
