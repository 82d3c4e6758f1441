"""The local Discord's store, its rate limits, and its speed."""

import asyncio
import os
import signal
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest

from sandbox.discord.rest.rate_limits import Limit
from sandbox.discord.world import permissions, seed
from sandbox.discord.world.models import Message
from tests.local.servers import LocalDiscord
from tests.sandbox.discord.tools import RawBot, raw_bot, running

MESSAGES = f"/channels/{seed.VIDEOS_ID}/messages"


async def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    first = LocalDiscord(data_dir=tmp_path, rate_limits=False)
    async with raw_bot(first) as bot:
        await bot("PUT", f"/applications/{seed.APPLICATION_ID}/commands", [{"name": "a", "description": "d"}])
        _, sent = await bot("POST", MESSAGES, {"nonce": "n", "enforce_nonce": True}, [("a.txt", b"text")])
        await bot("POST", f"{MESSAGES}/{sent['id']}/threads", {"name": "t"})
        _, gone = await bot("POST", MESSAGES, {"content": "gone"})
        await bot("DELETE", f"{MESSAGES}/{gone['id']}")
        first.admin.set_overwrite(seed.VIDEOS_ID, seed.BOT_ROLE_ID, deny=permissions.EMBED_LINKS)
        first.admin.add_person("late-comer", first.guild_id)
        url = sent["attachments"][0]["url"].removeprefix(first.origin)
    second = LocalDiscord(data_dir=tmp_path, rate_limits=False)
    assert second.token == first.token
    async with raw_bot(second) as bot:
        assert second.world.users == first.world.users
        assert second.world.guilds == first.world.guilds
        assert second.world.channels == first.world.channels
        assert second.world.messages == first.world.messages
        assert second.world.commands == first.world.commands
        assert [thread.name for thread in second.threads(seed.VIDEOS_ID)] == ["t"]
        _, again = await bot("POST", MESSAGES, {"content": "x", "nonce": "n", "enforce_nonce": True})
        assert again["id"] == sent["id"]
        async with bot.session.get(second.origin + url) as file:
            assert await file.read() == b"text"
        async with bot.session.get(second.origin + url, headers={"Range": "bytes=1-2"}) as part:
            assert (part.status, await part.read()) == (206, b"ex")
        _, newer = await bot("POST", MESSAGES, {"content": "newer"})
        assert int(newer["id"]) > int(gone["id"])


KILLED = """
import asyncio, pathlib, sys
from tests.local.servers import LocalDiscord
async def main():
    local = LocalDiscord(data_dir=pathlib.Path(sys.argv[1]))
    await local.start()
    person = local.person("member-one")
    for number in range(1_000_000):
        await person.say(int(sys.argv[2]), f"m{number}", [("a.bin", b"x" * 1000)])
        await asyncio.sleep(0)
        if number % 100 == 0:
            print(number, flush=True)
asyncio.run(main())
"""


def _messages_on_disk(folder: Path) -> int:
    path = folder / "discord.sqlite3"
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT count(*) FROM objects WHERE kind = 'message' AND instr(body, '\"m0\"')"
        try:
            return int(connection.execute(query).fetchone()[0])
        except sqlite3.OperationalError:  # the table is not there yet
            return 0


async def test_killed_process_leaves_a_complete_state(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, str(tmp_path), str(seed.VIDEOS_ID),
        stdout=asyncio.subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(root)},
    )  # fmt: skip
    assert process.stdout is not None
    while not _messages_on_disk(tmp_path):
        assert await process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    await process.wait()
    local = LocalDiscord(data_dir=tmp_path)
    texts = [message.content for message in local.messages(seed.VIDEOS_ID)][1:]
    assert texts == [f"m{number}" for number in range(len(texts))]
    assert texts
    assert all(local.file(m.attachments[0].id) for m in local.messages(seed.VIDEOS_ID)[1:])


async def test_route_limit_with_its_headers() -> None:
    async with raw_bot(LocalDiscord()) as bot:
        for left in (4, 3, 2, 1, 0):
            assert (await bot("POST", MESSAGES, {"content": "x"}))[0] == 200
            assert bot.headers_of_last["X-RateLimit-Remaining"] == str(left)
            assert bot.headers_of_last["X-RateLimit-Limit"] == "5"
        status, answer = await bot("POST", MESSAGES, {"content": "x"})
        assert (status, answer["global"]) == (429, False)
        assert 0 < answer["retry_after"] <= 5
        assert bot.headers_of_last["Via"]
        assert int(bot.headers_of_last["Retry-After"]) >= 1
        other = f"/channels/{seed.GENERAL_ID}/messages"
        assert (await bot("POST", other, {"content": "x"}))[0] == 200


async def test_global_limit_spares_interactions() -> None:
    async with raw_bot(LocalDiscord()) as bot:
        bot.local.limiter.limits["GET", "/users/@me"] = Limit(1000, 1.0)
        answers = [await bot("GET", "/users/@me") for _ in range(60)]
        refused = [answer for status, answer in answers if status == 429]
        assert refused
        assert all(answer["global"] for answer in refused)
        assert (await bot("POST", "/interactions/1/x/callback", {"type": 5}))[1]["code"] == 10062


@pytest.mark.parametrize("kept", [False, True])
async def test_it_stays_fast(tmp_path: Path, kept: bool) -> None:
    local = LocalDiscord(data_dir=tmp_path if kept else None, rate_limits=False)
    async with raw_bot(local) as bot:
        fill(local, 10_000)
        command = [{"name": "a", "description": "d"}]
        await bot("PUT", f"/applications/{seed.APPLICATION_ID}/commands", command)
        started = time.monotonic()
        await asyncio.gather(*(use_command(bot) for _ in range(200)))
        assert time.monotonic() - started < 5.0


def fill(local: LocalDiscord, count: int) -> None:
    for _ in range(count):
        message = Message(local.world.ids.next(), seed.VIDEOS_ID, seed.OWNER_ID, 0.0, seed.GUILD_ID)
        local.world.put_message(message)


async def use_command(bot: RawBot) -> None:
    record = await bot.local.person("member-one").slash(seed.VIDEOS_ID, "a")
    await bot("POST", f"/interactions/{record.id}/{record.token}/callback", {"type": 4, "data": {"content": "x"}})
    await record.answered()


async def test_bot_api_needs_no_browser_headers_and_page_is_served() -> None:
    async with running() as local, aiohttp.ClientSession() as session:
        async with session.get(local.origin + "/") as page:
            assert page.content_type == "text/html"
        async with session.get(local.api_url + "/gateway/bot") as refused:
            assert refused.status == 401
