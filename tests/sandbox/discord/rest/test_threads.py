"""REST: threads."""

from collections.abc import AsyncIterator

import pytest

from sandbox.discord.world import permissions, seed
from tests.sandbox.discord.tools import RawBot, raw_bot

VIDEOS = f"/channels/{seed.VIDEOS_ID}"


@pytest.fixture
async def bot() -> AsyncIterator[RawBot]:
    async with raw_bot() as bot:
        yield bot


async def start_thread(bot: RawBot, name: str = "A cat") -> int:
    _, message = await bot("POST", VIDEOS + "/messages", {"content": name})
    status, thread = await bot("POST", f"{VIDEOS}/messages/{message['id']}/threads", {"name": name})
    assert status == 201, thread
    assert thread["id"] == message["id"]
    return int(thread["id"])


async def code_of(bot: RawBot, method: str, path: str, body: object = None) -> int:
    status, answer = await bot(method, path, body)
    return 0 if status < 300 else int(answer["code"])


async def test_thread_from_a_message(bot: RawBot) -> None:
    thread = await start_thread(bot)
    _, found = await bot("GET", f"/channels/{thread}")
    assert (found["type"], found["parent_id"], found["owner_id"]) == (11, str(seed.VIDEOS_ID), str(seed.BOT_ID))
    _, message = await bot("GET", f"{VIDEOS}/messages/{thread}")
    assert message["flags"] & 32
    assert message["thread"]["id"] == str(thread)
    assert await code_of(bot, "POST", f"{VIDEOS}/messages/{thread}/threads", {"name": "b"}) == 160004


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "x" * 101}, {"name": "x", "auto_archive_duration": 5}])
async def test_invalid_thread(bot: RawBot, body: dict[str, object]) -> None:
    _, message = await bot("POST", VIDEOS + "/messages", {"content": "x"})
    assert await code_of(bot, "POST", f"{VIDEOS}/messages/{message['id']}/threads", body) == 50035


async def test_cap_of_active_threads(bot: RawBot) -> None:
    bot.local.admin.edit_guild(bot.local.guild_id, max_active_threads=1)
    thread = await start_thread(bot)
    _, message = await bot("POST", VIDEOS + "/messages", {"content": "x"})
    path = f"{VIDEOS}/messages/{message['id']}/threads"
    assert await code_of(bot, "POST", path, {"name": "b"}) == 160006
    bot.local.admin.set_thread(thread, archived=True)
    assert await code_of(bot, "POST", path, {"name": "b"}) == 0
    assert await code_of(bot, "PATCH", f"/channels/{thread}", {"archived": False}) == 160006


async def test_archived_thread(bot: RawBot) -> None:
    thread = await start_thread(bot)
    _, message = await bot("POST", f"/channels/{thread}/messages", {"content": "1"})
    bot.local.admin.set_thread(thread, archived=True)
    path = f"/channels/{thread}/messages/{message['id']}"
    assert await code_of(bot, "PATCH", path, {"content": "2"}) == 50083
    assert await code_of(bot, "PATCH", f"/channels/{thread}", {"name": "new"}) == 50083
    assert await code_of(bot, "PATCH", f"/channels/{thread}", {"archived": False}) == 0
    assert await code_of(bot, "PATCH", path, {"content": "2"}) == 0


async def test_posting_wakes_an_archived_thread_but_not_a_locked_one(bot: RawBot) -> None:
    thread = await start_thread(bot)
    path = f"/channels/{thread}/messages"
    bot.local.admin.set_thread(thread, archived=True)
    assert await code_of(bot, "POST", path, {"content": "1"}) == 0
    assert bot.local.world.active_thread_count(bot.local.guild_id) == 1
    bot.local.admin.set_thread(thread, archived=True, locked=True)
    assert await code_of(bot, "POST", path, {"content": "2"}) == 160005
    assert await code_of(bot, "PATCH", f"/channels/{thread}", {"archived": False}) == 50013


async def test_threads_need_their_own_permissions(bot: RawBot) -> None:
    thread = await start_thread(bot)
    deny = permissions.SEND_MESSAGES_IN_THREADS | permissions.CREATE_PUBLIC_THREADS
    bot.local.admin.set_overwrite(seed.VIDEOS_ID, seed.BOT_ROLE_ID, deny=deny)
    assert await code_of(bot, "POST", f"/channels/{thread}/messages", {"content": "1"}) == 50013
    _, message = await bot("POST", VIDEOS + "/messages", {"content": "x"})
    assert await code_of(bot, "POST", f"{VIDEOS}/messages/{message['id']}/threads", {"name": "b"}) == 50013


async def test_sending_in_threads_without_sending_in_the_channel(bot: RawBot) -> None:
    thread = await start_thread(bot)
    bot.local.admin.set_overwrite(seed.VIDEOS_ID, seed.BOT_ROLE_ID, deny=permissions.SEND_MESSAGES)
    assert await code_of(bot, "POST", VIDEOS + "/messages", {"content": "x"}) == 50013
    status, _ = await bot("POST", f"/channels/{thread}/messages", {}, [("a.txt", b"x")])
    assert status == 200


async def test_thread_without_a_message_is_private_by_default(bot: RawBot) -> None:
    everyone = bot.local.guild_id
    _, private = await bot("POST", VIDEOS + "/threads", {"name": "p"})
    assert private["type"] == 12
    bot.local.admin.set_role_permissions(everyone, everyone, permissions.BOT_ROLE)
    assert await code_of(bot, "POST", VIDEOS + "/threads", {"name": "p"}) == 50013
    _, public = await bot("POST", VIDEOS + "/threads", {"name": "q", "type": 11})
    assert bot.local.messages(seed.VIDEOS_ID)[-1].type == 18
    member = bot.local.person("member-one").id
    seen = {t.id for t in bot.local.threads(seed.VIDEOS_ID) if bot.local.world.can_see(t, member)}
    assert seen == {int(public["id"])}


async def test_lists_and_members(bot: RawBot) -> None:
    first, second = await start_thread(bot, "a"), await start_thread(bot, "b")
    bot.local.admin.set_thread(first, archived=True)
    _, active = await bot("GET", f"/guilds/{bot.local.guild_id}/threads/active")
    assert [t["id"] for t in active["threads"]] == [str(second)]
    _, archived = await bot("GET", VIDEOS + "/threads/archived/public")
    assert [t["id"] for t in archived["threads"]] == [str(first)]
    assert await code_of(bot, "PUT", f"/channels/{second}/thread-members/{seed.MEMBER_ONE_ID}") == 0
    _, members = await bot("GET", f"/channels/{second}/thread-members")
    assert [m["user_id"] for m in members] == [str(seed.BOT_ID), str(seed.MEMBER_ONE_ID)]


async def test_message_count(bot: RawBot) -> None:
    thread = await start_thread(bot)
    _, message = await bot("POST", f"/channels/{thread}/messages", {"content": "1"})
    await bot("POST", f"/channels/{thread}/messages", {"content": "2"})
    await bot("DELETE", f"/channels/{thread}/messages/{message['id']}")
    _, found = await bot("GET", f"/channels/{thread}")
    assert (found["message_count"], found["total_message_sent"]) == (1, 2)


async def test_deleted_thread_and_starter(bot: RawBot) -> None:
    thread = await start_thread(bot)
    assert await code_of(bot, "DELETE", f"{VIDEOS}/messages/{thread}") == 0
    assert await code_of(bot, "POST", f"/channels/{thread}/messages", {"content": "still there"}) == 0
    bot.local.admin.delete_channel(thread)
    assert await code_of(bot, "POST", f"/channels/{thread}/messages", {"content": "gone"}) == 10003
