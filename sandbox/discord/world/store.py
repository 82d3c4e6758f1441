"""Saves the world in an SQLite file shortly after each change.

Changes are collected for `FLUSH_SECONDS` and written in one transaction in a thread. Killing the process loses only
the changes of that time and cannot damage the file.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from pydantic import TypeAdapter

from sandbox.discord.world.models import Channel, Command, Guild, Message, User

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox.discord.world.world import World

FLUSH_SECONDS: Final = 0.05

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (kind TEXT, id INTEGER, body BLOB, PRIMARY KEY (kind, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
"""
_PUT = "INSERT INTO objects VALUES (?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body"
_PUT_FACT = "INSERT INTO facts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
_DROP = "DELETE FROM objects WHERE kind = ? AND id = ?"

_ADAPTERS: dict[str, TypeAdapter[Any]] = {
    "user": TypeAdapter(User),
    "guild": TypeAdapter(Guild),
    "channel": TypeAdapter(Channel),
    "message": TypeAdapter(Message),
    "command": TypeAdapter(Command),
}

_Key = tuple[str, int]
_Row = tuple[str, int, bytes | None]


class Store:
    """Saves the world in a folder.

    Args:
        folder: created if missing.
        world: the world to save.
    """

    def __init__(self, folder: Path, world: World) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "discord.sqlite3"
        self._world = world
        self._dirty: dict[_Key, None] = {}
        self._facts: Callable[[], dict[str, str]] = dict
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        with closing(self._connect()) as connection:
            connection.executescript(_SCHEMA)

    def load(self) -> dict[str, str]:
        """Load the saved objects into the world, and save its changes from now on.

        Returns:
            The saved facts.
        """
        with closing(self._connect()) as connection:
            for kind, _, body in connection.execute("SELECT kind, id, body FROM objects ORDER BY kind, id"):
                self._put(kind, body)
            facts = dict(connection.execute("SELECT name, value FROM facts"))
        self._world.save_with(self._note)
        return facts

    def keep_facts(self, facts: Callable[[], dict[str, str]]) -> None:
        """Save these facts along with each change."""
        self._facts = facts

    async def flush(self) -> None:
        """Save all changes now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        async with self._lock:
            rows = [self._row(key) for key in self._dirty]
            self._dirty.clear()
            await asyncio.to_thread(self._write, rows, self._facts())

    def _put(self, kind: str, body: bytes) -> None:
        found = _ADAPTERS[kind].validate_json(body)
        world = self._world
        putters: dict[str, Callable[[Any], object]] = {
            "user": world.put_user,
            "guild": world.put_guild,
            "channel": world.put_channel,
            "message": world.put_message,
            "command": world.put_command,
        }
        putters[kind](found)
        world.ids.skip_past(_last_id(found))

    def _note(self, kind: str, object_id: int) -> None:
        self._dirty[kind, object_id] = None
        if self._timer is None:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                return  # the server is not running yet: saved by the first flush
            self._timer = loop.call_later(FLUSH_SECONDS, self._start_flush)

    def _start_flush(self) -> None:
        self._timer = None
        self._writing = asyncio.get_running_loop().create_task(self.flush())

    def _row(self, key: _Key) -> _Row:
        kind, object_id = key
        world = self._world
        holders: dict[str, dict[int, Any]] = {
            "user": world.users,
            "guild": world.guilds,
            "channel": world.channels,
            "message": world.messages,
            "command": world.commands,
        }
        found = holders[kind].get(object_id)
        return kind, object_id, None if found is None else _ADAPTERS[kind].dump_json(found)

    def _write(self, rows: list[_Row], facts: dict[str, str]) -> None:
        with closing(self._connect()) as connection, connection:
            connection.executemany(_PUT, [row for row in rows if row[2] is not None])
            connection.executemany(_DROP, [row[:2] for row in rows if row[2] is None])
            connection.executemany(_PUT_FACT, facts.items())

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path)
        connection.execute("PRAGMA journal_mode = WAL")
        # In WAL mode a killed process loses nothing committed; only a power cut may
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection


def _last_id(found: User | Guild | Channel | Message | Command) -> int:
    if isinstance(found, Command):
        return max(found.id, found.version)
    if isinstance(found, Message):
        return max(found.id, *(attachment.id for attachment in found.attachments), 0)
    return found.id
