from datetime import timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.errors import LimitReachedError
from bot.pools.models import Limits, Spend, Usage
from bot.pools.rules.quota import check_limits, credits_left, has_window, relative, room_at, window_start
from tests.clock import START
from tests.properties import PROPERTY

NOW = START
HOURS = 24

limits = st.builds(Limits, st.integers(0, 5), st.integers(0, 600), st.one_of(st.just(0.0), st.floats(0.01, 500)))
prices = st.integers(1, 700)


@st.composite
def usages(draw: st.DrawFn, hours: float = HOURS) -> Usage:
    """What a member may have used: spends lie within the window, as the repository gives them."""
    ages = st.floats(0, hours * 3600 * 0.999)
    spends = draw(
        st.lists(
            st.builds(lambda age, used: Spend(NOW - timedelta(seconds=age), used), ages, st.integers(0, 300)),
            max_size=8,
        )
    )
    finishes = draw(st.lists(st.floats(-600, 600), max_size=6))
    return Usage(tuple(NOW + timedelta(seconds=each) for each in finishes), tuple(spends))


def later(usage: Usage, window: Limits, seconds: timedelta) -> Usage:
    """The same usage seen later, when what has left the window does not count any more."""
    start = window_start(window, NOW + seconds)
    return Usage((), tuple(spend for spend in usage.spends if spend.at > start))


def passes(window: Limits, usage: Usage, price: int) -> bool:
    try:
        check_limits(window, usage, price, NOW)
    except LimitReachedError:
        return False
    return True


@PROPERTY
@given(limits, usages(), prices)
def test_what_passes_never_overruns(given_limits: Limits, usage: Usage, price: int) -> None:
    if passes(given_limits, usage, price):
        assert not given_limits.active_jobs or len(usage.open_jobs) + 1 <= given_limits.active_jobs
        assert not has_window(given_limits) or usage.credits + price <= given_limits.window_credits
    else:
        assert (given_limits.active_jobs and len(usage.open_jobs) >= given_limits.active_jobs) or (
            has_window(given_limits) and usage.credits + price > given_limits.window_credits
        )


@PROPERTY
@given(usages(), prices, st.integers(1, 600))
def test_room_at_is_the_earliest_time_at_which_it_passes(usage: Usage, price: int, allowed: int) -> None:
    window = Limits(0, allowed, HOURS)
    assume(not passes(window, Usage((), usage.spends), price))
    moment = room_at(window, usage, price)
    if moment is None:
        assert price > allowed
        return
    wait = moment - NOW
    assert wait > timedelta(0)
    assert passes(window, later(usage, window, wait), price)
    assert not passes(window, later(usage, window, wait - timedelta(microseconds=1)), price)


@PROPERTY
@given(usages(), prices, st.integers(0, 600), st.floats(0.01, 500))
def test_zero_means_no_limit(usage: Usage, price: int, allowed: int, hours: float) -> None:
    for unlimited in (Limits(0, 0, hours), Limits(0, allowed, 0), Limits(0, 0, 0)):
        assert passes(unlimited, usage, price)
        assert credits_left(unlimited, usage) is None


@PROPERTY
@given(usages(), st.integers(1, 600))
def test_credits_left_is_just_what_passes(usage: Usage, allowed: int) -> None:
    window = Limits(0, allowed, HOURS)
    left = credits_left(window, usage)
    assert left is not None
    assert left >= 0
    assert not left or passes(window, usage, left)
    assert not passes(window, usage, left + 1)


@PROPERTY
@given(st.lists(st.floats(-600, 600), min_size=1, max_size=6), st.integers(1, 6))
def test_room_for_another_job_is_told_for_when_enough_are_done(finishes: list[float], allowed: int) -> None:
    usage = Usage(tuple(NOW + timedelta(seconds=each) for each in finishes))
    assume(len(finishes) >= allowed)
    with pytest.raises(LimitReachedError) as caught:
        check_limits(Limits(allowed, 0, 0), usage, 55, NOW)
    refusal = caught.value
    assert (refusal.limit, refusal.used, refusal.allowed) == ("open jobs", len(finishes), allowed)
    assert refusal.room_at is not None
    assert refusal.room_at > NOW
    still_open = sum(finish > refusal.room_at for finish in usage.open_jobs)
    assert still_open < allowed


def test_the_refusals_tell_the_numbers_and_the_way_out() -> None:
    spent = Usage((), (Spend(NOW - timedelta(hours=23), 500),))
    with pytest.raises(LimitReachedError) as caught:
        check_limits(Limits(0, 550, 24), spent, 110, NOW)
    text = caught.value.user_text
    assert "costs 110 credits" in text
    assert "used 500 of your 550 credits in 24 hours" in text
    assert relative(NOW + timedelta(hours=1)) in text
    with pytest.raises(LimitReachedError, match="dearer than your whole allowance") as caught:
        check_limits(Limits(0, 100, 24), Usage(), 110, NOW)
    assert caught.value.room_at is None


@PROPERTY
@given(st.floats(0, 1000))
def test_a_time_that_is_shown_is_never_too_early(seconds: float) -> None:
    moment = NOW + timedelta(seconds=seconds)
    shown = int(relative(moment).removeprefix("<t:").removesuffix(":R>"))
    assert 0 <= shown - moment.timestamp() < 1
