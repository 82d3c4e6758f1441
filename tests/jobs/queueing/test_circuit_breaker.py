import pytest

from bot.jobs.queueing.circuit_breaker import CircuitBreaker
from tests.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def gate() -> CircuitBreaker:
    return CircuitBreaker(first_pause_seconds=2.0)


def pauses(gate: CircuitBreaker, clock: FakeClock, wishes: list[float | None]) -> list[float]:
    """How long the gate stays closed after each of several refusals in a row."""
    found = []
    for wish in wishes:
        assert gate.enter(clock.monotonic()) is None
        gate.refused(clock.monotonic(), "busy", wish)
        until = gate.enter(clock.monotonic())
        assert until is not None
        found.append(until - clock.monotonic())
        clock.advance(found[-1])
    return found


def test_an_open_gate_lets_everybody_through(gate: CircuitBreaker, clock: FakeClock) -> None:
    assert [gate.enter(clock.monotonic()) for _ in range(5)] == [None] * 5


def test_each_refusal_in_a_row_closes_it_longer_up_to_five_minutes(gate: CircuitBreaker, clock: FakeClock) -> None:
    assert pauses(gate, clock, [None] * 10) == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_a_success_opens_it(gate: CircuitBreaker, clock: FakeClock) -> None:
    pauses(gate, clock, [None] * 5)
    assert gate.enter(clock.monotonic()) is None
    gate.opened()
    assert gate.reason is None
    assert [gate.enter(clock.monotonic()) for _ in range(3)] == [None] * 3
    assert pauses(gate, clock, [None]) == [2]


@pytest.mark.parametrize(("wish", "pause"), [(60.0, 60), (3000.0, 3000), (1e9, 3600), (0.001, 2), (0.0, 2)])
def test_the_providers_wish_is_honoured_within_reason(
    gate: CircuitBreaker, clock: FakeClock, wish: float, pause: float
) -> None:
    assert pauses(gate, clock, [wish]) == [pause]


def test_no_wish_makes_it_knock_again_and_again(gate: CircuitBreaker, clock: FakeClock) -> None:
    assert pauses(gate, clock, [0.0] * 4) == [2, 4, 8, 16]
    assert all(pause >= 2 for pause in pauses(gate, clock, [0.001] * 4))


def test_after_a_pause_one_tries_and_the_others_wait(gate: CircuitBreaker, clock: FakeClock) -> None:
    pauses(gate, clock, [None])
    assert gate.enter(clock.monotonic()) is None
    assert gate.enter(clock.monotonic()) == 3
    gate.left()
    assert gate.enter(clock.monotonic()) is None


def test_a_burst_of_refusals_counts_once(gate: CircuitBreaker, clock: FakeClock) -> None:
    for _ in range(30):
        assert gate.enter(clock.monotonic()) is None
    news = [gate.refused(clock.monotonic(), "busy") for _ in range(30)]
    assert news == [True] + [False] * 29
    assert gate.enter(clock.monotonic()) == 2


def test_a_late_refusal_does_not_shorten_the_pause(gate: CircuitBreaker, clock: FakeClock) -> None:
    gate.refused(clock.monotonic(), "busy", 600)
    gate.refused(clock.monotonic(), "busy")
    assert gate.enter(clock.monotonic()) == 600


def test_only_another_reason_is_news(gate: CircuitBreaker, clock: FakeClock) -> None:
    assert gate.refused(clock.monotonic(), "busy")
    clock.advance(100)
    assert not gate.refused(clock.monotonic(), "busy")
    assert gate.refused(clock.monotonic(), "no credits")
    gate.opened()
    assert gate.refused(clock.monotonic(), "no credits")


def test_it_says_how_many_may_go_through_and_when_again(gate: CircuitBreaker, clock: FakeClock) -> None:
    assert (gate.room(clock.monotonic()), gate.opens_at(clock.monotonic())) == (None, None)
    gate.refused(clock.monotonic(), "busy", 60)
    assert (gate.room(clock.monotonic()), gate.opens_at(clock.monotonic())) == (0, 60)
    clock.advance(60)
    assert (gate.room(clock.monotonic()), gate.opens_at(clock.monotonic())) == (1, None)
    gate.enter(clock.monotonic())
    assert gate.room(clock.monotonic()) == 0
    gate.opened()
    assert gate.room(clock.monotonic()) is None
