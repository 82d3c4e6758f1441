"""The provider's own documentation against the local UlazAI: its program runs, its samples are understood."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.local.servers import LocalUlazAI
from tests.sandbox.ulazai.client import Client, running

DOCUMENTATION = Path(__file__).resolve().parents[3] / "shared" / "ulazai-kling26-docs.txt"
DOCUMENTED_URL = "https://ulazai.com"
DOCUMENTED_KEY = "YOUR_API_KEY"


@pytest.fixture(scope="module")
def documentation() -> list[str]:
    if not DOCUMENTATION.exists():
        pytest.skip(f"the provider's documentation is not at {DOCUMENTATION}")
    return DOCUMENTATION.read_text(encoding="utf-8").splitlines()


def reindent(lines: list[str]) -> str:
    """Give a program back the indentation its text has lost.

    A line that ends in a colon opens a block, `break` closes it, and `elif` or `else` goes with the nearest `if`.
    Within brackets indentation has no meaning.
    """
    blocks: list[str] = []
    depth = 0
    ended = False
    program = []
    for line in lines:
        word = line.partition(" ")[0].rstrip(":")
        if depth == 0 and word in {"elif", "else"}:
            while blocks.pop() not in {"if", "elif"}:
                pass
        elif ended:
            blocks.pop()
        ended = word == "break"
        program.append("    " * len(blocks) + line)
        depth += sum(line.count(bracket) for bracket in "([{") - sum(line.count(bracket) for bracket in ")]}")
        if depth == 0 and line.endswith(":"):
            blocks.append(word)
    return "\n".join(program) + "\n"


def documented_program(documentation: list[str], base_url: str) -> str:
    start = documentation.index("import requests")
    program = reindent(documentation[start:])
    assert program.count(DOCUMENTED_URL) == 1
    return program.replace(DOCUMENTED_URL, base_url)


def sample(documentation: list[str], heading: str) -> dict[str, Any]:
    """The JSON below a heading, up to the line that closes it."""
    start = documentation.index(heading) + 1
    for end in range(start + 1, len(documentation) + 1):
        try:
            value: dict[str, Any] = json.loads("\n".join(documentation[start:end]))
        except ValueError:
            continue
        return value
    pytest.fail(f"no JSON below {heading!r}")


async def run_documented_program(documentation: list[str], ulazai: LocalUlazAI) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        documented_program(documentation, ulazai.base_url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "NO_PROXY": "127.0.0.1"},
    )
    output, _ = await asyncio.wait_for(process.communicate(), timeout=60)
    assert process.returncode == 0, output.decode()
    return output.decode()


def local_ulazai(starting_credits: int) -> LocalUlazAI:
    # Jobs end at once, so that the program does not have to wait its ten seconds.
    return LocalUlazAI(render=False, api_key=DOCUMENTED_KEY, starting_credits=starting_credits, durations=lambda: 0.0)


async def fetched(client: Client, url: str) -> int:
    async with client.session.get(url) as response:
        assert response.content_type == "video/mp4"
        return len(await response.read())


async def test_the_documented_program_gets_its_video(documentation: list[str]) -> None:
    async with running(local_ulazai(1000)) as client:
        output = await run_documented_program(documentation, client.ulazai)
        started, ready = output.splitlines()
        (task_id,) = client.ulazai.tasks
        assert started == f"Generation started: {task_id}"
        assert ready.startswith("Video ready: http://127.0.0.1:")
        assert await fetched(client, ready.removeprefix("Video ready: ")) > 1000


async def test_the_documented_program_sees_a_failure(documentation: list[str]) -> None:
    async with running(local_ulazai(1000)) as client:
        client.ulazai.fail_next("No")
        assert (await run_documented_program(documentation, client.ulazai)).endswith("Generation failed\n")


async def test_the_documented_program_sees_that_credits_are_used_up(documentation: list[str]) -> None:
    async with running(local_ulazai(0)) as client:
        assert "Insufficient credits" in await run_documented_program(documentation, client.ulazai)


async def test_the_documented_request_is_accepted_and_answered_with_the_documented_fields(
    documentation: list[str],
) -> None:
    async with running(local_ulazai(1000)) as client:
        answer = await client.post(sample(documentation, "Request Body (Text-to-Video)"))
        assert answer.status == 201
        assert_alike(answer.body, sample(documentation, "Success Response (201)"))
        task_id = answer.body["data"]["task_id"]
        assert_alike(await client.status(task_id), sample(documentation, "Completed")["data"])


async def test_the_documented_answer_while_a_task_is_processing(documentation: list[str]) -> None:
    async with running(LocalUlazAI(render=False)) as client:
        data = await client.status(await client.submit())
        assert_alike(data, sample(documentation, "Processing")["data"])


def assert_alike(found: dict[str, Any], documented: dict[str, Any]) -> None:
    """The same fields with values of the same types, in both."""
    assert found.keys() == documented.keys()
    for name, value in documented.items():
        assert type(found[name]) is type(value), name
        if isinstance(value, dict):
            assert_alike(found[name], value)
