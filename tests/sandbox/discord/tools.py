"""Tools for the tests of the local Discord: a raw REST client, and the real discord.py bot."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import discord
import pytest
from discord.ext import commands
from PIL import Image

from tests.local.servers import LocalDiscord

Answer = tuple[int, Any]
File = tuple[str, bytes]


class RawBot:
    """Speaks REST without any library's help."""

    def __init__(self, local: LocalDiscord, session: aiohttp.ClientSession) -> None:
        self.local = local
        self.session = session
        self.headers = {"Authorization": f"Bot {local.token}"}
        self.headers_of_last: Mapping[str, str] = {}

    async def __call__(self, method: str, path: str, body: object = None, files: list[File] | None = None) -> Answer:
        """Send a request; the answer's status and JSON."""
        data = self._form(body, files) if files else None
        sent = None if files else body
        url = self.local.api_url + path
        async with self.session.request(method, url, json=sent, data=data, headers=self.headers) as answer:
            self.headers_of_last = answer.headers
            text = await answer.text()
            return answer.status, json.loads(text) if text else None

    def _form(self, body: object, files: list[File]) -> aiohttp.FormData:
        form = aiohttp.FormData(quote_fields=False)
        form.add_field("payload_json", json.dumps(body), content_type="application/json")
        for number, (name, content) in enumerate(files):
            form.add_field(f"files[{number}]", content, filename=name, content_type="application/octet-stream")
        return form


@asynccontextmanager
async def running(local: LocalDiscord | None = None) -> AsyncIterator[LocalDiscord]:
    """A local Discord for the length of a test; without rate limits if none is given."""
    local = local or LocalDiscord(rate_limits=False)
    await local.start()
    try:
        yield local
    finally:
        await local.stop()


@asynccontextmanager
async def raw_bot(local: LocalDiscord | None = None) -> AsyncIterator[RawBot]:
    """A local Discord and a raw client of its REST API."""
    async with running(local) as started_local, aiohttp.ClientSession() as session:
        yield RawBot(started_local, session)


@dataclass
class Stage:
    """A local Discord and the real bot on it."""

    local: LocalDiscord
    bot: commands.AutoShardedBot

    @property
    def videos(self) -> int:
        """The id of the first channel."""
        return self.local.channel("videos").id


Setup = Callable[[commands.AutoShardedBot], None]


@asynccontextmanager
async def real_bot(
    monkeypatch: pytest.MonkeyPatch, setup: Setup, given: LocalDiscord | None = None
) -> AsyncIterator[Stage]:
    """Run the real discord.py client on a local Discord, with the commands that `setup` adds."""
    async with running(given) as local:
        monkeypatch.setattr(discord.http.Route, "BASE", local.api_url)
        bot = commands.AutoShardedBot(command_prefix="!", intents=discord.Intents(guilds=True))
        setup(bot)
        monkeypatch.setattr(bot, "setup_hook", bot.tree.sync)
        task = asyncio.create_task(bot.start(local.token))
        try:
            await started(local, task)
            yield Stage(local, bot)
        finally:
            await bot.close()
            await asyncio.gather(task, return_exceptions=True)


async def started(local: LocalDiscord, task: asyncio.Task[None]) -> None:
    """Wait until the bot is online; raises its error if it exited instead."""
    online = asyncio.ensure_future(local.wait_online(10))
    await asyncio.wait({online, task}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        online.cancel()
        task.result()
    await online


def picture(width: int = 64, height: int = 48) -> bytes:
    """A PNG."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, "PNG")
    return file.getvalue()
