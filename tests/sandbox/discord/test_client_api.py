"""The client API of docs/sandbox-client-api.md, as the page uses it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from sandbox.discord import NO_ANSWER
from sandbox.discord.world import permissions, seed
from sandbox.discord.world.models import JsonObject
from tests.sandbox.discord.tools import RawBot, raw_bot

ONE, TWO, MODERATOR = seed.MEMBER_ONE_ID, seed.MEMBER_TWO_ID, seed.MODERATOR_ID
COMMANDS: list[JsonObject] = [
    {"name": "video", "description": "d", "options": [{"type": 11, "name": "image", "description": "i"}]},
    {"name": "pool", "description": "d", "default_member_permissions": "32"},
]


@pytest.fixture
async def bot() -> AsyncIterator[RawBot]:
    async with raw_bot() as bot:
        await bot("PUT", f"/applications/{seed.APPLICATION_ID}/commands", COMMANDS)
        yield bot


class Page:
    """A person's browser."""

    def __init__(self, bot: RawBot, user_id: int, events: aiohttp.ClientWebSocketResponse) -> None:
        self.bot = bot
        self.user_id = user_id
        self._events = events

    async def event(self, name: str) -> Any:  # noqa: ANN401 - the event's JSON
        async with asyncio.timeout(5):
            while (event := await self._events.receive_json())["t"] != name:
                pass
        return event["d"]

    async def get(self, path: str) -> tuple[int, Any]:
        return await self._ask("GET", path, None)

    async def post(self, path: str, payload: object, files: tuple[bytes, ...] = ()) -> tuple[int, Any]:
        form = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
        form.add_field("payload_json", json.dumps(payload))
        for number, content in enumerate(files):
            form.add_field(f"files[{number}]", content, filename=f"file{number}.png")
        return await self._ask("POST", path, form)

    async def _ask(self, method: str, path: str, form: aiohttp.FormData | None) -> tuple[int, Any]:
        url = f"{self.bot.local.origin}/client/{path}"
        query = {"user": str(self.user_id)}
        async with self.bot.session.request(method, url, params=query, data=form) as answer:
            return answer.status, await answer.json()


@asynccontextmanager
async def page(bot: RawBot, user_id: int) -> AsyncIterator[Page]:
    url = f"{bot.local.origin}/client/events?user={user_id}"
    async with bot.session.ws_connect(url) as events:
        yield Page(bot, user_id, events)


def use(name: str, bot: RawBot, options: list[JsonObject] | None = None) -> JsonObject:
    command = next(c for c in bot.local.commands if c.key[1] == name)
    data = {"id": str(command.id), "name": name, "type": 1, "options": options or []}
    return {"type": 2, "channel_id": str(seed.VIDEOS_ID), "data": data}


async def test_bootstrap(bot: RawBot) -> None:
    async with page(bot, ONE) as member, page(bot, MODERATOR) as moderator:
        _, seen = await member.get("bootstrap")
        assert seen["me"] == str(ONE)
        assert [channel["name"] for channel in seen["channels"]] == ["videos", "general"]
        assert all(channel["can_send"] for channel in seen["channels"])
        assert [command["name"] for command in seen["commands"]] == ["video"]
        people = [user["username"] for user in seen["users"] if user["color"] and not user["bot"]]
        assert people == ["member-one", "member-two", "moderator", "operator"]
        assert seen["bot"] == {"id": str(seed.BOT_ID), "name": "Reelpool", "online": False}
        _, seen = await moderator.get("bootstrap")
        assert len(seen["channels"]) == 3
        assert [command["name"] for command in seen["commands"]] == ["video", "pool"]
        assert [user["username"] for user in seen["users"] if user["moderator"]] == ["moderator", "operator"]


async def test_bootstrap_without_a_person(bot: RawBot) -> None:
    async with bot.session.get(bot.local.origin + "/client/bootstrap") as answer:
        assert (await answer.json())["me"] == str(ONE)


async def test_messages_go_to_those_who_see_them(bot: RawBot) -> None:
    async with page(bot, ONE) as one, page(bot, TWO) as two:
        payload = {"channel_id": str(seed.VIDEOS_ID), "content": "look"}
        status, sent = await one.post("messages", payload, (b"png",))
        assert (status, sent["content"], sent["attachments"][0]["filename"]) == (200, "look", "file0.png")
        assert (await two.event("MESSAGE_CREATE"))["id"] == sent["id"]
        _, history = await two.get(f"channels/{seed.VIDEOS_ID}/messages")
        assert history[0]["content"] == "look"
        status, refused = await one.get(f"channels/{seed.MODERATORS_ID}/messages")
        assert (status, refused) == (403, {"message": "You do not have access to this channel."})


async def test_interaction_with_a_file_and_an_ephemeral_answer(bot: RawBot) -> None:
    async with page(bot, ONE) as one, page(bot, TWO) as two:
        options = [{"name": "image", "type": 11, "value": 0}]
        _, told = await one.post("interactions", use("video", bot, options), (b"png",))
        assert (await one.event("INTERACTION_CREATE")) == told
        interaction = bot.local.services.registry.get(int(told["interaction_id"]))
        assert interaction is not None
        path = f"/interactions/{interaction.id}/{interaction.token}/callback"
        await bot("POST", path, {"type": 4, "data": {"content": "for you", "flags": 64}})
        shown = await one.event("MESSAGE_CREATE")
        assert (shown["content"], shown["flags"], shown["interaction_metadata"]["name"]) == ("for you", 64, "video")
        assert await one.event("INTERACTION_SUCCESS") == told
        await bot.local.person("member-two").say(seed.VIDEOS_ID, "next")
        assert (await two.event("MESSAGE_CREATE"))["content"] == "next"
        _, history = await two.get(f"channels/{seed.VIDEOS_ID}/messages")
        assert "for you" not in [message["content"] for message in history]


async def test_failure_modal_and_autocomplete_end_an_interaction(bot: RawBot) -> None:
    async with page(bot, ONE) as one:
        bot.local.settings.interaction_deadline_seconds = 0.01
        _, told = await one.post("interactions", use("video", bot))
        assert await one.event("INTERACTION_FAILURE") == told | {"message": NO_ANSWER}
        bot.local.settings.interaction_deadline_seconds = 3.0
        field = {"type": 4, "custom_id": "p", "style": 1, "label": "P"}
        modal = {"custom_id": "m", "title": "T", "components": [{"type": 1, "components": [field]}]}
        record = await bot.local.person("member-one").slash(seed.VIDEOS_ID, "video")
        await bot("POST", f"/interactions/{record.id}/{record.token}/callback", {"type": 9, "data": modal})
        opened = await one.event("INTERACTION_MODAL")
        assert (opened["interaction_id"], opened["title"], opened["custom_id"]) == (str(record.id), "T", "m")
        components = [{"type": 1, "components": [{"type": 4, "custom_id": "p", "value": "x"}]}]
        data = {"custom_id": "m", "components": components}
        submit = {"type": 5, "channel_id": str(seed.VIDEOS_ID), "interaction_id": str(record.id), "data": data}
        status, _ = await one.post("interactions", submit)
        assert status == 200


async def test_threads_commands_and_deletions_send_events(bot: RawBot) -> None:
    async with page(bot, ONE) as one:
        _, message = await bot("POST", f"/channels/{seed.VIDEOS_ID}/messages", {"content": "a"})
        await bot("POST", f"/channels/{seed.VIDEOS_ID}/messages/{message['id']}/threads", {"name": "t"})
        thread = await one.event("THREAD_CREATE")
        assert (thread["id"], thread["can_send"]) == (message["id"], True)
        assert (await one.event("MESSAGE_UPDATE"))["thread"]["id"] == message["id"]
        await bot("PATCH", f"/channels/{message['id']}", {"archived": True})
        assert (await one.event("THREAD_UPDATE"))["thread_metadata"]["archived"] is True
        await bot("DELETE", f"/channels/{seed.VIDEOS_ID}/messages/{message['id']}")
        gone = {"id": message["id"], "channel_id": str(seed.VIDEOS_ID)}
        assert await one.event("MESSAGE_DELETE") == gone
        await bot("PUT", f"/applications/{seed.APPLICATION_ID}/commands", COMMANDS[:1])
        assert [command["name"] for command in await one.event("COMMANDS_UPDATE")] == ["video"]


async def test_direct_message_appears_in_the_channels(bot: RawBot) -> None:
    _, channel = await bot("POST", "/users/@me/channels", {"recipient_id": str(ONE)})
    async with page(bot, ONE) as one, page(bot, TWO) as two:
        await bot("POST", f"/channels/{channel['id']}/messages", {"content": "psst"})
        assert (await one.event("MESSAGE_CREATE"))["content"] == "psst"
        _, seen = await one.get("bootstrap")
        assert [c["id"] for c in seen["channels"] if c["type"] == 1] == [channel["id"]]
        _, seen = await two.get("bootstrap")
        assert [c for c in seen["channels"] if c["type"] == 1] == []


async def test_pins_are_shown(bot: RawBot) -> None:
    messages = f"/channels/{seed.VIDEOS_ID}/messages"
    async with page(bot, ONE) as one:
        ids = [(await bot("POST", messages, {"content": text}))[1]["id"] for text in ("a", "b", "c")]
        for pinned in (ids[2], ids[0]):
            await bot("PUT", f"{messages}/pins/{pinned}")
        changed = await one.event("MESSAGE_UPDATE")
        assert (changed["id"], changed["pinned"]) == (ids[2], True)
        assert (await one.event("CHANNEL_UPDATE"))["last_pin_timestamp"] is not None
        _, shown = await one.get(f"channels/{seed.VIDEOS_ID}/pins")
        assert [message["content"] for message in shown] == ["a", "c"]
        status, refused = await one.get(f"channels/{seed.MODERATORS_ID}/pins")
        assert (status, refused) == (403, {"message": "You do not have access to this channel."})


async def test_what_becomes_hidden_leaves_the_page_without_its_name(bot: RawBot) -> None:
    async with page(bot, ONE) as one, page(bot, MODERATOR) as moderator:
        bot.local.admin.set_overwrite(seed.GENERAL_ID, seed.MEMBER_ONE_ID, deny=permissions.VIEW_CHANNEL)
        gone = {"id": str(seed.GENERAL_ID), "type": 0, "parent_id": None}
        assert await one.event("CHANNEL_DELETE") == gone
        assert (await moderator.event("CHANNEL_UPDATE"))["name"] == "general"
        bot.local.admin.take_role(seed.GUILD_ID, seed.MODERATOR_ID, seed.MODERATOR_ROLE_ID)
        assert await moderator.event("GUILD_UPDATE") == {}
        _, seen = await moderator.get("bootstrap")
        me = next(user for user in seen["users"] if user["id"] == seen["me"])
        assert (me["roles"], me["moderator"], [c["name"] for c in seen["channels"]]) == (
            [],
            False,
            ["videos", "general"],
        )


async def test_the_page_hears_which_other_users_have_news(bot: RawBot) -> None:
    async with page(bot, ONE) as one:
        await bot("POST", f"/channels/{seed.VIDEOS_ID}/messages", {"content": "for all to see"})
        await bot("POST", f"/channels/{seed.VIDEOS_ID}/messages", {"content": f"for <@{TWO}> and <@{ONE}>"})
        assert await one.event("NEWS_FOR_OTHERS") == {"user_ids": [str(TWO)]}
        await bot("POST", f"/channels/{seed.MODERATORS_ID}/messages", {"content": "a request waits"})
        assert await one.event("NEWS_FOR_OTHERS") == {"user_ids": [str(MODERATOR)]}
        await bot("POST", f"/channels/{seed.MODERATORS_ID}/messages", {"content": f"<@{seed.OWNER_ID}>"})
        assert await one.event("NEWS_FOR_OTHERS") == {"user_ids": [str(MODERATOR), str(seed.OWNER_ID)]}


async def test_people_of_other_servers_are_not_among_the_members(bot: RawBot) -> None:
    other = bot.local.admin.add_guild("Other")
    bot.local.admin.add_person("stranger", other.id)
    async with page(bot, ONE) as one:
        _, seen = await one.get("bootstrap")
        assert {user["username"] for user in seen["users"]} == {
            "reelpool", "member-one", "member-two", "moderator", "operator",
        }  # fmt: skip
        assert [user["username"] for user in seen["users"] if user["operator"]] == ["operator"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example:80"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost:1"}, 403),
    ],
)
async def test_pages_of_other_origins_are_refused(bot: RawBot, headers: dict[str, str], status: int) -> None:
    async with bot.session.get(f"{bot.local.origin}/client/bootstrap?user={ONE}", headers=headers) as answer:
        assert answer.status == status


async def test_own_page_is_accepted_by_both_names_of_loopback(bot: RawBot) -> None:
    for origin in (bot.local.origin, bot.local.origin.replace("127.0.0.1", "localhost")):
        async with bot.session.get(bot.local.origin + "/client/bootstrap", headers={"Origin": origin}) as answer:
            assert answer.status == 200


async def test_unknown_people_and_payloads(bot: RawBot) -> None:
    async with page(bot, ONE) as one:
        for payload in ({}, {"type": 1}, {"type": 2, "channel_id": "x"}, {"type": 3, "channel_id": "1"}):
            status, answer = await one.post("interactions", payload)
            assert status in {400, 403}
            assert answer["message"]
        one.user_id = 1
        assert (await one.get("bootstrap"))[0] == 403
