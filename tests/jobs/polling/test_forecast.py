"""The distribution of durations, and the schedule for it: the best one, and within its budget."""

import math
from collections.abc import Sequence
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.jobs.polling import forecast as inspection
from bot.jobs.polling.forecast import (
    AGES,
    MEMORY,
    POLLS_PER_JOB,
    best_plan,
    decayed_weights,
    forecast_for,
    survival_function,
)
from bot.jobs.polling.policy import TYPICAL
from bot.provider.models import Estimate
from tests.properties import PROPERTY

steps = st.lists(st.tuples(st.floats(0.1, 20), st.floats(0, 1)), min_size=1, max_size=7)
gaps = st.floats(0.05, 10)


def survival(steps: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Ages, and a share of running jobs that falls from 1."""
    ages, running = [0.0], [1.0]
    for length, confirmed in steps:
        ages.append(ages[-1] + length)
        running.append(running[-1] * confirmed)
    return ages, [*running[:-1], 0.0]


def price(places: Sequence[int], ages: list[float], running: list[float], cost: float) -> float:
    """What a schedule costs: polls, and the time that ended jobs wait, with ends spread evenly between the ages."""
    areas = inspection._areas(ages, running)
    return sum(
        (cost + ages[end] - ages[begin]) * running[begin] - (areas[end] - areas[begin])
        for begin, end in pairwise((0, *places))
    )


@PROPERTY
@given(steps, gaps, st.floats(0.001, 10))
def test_no_other_schedule_is_better(steps: list[tuple[float, float]], gap: float, cost: float) -> None:
    ages, running = survival(steps)
    last = len(ages) - 1
    plan = inspection._solve(ages, running, inspection._areas(ages, running), cost, gap)
    found = plan.lateness_seconds + cost * plan.polls
    for count in range(last):
        for places in combinations(range(1, last), count):
            polls = [*places, last]
            # The poll at the last age is made in any case.
            if all(ages[end] - ages[begin] >= gap for begin, end in pairwise((0, *places))):
                assert found <= price(polls, ages, running, cost) + 1e-9


@PROPERTY
@given(
    st.lists(st.floats(0, 20_000), max_size=MEMORY).map(tuple),
    st.floats(0, 3600),
    st.floats(0.1, 3600),
    st.floats(0.05, 60),
)
def test_plans_keep_to_their_budget_and_end(durations: tuple[float, ...], low: float, more: float, gap: float) -> None:
    plan = forecast_for(durations, Estimate(low, low + more), gap).plan
    assert 1 <= plan.polls <= POLLS_PER_JOB
    assert plan.lateness_seconds >= 0
    age, polls = 0.0, 0
    while age < plan.last_age:
        following = plan.after(age)
        assert following >= min(age + gap, plan.last_age) - 1e-6
        age, polls = following, polls + 1
    assert polls <= plan.last_age / gap + 1
    assert plan.after(age) > age


def test_skipping_polls_is_polling_later() -> None:
    plan = forecast_for((), Estimate(60, 90), 1.0).plan
    assert plan.after(plan.after(60)) == plan.after(60, steps=2)
    assert plan.after(60, steps=10_000) > plan.last_age


@pytest.mark.parametrize("requests", [6.0, 9.0, 12.0])
def test_uniform_ends_are_found_as_soon_as_theory_says(requests: float) -> None:
    """K squared over twice the polls, where K is the integral of sqrt(f S): here sqrt(30) 2 / 3."""
    ages = [0.0, *(60 + 0.05 * step for step in range(601))]
    running = [1.0, *(1 - step / 600 for step in range(601))]
    plan = best_plan(ages, running, requests, 0.5)
    spread = math.sqrt(30) * 2 / 3
    assert plan.polls == pytest.approx(requests, rel=0.03)
    assert plan.lateness_seconds == pytest.approx(spread**2 / (2 * (plan.polls - 0.5)), rel=0.03)


many = st.lists(st.floats(0, 50_000), max_size=MEMORY)


def survival_at(age: float, durations: list[float]) -> float:
    shares = survival_function(durations, TYPICAL)
    return next(share for later, share in zip(AGES, shares, strict=True) if later >= age)


@PROPERTY
@given(many, st.floats(0, 86_400), st.floats(0, 86_400))
def test_survival_falls_and_starts_above_zero(durations: list[float], low: float, more: float) -> None:
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


def test_a_slower_provider_is_learned_within_ten_jobs() -> None:
    slow, usual = [150.0 + number for number in range(10)], [70.0 + number % 10 for number in range(54)]
    assert survival_at(120, slow + usual) > 0.75


def test_one_slow_job_changes_little() -> None:
    usual = [70.0 + number % 10 for number in range(MEMORY - 1)]
    assert survival_at(120, [150.0, *usual]) == pytest.approx(0.1, abs=0.1)
