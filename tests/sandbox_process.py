"""The sandbox as a user starts it: `python -m bot sandbox`, in a process of its own."""

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

_START_SECONDS = 60
_STOP_SECONDS = 20
_REPOSITORY = Path(__file__).parents[1]


@asynccontextmanager
async def sandbox_process(data: Path, speed: float = 20) -> AsyncIterator[str]:
    """Start the sandbox on a free port, yield the page's address once the bot is ready, and stop it with Ctrl-C.

    Raises:
        AssertionError: it did not stop cleanly.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "sandbox", "--port", "0", "--speed", str(speed), "--data", str(data)),
        cwd=_REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout
    try:
        async with asyncio.timeout(_START_SECONDS):
            origin = await _line_with(process.stdout, r"http://127\.0\.0\.1:\d+")
            await _line_with(process.stdout, r"connected to Gateway")
        reader = asyncio.create_task(process.stdout.read())
        try:
            yield origin
        finally:
            # Also after a test that failed: killed outright it would leave its bot behind, with the pipe in hand.
            process.send_signal(signal.SIGINT)
            async with asyncio.timeout(_STOP_SECONDS):
                code, _ = await asyncio.gather(process.wait(), reader)
        assert code == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _line_with(output: asyncio.StreamReader, pattern: str) -> str:
    seen = ""
    async for line in output:
        seen += line.decode()
        if found := re.search(pattern, line.decode()):
            return found[0]
    raise AssertionError(f"{pattern} was not printed:\n{seen}")
