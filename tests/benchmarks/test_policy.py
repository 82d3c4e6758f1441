"""The policy's goals in virtual time, on fewer jobs than the benchmark has."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from statistics import NormalDist, fmean

import pytest

from benchmarks.bound import bound
from benchmarks.policy import COLD_STARTS, ColdStart
from benchmarks.pollers import Found, Poller, Reelpool, documented_loop, informed, poll_jobs
from benchmarks.report import table, write_section
from benchmarks.workloads import HEAVY_TAIL, NORMAL, PROGRESS, STEADY, UNIFORM, Durations, chances

JOBS, WARM_UP = 500, 50
LOOP_REQUESTS = 9.0


@cache
def polled(new_poller: Callable[[], Poller], durations: Durations, progress: str) -> list[Found]:
    """Let six pollers without statistics poll jobs of their own."""
    found = []
    for seed in range(6):
        # Shuffled, not drawn: otherwise chance moves the lateness of so few jobs by more than the bounds leave.
        drawn = evenly(durations, JOBS)
        Random(seed).shuffle(drawn)  # noqa: S311 - not for secrets
        reports = [PROGRESS[progress](*pair) for pair in zip(drawn, chances(JOBS, seed), strict=True)]
        found += poll_jobs(new_poller(), drawn, reports)[WARM_UP:]
    return found


def reelpool() -> Poller:
    """The bot's policy with the shortest interval of the benchmark."""
    return Reelpool(1.0)


def evenly(durations: Durations, jobs: int) -> list[float]:
    """Durations that have the distribution as exactly as so many can."""
    parts = [(part, round(part.weight * jobs)) for part in durations.parts]
    return [part.shape(NormalDist().inv_cdf((job + 0.5) / count)) for part, count in parts for job in range(count)]


def requests(found: list[Found]) -> float:
    return fmean(job.requests for job in found)


def lateness(found: list[Found]) -> float:
    return fmean(job.lateness_seconds for job in found)


def test_the_bound_is_what_theory_says_of_uniform_ends() -> None:
    assert bound(UNIFORM, 9.0) == pytest.approx(30 * 4 / 9 / 2 / 8.5, rel=0.03)


@pytest.mark.parametrize("durations", STEADY, ids=lambda durations: durations.name)
def test_known_durations_are_found_near_the_bound(durations: Durations) -> None:
    poller = informed(durations, LOOP_REQUESTS, 1.0)
    found = [poller.poll(duration, lambda _age: None) for duration in evenly(durations, 2000)]
    assert requests(found) <= 1.01 * LOOP_REQUESTS
    assert lateness(found) <= 1.15 * bound(durations, LOOP_REQUESTS)


@pytest.mark.parametrize("durations", STEADY, ids=lambda durations: durations.name)
def test_durations_are_found_near_the_bound_at_no_more_requests(durations: Durations) -> None:
    loop, ours = polled(documented_loop, durations, "absent"), polled(reelpool, durations, "absent")
    assert requests(ours) <= requests(loop)
    assert lateness(ours) <= 1.25 * bound(durations, requests(loop))
    assert lateness(ours) < lateness(loop)


@pytest.mark.parametrize("progress", ["linear, rounded down", "linear, rounded"])
@pytest.mark.parametrize("durations", STEADY, ids=lambda durations: durations.name)
def test_honest_progress_is_used_well(durations: Durations, progress: str) -> None:
    found = polled(reelpool, durations, progress)
    assert requests(found) <= 4.3
    assert lateness(found) <= 0.4


@pytest.mark.parametrize("progress", ["lying", "jumping", "status still"])
@pytest.mark.parametrize("durations", [NORMAL, HEAVY_TAIL], ids=lambda durations: durations.name)
def test_false_progress_does_almost_no_harm(durations: Durations, progress: str) -> None:
    plain, misled = (polled(reelpool, durations, each) for each in ("absent", progress))
    assert lateness(misled) <= 1.1 * lateness(plain)
    assert requests(misled) <= 1.1 * requests(plain)


@pytest.mark.parametrize("start", COLD_STARTS, ids=lambda start: start.name)
def test_a_cold_start_costs_hardly_more_than_a_warm_one(start: ColdStart) -> None:
    plain, linear = (start.run(UNIFORM, progress) for progress in ("absent", "linear, rounded down"))
    assert plain.requests <= 9.5
    assert plain.mean <= 1.15
    assert linear.requests <= 4.5
    assert linear.mean <= 0.45


@pytest.mark.parametrize("start", COLD_STARTS[1:], ids=lambda start: start.name)
def test_a_cold_start_finds_out_how_progress_is_rounded(start: ColdStart) -> None:
    rounded = start.run(UNIFORM, "linear, rounded")
    assert rounded.requests <= 4.5
    assert rounded.mean <= 0.45


def test_a_section_replaces_its_previous_version(tmp_path: Path) -> None:
    path = tmp_path / "performance.md"
    write_section("one", "old", path)
    write_section("two", "other", path)
    write_section("one", table(("a", "b"), [("c\\d", "1")]), path)
    text = path.read_text(encoding="utf-8")
    assert text.count("<!-- one -->") == 1
    assert "old" not in text
    assert "| c\\d | 1 |" in text
    assert text.index("c\\d") < text.index("other")
