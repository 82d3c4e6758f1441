"""Plays rows of the table, all at once, with the real bot in this process, and says how each job ended."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.chaos.audit import Evidence, Verdict, gather, judge
from tests.chaos.killer import rows as count_rows
from tests.e2e.stage import Stage, running_bot, settings_for
from tests.faults.hurry import FastClock, hurried_bot
from tests.faults.injector import Case, Injector
from tests.faults.table import End, Row
from tests.local.servers import LocalDiscord, LocalUlazAI

_UNDONE = (
    "SELECT count(*) FROM jobs WHERE state IN ('queued', 'submitting', 'processing') "
    "OR (finished_at IS NOT NULL AND delivered_at IS NULL AND kept_at IS NULL)"
)
_AT_ONCE = 12
_REST_SECONDS = 90.0
_BETWEEN_LOOKS_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Played:
    """What came of some rows."""

    stage: Stage
    cases: Sequence[Case]
    evidence: Evidence
    verdict: Verdict

    def end_of(self, case: Case) -> End | str:
        """Return how a case ended, or what is wrong with it."""
        job = next((job for job in self.evidence.jobs if job["prompt"] == case.prompt), None)
        if job is None:
            return "paid without a job" if self.evidence.tasks[case.prompt] else End.NOT_TAKEN
        if troubles := [line for line in self.verdict.troubles if line.startswith(f"job {job['id']}:")]:
            return End.KEPT if job["kept_at"] and len(troubles) == 1 else "; ".join(troubles)
        ends = {"succeeded": End.POSTED, "failed": End.FAILED, "unconfirmed": End.UNCONFIRMED}
        return ends.get(job["state"], End.NOT_TAKEN)


@asynccontextmanager
async def harness(folder: Path) -> AsyncIterator[Stage]:
    """Start both servers, and make the bot that will run here quick."""
    clock = FastClock()
    local_discord = LocalDiscord(rate_limits=False)
    ulazai = LocalUlazAI(speed=2, seed=1, render=False, starting_credits=10**6, now=clock.seconds)
    local_discord.faults = ulazai.faults = Injector(local_discord, ulazai)
    await local_discord.start()
    await ulazai.start()
    try:
        with hurried_bot(clock):
            yield Stage(local_discord, ulazai, settings_for(local_discord, ulazai, folder, **_settings(folder)))
    finally:
        await local_discord.stop()
        await ulazai.stop()


def _settings(folder: Path) -> dict[str, object]:
    return {
        "poll_min_interval_seconds": 12,
        "limit_active_jobs": 0,
        "limit_window_credits": 0,
        "archive_dir": folder / "archive",
    }


async def play(stage: Stage, rows: Iterable[Row]) -> Played:
    """Let each row have its job, all at once, wait until all have ended, and gather the evidence."""
    cases = _cast(stage, rows)
    gate = asyncio.Semaphore(_AT_ONCE)
    async with running_bot(stage):
        await asyncio.gather(*(_ask(case, gate) for case in cases))
        await _until_rest(stage)
        # Cards are edited for a while after all is told.
        await stage.until(lambda: all(case.met for case in cases if case.row.spoils))
    return _played(stage, cases)


async def play_in_turn(stage: Stage, rows: Iterable[Row]) -> Played:
    """Let the rows have their jobs one after another, each as soon as the bot is back from the one before."""
    cases = _cast(stage, rows)
    gate = asyncio.Semaphore(1)
    async with running_bot(stage):
        for case in cases:
            await stage.discord.wait_online()
            await _ask(case, gate)
            await stage.until(partial(getattr, case, "looked_at"))
        await _until_rest(stage)
    return _played(stage, cases)


async def play_with_restarts(stage: Stage, rows: Iterable[Row]) -> Played:
    """Start the bot for each row, and once more at the end."""
    cases = _cast(stage, rows)
    gate = asyncio.Semaphore(1)
    for case in cases:
        async with running_bot(stage) as bot:
            await _ask(case, gate)
            await stage.until(bot.is_closed)
            await bot.close()
    async with running_bot(stage):
        await _until_rest(stage)
    return _played(stage, cases)


def _cast(stage: Stage, rows: Iterable[Row]) -> list[Case]:
    cases = [_case(stage, number, row) for number, row in enumerate(rows)]
    injector = stage.discord.faults
    assert isinstance(injector, Injector)
    injector.take(cases)
    return cases


def _played(stage: Stage, cases: Sequence[Case]) -> Played:
    asked = [(case.prompt, case.record) for case in cases if case.record]
    evidence = gather(stage.settings.database_path, stage.discord, stage.ulazai, asked)
    return Played(stage, cases, evidence, judge(evidence))


def _case(stage: Stage, number: int, row: Row) -> Case:
    admin, guild_id = stage.discord.admin, stage.discord.guild_id
    admin.add_person(f"member-{number}", guild_id)
    channel = admin.add_channel(guild_id, f"row-{number}")
    return Case(row, f"row {number}: {row}", stage.discord.person(f"member-{number}"), channel.id)


async def _ask(case: Case, gate: asyncio.Semaphore) -> None:
    """Ask, and leave the bot a moment: Discord waits three seconds for an answer, however many ask."""
    async with gate:
        case.record = await case.person.slash(case.channel_id, "video", prompt=case.prompt)
        await case.record.settled()


async def _until_rest(stage: Stage) -> None:
    for _ in range(round(_REST_SECONDS / _BETWEEN_LOOKS_SECONDS)):
        if not count_rows(stage.settings.database_path, _UNDONE):
            return
        await asyncio.sleep(_BETWEEN_LOOKS_SECONDS)
    raise TimeoutError
