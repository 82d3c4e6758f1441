"""Reported progress: what linear progress predicts, and how any other loses its weight."""

import math
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.jobs.polling.progress_model import (
    ROUNDINGS,
    EndEstimate,
    ProgressReliability,
    ProgressSample,
    estimate_end,
    narrowing_poll,
)
from tests.properties import PROPERTY

ROUND: dict[float, Callable[[float], int]] = {0.005: math.floor, 0.0: round, -0.005: math.ceil}
shares = st.lists(st.floats(0.02, 0.98), min_size=1, max_size=8).map(sorted)
durations = st.floats(5, 3600)


def samples(duration: float, shares: list[float], rounding: float) -> list[ProgressSample]:
    return [ProgressSample(share * duration, min(99, ROUND[rounding](100 * share)) / 100) for share in shares]


def end_of(*points: tuple[float, float]) -> EndEstimate:
    return estimate_end([ProgressSample(age, progress) for age, progress in points], 0.0, points[-1][0])


@PROPERTY
@given(durations, shares, st.sampled_from(ROUNDINGS))
def test_linear_progress_is_consistent_and_encloses_the_end(
    duration: float, shares: list[float], rounding: float
) -> None:
    end = estimate_end(samples(duration, shares, rounding), rounding, shares[-1] * duration)
    assert end.consistency == 1
    assert end.earliest_seconds <= duration <= end.latest_seconds


@PROPERTY
@given(durations, st.floats(0.3, 0.7), st.sampled_from(ROUNDINGS))
def test_a_few_polls_predict_the_end_before_it_comes(duration: float, share: float, rounding: float) -> None:
    gap, reported = duration / 100, samples(duration, [share], rounding)
    for _ in range(8):
        age = reported[-1].age_seconds
        end = estimate_end(reported, rounding, age)
        poll = narrowing_poll(end, rounding, age, gap)
        assert poll >= age + gap - 1e-9
        if poll >= duration:
            break
        reported += samples(duration, [poll / duration], rounding)
    # Less than half a second is not worth a poll.
    assert poll - duration <= 0.02 * duration + 0.5
    assert len(reported) <= 8


@pytest.mark.parametrize("percents", [0.6, 1.2, 1.9, 2.6, 3.3])
def test_a_poll_leaves_the_shortest_interval(percents: float) -> None:
    earliest = 100.0
    latest = earliest * (1 + percents / 100)
    poll = narrowing_poll(EndEstimate(earliest, latest), 0.005, 50.0, 0.0)

    def open_after(age: float) -> float:
        """Mean length of the interval that a sample at this age leaves, over all possible ends."""
        ends = [earliest + (latest - earliest) * (number + 0.5) / 1000 for number in range(1000)]
        parts = Counter(math.floor(100 * age / end) for end in ends)
        return sum(count * count for count in parts.values()) / 1000

    assert poll <= earliest
    others = [poll + shift / 100 for shift in range(-100, 1, 5)]
    assert open_after(poll) <= min(map(open_after, others)) * 1.1


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
def test_samples_that_contradict_one_another_lose_their_weight(points: list[tuple[float, float]]) -> None:
    assert end_of(*points).consistency <= 0.25


def test_a_job_that_runs_past_its_predicted_end_is_inconsistent() -> None:
    reported = [ProgressSample(30, 0.5)]
    assert estimate_end(reported, 0.0, 50).consistency == 1
    assert estimate_end(reported, 0.0, 70).consistency < 0.3


def test_without_samples_the_end_is_unknown() -> None:
    assert estimate_end([], 0.0, 80) == EndEstimate(0.0, math.inf, 1.0)


def after_jobs(
    reliability: ProgressReliability, jobs: int, claimed: float, rounding: float = 0.0
) -> ProgressReliability:
    """Add jobs of 60 to 90 seconds that report `claimed` times the true share of time."""
    for job in range(jobs):
        duration = 60 + job * 7.3 % 30
        reported = [
            ProgressSample(share * duration, ROUND[rounding](min(99, 100 * share * claimed)) / 100)
            for share in (0.5 + job * 0.17 % 0.3, 0.94 + job * 0.0137 % 0.04)
        ]
        reliability = reliability.after(reported, duration * 0.998, duration * 1.001)
    return reliability


def test_trust_grows_with_confirmed_jobs_and_is_lost_within_twenty_others() -> None:
    honest = after_jobs(ProgressReliability(), 60, claimed=1.0)
    assert honest.trust > 0.98
    assert after_jobs(honest, 20, claimed=0.7).trust < 0.3
    assert after_jobs(honest, 1, claimed=0.7).trust > 0.9


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_the_rounding_of_progress_is_found_out(rounding: float) -> None:
    assert after_jobs(ProgressReliability(), 60, claimed=1.0, rounding=rounding).rounding == rounding


def test_missing_progress_is_not_waited_for() -> None:
    reliability = ProgressReliability()
    for _ in range(5):
        reliability = reliability.after([], 70, 72)
    assert reliability.trust < 0.1
    assert ProgressReliability().after([], 0.0, 72) == ProgressReliability()
