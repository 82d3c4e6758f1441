import pytest

from bot.jobs.queueing.flow_control import CircuitBreaker
from tests.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def breaker() -> CircuitBreaker:
    return CircuitBreaker(first_pause_seconds=2.0)


def pauses(breaker: CircuitBreaker, clock: FakeClock, retry_afters: list[float | None]) -> list[float]:
    """How long the breaker stays closed after each of several refusals in a row."""
    found = []
    for retry_after in retry_afters:
        assert breaker.acquire(clock.monotonic()) is None
        breaker.record_refusal(clock.monotonic(), "busy", retry_after)
        until = breaker.acquire(clock.monotonic())
        assert until is not None
        found.append(until - clock.monotonic())
        clock.advance(found[-1])
    return found


def test_a_closed_breaker_lets_everything_through(breaker: CircuitBreaker, clock: FakeClock) -> None:
    assert [breaker.acquire(clock.monotonic()) for _ in range(5)] == [None] * 5


def test_each_refusal_in_a_row_opens_it_longer_up_to_five_minutes(breaker: CircuitBreaker, clock: FakeClock) -> None:
    assert pauses(breaker, clock, [None] * 10) == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_a_success_closes_it(breaker: CircuitBreaker, clock: FakeClock) -> None:
    pauses(breaker, clock, [None] * 5)
    assert breaker.acquire(clock.monotonic()) is None
    breaker.record_success()
    assert breaker.reason is None
    assert [breaker.acquire(clock.monotonic()) for _ in range(3)] == [None] * 3
    assert pauses(breaker, clock, [None]) == [2]


@pytest.mark.parametrize(("retry_after", "pause"), [(60.0, 60), (3000.0, 3000), (1e9, 3600), (0.001, 2), (0.0, 2)])
def test_the_providers_retry_after_is_honoured_within_limits(
    breaker: CircuitBreaker, clock: FakeClock, retry_after: float, pause: float
) -> None:
    assert pauses(breaker, clock, [retry_after]) == [pause]


def test_a_short_retry_after_does_not_cause_a_stream_of_probes(breaker: CircuitBreaker, clock: FakeClock) -> None:
    assert pauses(breaker, clock, [0.0] * 4) == [2, 4, 8, 16]
    assert all(pause >= 2 for pause in pauses(breaker, clock, [0.001] * 4))


def test_after_a_pause_one_probe_goes_through_and_the_rest_wait(breaker: CircuitBreaker, clock: FakeClock) -> None:
    pauses(breaker, clock, [None])
    assert breaker.acquire(clock.monotonic()) is None
    assert breaker.acquire(clock.monotonic()) == 3
    breaker.release()
    assert breaker.acquire(clock.monotonic()) is None


def test_a_burst_of_refusals_counts_once(breaker: CircuitBreaker, clock: FakeClock) -> None:
    for _ in range(30):
        assert breaker.acquire(clock.monotonic()) is None
    news = [breaker.record_refusal(clock.monotonic(), "busy") for _ in range(30)]
    assert news == [True] + [False] * 29
    assert breaker.acquire(clock.monotonic()) == 2


def test_a_late_refusal_does_not_shorten_the_pause(breaker: CircuitBreaker, clock: FakeClock) -> None:
    breaker.record_refusal(clock.monotonic(), "busy", 600)
    breaker.record_refusal(clock.monotonic(), "busy")
    assert breaker.acquire(clock.monotonic()) == 600


def test_only_a_new_reason_is_reported(breaker: CircuitBreaker, clock: FakeClock) -> None:
    assert breaker.record_refusal(clock.monotonic(), "busy")
    clock.advance(100)
    assert not breaker.record_refusal(clock.monotonic(), "busy")
    assert breaker.record_refusal(clock.monotonic(), "no credits")
    breaker.record_success()
    assert breaker.record_refusal(clock.monotonic(), "no credits")


def test_it_says_how_many_may_be_sent_and_when_to_try_again(breaker: CircuitBreaker, clock: FakeClock) -> None:
    assert (breaker.capacity(clock.monotonic()), breaker.retry_at(clock.monotonic())) == (None, None)
    breaker.record_refusal(clock.monotonic(), "busy", 60)
    assert (breaker.capacity(clock.monotonic()), breaker.retry_at(clock.monotonic())) == (0, 60)
    clock.advance(60)
    assert (breaker.capacity(clock.monotonic()), breaker.retry_at(clock.monotonic())) == (1, None)
    breaker.acquire(clock.monotonic())
    assert breaker.capacity(clock.monotonic()) == 0
    breaker.record_success()
    assert breaker.capacity(clock.monotonic()) is None
