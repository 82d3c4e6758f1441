import pytest

from bot.backoff import Backoff


def test_each_failure_in_a_row_doubles_the_pause_up_to_the_longest() -> None:
    backoff = Backoff(first_seconds=2.0, longest_seconds=300.0)
    assert [backoff.pause(failures) for failures in range(1, 11)] == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


@pytest.mark.parametrize("failures", [0, -1])
def test_without_a_failure_there_is_no_pause(failures: int) -> None:
    assert Backoff(first_seconds=2.0).pause(failures) == 0


def test_any_number_of_failures_stays_within_the_longest() -> None:
    assert Backoff(first_seconds=0.01, longest_seconds=60.0).pause(10**9) == 60
