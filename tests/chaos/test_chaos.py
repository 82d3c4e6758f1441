"""A short run of chaos keeps the promise, and one of a bot with a mistake is found out."""

import asyncio
import re
import sys
from pathlib import Path

_REPOSITORY = Path(__file__).parents[2]


async def _chaos(*options: str) -> tuple[int | None, str, dict[str, int]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.chaos", *options),
        cwd=_REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    text = output.decode(errors="replace")
    numbers = {name: int(number) for name, number in re.findall(r"^(\w[\w ]*?) +(\d+)$", text, re.MULTILINE)}
    return process.returncode, text, numbers


async def test_short_run_keeps_the_guarantee() -> None:
    code, text, numbers = await _chaos("--jobs", "24", "--kills", "8", "--seed", "4")
    assert code == 0, text
    # On a slow machine a command may be taken after its member has given up waiting, and asked again.
    assert numbers["jobs accepted"] >= 24, text
    assert numbers["kills"] == 8, text
    assert numbers["posted"] + numbers["failed"] + numbers["unconfirmed"] == numbers["jobs accepted"], text
    doubts = ("lost", "double charges", "double posts", "ledger difference")
    assert [numbers[name] for name in doubts] == [0, 0, 0, 0], text


async def test_a_bot_that_commits_after_the_request_is_detected() -> None:
    where = ("--at", "the request carried out")
    code, text, numbers = await _chaos("--jobs", "9", "--kills", "2", "--seed", "1", "--careless", *where)
    assert code == 1, text
    assert numbers["double charges"] > 0, text
    assert numbers["ledger difference"] > 0, text
    assert "the provider charged" in text


async def test_unknown_point_is_answered_with_the_known_ones() -> None:
    code, text, _ = await _chaos("--at", "nowhere")
    assert code == 2
    assert "delivered" in text
