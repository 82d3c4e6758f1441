"""Publishes changes of the world to its listeners: the gateway, the pages, and waiting tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from sandbox.discord.world.models import Channel, Command, Guild, Member, Message, Role


@dataclass(frozen=True, slots=True)
class RoleChange:
    """A role of a server that was made, changed or deleted."""

    guild: Guild
    role: Role


@dataclass(frozen=True, slots=True)
class MemberChange:
    """A member who joined, changed or left."""

    guild: Guild
    member: Member


@dataclass(frozen=True, slots=True)
class CommandsChange:
    """The commands as they are now."""

    commands: tuple[Command, ...]


Subject = Message | Channel | Guild | RoleChange | MemberChange | CommandsChange


@dataclass(frozen=True, slots=True)
class Event:
    """A change: its gateway name and its subject."""

    name: str
    subject: Subject


_PULSE_SECONDS = 0.05

T = TypeVar("T")
Listener = Callable[[Event], None]


class Events:
    """Calls every listener with each event, and wakes those waiting for a change."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._waiting: set[asyncio.Future[None]] = set()

    def listen(self, listener: Listener) -> None:
        """Call `listener` on every event from now on."""
        self._listeners.append(listener)

    def publish(self, name: str, subject: Subject) -> None:
        """Publish a change under its gateway name."""
        event = Event(name, subject)
        for listener in self._listeners:
            listener(event)
        self.wake()

    def wake(self) -> None:
        """Wake everyone waiting for a change."""
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def changed(self) -> None:
        """Wait for the next change."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await future
        finally:
            self._waiting.discard(future)

    async def wait_for(self, predicate: Callable[[], T], seconds: float) -> T:
        """Wait until `predicate` is true.

        It is checked after each change, and at intervals for state outside the world, such as the bot's own.

        Returns:
            The predicate's value.

        Raises:
            TimeoutError: it did not become true in `seconds`.
        """
        async with asyncio.timeout(seconds):
            while not (value := predicate()):
                await self._change_or_pulse()
            return value

    async def _change_or_pulse(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_PULSE_SECONDS):
                await self.changed()
