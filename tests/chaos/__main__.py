"""The command line: `python -m tests.chaos --jobs 300 --kills 100 --seed 7`."""

import asyncio
import logging
import re
import shutil
import sys
import tempfile
from pathlib import Path

import click

from tests.chaos.points import POINTS
from tests.chaos.run import Plan, Result, run_chaos

_CARELESS = "tests.chaos.careless_bot"
_LINES_AT_THE_END = 60


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--jobs", default=300, show_default=True, type=click.IntRange(1), help="Jobs to be taken.")
@click.option("--kills", default=100, show_default=True, type=click.IntRange(0), help="Deaths by SIGKILL.")
@click.option("--seed", default=1, show_default=True, help="Of everything that is random.")
@click.option("--at", default="", metavar="WORDS", help="Kill only at points that have these words in their name.")
@click.option("--careless", is_flag=True, help="A bot that commits too late: shows that this run can fail.")
def main(jobs: int, kills: int, seed: int, at: str, careless: bool) -> None:
    """Kill the real bot again and again, and compare its books with those of Discord and the provider.

    The seed fixes who asks for what and where, the pauses between, how long videos take, which fail, and where
    the bot is killed. A process's own timing no seed can fix: a run with the same seed goes through the same
    plan, and not through the same microseconds.

    Exit code 1 where a job is lost, a charge or a post doubled, or the books differ.
    """
    if not any(at in point.name for point in POINTS):
        raise click.BadParameter(f"the points are: {'; '.join(point.name for point in POINTS)}", param_hint="--at")
    plan = Plan(jobs, kills, seed, _CARELESS if careless else "bot", at)
    # Who is killed in the middle of a request leaves the servers with half of one: that is no news here.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    folder = Path(tempfile.mkdtemp(prefix="reelpool-chaos-"))
    try:
        result = asyncio.run(run_chaos(plan, folder))
    except RuntimeError as error:
        click.echo(f"seed {seed}: {error}")
        _show_end(folder / "bot.log")
        sys.exit(1)
    _show(plan, result)
    if result.verdict.holds:
        shutil.rmtree(folder)
        return
    _show_troubles(result)
    click.echo(f"Database and log are in {folder}")
    sys.exit(1)


def _show(plan: Plan, result: Result) -> None:
    verdict = result.verdict
    click.echo(f"seed               {plan.seed}")
    click.echo(f"commands used      {result.asked}")
    click.echo(f"jobs accepted      {verdict.accepted}")
    click.echo(f"kills              {result.kills.total()}")
    for name, count in result.kills.most_common():
        click.echo(f"{count:>8}  {name}")
    click.echo(f"posted             {verdict.posted}")
    click.echo(f"failed             {verdict.failed}")
    click.echo(f"unconfirmed        {verdict.unconfirmed}")
    click.echo(f"lost               {verdict.lost}")
    click.echo(f"double charges     {verdict.double_charges}")
    click.echo(f"double posts       {verdict.double_posts}")
    click.echo(f"ledger difference  {verdict.ledger_difference}")


def _show_troubles(result: Result) -> None:
    for trouble in result.verdict.troubles:
        click.echo(f"! {trouble}")
    words = "|".join(map(str, sorted(result.verdict.troubled_jobs))) or "none"
    about = re.compile(rf"\bjob_id=(?:{words})\b")
    for line in result.log.read_text(errors="replace").splitlines():
        if about.search(line):
            click.echo(line)


def _show_end(log: Path) -> None:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    click.echo("\n".join(lines[-_LINES_AT_THE_END:]))
    click.echo(f"The whole log is {log}")


if __name__ == "__main__":
    main()
