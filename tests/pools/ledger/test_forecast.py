"""The calendar in UTC, and when a pool is empty at its pace."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.pools.ledger.forecast import PACE_SPAN, empty_at, periods_of
from bot.pools.ledger.reports import Periods
from tests.properties import PROPERTY

NOW = datetime(2026, 8, 1, 12, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=365)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis wants them without a zone


def test_periods_begin_at_midnight_on_monday_and_on_the_first() -> None:
    assert periods_of(NOW) == Periods(
        datetime(2026, 8, 1, tzinfo=UTC), datetime(2026, 7, 27, tzinfo=UTC), datetime(2026, 8, 1, tzinfo=UTC)
    )


def test_a_moment_of_another_zone_is_in_the_day_of_utc() -> None:
    late = datetime(2026, 8, 2, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    assert periods_of(late).day == datetime(2026, 8, 1, tzinfo=UTC)


@PROPERTY
@given(now=MOMENTS)
def test_every_moment_is_in_its_periods(now: datetime) -> None:
    periods = periods_of(now)
    assert periods.week <= periods.day <= now < periods.day + timedelta(days=1)
    assert periods.month <= periods.day
    assert now < periods.week + timedelta(days=7)
    assert (periods.week.weekday(), periods.month.day) == (0, 1)


def test_the_pace_is_that_of_the_last_seven_days() -> None:
    # 70 credits in seven days are 10 a day.
    assert empty_at(100, 70, LONG_AGO, NOW) == NOW + timedelta(days=10)


def test_the_pace_of_a_young_pool_is_that_since_it_exists() -> None:
    assert empty_at(100, 100, NOW - timedelta(days=2), NOW) == NOW + timedelta(days=2)


@pytest.mark.parametrize("age", [timedelta(0), timedelta(seconds=1), timedelta(days=-1), timedelta(hours=23)])
def test_one_video_of_a_new_pool_does_not_distort_the_pace(age: timedelta) -> None:
    assert empty_at(945, 55, NOW - age, NOW) == NOW + timedelta(days=945 / 55)


def test_an_unknown_age_counts_as_the_whole_span() -> None:
    assert empty_at(70, 70, None, NOW) == NOW + PACE_SPAN


def test_an_empty_pool_is_empty_now() -> None:
    assert empty_at(0, 55, LONG_AGO, NOW) == NOW


@pytest.mark.parametrize(("available", "spent"), [(100, 0), (100, -5), (10**9, 1), (10**30, 1)])
def test_without_spending_or_for_years_there_is_no_forecast(available: int, spent: int) -> None:
    assert empty_at(available, spent, LONG_AGO, NOW) is None


@PROPERTY
@given(available=st.integers(0, 10**12), spent=st.integers(-100, 10**12), age=st.timedeltas(timedelta(0)), now=MOMENTS)
def test_a_forecast_is_never_in_the_past_and_never_fails(
    available: int, spent: int, age: timedelta, now: datetime
) -> None:
    opened_at = now - min(age, timedelta(days=3000))
    found = empty_at(available, spent, opened_at, now)
    assert found is None or found >= now
