"""Sets the stage for an end-to-end test: both local servers, and the real bot in this process."""

import asyncio
import gc
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

from discord import Guild
from PIL import Image

from bot import app
from bot.client import VideoBot
from bot.config import Settings
from cogs.messages import status_cards
from sandbox.discord.world.models import Channel, Message
from tests.blank_database import lay_blank_database
from tests.local.faults import Fault
from tests.local.people import InteractionRecord, Person, Value
from tests.local.servers import LocalDiscord, LocalUlazAI

T = TypeVar("T")

SPEED = 200.0
"""A video takes about 0.4 seconds."""

WAIT_SECONDS = 20.0
COMMANDS = 10
GENERATE = "/kling26/api/generate/"
STATUS = "/kling26/api/status/.*"
CALLBACK = r"/api/v10/interactions/\d+/.*/callback"
MESSAGES = r"/api/v10/channels/\d+/messages"
THREADS = MESSAGES + r"/\d+/threads"


@dataclass(slots=True)
class Stage:
    """Both servers and the means to look at what came of a test."""

    discord: LocalDiscord
    ulazai: LocalUlazAI
    settings: Settings
    bot: VideoBot | None = None

    @property
    def member(self) -> Person:
        return self.discord.person("member-one")

    @property
    def guild(self) -> Guild:
        """The server, as the bot knows it."""
        assert self.bot
        found = self.bot.get_guild(self.discord.guild_id)
        assert found
        return found

    @property
    def videos(self) -> int:
        """The channel in which the tests use the commands."""
        return self.discord.channel("videos").id

    async def ask(self, prompt: str = "a cat on the moon", **options: Value) -> InteractionRecord:
        """Use /video and wait for the answer."""
        record = await self.member.slash(self.videos, "video", files=None, prompt=prompt, **options)
        await record.finished(WAIT_SECONDS)
        return record

    def card(self, record: InteractionRecord) -> Message:
        """The status card of a command's job: the answer, or what was posted once moderators had approved it."""
        ids = [job["card_message_id"] for job in self.jobs if job["interaction_id"] == record.id]
        return self.discord.world.messages.get(ids[0] if ids else 0) or record.message

    async def thread(self, record: InteractionRecord) -> Channel:
        """Wait for the thread that is made from a command's card."""
        channels = self.discord.world.channels
        return await self.seen(lambda: channels.get(self.card(record).id))

    async def direct_message(self, words: str = "") -> Message:
        """Wait for a direct message to the member with these words."""
        return await self.message_in(self.member.dm().id, words)

    async def message_in(self, channel_id: int, words: str = "") -> Message:
        """Wait for a message of the bot's own with these words in a channel."""

        def find() -> Message | None:
            found = (m for m in self.discord.messages(channel_id) if m.author_id == self.discord.bot_id)
            return next((m for m in found if m.origin is None and words in m.content), None)

        return await self.seen(find)

    async def seen(self, find: Callable[[], T | None]) -> T:
        """Wait until something is there, looking again at each change at Discord."""
        found = await self.discord.wait_for(find, WAIT_SECONDS)
        assert found is not None
        return found

    async def outcome(self, card: InteractionRecord) -> Message:
        """Wait for the message that tells how a job ended, in the thread of its card."""
        return await self.message_in((await self.thread(card)).id)

    async def card_says(self, record: InteractionRecord, words: str) -> str:
        """Wait until a command's card shows these words; returns all that it shows."""
        await self.discord.wait_for(lambda: words in text_of(self.card(record)), WAIT_SECONDS)
        return text_of(self.card(record))

    def rows(self, query: str) -> list[dict[str, Any]]:
        """What the bot's database says, read by a connection of the test's own."""
        with closing(sqlite3.connect(f"file:{self.settings.database_path}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query)]

    @property
    def jobs(self) -> list[dict[str, Any]]:
        """Every job's row, oldest first."""
        return self.rows("SELECT * FROM jobs ORDER BY id")

    @property
    def states(self) -> list[str]:
        """Every job's state, oldest first."""
        return [job["state"] for job in self.jobs]

    @property
    def entries(self) -> list[tuple[str, int]]:
        """The ledger of the jobs: kind and credits of each entry, oldest first."""
        found = self.rows("SELECT kind, credits FROM ledger_entries WHERE job_id IS NOT NULL ORDER BY id")
        return [(entry["kind"], entry["credits"]) for entry in found]

    @property
    def balance(self) -> tuple[int, int]:
        """Credits that are held, and credits that are spent, as the ledger's entries add up."""
        totals = dict.fromkeys(("hold", "charge", "release", "refund"), 0)
        for kind, amount in self.entries:
            totals[kind] += amount
        return totals["hold"] - totals["charge"] - totals["release"], totals["charge"] - totals["refund"]

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for something that nobody tells of, such as a row of the database."""
        for _ in range(round(WAIT_SECONDS / 0.02)):
            if condition():
                return
            await asyncio.sleep(0.02)
        raise TimeoutError

    async def delivered(self, count: int = 1) -> None:
        """Wait until so many jobs are told to their members and that is written down."""
        await self.until(lambda: sum(job["delivered_at"] is not None for job in self.jobs) >= count)

    def public_messages(self, channel_id: int | None = None) -> list[Message]:
        """What the bot left in a channel for everyone to see."""
        found = self.discord.messages(channel_id or self.videos)
        return [message for message in found if message.author_id == self.discord.bot_id and not message.ephemeral]

    def assert_nothing_came_of_it(self) -> None:
        """No row, no credits, no request at the provider, nothing left in the channel."""
        assert self.jobs == []
        assert self.entries == []
        assert not self.ulazai.tasks
        assert self.public_messages() == []
        assert self.discord.threads(self.videos) == []


def text_of(message: Message) -> str:
    """All that a message shows: its content and the texts of its embeds."""
    return "\n".join((message.content, *map(_embed_text, message.embeds)))


def _embed_text(embed: dict[str, Any]) -> str:
    fields = [f"{field['name']}: {field['value']}" for field in embed.get("fields", ())]
    footer = embed.get("footer", {}).get("text", "")
    return "\n".join((embed.get("title", ""), embed.get("description", ""), *fields, footer))


def refusal_of(record: InteractionRecord) -> str:
    """What a refused member was told: one private message of one or two sentences, without any innards."""
    assert record.state == "answered", record.failure
    (message,) = record.messages
    assert message.ephemeral
    assert message.visible_to is not None
    text = text_of(message).strip()
    assert 0 < len(text) < 400
    assert not any(word in text for word in ("Traceback", "Error", "{", "None", "null"))
    return text


@dataclass(frozen=True, slots=True)
class PlannedHold:
    """Keeps UlazAI from saying that a video is done."""

    ulazai: LocalUlazAI

    def release(self) -> None:
        """Let it say so."""
        self.ulazai.faults.clear()


def hold_finish(stage: Stage) -> PlannedHold:
    """Let every video stay in the making until released."""
    body = {"success": True, "data": {"status": "processing", "progress": 50}}
    stage.ulazai.faults.add("GET", STATUS, Fault(status=200, body=body), times=None)
    return PlannedHold(stage.ulazai)


def settings_for(discord: LocalDiscord, ulazai: LocalUlazAI, folder: Path, **changes: object) -> Settings:
    """The settings of a bot that works with these two servers."""
    values: dict[str, Any] = {
        "discord_token": discord.token,
        "discord_api_url": discord.api_url,
        "ulazai_api_key": ulazai.api_key,
        "ulazai_base_url": ulazai.base_url,
        "database_url": f"sqlite:///{folder / 'reelpool.db'}",
        "poll_min_interval_seconds": 0.1,
        # Enough that only tests of the pool notice that there is one.
        "pool_starting_credits": 1_000_000,
        **changes,
    }
    return Settings(_env_file=None, **values)


@asynccontextmanager
async def staged(
    folder: Path, *, speed: float = SPEED, rate_limits: bool = True, **changes: object
) -> AsyncIterator[Stage]:
    """Start both servers and the bot, and stop them at the end."""
    async with servers(folder, speed=speed, rate_limits=rate_limits, **changes) as stage:
        lay_blank_database(stage.settings.database_path)
        async with running_bot(stage):
            yield stage


@asynccontextmanager
async def servers(
    folder: Path, *, speed: float = SPEED, rate_limits: bool = True, **changes: object
) -> AsyncIterator[Stage]:
    """Start both servers, without the bot."""
    discord = LocalDiscord(rate_limits=rate_limits)
    ulazai = LocalUlazAI(speed=speed, seed=1, render=False)
    await discord.start()
    await ulazai.start()
    try:
        yield Stage(discord, ulazai, settings_for(discord, ulazai, folder, **changes))
    finally:
        discord.faults.clear()
        ulazai.faults.clear()
        await discord.stop()
        await ulazai.stop()


@asynccontextmanager
async def running_bot(stage: Stage) -> AsyncIterator[VideoBot]:
    """Run the bot in this process, from login to a clean stop."""
    # More often than real members could read them.
    status_cards.ROUND_SECONDS = 0.1
    async with app.open_bot(stage.settings) as bot:
        stage.bot = bot
        task = asyncio.create_task(bot.start(stage.settings.discord_token.get_secret_value()))
        ready = asyncio.create_task(stage.discord.wait_for(lambda: is_up(stage), WAIT_SECONDS))
        await asyncio.wait((task, ready), return_when=asyncio.FIRST_COMPLETED)
        try:
            await ready
            yield bot
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            # What the bot keeps for as long as its process lives is over here.
            gc.unfreeze()


def is_up(stage: Stage) -> bool:
    """Whether the bot is connected and its commands are there."""
    return stage.discord.bot_online and len(stage.discord.commands) >= COMMANDS


def picture(width: int = 640, height: int = 480, kind: str = "PNG") -> bytes:
    """A real picture."""
    file = BytesIO()
    Image.new("RGB", (width, height), "#3366cc").save(file, kind)
    return file.getvalue()


def requests_of(stage: Stage, method: str, route: str) -> list[dict[str, Any]]:
    """The JSON of the bot's requests to a route, oldest first."""
    found = stage.discord.requests.matching(method, route)
    return [json.loads(json.dumps(request.json)) for request in found]
