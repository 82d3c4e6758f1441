"""`python -m benchmarks.restart`: how soon after a restart the bot polls ten thousand open jobs again.

The jobs are in its database and at the provider when its process is started; some are done by then.
"""

import asyncio
import re
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import click

from benchmarks.goals import Goal, goal_row
from benchmarks.harness import Stage, open_stage, running_bot
from benchmarks.meters import is_counted, quantile
from benchmarks.report import circumstances, table, write_section
from benchmarks.scenarios import LONG

_SECTION = "benchmarks.restart"
_RECOVERED = "jobs recovered"
_LONGEST_SECONDS = 120.0
_CHECK_INTERVAL_SECONDS = 0.1
_STATUS = re.compile(r"/kling26/api/status/([0-9a-f-]+)/")

_TEXT = """
## A restart with {jobs:,} videos in flight

`python -m benchmarks.restart`. {circumstances}

Videos take 10 to 14 minutes; the ages of those in flight are spread evenly, and {overdue} of them were done while the
bot was away. The bot has "recovered" when it has read its database and scheduled a poll for each job. It has "caught
up" when it has also polled every job that was done by then. Seconds are from the start of its process. Progress samples
are not stored, so the first videos that are done after a restart are found later than usual.

{table}
"""


@dataclass(frozen=True, slots=True)
class Restart:
    """Result of a restart; seconds are from the process's start.

    Attributes:
        jobs: how many were in flight.
        overdue: how many of them were done when the bot had recovered.
        recovered_seconds: until the bot had read all of them.
        online_seconds: until it was connected to Discord.
        caught_up_seconds: until it had also polled those that were done.
        posted_seconds: until these were posted.
        polls: requests to the provider until it had caught up.
        counted: requests to Discord until then that count towards the bot's limit.
        submissions: requests to make a video, which nobody asked for.
        posted_twice: posts of a video that was posted before.
        lateness: for each video that was done in the time after that, the seconds until it was posted.
    """

    jobs: int
    overdue: int
    recovered_seconds: float
    online_seconds: float
    caught_up_seconds: float
    posted_seconds: float
    polls: int
    counted: int
    submissions: int = 0
    posted_twice: int = 0
    lateness: tuple[float, ...] = ()


async def run_restart(in_flight: int, observed_seconds: float) -> Restart:
    """Start a bot on a database with so many open jobs, and measure until some seconds after it has caught up.

    Raises:
        RuntimeError: the bot did not start, or ended by itself.
        TimeoutError: it did not poll all jobs that were done, or did not post them.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        async with open_stage(Path(folder), LONG, in_flight=in_flight, backlog=True) as stage:
            started_at = time.time()
            async with running_bot(stage):
                online_at = time.time()
                restart = await _measure(stage, started_at, online_at)
                await asyncio.sleep(observed_seconds)
                return await _judge(stage, restart, started_at)


async def _measure(stage: Stage, started_at: float, online_at: float) -> Restart:
    recovered_at = _recovered_at(stage)
    overdue = _ended(stage, 0.0, recovered_at)
    polled_at = await _all_in(overdue, lambda: _first_polls(stage))
    caught_up_at = max([recovered_at, *polled_at])
    posted_at = max([recovered_at, *await _all_in(overdue, lambda: stage.witness.posted_at)])
    return Restart(
        jobs=stage.in_flight,
        overdue=len(overdue),
        recovered_seconds=recovered_at - started_at,
        online_seconds=online_at - started_at,
        caught_up_seconds=caught_up_at - started_at,
        posted_seconds=posted_at - started_at,
        polls=sum(call.at <= caught_up_at for call in stage.to_provider.passed),
        counted=sum(call.at <= caught_up_at and is_counted(call.path) for call in stage.to_discord.passed),
    )


async def _judge(stage: Stage, restart: Restart, started_at: float) -> Restart:
    """Add what is known some time after the restart."""
    later = _ended(stage, started_at + restart.recovered_seconds, time.time())
    posted_at = await _all_in(later, lambda: stage.witness.posted_at)
    ends = [stage.ulazai.tasks[task_id].ends_at for task_id in later]
    return replace(
        restart,
        lateness=tuple(at - ends_at for at, ends_at in zip(posted_at, ends, strict=True)),
        submissions=sum(call.method == "POST" for call in stage.to_provider.passed),
        posted_twice=stage.witness.posted_twice,
    )


def _recovered_at(stage: Stage) -> float:
    line = next(line for line in stage.said() if line.get("event") == _RECOVERED)
    return datetime.fromisoformat(line["timestamp"]).timestamp()


def _ended(stage: Stage, begin: float, end: float) -> list[str]:
    return [task_id for task_id, task in stage.ulazai.tasks.items() if begin <= task.ends_at < end]


def _first_polls(stage: Stage) -> dict[str, float]:
    found: dict[str, float] = {}
    for call in stage.to_provider.passed:
        if task_id := _STATUS.fullmatch(call.path):
            found.setdefault(task_id[1], call.at)
    return found


async def _all_in(task_ids: list[str], found_at: Callable[[], Mapping[str, float]]) -> list[float]:
    """Wait until all tasks are found, and return when each was.

    Raises:
        TimeoutError: some were not found in time.
    """
    for _ in range(round(_LONGEST_SECONDS / _CHECK_INTERVAL_SECONDS)):
        found = found_at()
        if found.keys() >= set(task_ids):
            return [found[task_id] for task_id in task_ids]
        await asyncio.sleep(_CHECK_INTERVAL_SECONDS)
    raise TimeoutError


def section(restart: Restart) -> str:
    """Return the section on a restart."""
    rows = [
        goal_row(Goal(name, most, digits), value)
        for name, most, digits, value in (
            ("recovered, s", None, 1, restart.recovered_seconds),
            ("caught up, s", 3, 1, restart.caught_up_seconds),
            ("connected to Discord, s", None, 1, restart.online_seconds),
            ("all videos done meanwhile posted, s", None, 1, restart.posted_seconds),
            ("requests to UlazAI until then", None, 0, restart.polls),
            ("counted requests to Discord until then", None, 0, restart.counted),
            ("submissions repeated", 0, 0, restart.submissions),
            ("videos posted twice", 0, 0, restart.posted_twice),
            ("lateness of the videos done after that, p50, s", None, 2, quantile(restart.lateness, 0.5)),
            ("lateness of the videos done after that, p95, s", None, 2, quantile(restart.lateness, 0.95)),
        )
    ]
    body = table(("", "goal, at most", "measured", "of the goal"), (row[:4] for row in rows))
    return _TEXT.format(
        jobs=restart.jobs, overdue=restart.overdue, circumstances=circumstances("discord.py", "SQLAlchemy"), table=body
    )


@click.command()
@click.option("--jobs", default=10_000, show_default=True, help="Videos in flight.")
@click.option("--seconds", default=30.0, show_default=True, help="How long to go on afterwards.")
@click.option("--write/--no-write", default=True, help="Write to docs/performance.md.")
def main(jobs: int, seconds: float, write: bool) -> None:
    """Measure a restart with many open jobs, on loopback."""
    text = section(asyncio.run(run_restart(jobs, seconds)))
    click.echo(text)
    if write:
        write_section(_SECTION, text)


if __name__ == "__main__":
    main()
