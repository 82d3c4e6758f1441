"""Answers for one person: lists in pages, files, forms and public answers, also after a restart of the bot."""

import aiohttp
import pytest
from discord.ext import commands

from sandbox.discord.world.constants import CallbackType, MessageType
from sandbox.discord.world.errors import ClientError
from tests.local.people import InteractionRecord
from tests.local.servers import LocalDiscord
from tests.sandbox.discord.tools import Stage, real_bot
from tests.sandbox.page.pool_commands import BUTTONS, GROUPS, LEDGER


def add_pool(bot: commands.AutoShardedBot) -> None:
    for group in GROUPS:
        bot.tree.add_command(group)
    bot.add_dynamic_items(*BUTTONS)


async def listed(stage: Stage) -> InteractionRecord:
    record = await stage.local.person("moderator").slash(stage.videos, "pool history")
    assert (await record.finished()).content == "Page 1"
    return record


async def test_a_list_is_paged_after_a_restart_of_the_bot(monkeypatch: pytest.MonkeyPatch) -> None:
    local = LocalDiscord(rate_limits=False)
    async with real_bot(monkeypatch, add_pool, local) as stage:
        listing = (await listed(stage)).message
    async with real_bot(monkeypatch, add_pool, local):
        moderator = local.person("moderator")
        turned = await (await moderator.press(listing.id, "Next")).answered()
        assert (turned.type, turned.ephemeral) == (CallbackType.UPDATE, True)
        assert listing.content == "Page 2"
        with pytest.raises(ClientError, match="could not be found"):
            await local.person("member-one").press(listing.id, "Next")
        opened = await (await moderator.press(listing.id, "Deny")).answered()
        submitted = await (await moderator.submit(opened.id, {"reason": "too expensive"})).answered()
        assert submitted.type == CallbackType.UPDATE
        assert (listing.content, listing.components, listing.ephemeral) == ("Denied: too expensive", [], True)


async def test_a_public_answer_shows_nothing_of_an_ephemeral_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async with real_bot(monkeypatch, add_pool) as stage:
        listing = (await listed(stage)).message
        shared = await (await stage.local.person("moderator").press(listing.id, "Share")).answered()
        public = shared.message
        assert (shared.type, public.type, public.ephemeral) == (CallbackType.MESSAGE, MessageType.REPLY, False)
        shown = stage.local.payload(public)
        assert shown["message_reference"]["message_id"] == str(listing.id)
        assert shown["referenced_message"] is None
        assert public in stage.local.messages(stage.videos, stage.local.person("member-one").id)


async def test_an_ephemeral_file_is_for_one_person(monkeypatch: pytest.MonkeyPatch) -> None:
    async with real_bot(monkeypatch, add_pool) as stage, aiohttp.ClientSession() as session:
        record = await stage.local.person("moderator").slash(stage.videos, "pool export")
        filled = await record.finished()
        assert record.ephemeral
        (file,) = stage.local.payload(filled)["attachments"]
        assert (file["filename"], file["size"], file["ephemeral"]) == ("ledger.csv", len(LEDGER), True)
        async with session.get(file["url"]) as answer:
            assert await answer.read() == LEDGER
            assert answer.content_type == "text/csv"
        async with session.get(file["url"].partition("?")[0]) as unsigned:
            assert unsigned.status == 404
        for name in ("member-one", "operator"):
            person = stage.local.person(name)
            assert filled not in stage.local.messages(stage.videos, person.id)
            url = f"{stage.local.origin}/client/channels/{stage.videos}/messages?user={person.id}"
            async with session.get(url) as history:
                assert "ledger.csv" not in await history.text()
