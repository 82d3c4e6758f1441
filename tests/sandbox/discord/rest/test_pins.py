"""Pins and threads without a message, by hand and with the real discord.py client."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime

import discord
import pytest

from sandbox.discord.messages.pins import MAX_PINS
from sandbox.discord.world import permissions, seed
from sandbox.discord.world.constants import MessageType
from tests.sandbox.discord.tools import RawBot, Stage, raw_bot, real_bot

VIDEOS = f"/channels/{seed.VIDEOS_ID}"
PINS = VIDEOS + "/messages/pins"
NEW_AND_OLD = pytest.mark.parametrize("pins", [PINS, VIDEOS + "/pins"])


@pytest.fixture
async def bot() -> AsyncIterator[RawBot]:
    async with raw_bot() as bot:
        yield bot


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    async with real_bot(monkeypatch, lambda _bot: None) as stage:
        yield stage


async def post(bot: RawBot, content: str = "card") -> str:
    _, sent = await bot("POST", VIDEOS + "/messages", {"content": content})
    return str(sent["id"])


async def code_of(bot: RawBot, method: str, path: str, body: object = None) -> int:
    status, answer = await bot(method, path, body)
    return 0 if status < 300 else int(answer["code"])


@NEW_AND_OLD
async def test_pin_and_unpin(bot: RawBot, pins: str) -> None:
    message = await post(bot)
    assert (await bot("PUT", f"{pins}/{message}"))[0] == 204
    assert (await bot("PUT", f"{pins}/{message}"))[0] == 204
    assert (await bot("GET", f"{VIDEOS}/messages/{message}"))[1]["pinned"]
    _, history = await bot("GET", VIDEOS + "/messages")
    assert [m["type"] for m in history] == [MessageType.PIN_ADDED, 0, 0]
    told = history[0]
    assert told["message_reference"]["message_id"] == message
    assert (told["content"], told["mentions"], told["author"]["id"]) == ("", [], str(seed.BOT_ID))
    assert (await bot("DELETE", f"{pins}/{message}"))[0] == 204
    assert not (await bot("GET", f"{VIDEOS}/messages/{message}"))[1]["pinned"]
    assert (await bot("GET", PINS))[1] == {"items": [], "has_more": False}


async def test_pins_come_in_pages_the_last_pinned_first(bot: RawBot) -> None:
    messages = [await post(bot, str(number)) for number in range(3)]
    for message in (messages[1], messages[0], messages[2]):
        await bot("PUT", f"{PINS}/{message}")
    _, first = await bot("GET", PINS + "?limit=2")
    assert [item["message"]["content"] for item in first["items"]] == ["2", "0"]
    assert first["has_more"]
    moment = first["items"][-1]["pinned_at"].replace("+00:00", "Z")
    _, rest = await bot("GET", f"{PINS}?before={moment}")
    assert [item["message"]["content"] for item in rest["items"]] == ["1"]
    assert not rest["has_more"]
    _, old = await bot("GET", VIDEOS + "/pins")
    assert [message["content"] for message in old] == ["2", "0", "1"]
    assert await code_of(bot, "GET", PINS + "?before=yesterday") == 50035
    assert await code_of(bot, "GET", PINS + "?limit=51") == 50035


async def test_managing_messages_is_not_enough(bot: RawBot) -> None:
    message = await post(bot)
    rights = permissions.BOT_ROLE & ~permissions.PIN_MESSAGES | permissions.MANAGE_MESSAGES
    bot.local.admin.set_role_permissions(bot.local.guild_id, seed.BOT_ROLE_ID, rights)
    for method in ("PUT", "DELETE"):
        assert await code_of(bot, method, f"{PINS}/{message}") == 50013


async def test_a_channel_has_a_maximum_of_pins(bot: RawBot) -> None:
    for _ in range(MAX_PINS):
        assert await code_of(bot, "PUT", f"{PINS}/{await post(bot)}") == 0
    assert await code_of(bot, "PUT", f"{PINS}/{await post(bot)}") == 30003


async def test_system_messages_cannot_be_pinned(bot: RawBot) -> None:
    await bot("PUT", f"{PINS}/{await post(bot)}")
    told = bot.local.messages(seed.VIDEOS_ID)[-1]
    assert await code_of(bot, "PUT", f"{PINS}/{told.id}") == 50021
    assert await code_of(bot, "PUT", f"{PINS}/1") == 10008


async def test_nothing_is_pinned_in_an_archived_thread(bot: RawBot) -> None:
    _, thread = await bot("POST", VIDEOS + "/threads", {"name": "night", "type": 11})
    path = f"/channels/{thread['id']}/messages"
    _, card = await bot("POST", path, {"content": "card"})
    bot.local.admin.set_thread(int(thread["id"]), archived=True)
    assert await code_of(bot, "PUT", f"{path}/pins/{card['id']}") == 50083


async def test_real_client_pins_and_receives_the_events(stage: Stage) -> None:
    told: asyncio.Future[datetime | None] = asyncio.get_running_loop().create_future()

    async def on_guild_channel_pins_update(_channel: discord.abc.GuildChannel, last_pin: datetime | None) -> None:
        told.set_result(last_pin)

    stage.bot.add_listener(on_guild_channel_pins_update)
    channel = await stage.bot.fetch_channel(seed.VIDEOS_ID)
    assert isinstance(channel, discord.TextChannel)
    card = await channel.send("card")
    await card.pin()
    (found,) = [message async for message in channel.pins()]
    assert (found.id, found.pinned, found.pinned_at) == (card.id, True, await told)
    newest = [message async for message in channel.history(limit=1)]
    assert (newest[0].type, newest[0].is_system()) == (discord.MessageType.pins_add, True)
    assert newest[0].reference is not None
    assert newest[0].reference.message_id == card.id
    await found.unpin()
    assert not (await channel.fetch_message(card.id)).pinned


async def test_real_client_creates_a_thread(stage: Stage) -> None:
    channel = await stage.bot.fetch_channel(seed.VIDEOS_ID)
    assert isinstance(channel, discord.TextChannel)
    thread = await channel.create_thread(name="night", type=discord.ChannelType.public_thread)
    announced = stage.local.messages(channel.id)[-1]
    assert announced.type == MessageType.THREAD_CREATED
    shown = stage.local.payload(announced)
    assert shown["message_reference"] == {"type": 0, "channel_id": str(thread.id), "guild_id": str(seed.GUILD_ID)}
    assert announced.pinged_user_ids == []
    edited = await thread.edit(name="night, over", archived=True)
    assert (edited.name, edited.archived) == ("night, over", True)
    with pytest.raises(discord.Forbidden):
        await thread.edit(locked=True)
    stage.local.admin.set_role_permissions(
        seed.GUILD_ID, seed.BOT_ROLE_ID, permissions.BOT_ROLE | permissions.MANAGE_THREADS
    )
    locked = await thread.edit(archived=True, locked=True)
    assert (locked.archived, locked.locked) == (True, True)
