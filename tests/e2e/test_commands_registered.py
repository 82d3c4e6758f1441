"""Registering the commands: tried again while the bot runs, and nobody else's command is lost."""

import json
from pathlib import Path

import pytest

from bot.backoff import Backoff
from tests.e2e.stage import COMMANDS, running_bot, servers
from tests.local.faults import Fault

ROUTE = r"/api/v10/applications/\d+/commands"
ENTRY_POINT = {"id": "7", "application_id": "1", "version": "2", "type": 4, "name": "launch", "handler": 2}


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_a_registration_that_failed_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setattr("bot.client._SYNC_BACKOFF", Backoff(0.05, 0.1))
    async with servers(tmp_path) as stage:
        met = stage.discord.faults.add(method, ROUTE, Fault(status=403, body={"code": 20012, "message": "no"}), times=3)
        async with running_bot(stage):
            assert met.hits == 3
            assert len(stage.discord.commands) == COMMANDS


async def test_an_entry_point_command_is_handed_back_unchanged(tmp_path: Path) -> None:
    async with servers(tmp_path) as stage:
        async with running_bot(stage):
            pass
        known = [command.body for command in stage.discord.commands]
        stage.discord.faults.add("GET", ROUTE, Fault(status=200, body=[*known[1:], ENTRY_POINT]))
        sent = stage.discord.faults.add("PUT", ROUTE, Fault(status=200, body=[]))
        async with running_bot(stage):
            await stage.until(lambda: sent.hits)
            (*_, request) = stage.discord.requests.matching("PUT", "/applications/{application_id}/commands")
            body = json.loads(json.dumps(request.json))
            assert ENTRY_POINT in body
            assert len(body) == COMMANDS + 1
            # With nothing of its own changed, nothing is sent.
            stage.discord.faults.add("GET", ROUTE, Fault(status=200, body=[*known, ENTRY_POINT]))
            assert stage.bot
            assert await stage.bot._sync_commands()
            assert sent.hits == 1
