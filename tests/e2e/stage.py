"""Sets the stage for an end-to-end test: both local servers, and the real bot in this process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from sqlalchemy import RowMapping, select

from bot import app
from bot.client import VideoBot
from bot.config import Settings
from bot.pools import ledger
from bot.pools.models import Balance
from bot.sandbox.discord import LocalDiscord
from bot.sandbox.discord.people import InteractionRecord, Person
from bot.sandbox.ulazai import LocalUlazAI
from bot.storage.database import Database
from bot.storage.schema import jobs

SPEED = 200.0
"""A video takes about 0.4 seconds."""

WAIT_SECONDS = 20.0
COMMANDS = 6


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
    def videos(self) -> int:
        """The channel in which the tests use the commands."""
        return self.discord.channel_named("videos").id

    async def ask(self, prompt: str = "a cat on the moon", **options: Any) -> InteractionRecord:
        """Use /video and wait for the answer."""
        record = await self.member.slash(self.videos, "video", prompt=prompt, **options)
        await record.answered(WAIT_SECONDS)
        return record

    async def jobs(self) -> list[RowMapping]:
        """Every job's row, read by a connection of the test's own."""
        async with Database.open(self.settings.database_url) as database, database.reading() as connection:
            return list((await connection.execute(select(jobs).order_by(jobs.c.id))).mappings())

    async def balance(self) -> Balance:
        """What the ledger's entries add up to."""
        async with Database.open(self.settings.database_url) as database, database.reading() as connection:
            return await ledger.balance(connection)


def settings_for(discord: LocalDiscord, ulazai: LocalUlazAI, folder: Path, **changes: Any) -> Settings:
    """The settings of a bot that works with these two servers."""
    values = {
        "discord_token": discord.token,
        "discord_api_url": discord.api_url,
        "ulazai_api_key": ulazai.api_key,
        "ulazai_base_url": ulazai.base_url,
        "database_url": f"sqlite:///{folder / 'reelpool.db'}",
        "poll_min_interval_seconds": 0.1,
        **changes,
    }
    return Settings(_env_file=None, **values)  # type: ignore[call-arg]  # the settings library's own argument


@asynccontextmanager
async def staged(folder: Path, *, speed: float = SPEED, **changes: Any) -> AsyncIterator[Stage]:
    """Start both servers and the bot, and stop them at the end."""
    async with servers(folder, speed=speed, **changes) as stage, running_bot(stage):
        yield stage


@asynccontextmanager
async def servers(folder: Path, *, speed: float = SPEED, **changes: Any) -> AsyncIterator[Stage]:
    """Start both servers, without the bot."""
    discord = LocalDiscord(rate_limits=changes.pop("rate_limits", True))
    ulazai = LocalUlazAI(speed=speed, seed=1, render=False)
    await discord.start()
    await ulazai.start()
    try:
        yield Stage(discord, ulazai, settings_for(discord, ulazai, folder, **changes))
    finally:
        await discord.stop()
        await ulazai.stop()


@asynccontextmanager
async def running_bot(stage: Stage) -> AsyncIterator[VideoBot]:
    """Run the bot in this process, from login to a clean stop."""
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


def is_up(stage: Stage) -> bool:
    """Whether the bot is connected and its commands are there."""
    return stage.discord.online and len(stage.discord.world.commands) >= COMMANDS


def picture(width: int = 640, height: int = 480, kind: str = "PNG") -> bytes:
    """A real picture."""
    file = BytesIO()
    Image.new("RGB", (width, height), "#3366cc").save(file, kind)
    return file.getvalue()
