"""One gateway session of the bot: its numbered events, the last of which are kept for a resume."""

from __future__ import annotations

import json
import secrets
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

    from sandbox.discord.world.models import JsonObject

REPLAY_LIMIT: Final = 10_000


@dataclass(frozen=True, slots=True)
class Closing:
    """Queued like a message: close the connection with this code."""

    code: int
    reason: str = ""


Outgoing = str | Closing


class GatewaySession:
    """A session from IDENTIFY on; it outlives its connection, so that it can be resumed."""

    def __init__(self, shard: tuple[int, int], intents: int) -> None:
        self.id = secrets.token_hex(16)
        self.shard = shard
        self.intents = intents
        self.sequence = 0
        self.ready = False
        self.outbox: asyncio.Queue[Outgoing] | None = None
        self._replay: deque[tuple[int, str]] = deque(maxlen=REPLAY_LIMIT)

    @property
    def connected(self) -> bool:
        """Whether a connection is attached."""
        return self.outbox is not None

    def covers(self, guild_id: int | None) -> bool:
        """Return whether events of this server, or of direct messages, belong to its shard."""
        number, count = self.shard
        return ((guild_id or 0) >> 22) % count == number if guild_id else number == 0

    def dispatch(self, name: str, data: JsonObject) -> None:
        """Number an event, keep it for a resume, and queue it if connected."""
        self.sequence += 1
        text = json.dumps({"op": 0, "t": name, "s": self.sequence, "d": data})
        self._replay.append((self.sequence, text))
        if self.outbox is not None:
            self.outbox.put_nowait(text)

    def missed_since(self, sequence: int) -> Iterator[str] | None:
        """Return the events after a sequence number, or None if some are no longer kept."""
        oldest = self._replay[0][0] if self._replay else self.sequence + 1
        if sequence > self.sequence or sequence + 1 < oldest:
            return None
        return (text for number, text in self._replay if number > sequence)

    def close(self, code: int, reason: str = "") -> None:
        """Queue the close of the connection, if there is one."""
        if self.outbox is not None:
            self.outbox.put_nowait(Closing(code, reason))
