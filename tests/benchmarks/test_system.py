"""The benchmark of the system runs, and what it counts adds up. No time is asserted: machines differ."""

import math

import pytest

from benchmarks.backlog import Span
from benchmarks.measuring import Window
from benchmarks.meters import is_counted, quantile
from benchmarks.scenarios import Load, run_load
from benchmarks.system import PLAIN_BOT, long_section, steady_section

_SPAN = Span(0.5, 1.0)
_LOAD = Load(per_second=4, span=_SPAN, warm_up_seconds=2, measured_seconds=2, burst=4, burst_seconds=0.5)


def _assert_adds_up(window: Window) -> None:
    assert len(window.lateness) > 0
    assert window.missing == 0
    assert window.unanswered == 0
    assert min(window.lateness) >= 0
    assert min(window.answers) >= 0
    assert window.resident_bytes > 0
    assert window.end.cpu_seconds >= window.begin.cpu_seconds
    assert window.counted <= window.to_discord.total()
    assert window.api_calls <= window.to_provider.total()


async def test_every_video_and_every_answer_under_a_load_is_counted() -> None:
    outcome = await run_load(_LOAD)

    _assert_adds_up(outcome.steady)
    assert outcome.steady.commits >= 2 * outcome.steady.posted > 0
    assert outcome.steady.counted >= outcome.steady.posted
    assert outcome.burst is not None
    assert len(outcome.burst.answers) >= 4
    assert outcome.burst.unanswered == 0
    section = steady_section(_LOAD, _LOAD, outcome, outcome)
    assert "| lateness, p95, s | 2.00 |" in section
    assert "of the burst without an answer in three seconds | 0 | 0 |" in section
    assert "nan" not in section


async def test_a_backlog_is_recovered_and_posted() -> None:
    outcome = await run_load(Load(8, Span(5, 10), warm_up_seconds=1, measured_seconds=3, backlog=True))

    _assert_adds_up(outcome.steady)
    assert outcome.burst is None
    assert outcome.steady.in_flight > 10
    assert "CPU for each job in flight and minute, ms" in long_section(outcome.steady, outcome.steady)


async def test_the_plain_bot_posts_what_it_is_asked_for() -> None:
    outcome = await run_load(Load(4, _SPAN, warm_up_seconds=1, measured_seconds=1), PLAIN_BOT)

    _assert_adds_up(outcome.steady)
    assert outcome.steady.commits == 0


def test_quantiles_are_values_that_were_measured() -> None:
    values = [3.0, 1.0, 2.0, 4.0]
    assert quantile(values, 0.5) == 2.0
    assert quantile(values, 0.99) == 4.0
    assert quantile(values, 0.0) == 1.0
    assert math.isnan(quantile([], 0.5))


@pytest.mark.parametrize(
    ("path", "counted"),
    [
        ("/api/v10/channels/1/messages", True),
        ("/api/v10/interactions/1/token/callback", False),
        ("/api/v10/webhooks/1/token/messages/@original", False),
        ("/attachments/1/2/picture.png", False),
    ],
)
def test_what_counts_towards_the_limit_of_a_bot(path: str, counted: bool) -> None:
    assert is_counted(path) is counted
