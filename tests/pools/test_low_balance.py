"""A pool that runs dry is braked at its lines, and each step is told once."""

from collections.abc import Iterable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.pools.policy import LowBalanceLevel, LowBalanceLimits, level_to_announce, low_balance_level
from tests.properties import PROPERTY

NONE, CHEAPEST, APPROVAL = LowBalanceLevel.NONE, LowBalanceLevel.CHEAPEST, LowBalanceLevel.APPROVAL
HARDNESS = [NONE, CHEAPEST, APPROVAL]

amounts = st.integers(0, 10_000)
percents = st.integers(0, 100)
brakes = st.builds(LowBalanceLimits, percents, percents)


@pytest.mark.parametrize(
    ("available", "step"),
    [(1000, NONE), (250, NONE), (249, CHEAPEST), (100, CHEAPEST), (99, APPROVAL), (0, APPROVAL)],
)
def test_the_thresholds_are_a_quarter_and_a_tenth_of_the_last_deposit(available: int, step: LowBalanceLevel) -> None:
    assert low_balance_level(available, 1000, LowBalanceLimits()) is step


def test_a_limit_of_zero_is_off() -> None:
    assert low_balance_level(0, 1000, LowBalanceLimits(0, 0)) is NONE
    assert low_balance_level(0, 1000, LowBalanceLimits(25, 0)) is CHEAPEST
    assert low_balance_level(0, 1000, LowBalanceLimits(0, 10)) is APPROVAL


def test_a_pool_without_any_deposit_is_not_limited() -> None:
    assert low_balance_level(0, 0, LowBalanceLimits()) is NONE


@PROPERTY
@given(amounts, amounts, brakes)
def test_the_level_is_the_percentage_compared_with_the_thresholds(
    available: int, deposit: int, lines: LowBalanceLimits
) -> None:
    step = low_balance_level(available, deposit, lines)
    share = Fraction(available * 100, deposit) if deposit else None
    is_under = [share is not None and share < line for line in (lines.approval_percent, lines.cheapest_percent)]
    assert step is (APPROVAL if is_under[0] else CHEAPEST if is_under[1] else NONE)


@PROPERTY
@given(amounts, amounts, amounts, brakes)
def test_fewer_credits_never_loosen_a_limit(first: int, second: int, deposit: int, lines: LowBalanceLimits) -> None:
    steps = [low_balance_level(available, deposit, lines) for available in sorted((first, second))]
    assert HARDNESS.index(steps[0]) >= HARDNESS.index(steps[1])


def announced(availables: Iterable[int]) -> list[LowBalanceLevel]:
    """What moderators are told while a pool goes through these."""
    told = [NONE]
    for available in availables:
        step = level_to_announce(available, 1000, LowBalanceLimits(), told[-1])
        if step is not told[-1]:
            told.append(step)
    return told[1:]


def test_each_level_is_announced_once_on_the_way_down_and_once_on_the_way_up() -> None:
    down_and_up = (*range(1000, -1, -55), *range(0, 1001, 55))
    assert announced(down_and_up) == [CHEAPEST, APPROVAL, CHEAPEST, NONE]


def test_a_pool_that_swings_around_a_threshold_is_announced_once() -> None:
    assert announced((260, 240, 260, 240, 270, 230)) == [CHEAPEST]
    assert announced((105, 95, 110, 90)) == [CHEAPEST, APPROVAL]
    assert announced((240, 301, 240)) == [CHEAPEST, NONE, CHEAPEST]


@PROPERTY
@given(st.lists(amounts, max_size=30), brakes, amounts)
def test_the_announced_level_is_never_softer_than_the_limit_in_force(
    availables: list[int], lines: LowBalanceLimits, deposit: int
) -> None:
    told = NONE
    for available in availables:
        told = level_to_announce(available, deposit, lines, told)
        step = low_balance_level(available, deposit, lines)
        assert HARDNESS.index(told) >= HARDNESS.index(step)
    full = level_to_announce(10_001, deposit, lines, told)
    assert full is NONE
