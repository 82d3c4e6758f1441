"""What the bot sends to Discord is what Discord's official schema describes."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import moderation, schema
from tests.e2e.stage import GENERATE, MESSAGES, THREADS, Stage, hold_finish, picture, running_bot, servers
from tests.local.faults import Fault
from tests.local.people import InteractionRecord, Value
from tests.local.recording import RecordedRequest

pytestmark = pytest.mark.skipif(not schema.PATH.exists(), reason="needs ../shared/discord-openapi.json")

BUSY = Fault(status=429, headers={"Retry-After": "600"})


async def use(stage: Stage, command: str, **options: Value) -> InteractionRecord:
    record = await stage.member.slash(stage.videos, command, files=None, **options)
    await record.finished()
    return record


async def make_videos(stage: Stage) -> None:
    """From text and from pictures, by every way to ask."""
    await stage.card_says(await stage.ask("a <@1> @everyone **cat**\n# on the moon", sound=True, publish=True), "Ready")
    # Attachments expire within the hour: their addresses are refreshed before they are sent.
    stage.discord.settings.attachment_url_seconds = 1800
    files = {"image": ("cat.png", picture())}
    record = await stage.member.slash(stage.videos, "animate", files=files, prompt="it blinks", duration=5)
    await record.finished()
    stage.discord.settings.attachment_url_seconds = 86_400
    message = await stage.member.say(stage.videos, "look", [("cat.png", picture())])
    opener = await (await stage.member.menu(message.id, "Animate image")).answered()
    values: dict[str, Value | None] = {"prompt": "it purrs", "duration": ["5"], "sound": ["no"], "publish": ["no"]}
    await (await stage.member.submit(opener.id, values)).finished()
    await stage.delivered(3)


async def fail_in_every_way(stage: Stage) -> None:
    """Failed, refused, unconfirmed with its buttons, too large to attach, no thread, no channel."""
    stage.ulazai.fail_next("too dark")
    await stage.outcome(await stage.ask("fails"))
    await stage.delivered(4)
    stage.ulazai.faults.add("POST", GENERATE, Fault(cut="before"))
    told = await stage.outcome(await stage.ask("unclear"))
    await stage.delivered(5)
    await decide(stage, told.id)
    stage.discord.faults.add("POST", MESSAGES, Fault(status=413))
    await stage.outcome(await stage.ask("too large"))
    await stage.delivered(6)
    refused = Fault(status=403, body={"code": 50013, "message": "Missing Permissions"})
    stage.discord.faults.add("POST", THREADS, refused, times=None)
    stage.discord.faults.add("POST", rf"/api/v10/channels/{stage.videos}/messages", refused, times=None)
    await stage.ask("by direct message")
    await stage.delivered(7)
    stage.discord.faults.clear()


async def decide(stage: Stage, message_id: int) -> None:
    """A moderator looks at the unconfirmed job and finds that nothing was made."""
    moderator = stage.discord.person("moderator")
    if "unconfirmed" in moderator.offered(stage.videos):
        await (await moderator.slash(stage.videos, "unconfirmed")).finished()
    opener = await (await moderator.press(message_id, "Charged")).answered()
    await (await moderator.submit(opener.id, {"task_id": "no-such-task"})).answered()
    await (await moderator.press(message_id, "Not charged")).answered()
    await stage.until(lambda: stage.states[-1] == "failed" and stage.jobs[-1]["delivered_at"])


async def ask_privately(stage: Stage) -> None:
    """/usage, /history and /cancel, with jobs and without, refused and slow."""
    stage.ulazai.faults.add("POST", GENERATE, BUSY, times=None)
    for number in range(3):
        await stage.card_says(await stage.ask(f"waits {number}"), "UlazAI is busy")
    await stage.ask("one too many")
    for command in ("usage", "history", "cancel"):
        await use(stage, command)
    await (await stage.member.autocomplete(stage.videos, "cancel", "job")).answered()
    with busy_database(stage):
        record = await stage.member.slash(stage.videos, "video", prompt="slow")
        await record.answered()
    await stage.discord.wait_for(lambda: [m for m in record.messages if m.ephemeral])
    await use(stage, "cancel", job=stage.jobs[-1]["id"])
    await (await stage.member.dm_slash("usage")).answered()
    await (await stage.member.slash(stage.videos, "video", prompt=" ")).answered()


async def moderate(stage: Stage) -> None:
    """Cards with their decisions, a picture and a refused prompt, and what the moderators' channel is told."""
    await moderation.set_up(stage)
    for label in ("Approve", "Approve cheaper: 5 s silent (55 credits)"):
        await moderation.ask_expensive(stage)
        await moderation.press(stage, await moderation.newest_card(stage), label)
    files = {"image": ("cat.png", picture())}
    await (await stage.member.slash(stage.videos, "animate", files=files, prompt="a *mouse*", duration=10)).finished()
    await moderation.deny(stage, await moderation.newest_card(stage), "not today")
    await moderation.pool(stage, "words add", words="mouse")
    refused = await (await stage.member.slash(stage.videos, "video", prompt="a mouse")).answered()
    await (await stage.member.press(refused.message.id, "Ask a moderator")).answered()
    await moderation.newest_card(stage)
    listing = await moderation.pool(stage, "waiting")
    await moderation.press(stage, listing.message, f"#{stage.jobs[-1]['id']}: Approve")
    await stage.delivered(4)
    left = stage.rows("SELECT available_credits FROM pools")[0]["available_credits"]
    await moderation.pool(stage, "withdraw", "operator", credits=left, reason="enough")
    await stage.message_in(moderation.moderators_channel(stage), "are left in the pool")


@contextmanager
def busy_database(stage: Stage) -> Iterator[None]:
    """Let nobody else write to the bot's database."""
    connection = sqlite3.connect(stage.settings.database_path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    yield
    connection.close()


async def restart(stage: Stage) -> None:
    """Cards that have outlived their interaction's token, and a result that was posted, and nobody noted it."""
    async with running_bot(stage):
        await stage.outcome(await stage.ask("posted already"))
        await stage.delivered()
        hold = hold_finish(stage)
        card = await stage.ask("over a restart")
        await stage.thread(card)
        await stage.until(lambda: stage.states == ["succeeded", "processing"])
    with closing(sqlite3.connect(stage.settings.database_path)) as connection, connection:
        connection.execute("UPDATE jobs SET delivered_at = NULL, result_message_id = NULL")
        connection.execute(
            "UPDATE jobs SET finished_at = created_at, delivery_began_at = '2026-01-01 00:00:00.000000' WHERE id = 1"
        )
    hold.release()
    async with running_bot(stage):
        await stage.outcome(card)
        await stage.card_says(card, "Ready")
        await stage.delivered(2)


async def assert_described(requests: list[RecordedRequest], wanted: set[str]) -> None:
    """Every request is one that Discord describes, and the wanted ones are among them."""
    faults = [fault for request in requests for fault in schema.official().faults(request)]
    assert faults == []
    assert wanted <= {f"{request.method} {request.route}" for request in requests}


async def test_everything_a_bot_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cogs.interactions.responses._DEFER_AFTER_SECONDS", 0.2)
    async with servers(tmp_path, limit_window_credits=0) as stage:
        async with running_bot(stage):
            await make_videos(stage)
            await fail_in_every_way(stage)
            await ask_privately(stage)
        await assert_described(
            list(stage.discord.requests),
            {
                "PUT /applications/{application_id}/commands",
                "POST /interactions/{interaction_id}/{token}/callback",
                "POST /webhooks/{application_id}/{token}",
                "PATCH /webhooks/{application_id}/{token}/messages/{message_id}",
                "DELETE /webhooks/{application_id}/{token}/messages/{message_id}",
                "POST /channels/{channel_id}/messages/{message_id}/threads",
                "POST /channels/{channel_id}/messages",
                "POST /users/@me/channels",
                "POST /attachments/refresh-urls",
            },
        )
        kinds = {request.json["type"] for request in stage.discord.requests if "/callback" in request.route}
        assert {4, 5, 8, 9} <= kinds


async def test_what_moderators_see_and_do(tmp_path: Path) -> None:
    async with servers(tmp_path, limit_window_credits=0) as stage:
        async with running_bot(stage):
            await moderate(stage)
        await assert_described(
            list(stage.discord.requests),
            {"POST /channels/{channel_id}/messages", "PATCH /channels/{channel_id}/messages/{message_id}"},
        )
        kinds = {request.json["type"] for request in stage.discord.requests if "/callback" in request.route}
        assert {4, 7, 9} <= kinds


async def test_what_a_bot_does_after_a_restart(tmp_path: Path) -> None:
    async with servers(tmp_path) as stage:
        await restart(stage)
        await assert_described(
            list(stage.discord.requests),
            {"PATCH /channels/{channel_id}/messages/{message_id}", "GET /channels/{channel_id}/messages"},
        )


@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    [
        ("POST", "/channels/1/messages", {"content": "a" * 4001}, "too long"),
        ("POST", "/channels/1/messages", {"contents": "a"}, "contents"),
        ("POST", "/channels/1/messages", {"nonce": "a" * 26}, "nonce"),
        ("POST", "/channels/1/messages", {"embeds": [{"title": 7}]}, "embeds"),
        ("POST", "/channels/1/messages/2/threads", {}, "name"),
        ("POST", "/interactions/1/token/callback", {"type": 4, "data": {"content": 7}}, "content"),
        ("POST", "/interactions/1/token/callback", {"type": 99}, "type"),
        ("PUT", "/applications/1/commands", [{"name": "video", "type": 1, "options": [{}]}], "options"),
        ("POST", "/channels/1/no-such-thing", {}, "no such route"),
        ("GET", "/users/@me", {"a": 1}, "no body"),
    ],
)
def test_the_schema_finds_what_is_wrong(method: str, path: str, body: Any, words: str) -> None:  # noqa: ANN401 - JSON
    request = RecordedRequest(method, path, path, {}, body, (), 200, None, 0.0, 0.0)
    (fault,) = schema.official().faults(request)
    assert words in fault
