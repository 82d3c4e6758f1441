"""`python -m benchmarks.system`: the real bot on real sockets, under loads that come near Discord's own ceiling.

Both local servers and the members run in this process, with Discord's rate limits on; the bot is a process of its
own and knows nothing but two addresses. Beside it a bot as it is usually written, on the same servers.
"""

import asyncio
from collections.abc import Iterable

import click

from benchmarks.goals import Goal, goal_row
from benchmarks.measuring import Window
from benchmarks.report import circumstances, table, write_section
from benchmarks.scenarios import LONG, SHORT, Load, Outcome, run_load

PLAIN_BOT = "benchmarks.plain_bot"
_WARM_UP_SECONDS = 95.0
_RECOVERY_SECONDS = 60.0
_MEBIBYTE = 1024 * 1024
_PACKAGES = ("discord.py", "aiohttp", "SQLAlchemy")

_STEADY_TEXT = """
## The system at {rate:g} videos a second

`python -m benchmarks.system --part steady`. {circumstances}

Videos take 60 to 90 seconds, so some {in_flight:.0f} were in flight; measured for {seconds:.0f} seconds after a
warm-up. Lateness is the time from a video's end at UlazAI to its post at Discord. "Counted" are the requests to
Discord that count towards the 50 per second that a bot has. Then {burst} more commands came within four seconds. The
plain bot ({plain_rate:g} videos a second) has a task for each job, which sleeps ten seconds between two polls and
edits its answer after each; it posts no file and keeps nothing, so a restart loses its jobs. {neighbours}

{table}

Requests of Reelpool for each video: {routes}.
"""

_LONG_TEXT = """
## The system with {many:.0f} videos in flight

`python -m benchmarks.system --part long`. {circumstances}

Videos take 10 to 14 minutes. The jobs in flight were in the database and at the provider before the bot started, with
ages spread evenly, and new ones were requested at the rate at which they were done. Measured for {seconds:.0f}
seconds, beginning a minute after the start. {neighbours}

{table}

Requests of Reelpool for each video: {routes}.
"""


async def steady_part(load: Load, plain_load: Load) -> str:
    """Measure both bots at a steady pace, and return the section."""
    return steady_section(load, plain_load, await run_load(load), await run_load(plain_load, PLAIN_BOT))


def steady_section(load: Load, plain_load: Load, ours: Outcome, plain: Outcome) -> str:
    """Return the section on a steady rate.

    Args:
        load: of Reelpool.
        plain_load: of the plain bot.
        ours: what Reelpool reached.
        plain: what the plain bot reached.
    """
    window = ours.steady
    return _STEADY_TEXT.format(
        rate=load.per_second,
        circumstances=circumstances(*_PACKAGES),
        in_flight=window.in_flight,
        seconds=window.seconds,
        burst=load.burst,
        neighbours=_neighbours(window),
        plain_rate=plain_load.per_second,
        table=_beside("plain bot", _steady_rows(ours, plain)),
        routes=_routes(window),
    )


async def long_part(many: Load, few: Load) -> str:
    """Measure the bot with many and with few jobs in flight, and return the section."""
    return long_section((await run_load(many)).steady, (await run_load(few)).steady)


def long_section(large: Window, small: Window) -> str:
    """Return the section on many videos in flight."""
    return _LONG_TEXT.format(
        many=large.in_flight,
        circumstances=circumstances(*_PACKAGES),
        seconds=large.seconds,
        neighbours=_neighbours(large),
        table=_beside(f"{small.in_flight:.0f} in flight", _long_rows(large, small)),
        routes=_routes(large),
    )


def _neighbours(window: Window) -> str:
    return (
        f"The servers and the members used {window.own_cpu_share:.0%} of another core; "
        f"the bot was kept waiting for a core {window.waiting_share:.0%} of the time."
    )


def _beside(other: str, rows: Iterable[list[str]]) -> str:
    return table(("", "goal, at most", "measured", "of the goal", other), rows)


def _steady_rows(ours: Outcome, plain: Outcome) -> list[list[str]]:
    rows = _common_rows(ours.steady, plain.steady)
    cpu = Goal("CPU of the bot, % of a core", 60, 1)
    rows.append(goal_row(cpu, ours.steady.cpu_share * 100, plain.steady.cpu_share * 100))
    if ours.burst is None:
        return rows
    theirs = plain.burst
    for share, most in ((0.5, None), (0.99, 250)):
        goal = Goal(f"first answer in the burst, p{share * 100:.0f}, ms", most, 0)
        rows.append(goal_row(goal, ours.burst.answer(share) * 1000, theirs.answer(share) * 1000 if theirs else None))
    unanswered = Goal("commands of the burst without an answer in three seconds", 0, 0)
    rows.append(goal_row(unanswered, ours.burst.unanswered, theirs.unanswered if theirs else None))
    return rows


def _long_rows(large: Window, small: Window) -> list[list[str]]:
    rows = _common_rows(large, small)
    rows.append(goal_row(Goal("CPU of the bot, % of a core", None, 1), large.cpu_share * 100, small.cpu_share * 100))
    goal = Goal("CPU for each job in flight and minute, ms", small.cpu_ms_per_job_minute * 1.2, 2)
    rows.append(goal_row(goal, large.cpu_ms_per_job_minute, small.cpu_ms_per_job_minute))
    return rows


def _common_rows(ours: Window, other: Window) -> list[list[str]]:
    return [
        goal_row(goal, value(ours), value(other))
        for goal, value in (
            (Goal("videos done", None, 0), lambda window: len(window.lateness)),
            (Goal("of these not posted within 20 seconds", 0, 0), lambda window: window.missing),
            (Goal("lateness, mean, s", None, 2), lambda window: window.mean_lateness),
            (Goal("lateness, p50, s", None, 2), lambda window: window.late(0.5)),
            (Goal("lateness, p95, s", 2, 2), lambda window: window.late(0.95)),
            (Goal("lateness, p99, s", None, 2), lambda window: window.late(0.99)),
            (Goal("first answer, p50, ms", None, 0), lambda window: window.answer(0.5) * 1000),
            (Goal("first answer, p99, ms", None, 0), lambda window: window.answer(0.99) * 1000),
            (Goal("counted requests to Discord per video", 3, 2), lambda window: window.per_video(window.counted)),
            (Goal("requests that Discord refused as too many", None, 0), lambda window: window.refused),
            (Goal("requests to UlazAI per video", None, 2), lambda window: window.per_video(window.api_calls)),
            (Goal("database writes per video", None, 2), lambda window: window.per_video(window.commits)),
            (Goal("memory of the bot, MB", 250, 0), lambda window: window.resident_bytes / _MEBIBYTE),
        )
    ]


def _routes(window: Window) -> str:
    calls = [*window.to_discord.items(), *window.to_provider.items()]
    named = sorted(((window.per_video(count), call) for call, count in calls), reverse=True)
    return ", ".join(f"{count:.2f} `{method} {route}` ({status})" for count, (method, route, status) in named[:10])


@click.command()
@click.option("--part", type=click.Choice(("steady", "long")), multiple=True, default=("steady", "long"))
@click.option("--rate", default=12.0, show_default=True, help="Videos a second.")
@click.option("--plain-rate", default=12.0, show_default=True, help="Videos a second for the plain bot.")
@click.option("--burst", default=200, show_default=True, help="Commands on top, in four seconds.")
@click.option("--many", default=10_000, show_default=True, help="Long videos in flight.")
@click.option("--few", default=100, show_default=True, help="Long videos in flight, to compare with.")
@click.option("--seconds", default=120.0, show_default=True, help="How long to measure.")
@click.option("--write/--no-write", default=True, help="Write to docs/performance.md.")
def main(
    part: tuple[str, ...],
    rate: float,
    plain_rate: float,
    burst: int,
    many: int,
    few: int,
    seconds: float,
    write: bool,
) -> None:
    """Measure the bot as a whole, on loopback."""
    sections = {
        "steady": lambda: steady_part(
            Load(rate, SHORT, _WARM_UP_SECONDS, seconds, burst=burst),
            Load(plain_rate, SHORT, _WARM_UP_SECONDS, seconds, burst=burst),
        ),
        "long": lambda: long_part(
            Load(many / LONG.mean, LONG, _RECOVERY_SECONDS, seconds, backlog=True),
            Load(few / LONG.mean, LONG, _RECOVERY_SECONDS, seconds, backlog=True),
        ),
    }
    for name in part:
        text = asyncio.run(sections[name]())
        click.echo(text)
        if write:
            write_section(f"benchmarks.system {name}", text)


if __name__ == "__main__":
    main()
