"""Keeps the local UlazAI's account and tasks in one SQLite file, so that they survive a restart."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from sandbox.ulazai.rules import read_generation
from sandbox.ulazai.values import Charge, Task, TaskState

_SCHEMA = """
CREATE TABLE IF NOT EXISTS account (
    id INTEGER PRIMARY KEY CHECK (id = 1), api_key TEXT NOT NULL, key_valid INTEGER NOT NULL, credits INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS task (
    task_id TEXT PRIMARY KEY, created_at REAL NOT NULL, record TEXT NOT NULL, picture BLOB
);
CREATE TABLE IF NOT EXISTS charge (
    id INTEGER PRIMARY KEY, task_id TEXT NOT NULL, credits INTEGER NOT NULL, at REAL NOT NULL, kind TEXT NOT NULL
);
"""
# The picture has its own column, and the generation is parsed again from the request.
_RECORDED = tuple(item.name for item in fields(Task) if item.name not in {"picture", "generation"})


@dataclass(slots=True)
class Account:
    """The one account: its key and its balance."""

    api_key: str
    credits: int
    key_valid: bool = True


@dataclass(slots=True)
class State:
    """Everything that is saved."""

    account: Account
    tasks: dict[str, Task] = field(default_factory=dict)
    charges: list[Charge] = field(default_factory=list)


class Store:
    """The SQLite file; every `save` is one transaction."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def load(self) -> State | None:
        """Return the saved state, or None if there is none."""
        row = self._connection.execute("SELECT api_key, credits, key_valid FROM account").fetchone()
        if row is None:
            return None
        tasks = self._connection.execute("SELECT record, picture FROM task ORDER BY created_at")
        charges = self._connection.execute("SELECT task_id, credits, at, kind FROM charge ORDER BY id")
        return State(
            Account(row[0], row[1], bool(row[2])),
            {task.task_id: task for task in (_read_task(*columns) for columns in tasks)},
            [Charge(*columns) for columns in charges],
        )

    def save(self, account: Account, tasks: Iterable[Task] = (), charges: Iterable[Charge] = ()) -> None:
        """Save the account, new or changed tasks, and new charges.

        Args:
            account: the account.
            tasks: the tasks that are new or changed.
            charges: the charges that are new.
        """
        with self._connection as connection:
            connection.execute(
                "INSERT OR REPLACE INTO account (id, api_key, credits, key_valid) VALUES (1, ?, ?, ?)",
                (account.api_key, account.credits, account.key_valid),
            )
            connection.executemany(
                "INSERT OR REPLACE INTO task (task_id, created_at, record, picture) VALUES (?, ?, ?, ?)",
                ((task.task_id, task.created_at, _write_task(task), task.picture) for task in tasks),
            )
            connection.executemany(
                "INSERT INTO charge (task_id, credits, at, kind) VALUES (?, ?, ?, ?)",
                ((charge.task_id, charge.credits, charge.at, charge.kind) for charge in charges),
            )


def _write_task(task: Task) -> str:
    return json.dumps({name: getattr(task, name) for name in _RECORDED})


def _read_task(record: str, picture: bytes | None) -> Task:
    values: dict[str, Any] = json.loads(record)
    values["state"] = TaskState(values["state"])
    return Task(generation=read_generation(values["request"]), picture=picture, **values)
