"""REST: messages, their limits, mentions, nonces, files."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import yarl

from sandbox.discord.world import permissions, seed
from sandbox.discord.world.constants import MessageFlag
from tests.local.faults import Fault
from tests.sandbox.discord.tools import File, RawBot, picture, raw_bot

MESSAGES = f"/channels/{seed.VIDEOS_ID}/messages"
V2 = int(MessageFlag.COMPONENTS_V2)
SUPPRESSED: dict[str, object] = {"parse": []}


@pytest.fixture
async def bot() -> AsyncIterator[RawBot]:
    async with raw_bot() as bot:
        yield bot


async def post(bot: RawBot, **body: Any) -> Any:  # noqa: ANN401 - whatever JSON a test wants to send
    status, answer = await bot("POST", MESSAGES, body)
    assert status == 200, answer
    return answer


def button(custom_id: str = "x", **more: object) -> dict[str, object]:
    return {"type": 2, "style": 1, "label": "Go", "custom_id": custom_id} | more


def row(*children: object) -> dict[str, object]:
    return {"type": 1, "components": list(children)}


EMBED_OF_6001 = [{"description": "d" * 4096}, {"description": "d" * 1905}]

INVALID = {
    "content over 2000": ({"content": "x" * 2001}, "content"),
    "eleven embeds": ({"embeds": [{"title": "t"}] * 11}, "embeds"),
    "embed title": ({"embeds": [{"title": "t" * 257}]}, "embeds"),
    "embed description": ({"embeds": [{"description": "t" * 4097}]}, "embeds"),
    "embed fields": ({"embeds": [{"fields": [{"name": "n", "value": "v"}] * 26}]}, "embeds"),
    "embed field name": ({"embeds": [{"fields": [{"name": "", "value": "v"}]}]}, "embeds"),
    "embed field value": ({"embeds": [{"fields": [{"name": "n", "value": "v" * 1025}]}]}, "embeds"),
    "embed footer": ({"embeds": [{"footer": {"text": "t" * 2049}}]}, "embeds"),
    "embeds in all": ({"embeds": EMBED_OF_6001}, "embeds"),
    "embed url": ({"embeds": [{"image": {"url": "file:///etc/passwd"}}]}, "embeds"),
    "nonce": ({"content": "x", "nonce": "n" * 26}, "nonce"),
    "custom id": ({"components": [row(button("c" * 101))]}, "components"),
    "same custom id": ({"components": [row(button(), button())]}, "components"),
    "six buttons": ({"components": [row(*(button(str(n)) for n in range(6)))]}, "components"),
    "six rows": ({"components": [row(button(str(n))) for n in range(6)]}, "components"),
    "button label": ({"components": [row(button(label="l" * 81))]}, "components"),
    "bare text display": ({"components": [{"type": 10, "content": "x"}]}, "components"),
    "v2 with content": ({"flags": V2, "content": "x", "components": [{"type": 10, "content": "x"}]}, "content"),
    "v2 with embeds": (
        {"flags": V2, "embeds": [{"title": "t"}], "components": [{"type": 10, "content": "x"}]},
        "embeds",
    ),
    "v2 with 41 components": ({"flags": V2, "components": [{"type": 14}] * 41}, "components"),
    "v2 with too much text": ({"flags": V2, "components": [{"type": 10, "content": "x" * 2001}] * 2}, "components"),
    "v2 gallery of eleven": (
        {"flags": V2, "components": [{"type": 12, "items": [{"media": {"url": "https://a.b/c"}}] * 11}]},
        "components",
    ),
    "v2 file that is not there": (
        {"flags": V2, "components": [{"type": 12, "items": [{"media": {"url": "attachment://no.mp4"}}]}]},
        "components",
    ),
    "mentions both ways": (
        {"content": "x", "allowed_mentions": {"parse": ["users"], "users": ["1"]}},
        "allowed_mentions",
    ),
    "unknown reference": ({"content": "x", "message_reference": {"message_id": "1"}}, "message_reference"),
}


@pytest.mark.parametrize(("body", "field"), INVALID.values(), ids=INVALID.keys())
async def test_invalid_values_are_refused_by_field(bot: RawBot, body: dict[str, object], field: str) -> None:
    status, answer = await bot("POST", MESSAGES, body)
    assert (status, answer["code"], answer["message"]) == (400, 50035, "Invalid Form Body")
    assert list(answer["errors"]) == [field]
    assert len(bot.local.messages(seed.VIDEOS_ID)) == 1


async def test_error_names_the_field_as_discord_does(bot: RawBot) -> None:
    _, answer = await bot("POST", MESSAGES, {"content": "x" * 2001})
    told = {"code": "BASE_TYPE_MAX_LENGTH", "message": "Must be 2000 or fewer in length."}
    assert answer["errors"] == {"content": {"_errors": [told]}}


@pytest.mark.parametrize("body", [{}, {"content": ""}, {"content": "   "}])
async def test_empty_message(bot: RawBot, body: dict[str, object]) -> None:
    status, answer = await bot("POST", MESSAGES, body)
    assert (status, answer["code"]) == (400, 50006)


async def test_wrong_token_and_broken_json(bot: RawBot) -> None:
    async with bot.session.post(bot.local.api_url + MESSAGES, data=b"{", headers=bot.headers) as answer:
        assert (answer.status, (await answer.json())["code"]) == (400, 50109)
    bot.headers = {"Authorization": "Bot wrong"}
    status, answer_body = await bot("GET", "/users/@me")
    assert (status, answer_body) == (401, {"message": "401: Unauthorized", "code": 0})


async def test_unknown_things(bot: RawBot) -> None:
    assert (await bot("GET", "/channels/1"))[1]["code"] == 10003
    assert (await bot("GET", "/guilds/1"))[1]["code"] == 10004
    assert (await bot("GET", MESSAGES + "/1"))[1]["code"] == 10008
    assert (await bot("GET", "/users/1"))[1]["code"] == 10013
    assert (await bot("GET", "/nowhere"))[0] == 404


async def test_enforced_nonce_gives_the_first_message_again(bot: RawBot) -> None:
    first = await post(bot, content="a", nonce="job-1", enforce_nonce=True)
    again = await post(bot, content="b", nonce="job-1", enforce_nonce=True)
    other = await post(bot, content="c", nonce="job-1")
    assert first["id"] == again["id"] != other["id"]
    assert again["content"] == "a"
    bot.local.settings.nonce_seconds = 0.0
    later = await post(bot, content="d", nonce="job-1", enforce_nonce=True)
    assert later["content"] == "d"


@pytest.mark.parametrize(
    ("allowed", "pinged"),
    [
        (None, [seed.MEMBER_ONE_ID, seed.MEMBER_TWO_ID]),
        (SUPPRESSED, []),
        ({"parse": [], "users": [str(seed.MEMBER_ONE_ID)]}, [seed.MEMBER_ONE_ID]),
        ({"parse": ["users"]}, [seed.MEMBER_ONE_ID, seed.MEMBER_TWO_ID]),
    ],
)
async def test_mentions(bot: RawBot, allowed: object, pinged: list[int]) -> None:
    text = f"<@{seed.MEMBER_ONE_ID}> <@!{seed.MEMBER_TWO_ID}> @everyone <@&{seed.MODERATOR_ROLE_ID}>"
    answer = await post(bot, content=text, allowed_mentions=allowed)
    assert [int(user["id"]) for user in answer["mentions"]] == pinged
    assert bot.local.world.messages[int(answer["id"])].pinged_user_ids == pinged
    assert answer["mention_everyone"] is False  # the bot may not mention everyone
    assert answer["mention_roles"] == []  # the role is not mentionable


async def test_mentionable_role_pings_its_members(bot: RawBot) -> None:
    role = bot.local.admin.add_role(bot.local.guild_id, "crew", mentionable=True)
    bot.local.admin.add_member(bot.local.guild_id, seed.MEMBER_TWO_ID, role_ids=(role.id,))
    answer = await post(bot, content=f"<@&{role.id}>")
    assert answer["mention_roles"] == [str(role.id)]
    assert bot.local.world.messages[int(answer["id"])].pinged_user_ids == [seed.MEMBER_TWO_ID]


async def test_reply_pings_the_author_unless_disabled(bot: RawBot) -> None:
    asked = await bot.local.person("member-one").say(seed.VIDEOS_ID, "hello")
    reference = {"message_id": str(asked.id)}
    answer = await post(bot, content="hi", message_reference=reference)
    assert answer["type"] == 19
    assert answer["referenced_message"]["content"] == "hello"
    assert bot.local.world.messages[int(answer["id"])].pinged_user_ids == [seed.MEMBER_ONE_ID]
    quiet = await post(
        bot, content="hi", message_reference=reference, allowed_mentions=SUPPRESSED | {"replied_user": False}
    )
    assert quiet["mentions"] == []


async def test_reply_to_a_deleted_message(bot: RawBot) -> None:
    reference = {"message_id": "1", "fail_if_not_exists": False}
    assert "message_reference" not in await post(bot, content="hi", message_reference=reference)


async def test_pages_of_history(bot: RawBot) -> None:
    ids = [int((await post(bot, content=str(n)))["id"]) for n in range(7)]

    async def page(query: str) -> list[int]:
        _, found = await bot("GET", f"{MESSAGES}?{query}")
        return [int(message["id"]) for message in found]

    assert await page("limit=2") == [ids[6], ids[5]]
    assert await page(f"limit=2&before={ids[5]}") == [ids[4], ids[3]]
    assert await page(f"limit=2&after={ids[1]}") == [ids[3], ids[2]]
    assert await page(f"limit=3&around={ids[3]}") == [ids[4], ids[3], ids[2]]
    assert (await bot("GET", MESSAGES + "?limit=101"))[1]["code"] == 50035


async def test_edit_keeps_fields_that_are_not_given(bot: RawBot) -> None:
    first = await post(bot, content="a", embeds=[{"title": "t"}], components=[row(button())])
    path = f"{MESSAGES}/{first['id']}"
    _, edited = await bot("PATCH", path, {"content": "b"})
    assert (edited["content"], edited["embeds"][0]["title"]) == ("b", "t")
    assert edited["edited_timestamp"] is not None
    _, bare = await bot("PATCH", path, {"embeds": [], "components": None})
    assert (bare["embeds"], bare["components"]) == ([], [])
    assert (await bot("PATCH", path, {"content": ""}))[1]["code"] == 50006


async def test_edit_and_delete_of_others_messages(bot: RawBot) -> None:
    theirs = await bot.local.person("member-one").say(seed.VIDEOS_ID, "mine")
    path = f"{MESSAGES}/{theirs.id}"
    assert (await bot("PATCH", path, {"content": "x"}))[1]["code"] == 50005
    assert (await bot("DELETE", path))[1]["code"] == 50013
    bot.local.admin.set_overwrite(seed.VIDEOS_ID, seed.BOT_ROLE_ID, allow=permissions.MANAGE_MESSAGES)
    assert (await bot("DELETE", path))[0] == 204
    assert (await bot("DELETE", path))[1]["code"] == 10008


async def test_edits_of_old_messages_have_a_lower_rate_limit(bot: RawBot) -> None:
    bot.local.settings.late_edits_per_hour = 2
    first = await post(bot, content="a")
    bot.local.world.messages[int(first["id"])].timestamp -= 3601
    path = f"{MESSAGES}/{first['id']}"
    statuses = [(await bot("PATCH", path, {"content": str(n)}))[0] for n in range(3)]
    assert statuses == [200, 200, 429]
    _, answer = await bot("PATCH", path, {"content": "x"})
    assert answer["code"] == 30046
    assert answer["retry_after"] > 3000


async def test_edits_replace_or_keep_files(bot: RawBot) -> None:
    files: list[File] = [("a b.png", picture()), ("c.mp4", b"video")]
    told = {"attachments": [{"id": 0, "filename": "a b.png", "description": "alt"}, {"id": 1}]}
    _, sent = await bot("POST", MESSAGES, told, files)
    image, video = sent["attachments"]
    assert (image["filename"], image["width"], image["height"]) == ("a_b.png", 64, 48)
    assert (image["description"], image["content_type"], image["size"]) == ("alt", "image/png", len(picture()))
    assert video["content_type"] == "video/mp4"
    path = f"{MESSAGES}/{sent['id']}"
    kept = {"attachments": [{"id": video["id"]}, {"id": 0, "filename": "new.txt"}]}
    _, edited = await bot("PATCH", path, kept, [("new.txt", b"text")])
    assert [a["filename"] for a in edited["attachments"]] == ["c.mp4", "new.txt"]
    with pytest.raises(KeyError):
        bot.local.file(int(image["id"]))


async def test_embed_shows_an_attached_picture(bot: RawBot) -> None:
    body = {"embeds": [{"image": {"url": "attachment://a.png"}}], "attachments": [{"id": 0}]}
    _, sent = await bot("POST", MESSAGES, body, [("a.png", picture())])
    assert sent["attachments"] == []
    assert sent["embeds"][0]["image"]["url"].startswith(bot.local.origin)
    assert sent["embeds"][0]["image"]["width"] == 64


@pytest.mark.parametrize("name", ["Kätzchen & Co.png", "../../etc/passwd", "a%2Fb#c?.mp4", "..."])
async def test_attachments_with_any_filename_can_be_fetched(bot: RawBot, name: str) -> None:
    _, sent = await bot("POST", MESSAGES, {"attachments": [{"id": 0, "filename": name}]}, [("x", b"content")])
    async with bot.session.get(sent["attachments"][0]["url"]) as answer:
        assert (answer.status, await answer.read()) == (200, b"content")


async def test_tampered_address_is_refused(bot: RawBot) -> None:
    _, sent = await bot("POST", MESSAGES, {}, [("a.txt", b"content")])
    url = yarl.URL(sent["attachments"][0]["url"])
    for tampered in (url.with_query(None), url.update_query(ex="ffffffff"), url.with_name("b.txt")):
        async with bot.session.get(tampered) as answer:
            assert answer.status == 404


async def test_upload_limit_of_the_server(bot: RawBot) -> None:
    bot.local.admin.edit_guild(bot.local.guild_id, upload_limit_bytes=100)
    status, answer = await bot("POST", MESSAGES, {}, [("big.mp4", b"x" * 101)])
    assert (status, answer["code"]) == (413, 40005)
    assert (await bot("POST", MESSAGES, {}, [("fits.mp4", b"x" * 100)]))[0] == 200


async def test_refreshed_attachment_urls(bot: RawBot) -> None:
    _, sent = await bot("POST", MESSAGES, {}, [("a.txt", b"text")])
    old = sent["attachments"][0]["url"]
    bot.local.admin.expire_attachment_urls()
    _, answer = await bot("POST", "/attachments/refresh-urls", {"attachment_urls": [old]})
    fresh = answer["refreshed_urls"][0]["refreshed"]
    async with bot.session.get(old) as gone, bot.session.get(fresh) as found:
        assert (gone.status, found.status) == (404, 200)
        assert await found.text() == "text"


@pytest.mark.parametrize(
    ("denied", "body", "files"),
    [
        (permissions.SEND_MESSAGES, {"content": "x"}, None),
        (permissions.EMBED_LINKS, {"embeds": [{"title": "t"}]}, None),
        (permissions.ATTACH_FILES, {}, [("a.txt", b"x")]),
    ],
)
async def test_missing_permission(bot: RawBot, denied: int, body: object, files: list[File] | None) -> None:
    bot.local.admin.set_overwrite(seed.VIDEOS_ID, seed.BOT_ROLE_ID, deny=denied)
    status, answer = await bot("POST", MESSAGES, body, files)
    assert (status, answer["code"]) == (403, 50013)


async def test_hidden_channel(bot: RawBot) -> None:
    hidden = bot.local.admin.add_channel(bot.local.guild_id, "secret", private=True)
    status, answer = await bot("POST", f"/channels/{hidden.id}/messages", {"content": "x"})
    assert (status, answer["code"]) == (403, 50001)


async def test_requests_are_recorded(bot: RawBot) -> None:
    await bot("POST", MESSAGES + "?a=1", {"content": "x"}, [("a.txt", b"123")])
    recorded = bot.local.requests[-1]
    assert (recorded.method, recorded.route) == ("POST", "/channels/{channel_id}/messages")
    assert (recorded.path, recorded.query, recorded.json) == (MESSAGES, {"a": "1"}, {"content": "x"})
    assert [(file.filename, file.size) for file in recorded.files] == [("a.txt", 3)]
    assert (recorded.status, recorded.code) == (200, None)


async def test_cut_connections_are_recorded_without_a_status(bot: RawBot) -> None:
    for cut in ("before", "after"):
        bot.local.faults.add("POST", r"/api/v10/channels/\d+/messages", Fault(cut=cut))
        with pytest.raises(aiohttp.ClientError):
            await bot("POST", MESSAGES, {"content": cut})
    assert [(request.json["content"], request.status) for request in bot.local.requests] == [
        ("before", None),
        ("after", None),
    ]
    assert [message.content for message in bot.local.messages(seed.VIDEOS_ID)[1:]] == ["after"]
