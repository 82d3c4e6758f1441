"""`python -m benchmarks.policy`: how soon the end of a job is found, and at how many polls, in virtual time.

Writes its tables to docs/performance.md. Everything is seeded, so every run finds the same.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import fmean

import click

from benchmarks.bound import bound
from benchmarks.pollers import (
    Found,
    Poller,
    Reelpool,
    back_off,
    documented_loop,
    informed,
    poll_jobs,
    two_second_loop,
)
from benchmarks.report import circumstances, table, write_section
from benchmarks.workloads import (
    HEAVY_TAIL,
    NORMAL,
    PROGRESS,
    SLOWER,
    STEADY,
    UNIFORM,
    Durations,
    absent,
    chances,
    drift_factor,
    drifting,
)

JOBS = 2000
WARM_UP = 50
GAP_SECONDS = 1.0
_SEED = 7
_COLD_JOBS = 1000
_STEP_RUNS = 20
_STEP_JOBS = 50
_STEP_SLOWER = 2.0
_DRIFT = "normal, drifting 75 to 150 and back"
_LOOP = "every ten seconds (documented)"
_INFORMED = "Reelpool, distribution known"
_LEARNED = "Reelpool, learning"
_LINEAR = "linear, rounded down"
_ROUNDED = "linear, rounded"

_TEXT = """
## When to poll: the policy in virtual time

`python -m benchmarks.policy`. {circumstances}

Each row is {jobs} jobs, one after the other; the first {warm_up} are not counted. Lateness is the time in seconds
from the end of a job to the poll that finds it; a poll takes no time. "Requests" are polls per job, including the one
that finds the end. Two polls of a job are at least {gap:.0f} second apart. The bound is the least mean lateness that
any schedule can reach at this number of requests if it knows the distribution but no progress, by dynamic programming.
One decision takes {microseconds:.0f} microseconds, including its share of the plans that are computed as jobs finish.

### Goals

The bound in the first two rows is the one at the requests of the documented loop.

{goals}

### Cold start

No job has finished yet; the provider's estimate is 60 to 90 seconds. Each row is {cold_jobs} jobs, in runs of as many
as the row says, each run with new statistics: "alone" is one job, the others are submitted at once or at that interval.
All of them count. Jobs that take longer than the estimate need more polls, until enough of them have ended.

{cold}

### Without progress

{policies}

### Reelpool with progress

"Lying" grows linearly towards an end at half to twice the true duration.

{progress}

### From 75 to 150 seconds from one job to the next

A hundred jobs of normal(75, 12), then twice as long; without progress; the mean of {step_runs} runs.

{step}

### With a shortest interval of two seconds

{gaps}
"""


@dataclass(frozen=True, slots=True)
class Result:
    """Requests and lateness of many jobs.

    Attributes:
        requests: per job.
        mean: lateness in seconds, on average.
        p95: lateness that 95 of 100 jobs keep below.
        p99: lateness that 99 of 100 jobs keep below.
    """

    requests: float
    mean: float
    p95: float
    p99: float


def summary(found: list[Found]) -> Result:
    """Summarise many jobs."""
    late = sorted(job.lateness_seconds for job in found)
    return Result(
        fmean(job.requests for job in found), fmean(late), late[len(late) * 95 // 100], late[len(late) * 99 // 100]
    )


def run(poller: Poller, durations: Iterable[float], progress: str = "absent", jobs: int = JOBS) -> Result:
    """Let a poller find the ends of jobs, one after the other.

    Args:
        poller: without statistics yet.
        durations: of all jobs, in seconds.
        progress: a key of `PROGRESS`.
        jobs: how many there are; the first fifty are not counted.
    """
    jobs_durations = list(durations)
    drawn = zip(jobs_durations, chances(jobs, _SEED), strict=True)
    reports = [PROGRESS[progress](duration, chance) for duration, chance in drawn]
    return summary(poll_jobs(poller, jobs_durations, reports)[WARM_UP:])


def drift_bound(requests: float) -> float:
    """Return the least mean lateness over the drift, if it is known, at so many requests per job."""
    return fmean(drift_factor(job) for job in range(WARM_UP, JOBS)) * bound(NORMAL, requests)


@dataclass(frozen=True, slots=True)
class ColdStart:
    """Jobs that are submitted before any has finished.

    Attributes:
        name: for the table.
        jobs: how many are submitted.
        interval_seconds: between two of them.
    """

    name: str
    jobs: int
    interval_seconds: float = 0.0

    def run(self, durations: Durations, progress: str, gap_seconds: float = GAP_SECONDS) -> Result:
        """Poll the jobs of many runs, each with new statistics.

        Args:
            durations: of the jobs.
            progress: a key of `PROGRESS`.
            gap_seconds: the shortest time between two polls of a job.
        """
        runs = _COLD_JOBS // self.jobs
        drawn = list(durations.drawn(runs * self.jobs, _SEED))
        chance = list(chances(runs * self.jobs, _SEED))
        found: list[Found] = []
        for begin in range(0, len(drawn), self.jobs):
            part = slice(begin, begin + self.jobs)
            reports = [PROGRESS[progress](*pair) for pair in zip(drawn[part], chance[part], strict=True)]
            found += Reelpool(gap_seconds).poll_all(drawn[part], reports, self.interval_seconds)
        return summary(found)


ALONE = ColdStart("alone", 1)
COLD_STARTS = (
    ALONE,
    ColdStart("20 at once", 20),
    ColdStart("100 at once", 100),
    ColdStart("100, every 0.2 s", 100, 0.2),
    ColdStart("50, every second", 50, 1.0),
    ColdStart("50, every 3 s", 50, 3.0),
)
COLD_DURATIONS = (UNIFORM, NORMAL, HEAVY_TAIL, SLOWER)


@dataclass(frozen=True, slots=True)
class Case:
    """A sequence of durations.

    Attributes:
        name: for the tables.
        durations: of all jobs, in seconds.
        bound: the least mean lateness at a number of requests.
        known: the distribution, where it stays the same.
    """

    name: str
    durations: list[float]
    bound: Callable[[float], float]
    known: Durations | None = None


def cases() -> list[Case]:
    """Return the distributions of the benchmark."""
    drift = Case(_DRIFT, list(drifting(JOBS, _SEED)), drift_bound)
    return [*(_steady(durations) for durations in STEADY), drift]


def _steady(durations: Durations) -> Case:
    return Case(
        durations.name, list(durations.drawn(JOBS, _SEED)), lambda requests: bound(durations, requests), durations
    )


@dataclass(frozen=True, slots=True)
class Measured:
    """Results for one case: of every poller, and of ours with every kind of progress."""

    case: Case
    others: dict[str, Result]
    ours: dict[str, Result]

    @property
    def loop(self) -> Result:
        """The result of the documented loop."""
        return self.others[_LOOP]

    @property
    def best(self) -> float:
        """The least lateness at the requests of the documented loop."""
        return self.case.bound(self.loop.requests)


def measure(case: Case) -> Measured:
    """Poll the jobs of a case in every way."""
    pollers = {_LOOP: documented_loop(), "every two seconds": two_second_loop(), "back-off, 1 to 30 s": back_off()}
    others = {name: run(poller, case.durations) for name, poller in pollers.items()}
    if case.known:
        others[_INFORMED] = run(informed(case.known, others[_LOOP].requests, GAP_SECONDS), case.durations)
    ours = {progress: run(Reelpool(GAP_SECONDS), case.durations, progress) for progress in PROGRESS}
    return Measured(case, others, ours)


def policies_table(measured: list[Measured]) -> str:
    """Return the table of all pollers without progress."""
    head = ("durations, policy", "requests", "mean", "p95", "p99", "bound at these requests")
    rows = []
    for each in measured:
        rows.append((f"**{each.case.name}**", "", "", "", "", ""))
        for name, result in {**each.others, _LEARNED: each.ours["absent"]}.items():
            rows.append((name, *_cells(result), f"{each.case.bound(result.requests):.2f}"))
    return table(head, rows)


def progress_table(measured: list[Measured]) -> str:
    """Return the table of our policy with every kind of progress."""
    head = ("durations, progress", "requests", "mean", "p95", "p99")
    rows = []
    for each in measured:
        rows.append((f"**{each.case.name}**", "", "", "", ""))
        rows.extend((progress, *_cells(result)) for progress, result in each.ours.items())
    return table(head, rows)


def gap_table(measured: list[Measured]) -> str:
    """Return the table for a shortest interval of two seconds."""
    head = ("durations", "without progress: requests", "mean", "linear progress: requests", "mean")
    rows = []
    for each in measured:
        plain, linear = (run(Reelpool(2.0), each.case.durations, progress) for progress in ("absent", _LINEAR))
        rows.append((each.case.name, *_cells(plain)[:2], *_cells(linear)[:2]))
    return table(head, rows)


def step_table() -> str:
    """Return how soon the policy follows a provider that suddenly takes twice as long."""
    late = [[0.0] * _STEP_JOBS for _ in range(2)]
    for seed in range(_STEP_RUNS):
        poller = Reelpool(GAP_SECONDS)
        before, after = list(NORMAL.drawn(JOBS // 20, seed)), list(NORMAL.drawn(_STEP_JOBS, 1000 + seed))
        for duration in before:
            poller.poll(duration, absent(duration, 0.0))
        for job, duration in enumerate(after):
            seen = poller.poll(_STEP_SLOWER * duration, absent(duration, 0.0))
            late[0][job] += seen.requests / _STEP_RUNS
            late[1][job] += seen.lateness_seconds / _STEP_RUNS
    rows = []
    for begin in range(0, _STEP_JOBS, 10):
        requests, mean = (fmean(values[begin : begin + 10]) for values in late)
        best = _STEP_SLOWER * bound(NORMAL, requests)
        rows.append((f"{begin + 1} to {begin + 10}", f"{requests:.1f}", f"{mean:.2f}", f"{best:.2f}"))
    return table(("jobs since the step", "requests", "mean", "bound at these requests"), rows)


def cold_table() -> str:
    """Return what a cold start costs, with and without progress."""
    kinds = ("absent", _LINEAR, _ROUNDED)
    head = ("durations, jobs", *(f"{kind}: {column}" for kind in kinds for column in ("requests", "mean")))
    rows = []
    for durations in COLD_DURATIONS:
        rows.append((f"**{durations.name}**", *[""] * 6))
        for start in COLD_STARTS:
            cells = [cell for kind in kinds for cell in _cells(start.run(durations, kind))[:2]]
            rows.append((start.name, *cells))
    return table(head, rows)


def goals_table(measured: list[Measured]) -> str:
    """Return the table of goals, and whether each was reached."""
    steady = [each for each in measured if each.case.known]
    within = {name: max(_ratio(each, name) for each in steady) for name in (_INFORMED, _LEARNED)}
    linear = [each.ours[progress] for each in steady for progress in (_LINEAR, _ROUNDED)]
    adrift = [each.ours[progress] for each in measured if not each.case.known for progress in (_LINEAR, _ROUNDED)]
    flat = next(each.ours["absent"] for each in measured if each.case.known is UNIFORM)
    lies = max(each.ours["lying"].mean / each.ours["absent"].mean for each in measured)
    spent = max(each.ours["absent"].requests / each.loop.requests for each in measured)
    cold, cold_linear = ([start.run(UNIFORM, progress) for start in COLD_STARTS] for progress in ("absent", _LINEAR))
    rows = [
        _goal("distribution known: mean over the bound", "at most 1.15", within[_INFORMED], 1.15),
        _goal("after fifty jobs: mean over the bound", "at most 1.25", within[_LEARNED], 1.25),
        _goal("requests without progress over the loop's", "at most 1", spent, 1.0),
        _goal("uniform 60 to 90: mean", "at most 1.0 s", flat.mean, 1.0),
        _goal("uniform 60 to 90: requests", "at most 9", flat.requests, 9.0),
        _goal("linear progress, steady: mean", "at most 0.3 s", max(each.mean for each in linear), 0.3),
        _goal("linear progress, steady: requests", "at most 4", max(each.requests for each in linear), 4.0),
        _goal("linear progress, drifting: mean", "at most 0.3 s", max(each.mean for each in adrift), 0.3),
        _goal("linear progress, drifting: requests", "at most 4", max(each.requests for each in adrift), 4.0),
        _goal("lying progress: mean over that without", "at most 1.1", lies, 1.1),
        _goal("cold start: requests", "at most 9.5", max(each.requests for each in cold), 9.5),
        _goal("cold start: mean", "at most 1.15 s", max(each.mean for each in cold), 1.15),
        _goal("cold start, linear progress: requests", "at most 4.5", max(each.requests for each in cold_linear), 4.5),
        _goal("cold start, linear progress: mean", "at most 0.45 s", max(each.mean for each in cold_linear), 0.45),
    ]
    return table(("goal", "wanted", "reached, at worst", ""), rows)


def _ratio(measured: Measured, policy: str) -> float:
    """Return the mean lateness over the bound at the requests of the documented loop."""
    result = measured.ours["absent"] if policy == _LEARNED else measured.others[policy]
    return result.mean / measured.best


def _goal(name: str, wanted: str, reached: float, limit: float) -> tuple[str, str, str, str]:
    return name, wanted, f"{reached:.2f}", "reached" if reached <= limit else "**missed**"


def _cells(result: Result) -> tuple[str, str, str, str]:
    return f"{result.requests:.2f}", f"{result.mean:.2f}", f"{result.p95:.2f}", f"{result.p99:.2f}"


def report(measured: list[Measured], microseconds: float) -> str:
    """Return the section of docs/performance.md."""
    return _TEXT.format(
        circumstances=circumstances("reelpool"),
        jobs=JOBS,
        warm_up=WARM_UP,
        gap=GAP_SECONDS,
        step_runs=_STEP_RUNS,
        microseconds=microseconds,
        goals=goals_table(measured),
        cold=cold_table(),
        cold_jobs=_COLD_JOBS,
        policies=policies_table(measured),
        progress=progress_table(measured),
        step=step_table(),
        gaps=gap_table(measured),
    )


def decision_microseconds(durations: list[float]) -> float:
    """Return the time of one decision, with its share of the plans that are computed as jobs finish."""
    began = time.process_time()
    result = run(Reelpool(GAP_SECONDS), durations)
    return 1e6 * (time.process_time() - began) / (result.requests * len(durations))


@click.command()
def main() -> None:
    """Measure, print, and write the section of docs/performance.md."""
    measured = [measure(case) for case in cases()]
    text = report(measured, decision_microseconds(measured[1].case.durations))
    write_section("policy", text)
    click.echo(text)


if __name__ == "__main__":
    main()
