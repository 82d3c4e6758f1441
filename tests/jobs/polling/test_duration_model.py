"""The distribution of durations: by the estimate, and by the last jobs."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.jobs.polling.duration_model import AGES, MEMORY, decayed_weights, survival_function
from bot.jobs.polling.policy import TYPICAL
from bot.provider.models import Estimate
from tests.properties import PROPERTY

many = st.lists(st.floats(0, 50_000), max_size=MEMORY)


def survival_at(age: float, durations: list[float]) -> float:
    shares = survival_function(durations, TYPICAL)
    return next(share for later, share in zip(AGES, shares, strict=True) if later >= age)


@PROPERTY
@given(many, st.floats(0, 86_400), st.floats(0, 86_400))
def test_shares_fall_and_nothing_is_impossible(durations: list[float], low: float, more: float) -> None:
    shares = survival_function(durations, Estimate(low, low + more))
    assert all(0 <= later <= earlier <= 1 + 1e-9 for earlier, later in pairwise(shares))
    assert shares[0] > 0


@PROPERTY
@given(many)
def test_weights_are_worth_no_more_than_the_jobs(durations: list[float]) -> None:
    weights = decayed_weights(durations)
    assert len(weights) == len(durations)
    assert sum(weights) <= len(durations) + 1e-6
    assert all(earlier >= later for earlier, later in pairwise(weights))


def test_without_jobs_the_estimate_counts() -> None:
    assert survival_at(55, []) > 0.8
    assert survival_at(95, []) < 0.25


def test_jobs_outweigh_the_estimate() -> None:
    assert survival_at(140, [150.0 + number / 10 for number in range(40)]) > 0.94


def test_two_modes_stay_apart() -> None:
    durations = [65.0 + number % 7 if number % 3 else 130.0 + number % 9 for number in range(MEMORY)]
    assert survival_at(85, durations) - survival_at(115, durations) < 0.02


def test_a_provider_that_became_slower_is_followed_within_ten_jobs() -> None:
    slow, usual = [150.0 + number for number in range(10)], [70.0 + number % 10 for number in range(54)]
    assert survival_at(120, slow + usual) > 0.75


def test_one_slow_job_is_no_trend() -> None:
    usual = [70.0 + number % 10 for number in range(MEMORY - 1)]
    assert survival_at(120, [150.0, *usual]) == pytest.approx(0.1, abs=0.1)
