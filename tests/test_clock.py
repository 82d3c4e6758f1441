"""The bot's clock when the machine's is set."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.clock import STEP_COUNTS_AFTER_SECONDS
from tests.clock import START, FakeClock
from tests.properties import PROPERTY

HOUR, DAY = 3600.0, 86_400.0
LASTS = STEP_COUNTS_AFTER_SECONDS

steps = st.sampled_from([-2 * HOUR, -45.0, -1.0, 1.0, 45.0, 26 * HOUR, 30 * DAY]) | st.floats(-30 * DAY, 30 * DAY)


def after(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def test_without_a_step_it_is_the_machines() -> None:
    clock = FakeClock()
    clock.advance(12.5)
    assert (clock.now(), clock.monotonic()) == (START + after(12.5), 12.5)


@pytest.mark.parametrize("step", [-1.5, 0.3, 2.0])
def test_a_small_correction_counts_at_once(step: float) -> None:
    clock = FakeClock()
    clock.jump(step)
    assert clock.now() == START + after(step)


@pytest.mark.parametrize("step", [-2 * HOUR, -45.0, 45.0, 26 * HOUR, 30 * DAY])
def test_a_step_of_ten_seconds_never_counts(step: float) -> None:
    clock = FakeClock()
    clock.jump(step)
    for second in range(10):
        assert clock.now() == START + after(second)
        clock.advance(1)
    clock.jump(-step)
    clock.advance(2 * LASTS)
    assert clock.now() == START + after(2 * LASTS + 10)


@pytest.mark.parametrize("step", [-2 * HOUR, -45.0, 45.0, 26 * HOUR, 30 * DAY])
def test_a_step_that_lasts_counts(step: float) -> None:
    clock = FakeClock()
    clock.jump(step)
    clock.now()
    clock.advance(LASTS - 1)
    assert clock.now() == START + after(LASTS - 1)
    clock.advance(1)
    assert clock.now() == START + after(LASTS + step)


def test_steps_that_follow_one_another_are_not_one_that_lasts() -> None:
    clock = FakeClock()
    passed = 0.0
    for step in (HOUR, 3 * HOUR, 30 * DAY, -HOUR):
        clock.jump(step)
        clock.now()
        clock.advance(0.9 * LASTS)
        passed += 0.9 * LASTS
        assert clock.now() == START + after(passed)


@PROPERTY
@given(st.lists(st.tuples(steps, st.floats(0.0, 3 * LASTS), st.integers(1, 4)), max_size=6))
def test_an_age_is_the_time_that_has_passed_whatever_the_clock_was_set_to(
    history: list[tuple[float, float, int]],
) -> None:
    """It may come out too small where the same time of day came twice, and never too large."""
    clock = FakeClock()
    moments = [(clock.now(), clock.monotonic())]
    is_set_back = False
    for step, passing, reads in history:
        clock.jump(step)
        is_set_back |= step < 0
        for _ in range(reads):
            clock.advance(passing / reads)
            moments.append((clock.now(), clock.monotonic()))
    slack = 2.1 * (len(history) + 1)
    for moment, at in moments:
        age = clock.monotonic() - at
        assert 0 <= clock.age(moment) <= age + slack
        assert is_set_back or clock.age(moment) >= age - slack


def test_a_moment_of_an_earlier_process_is_as_old_as_the_newest_time_says() -> None:
    clock = FakeClock()
    assert clock.age(START - after(HOUR)) == HOUR
    assert clock.age(START + after(HOUR)) == 0


def test_a_machine_that_started_with_the_wrong_year_is_corrected() -> None:
    clock = FakeClock(START - after(365 * DAY))
    earlier = START - after(HOUR)
    assert clock.age(earlier) == 0
    clock.jump(365 * DAY)
    clock.now()
    clock.advance(LASTS)
    assert clock.now() == START + after(LASTS)
    assert clock.age(earlier) == HOUR + LASTS
