"""The whole table: every job keeps the promise, and no secret gets out anywhere."""

import re
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import pytest

from tests.e2e.stage import Stage
from tests.faults.harness import Played, harness, play, play_in_turn, play_with_restarts
from tests.faults.leaks import leaks
from tests.faults.logs import caught_logs
from tests.faults.table import GROUPS, Row

_PLAYERS: dict[str, Callable[[Stage, Iterable[Row]], Awaitable[Played]]] = {
    "gateway": play_in_turn,
    "restarts": play_with_restarts,
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("group", GROUPS)
async def test_rows_keep_the_guarantee(group: str, tmp_path: Path) -> None:
    async with harness(tmp_path) as stage:
        with caught_logs(stage.settings.secrets) as logs:
            played = await _PLAYERS.get(group, play)(stage, GROUPS[group]())
        ends = [(case, played.end_of(case)) for case in played.cases]
        assert not [f"{case.row} -> {end}" for case, end in ends if end not in case.row.ends]
        assert not [str(case.row) for case in played.cases if not (case.met or case.looked_at)]
        assert (played.verdict.double_charges, played.verdict.double_posts) == (0, 0)
        assert played.verdict.ledger_difference == 0
        assert not (found := _tracebacks(logs[0].getvalue())), found[0]
        assert not await leaks(played, [log.getvalue() for log in logs])


def test_no_row_is_there_twice() -> None:
    names = [str(row) for rows in GROUPS.values() for row in rows()]
    assert len(set(names)) == len(names)


_CONNECTION = re.compile(r"\[discord\.(gateway|shard)\]")


def _tracebacks(log: str) -> list[str]:
    lines = log.splitlines()
    found = [number for number, line in enumerate(lines) if "Traceback" in line or "[critical" in line]
    # discord.py tells with a traceback of each connection to the gateway that ended, or could not be made.
    found = [number for number in found if not _CONNECTION.search("\n".join(lines[max(0, number - 1) : number]))]
    return ["\n".join(lines[max(0, number - 2) : number + 60]) for number in found]
