"""What the tests of creative sessions share: a moderator who starts and ends them, and what is to be seen of them."""

from dataclasses import dataclass
from typing import Any

from sandbox.discord.world import seed
from sandbox.discord.world.constants import MessageType
from sandbox.discord.world.models import Message
from tests.e2e.stage import WAIT_SECONDS, Stage, text_of
from tests.local.people import InteractionRecord, Person, Value

CREATORS = seed.CREATORS_ROLE_ID


@dataclass
class Party:
    """A stage on which sessions are held."""

    stage: Stage

    @property
    def moderator(self) -> Person:
        return self.stage.discord.person("moderator")

    async def start(self, channel_id: int, /, **options: Value) -> InteractionRecord:
        """Start a session and wait for what its manager is told."""
        record = await self.moderator.slash(channel_id, "session start", files=None, **{"budget": 300, **options})
        await record.finished(WAIT_SECONDS)
        return record

    async def opened(self, **options: Value) -> int:
        """Start a session, wait until it has its card, and return its thread's id."""
        record = await self.start(self.stage.videos, **options)
        thread_id = record.message.id
        await self.card(thread_id)
        await self.stage.until(lambda: all(row["card_message_id"] or row["ended_at"] for row in self.rows))
        return thread_id

    async def end(self, channel_id: int, **options: Value) -> InteractionRecord:
        """End a session and wait for the answer."""
        record = await self.moderator.slash(channel_id, "session end", files=None, **options)
        await record.finished(WAIT_SECONDS)
        return record

    async def make(self, thread_id: int, person: Person | None = None, prompt: str = "a cat") -> InteractionRecord:
        """Use /video in a thread and wait for the answer."""
        requester = person or self.stage.member
        record = await requester.slash(thread_id, "video", files=None, prompt=prompt)
        await record.finished(WAIT_SECONDS)
        return record

    async def card(self, thread_id: int, words: str = "") -> Message:
        """Wait for a session's card in its thread, with these words."""
        return await self.stage.seen(lambda: next(iter(self._titled(thread_id, "Session ", words)), None))

    async def summary(self, channel_id: int) -> Message:
        """Wait for the first page of a summary."""
        return await self.stage.seen(lambda: next(iter(self.pages(channel_id)), None))

    def pages(self, channel_id: int) -> list[Message]:
        """What was posted of summaries."""
        return [message for message in self._own(channel_id) if "page " in footer_of(message)]

    def _titled(self, channel_id: int, footer: str, words: str) -> list[Message]:
        found = [message for message in self._own(channel_id) if footer_of(message).startswith(footer)]
        return [message for message in found if "page" not in footer_of(message) and words in text_of(message)]

    def _own(self, channel_id: int) -> list[Message]:
        found = self.stage.discord.messages(channel_id)
        ours = [message for message in found if message.author_id == self.stage.discord.bot_id]
        return [message for message in ours if message.type == MessageType.DEFAULT]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Every session's row, oldest first."""
        return self.stage.rows("SELECT * FROM sessions ORDER BY id")

    @property
    def funds(self) -> dict[str, int]:
        """The pool's purses, as the row has them."""
        (row,) = self.stage.rows("SELECT * FROM pools")
        return {name: row[f"{name}_credits"] for name in ("available", "budgeted", "held", "spent")}

    async def summarised(self, count: int = 1) -> None:
        """Wait until so many sessions are over and that is written down."""
        await self.stage.until(lambda: sum(row["summarised_at"] is not None for row in self.rows) >= count)


def footer_of(message: Message) -> str:
    """What stands at the foot of a message's embed."""
    return "".join(embed.get("footer", {}).get("text", "") for embed in message.embeds)
