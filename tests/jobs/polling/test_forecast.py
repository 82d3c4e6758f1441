"""The schedule is the best one, and within its budget."""

import math
from collections.abc import Sequence
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.jobs.polling import forecast as inspection
from bot.jobs.polling.duration_model import MEMORY
from bot.jobs.polling.forecast import POLLS_PER_JOB, best_plan, forecast_for
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
