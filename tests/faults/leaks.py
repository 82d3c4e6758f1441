"""Looks for the secrets of a run in everything that it left behind."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from sandbox.discord.world.models import Message
from tests.faults.harness import Played


async def leaks(played: Played, logs: Iterable[str]) -> list[str]:
    """Return where a secret of a run is found: in logs, messages, the settings' own text, rows, files and their names.

    Args:
        played: the run.
        logs: what the bot logged.
    """
    secrets = _secrets(played)
    return [
        f"{place}: {word[:6].decode()}…" for place, text in _places(played, logs) for word in secrets if word in text
    ]


def _secrets(played: Played) -> list[bytes]:
    """The token, the key, and the tokens of all interactions, which open a member's answers to anybody."""
    tokens = [case.record.token for case in played.cases if case.record]
    return [word.encode() for word in (*played.stage.settings.secrets, *tokens)]


def _places(played: Played, logs: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    yield from ((f"log {number}", text.encode()) for number, text in enumerate(logs))
    yield "settings", f"{played.stage.settings!r} {played.stage.settings}".encode()
    for message in played.stage.discord.world.messages.values():
        yield f"message {message.id}", _shown(message).encode()
    for thread in played.stage.discord.world.channels.values():
        yield f"channel {thread.id}", thread.name.encode()
    yield from _rows(played.stage.settings.database_path)
    for path in played.stage.settings.database_path.parent.rglob("*"):
        yield f"name of {path.name}", path.name.encode()
        if path.is_file():
            yield f"file {path.name}", path.read_bytes()


def _shown(message: Message) -> str:
    names = [file.filename for file in message.attachments]
    return f"{message.content} {message.embeds} {message.components} {names} {message.nonce}"


def _rows(database: Path) -> Iterator[tuple[str, bytes]]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        for table in ("jobs", "ledger_entries"):
            for row in connection.execute(f"SELECT * FROM {table}"):  # noqa: S608 - two names of our own
                yield f"{table} {row[0]}", str(row).encode()
