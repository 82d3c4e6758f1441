"""A database with its tables and nothing in them, as a copy: making the tables anew takes longer than most tests.

That the tables are made, and how, is tried in `tests/storage`; here a copy is opened, brought up to date and used.
"""

import asyncio
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from bot.storage.database import Database


def lay_blank_database(path: Path) -> None:
    """Put an empty database where none is yet."""
    if not path.exists():
        path.write_bytes(_blank())


@cache
def _blank() -> bytes:
    """Let the bot's own migrations make it, once in this process."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as thread:
        path = Path(folder) / "blank.db"
        thread.submit(asyncio.run, _make(path)).result()
        return path.read_bytes()


async def _make(path: Path) -> None:
    async with Database.open(f"sqlite+aiosqlite:///{path}"):
        pass
