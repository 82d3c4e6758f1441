"""Starts the whole sandbox: the local Discord with its page, the local UlazAI, and the real bot as a process."""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path

import click

from sandbox.discord import LocalDiscord
from sandbox.ulazai import LocalUlazAI

_HOST = "127.0.0.1"
_STOP_SECONDS = 10.0
_RESTART_PAUSE_SECONDS = 2.0
# Environment variables passed on to the bot, by prefix; none of them is a setting of its own.
_INHERITED = ("PATH", "HOME", "PYTHON", "LANG", "LC_", "TMP", "TEMP", "SYSTEM", "USERPROFILE", "APPDATA", "COV")
_PACKAGE_FOLDER = Path(__file__).parents[1]


async def run_sandbox(*, port: int, speed: float, data: Path | None) -> int:
    """Run the sandbox until SIGINT or SIGTERM.

    Args:
        port: the page's port on loopback; 0 picks a free one.
        speed: how many times faster than the real UlazAI videos are made.
        data: folder of all state; None uses a temporary one.

    Returns:
        The exit code.
    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(_folder(data))
        local_discord = LocalDiscord(data_dir=folder / "discord")
        local_ulazai = LocalUlazAI(speed=speed, data_dir=folder / "ulazai")
        stack.push_async_callback(local_ulazai.stop)
        await local_ulazai.start(_HOST, 0)
        try:
            await local_discord.start(_HOST, port)
        except OSError as error:
            click.echo(f"Port {port} can't be used ({error.strerror}): choose another with --port.", err=True)
            return 1
        stack.push_async_callback(local_discord.stop)
        _print_welcome(local_discord.origin, speed, data)
        await _keep_bot_running(bot_environment(local_discord, local_ulazai, folder), folder, stop)
    return 0


def bot_environment(local_discord: LocalDiscord, local_ulazai: LocalUlazAI, folder: Path) -> dict[str, str]:
    """Return the bot's environment: the addresses of the local servers, and none of the operator's own settings.

    Args:
        local_discord: a started server.
        local_ulazai: a started server.
        folder: folder of the bot's database and archive.
    """
    inherited = {name: value for name, value in os.environ.items() if name.upper().startswith(_INHERITED)}
    python_path = os.pathsep.join(filter(None, (str(_PACKAGE_FOLDER), os.environ.get("PYTHONPATH"))))
    return {
        **inherited,
        "PYTHONPATH": python_path,
        "DISCORD_TOKEN": local_discord.token,
        "DISCORD_API_URL": local_discord.api_url,
        "ULAZAI_API_KEY": local_ulazai.api_key,
        "ULAZAI_BASE_URL": local_ulazai.base_url,
        "ARCHIVE_DIR": str(folder / "archive"),
        "DATABASE_URL": f"sqlite:///{(folder / 'reelpool.db').absolute()}",
    }


@contextmanager
def _folder(data: Path | None) -> Iterator[Path]:
    if data is not None:
        data.mkdir(parents=True, exist_ok=True)
        yield data.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="reelpool-") as folder:
        yield Path(folder)


def _print_welcome(origin: str, speed: float, data: Path | None) -> None:
    kept = f"Everything is kept in {data}." if data else "Nothing is kept; --data FOLDER keeps it."
    click.echo(f"\n  Reelpool's sandbox is at {click.style(origin, bold=True)}\n")
    click.echo("  Type /video there; act as the moderator for /pool and /session.")
    click.echo("  Nothing leaves this machine, and nothing costs anything.")
    click.echo(f"  Videos take {60 / speed:.0f} to {90 / speed:.0f} seconds. {kept} Ctrl-C stops it.\n")


async def _keep_bot_running(environment: dict[str, str], folder: Path, stop: asyncio.Event) -> None:
    """Run the bot as in production, and restart it whenever it exits, as a service manager does."""
    while not stop.is_set():
        # The bot reads .env from its working directory; this one has none.
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "bot", env=environment, cwd=folder)
        ended = await _ended_before(process, stop)
        if not ended:
            await _end(process)
            return
        click.echo(f"The bot ended with code {process.returncode}; restarting it.", err=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(_RESTART_PAUSE_SECONDS):
                await stop.wait()


async def _ended_before(process: asyncio.subprocess.Process, stop: asyncio.Event) -> bool:
    ending, stopping = asyncio.create_task(process.wait()), asyncio.create_task(stop.wait())
    await asyncio.wait((ending, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if ending.done():
        return True
    ending.cancel()
    return False


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
