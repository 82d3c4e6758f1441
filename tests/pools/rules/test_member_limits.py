from datetime import timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.codes import Reason, Refusal
from bot.pools.models import Limits, Spend, Usage
from bot.pools.rules.limits import credits_left, limit_refusal, room_at, window_start
from tests.clock import START
from tests.properties import PROPERTY

NOW = START
HOURS = 24

limits = st.builds(
    Limits,
    st.none() | st.integers(0, 5),
    st.none() | st.integers(0, 600),
    st.one_of(st.just(0.0), st.floats(0.01, 500)),
)
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
    return limit_refusal(window, usage, price, NOW) is None


@PROPERTY
@given(limits, usages(), prices)
def test_accepted_jobs_never_exceed_a_limit(given_limits: Limits, usage: Usage, price: int) -> None:
    if passes(given_limits, usage, price):
        assert given_limits.active_jobs is None or len(usage.open_jobs) + 1 <= given_limits.active_jobs
        assert given_limits.credits is None or usage.credits + price <= given_limits.credits
    else:
        assert (given_limits.active_jobs is not None and len(usage.open_jobs) >= given_limits.active_jobs) or (
            given_limits.credits is not None and usage.credits + price > given_limits.credits
        )


@PROPERTY
@given(usages(), prices, st.integers(1, 600))
def test_room_at_is_the_earliest_time_at_which_it_passes(usage: Usage, price: int, allowed: int) -> None:
    window = Limits(None, allowed, HOURS)
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
    for unlimited in (Limits(None, None, hours), Limits(None, allowed, 0), Limits(None, None, 0)):
        assert passes(unlimited, usage, price)
        assert credits_left(unlimited, usage) is None


@PROPERTY
@given(usages(), st.integers(1, 600))
def test_credits_left_is_exactly_what_is_accepted(usage: Usage, allowed: int) -> None:
    window = Limits(None, allowed, HOURS)
    left = credits_left(window, usage)
    assert left is not None
    assert left >= 0
    assert not left or passes(window, usage, left)
    assert not passes(window, usage, left + 1)


@PROPERTY
@given(st.lists(st.floats(-600, 600), min_size=1, max_size=6), st.integers(1, 6))
def test_a_full_limit_of_jobs_says_when_enough_will_be_done(finishes: list[float], allowed: int) -> None:
    usage = Usage(tuple(NOW + timedelta(seconds=each) for each in finishes))
    assume(len(finishes) >= allowed)
    refusal = limit_refusal(Limits(allowed, None, 0), usage, 55, NOW)
    assert refusal
    assert refusal.code is Refusal.LIMIT_JOBS
    assert (refusal.data["used"], refusal.data["allowed"]) == (len(finishes), allowed)
    free_at = refusal.data["free_at"]
    assert free_at > NOW
    still_open = sum(finish > free_at for finish in usage.open_jobs)
    assert still_open < allowed


def test_a_refusal_has_the_numbers_and_when_there_is_room() -> None:
    spent = Usage((), (Spend(NOW - timedelta(hours=23), 500),))
    data = {"price": 110, "used": 500, "allowed": 550, "hours": 24, "free_at": NOW + timedelta(hours=1)}
    assert limit_refusal(Limits(None, 550, 24), spent, 110, NOW) == Reason(Refusal.LIMIT_CREDITS, data)
    refusal = limit_refusal(Limits(None, 100, 24), Usage(), 110, NOW)
    assert refusal
    assert refusal.data["free_at"] is None


def test_a_video_may_cost_the_maximum_and_no_more() -> None:
    limits = Limits(None, None, 0, max_price=109)
    assert limit_refusal(limits, Usage(), 110, NOW) == Reason(Refusal.MAX_PRICE, {"price": 110, "max_price": 109})
    assert limit_refusal(Limits(None, None, 0, max_price=110), Usage(), 110, NOW) is None
    assert limit_refusal(Limits(None, None, 0), Usage(), 110, NOW) is None


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(0, None, 0), Refusal.LIMIT_JOBS),
        (Limits(None, 0, 24), Refusal.LIMIT_CREDITS),
        (Limits(None, None, 0, max_price=0), Refusal.MAX_PRICE),
    ],
)
def test_nothing_is_allowed_where_a_limit_is_0(limits: Limits, code: Refusal) -> None:
    refusal = limit_refusal(limits, Usage(), 45, NOW)
    assert refusal
    assert refusal.code is code
    assert refusal.data.get("free_at") is None


def test_a_refusal_says_how_many_open_jobs_wait_for_a_moderator() -> None:
    refusal = limit_refusal(Limits(2, None, 0), Usage((NOW, NOW), (), 1), 55, NOW)
    assert refusal
    assert (refusal.data["used"], refusal.data["undecided"]) == (2, 1)
