"""Interactions: what people may do, and what the bot may answer."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from sandbox.discord import NO_ANSWER, InteractionState
from sandbox.discord.world import permissions, seed
from sandbox.discord.world.errors import ClientError
from sandbox.discord.world.models import JsonObject
from tests.local.people import InteractionRecord, Value
from tests.sandbox.discord.tools import RawBot, raw_bot

VIDEO: JsonObject = {
    "name": "video",
    "description": "Make a video",
    "options": [
        {"type": 3, "name": "prompt", "description": "p", "required": True, "min_length": 3, "max_length": 10},
        {
            "type": 4,
            "name": "duration",
            "description": "d",
            "choices": [{"name": "5 s", "value": 5}, {"name": "10 s", "value": 10}],
        },
        {"type": 4, "name": "count", "description": "c", "min_value": 1, "max_value": 3},
        {"type": 10, "name": "scale", "description": "s"},
        {"type": 5, "name": "sound", "description": "s"},
        {"type": 11, "name": "image", "description": "i"},
        {"type": 6, "name": "who", "description": "w"},
        {"type": 7, "name": "where", "description": "w", "channel_types": [0]},
        {"type": 8, "name": "role", "description": "r"},
    ],
}
GUARDED: JsonObject = {
    "name": "pool",
    "description": "Credits",
    "default_member_permissions": str(permissions.MANAGE_GUILD),
    "options": [{"type": 1, "name": "show", "description": "Show"}],
}
MENU: JsonObject = {"name": "Animate image", "type": 3}
USER_MENU: JsonObject = {"name": "Give credits", "type": 2}
GUILD_ONLY: JsonObject = {"name": "here", "description": "Only here", "contexts": [0]}
MODAL: JsonObject = {
    "custom_id": "wish",
    "title": "Wish",
    "components": [
        {"type": 10, "content": "Fill in"},
        {"type": 18, "label": "Prompt", "component": {"type": 4, "custom_id": "prompt", "style": 1, "max_length": 5}},
        {"type": 1, "components": [{"type": 4, "custom_id": "old", "style": 2, "label": "Old", "required": False}]},
    ],
}


@pytest.fixture
async def bot() -> AsyncIterator[RawBot]:
    async with raw_bot() as bot:
        commands = [VIDEO, GUARDED, MENU, USER_MENU, GUILD_ONLY]
        status, answer = await bot("PUT", f"/applications/{seed.APPLICATION_ID}/commands", commands)
        assert status == 200, answer
        yield bot


async def use(bot: RawBot, **options: Value) -> InteractionRecord:
    values: dict[str, Any] = {"prompt": "a cat"} | options
    return await bot.local.person("member-one").slash(seed.VIDEOS_ID, "video", **values)


async def answer(bot: RawBot, record: InteractionRecord, body: JsonObject, query: str = "") -> tuple[int, JsonObject]:
    return await bot("POST", f"/interactions/{record.id}/{record.token}/callback{query}", body)


def hook(record: InteractionRecord, path: str = "") -> str:
    return f"/webhooks/{seed.APPLICATION_ID}/{record.token}{path}"


# What people may type


async def test_options_arrive_resolved(bot: RawBot) -> None:
    person = bot.local.person("member-one")
    values: dict[str, Any] = {"prompt": "a cat", "duration": 10, "sound": True, "scale": 0.5}
    values |= {"who": seed.MEMBER_TWO_ID, "where": seed.GENERAL_ID, "role": seed.MODERATOR_ROLE_ID}
    files = {"image": ("c.png", b"png")}
    record = await person.slash(seed.VIDEOS_ID, "video", files=files, **values)
    sent = {option["name"]: option["value"] for option in record.data["options"]}
    image = sent.pop("image")
    assert sent == values | {name: str(values[name]) for name in ("who", "where", "role")}
    resolved = record.data["resolved"]
    assert resolved["attachments"][image]["filename"] == "c.png"
    assert resolved["users"][sent["who"]]["username"] == "member-two"
    assert "permissions" in resolved["members"][sent["who"]]
    assert resolved["channels"][sent["where"]]["name"] == "general"
    assert resolved["roles"][sent["role"]]["name"] == "Moderator"
    async with bot.session.get(resolved["attachments"][image]["url"]) as file:
        assert await file.read() == b"png"


@pytest.mark.parametrize(
    "options",
    [
        {"prompt": ""},
        {"prompt": "ab"},
        {"prompt": "x" * 11},
        {"duration": 6},
        {"count": 4},
        {"count": 0},
        {"count": "1"},
        {"sound": 1},
        {"who": 1},
        {"where": 1},
        {"role": 1},
        {"image": 0},
        {"unknown": "x"},
    ],
)
async def test_invalid_options_are_refused_as_in_discords_apps(bot: RawBot, options: dict[str, Value]) -> None:
    with pytest.raises(ClientError) as refused:
        await use(bot, **options)
    assert refused.value.status == 400


async def test_missing_required_option(bot: RawBot) -> None:
    with pytest.raises(ClientError, match="required"):
        await bot.local.person("member-one").slash(seed.VIDEOS_ID, "video")


async def test_too_large_a_file(bot: RawBot) -> None:
    bot.local.admin.edit_guild(bot.local.guild_id, upload_limit_bytes=10)
    person = bot.local.person("member-one")
    with pytest.raises(ClientError, match="too powerful"):
        await person.slash(seed.VIDEOS_ID, "video", prompt="a cat", files={"image": ("c.png", b"x" * 11)})


async def test_commands_need_their_permissions(bot: RawBot) -> None:
    member, moderator = bot.local.person("member-one"), bot.local.person("moderator")
    assert set(member.offered(seed.VIDEOS_ID)) == {"video", "Animate image", "Give credits", "here"}
    assert "pool" in moderator.offered(seed.VIDEOS_ID)
    with pytest.raises(ClientError) as refused:
        await member.slash(seed.VIDEOS_ID, "pool show")
    assert refused.value.status == 403
    record = await moderator.slash(seed.VIDEOS_ID, "pool show")
    assert record.data["options"] == [{"name": "show", "type": 1, "options": []}]


async def test_no_commands_without_the_permission_or_in_hidden_channels(bot: RawBot) -> None:
    member = bot.local.person("member-one")
    with pytest.raises(ClientError):
        await member.slash(seed.MODERATORS_ID, "video", prompt="a cat")
    everyone = bot.local.guild_id
    bot.local.admin.set_overwrite(seed.VIDEOS_ID, everyone, deny=permissions.USE_APPLICATION_COMMANDS)
    with pytest.raises(ClientError):
        await use(bot)


async def test_message_menu_carries_the_message(bot: RawBot) -> None:
    person = bot.local.person("member-one")
    message = await person.say(seed.VIDEOS_ID, "look", [("a.png", b"x")])
    record = await person.menu(message.id, "Animate image")
    found = record.data["resolved"]["messages"][record.data["target_id"]]
    assert (found["content"], found["attachments"][0]["filename"]) == ("look", "a.png")


async def test_user_menu_carries_the_user(bot: RawBot) -> None:
    record = await bot.local.person("member-one").user_menu(seed.VIDEOS_ID, seed.MEMBER_TWO_ID, "Give credits")
    assert record.data["resolved"]["users"][record.data["target_id"]]["username"] == "member-two"


async def test_message_that_is_gone(bot: RawBot) -> None:
    person = bot.local.person("member-one")
    message = await person.say(seed.VIDEOS_ID, "look")
    bot.local.admin.delete_message(message.id)
    assert message.deleted
    with pytest.raises(KeyError):
        await person.menu(message.id, "Animate image")


# What the bot may answer


async def test_answer_with_the_callback_object(bot: RawBot) -> None:
    record = await use(bot)
    body = {"type": 4, "data": {"content": "hi", "flags": 64}}
    status, told = await answer(bot, record, body, "?with_response=true")
    assert status == 200
    assert told["interaction"]["response_message_ephemeral"] is True
    assert told["resource"]["type"] == 4
    message = told["resource"]["message"]
    assert (message["content"], message["flags"]) == ("hi", 64)
    assert message["interaction_metadata"]["name"] == "video"
    assert message["interaction_metadata"]["user"]["id"] == str(seed.MEMBER_ONE_ID)
    assert record.ephemeral
    assert record.message.visible_to == seed.MEMBER_ONE_ID
    assert (await bot("GET", f"/channels/{seed.VIDEOS_ID}/messages/{message['id']}"))[1]["code"] == 10008


async def test_second_answer(bot: RawBot) -> None:
    record = await use(bot)
    assert (await answer(bot, record, {"type": 5}))[0] == 204
    status, told = await answer(bot, record, {"type": 5})
    assert (status, told["code"]) == (400, 40060)


async def test_answer_after_the_deadline(bot: RawBot) -> None:
    bot.local.settings.interaction_deadline_seconds = 0.01
    record = await (await use(bot)).settled()
    assert (record.state, record.failure) == (InteractionState.FAILED, NO_ANSWER)
    status, told = await answer(bot, record, {"type": 5})
    assert (status, told["code"]) == (404, 10062)
    assert (await bot("POST", "/interactions/1/x/callback", {"type": 5}))[1]["code"] == 10062


@pytest.mark.parametrize(
    "body",
    [
        {"type": 6},
        {"type": 7, "data": {"content": "x"}},
        {"type": 8, "data": {"choices": []}},
        {"type": 99},
        {"type": 4, "data": {"content": "x" * 2001}},
        {"type": 9, "data": {"custom_id": "x", "title": "t" * 46, "components": MODAL["components"]}},
        {"type": 9, "data": {"custom_id": "x", "title": "t", "components": []}},
    ],
)
async def test_invalid_answer_leaves_the_interaction_open(bot: RawBot, body: JsonObject) -> None:
    record = await use(bot)
    status, told = await answer(bot, record, body)
    assert (status, told["code"]) == (400, 50035)
    assert (await answer(bot, record, {"type": 5}))[0] == 204


@pytest.mark.parametrize("flags", [0, 64])
async def test_follow_up_fills_a_deferred_answer(bot: RawBot, flags: int) -> None:
    record = await use(bot)
    await answer(bot, record, {"type": 5, "data": {"flags": flags}})
    assert record.message.thinking
    _, filled = await bot("POST", hook(record), {"content": "done", "flags": 64 - flags})
    assert filled["id"] == str(record.message.id)
    assert filled["flags"] == flags
    _, second = await bot("POST", hook(record), {"content": "more", "flags": 64})
    assert second["id"] != filled["id"]
    assert second["message_reference"]["message_id"] == filled["id"]


async def test_follow_up_before_any_answer_and_with_expired_token(bot: RawBot) -> None:
    record = await use(bot)
    assert (await bot("POST", hook(record), {"content": "x"}))[1]["code"] == 10015
    await answer(bot, record, {"type": 5})
    bot.local.settings.interaction_token_seconds = 0.0
    status, told = await bot("PATCH", hook(record, "/messages/@original"), {"content": "x"})
    assert (status, told["code"]) == (401, 50027)


async def test_original_and_other_messages_by_token(bot: RawBot) -> None:
    record = await use(bot)
    await answer(bot, record, {"type": 4, "data": {"content": "a", "flags": 64}})
    path = hook(record, "/messages/@original")
    assert (await bot("GET", path))[1]["content"] == "a"
    assert (await bot("PATCH", path, {"content": "b"}))[1]["content"] == "b"
    _, second = await bot("POST", hook(record), {"content": "c"})
    assert (await bot("PATCH", hook(record, f"/messages/{second['id']}"), {"content": "d"}))[0] == 200
    assert (await bot("DELETE", path))[0] == 204
    assert (await bot("GET", path))[1]["code"] == 10008
    theirs = await bot.local.person("member-one").say(seed.VIDEOS_ID, "mine")
    assert (await bot("DELETE", hook(record, f"/messages/{theirs.id}")))[1]["code"] == 10008


async def test_answers_mention_users_only_by_default(bot: RawBot) -> None:
    role = bot.local.admin.add_role(bot.local.guild_id, "crew", mentionable=True)
    record = await use(bot)
    text = f"<@{seed.MEMBER_TWO_ID}> <@&{role.id}>"
    await answer(bot, record, {"type": 4, "data": {"content": text}})
    assert record.message.mention_ids == [seed.MEMBER_TWO_ID]
    assert record.message.mention_role_ids == []


async def test_component_answers(bot: RawBot) -> None:
    record = await use(bot)
    options = [{"label": value, "value": value} for value in ("a", "b")]
    rows = [
        {"type": 1, "components": [{"type": 2, "style": 1, "label": "Go", "custom_id": "go"}]},
        {"type": 1, "components": [{"type": 3, "custom_id": "pick", "options": options}]},
        {"type": 1, "components": [{"type": 2, "style": 1, "label": "No", "custom_id": "no", "disabled": True}]},
    ]
    await answer(bot, record, {"type": 4, "data": {"content": "panel", "components": rows}})
    person, message = bot.local.person("member-two"), record.message
    pressed = await person.press(message.id, "Go")
    assert (await answer(bot, pressed, {"type": 7, "data": {"content": "pressed"}}))[0] == 204
    assert message.content == "pressed"
    chosen = await person.click(message.id, "pick", ("b",))
    assert chosen.data["values"] == ["b"]
    assert (await answer(bot, chosen, {"type": 6}))[0] == 204
    await bot("PATCH", hook(chosen, "/messages/@original"), {"content": "chosen"})
    assert message.content == "chosen"
    for custom_id, values in (("no", ()), ("pick", ("c",)), ("gone", ())):
        with pytest.raises(ClientError):
            await person.click(message.id, custom_id, values)


async def test_modal_from_command_to_submit(bot: RawBot) -> None:
    record = await use(bot)
    assert (await answer(bot, record, {"type": 9, "data": MODAL}))[0] == 204
    person = bot.local.person("member-one")
    for values in ({}, {"prompt": "x" * 6}):
        with pytest.raises(ClientError, match="Prompt"):
            await person.submit(record.id, values)
    with pytest.raises(ClientError):
        await bot.local.person("member-two").submit(record.id, {"prompt": "cat"})
    sent = await person.submit(record.id, {"prompt": "cat"})
    first, second, third = sent.data["components"]
    assert first["type"] == 10
    assert (second["component"]["custom_id"], second["component"]["value"]) == ("prompt", "cat")
    assert third["components"][0]["value"] == ""
    await answer(bot, sent, {"type": 4, "data": {"content": "ok"}})
    assert sent.message.origin is not None
    assert sent.message.origin.triggered_by is not None
    assert (await answer(bot, sent, {"type": 9, "data": MODAL}))[1]["code"] == 40060


async def test_upload_limit_of_answers(bot: RawBot) -> None:
    bot.local.admin.edit_guild(bot.local.guild_id, upload_limit_bytes=10)
    record = await use(bot)
    path = f"/interactions/{record.id}/{record.token}/callback"
    status, told = await bot("POST", path, {"type": 4, "data": {}}, [("a.mp4", b"x" * 11)])
    assert (status, told["code"]) == (413, 40005)
