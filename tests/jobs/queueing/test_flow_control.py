import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.jobs.queueing.flow_control import AlternatingSplit, TokenBucket
from tests.clock import FakeClock


def spend(bucket: TokenBucket, clock: FakeClock, wanted: int) -> int:
    available = bucket.available(clock.monotonic())
    taken = wanted if available is None else min(wanted, available)
    bucket.take(taken)
    return taken


def test_no_rate_is_no_limit() -> None:
    clock = FakeClock()
    bucket = TokenBucket(0, clock.monotonic())
    assert bucket.available(clock.monotonic()) is None
    assert bucket.next_at(clock.monotonic()) == clock.monotonic()


@given(
    rate=st.floats(0.1, 100),
    size=st.none() | st.floats(1, 100),
    steps=st.lists(st.tuples(st.floats(0, 10), st.integers(0, 200)), max_size=30),
)
def test_never_more_than_the_rate_and_what_it_holds(
    rate: float, size: float | None, steps: list[tuple[float, int]]
) -> None:
    clock = FakeClock()
    bucket = TokenBucket(rate, clock.monotonic(), size)
    taken, passed = 0, 0.0
    for pause, wanted in steps:
        clock.advance(pause)
        passed += pause
        taken += spend(bucket, clock, wanted)
        assert taken <= rate * passed + (size or max(1.0, rate)) + 1e-6


@pytest.mark.parametrize("rate", [0.5, 3, 20])
def test_the_next_token_comes_when_it_was_promised(rate: float) -> None:
    clock = FakeClock()
    bucket = TokenBucket(rate, clock.monotonic())
    spend(bucket, clock, 1000)
    promised = bucket.next_at(clock.monotonic())
    clock.advance(promised - clock.monotonic() + 0.001)
    assert spend(bucket, clock, 1000) == 1


_counts = st.integers(0, 30)


@given(room=_counts, submissions=_counts, polls=_counts)
def test_no_token_is_lost_and_none_is_invented(room: int, submissions: int, polls: int) -> None:
    granted = AlternatingSplit().split(room, submissions, polls)
    assert sum(granted) == min(room, submissions + polls)
    assert granted[0] <= submissions
    assert granted[1] <= polls


@given(rooms=st.lists(st.integers(0, 5), max_size=40))
def test_while_both_wait_submissions_and_polls_alternate_and_submissions_go_first(rooms: list[int]) -> None:
    share = AlternatingSplit()
    submissions = polls = 0
    for room in rooms:
        granted = share.split(room, 100, 100)
        submissions, polls = submissions + granted[0], polls + granted[1]
        assert submissions - polls in (0, 1)


def test_no_slots_are_saved_up_while_nothing_waits() -> None:
    share = AlternatingSplit()
    assert [share.split(1, 5, 0) for _ in range(5)] == [(1, 0)] * 5
    assert share.split(1, 5, 5) == (1, 0)
    assert share.split(1, 5, 5) == (0, 1)
