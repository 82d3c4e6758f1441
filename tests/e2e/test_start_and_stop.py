"""The bot as a process: what it prints, how it starts and how it ends."""

import json
import re
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.client import PERMISSIONS
from sandbox.run import bot_environment
from tests.bot_process import WAIT_SECONDS, Running, run, started
from tests.e2e.stage import GENERATE, Stage, is_up, picture, servers
from tests.local.faults import Fault

COMMANDS_ROUTE = "/applications/{application_id}/commands"


@asynccontextmanager
async def process(stage: Stage, folder: Path, **changes: str) -> AsyncIterator[Running]:
    """Start the bot and wait until it can be used."""
    environment = bot_environment(stage.discord, stage.ulazai, folder) | {"POLL_MIN_INTERVAL_SECONDS": "0.1"}
    async with started(environment | changes, folder) as bot:
        await stage.discord.wait_for(lambda: is_up(stage), WAIT_SECONDS)
        yield bot


async def stopped(bot: Running, number: int = signal.SIGTERM) -> None:
    """Tell the bot to stop; it does so in time and without complaint."""
    began = time.monotonic()
    bot.process.send_signal(number)
    assert await bot.process.wait() == 0
    assert time.monotonic() - began < 10


async def test_start_says_that_it_is_ready_once_and_how_to_invite_it(tmp_path: Path) -> None:
    async with servers(tmp_path) as stage:
        async with process(stage, tmp_path) as bot:
            await stage.until(lambda: any("] ready " in line for line in bot.log))
            stage.discord.services.gateway.invalidate()
            await stage.discord.wait_for(lambda: stage.discord.services.sessions.identified == 2, WAIT_SECONDS)
            await stage.discord.wait_online()
            await stage.ask()
            await stage.delivered()
            await stopped(bot)
        text = "".join(bot.log)
    (link,) = re.findall(r"https://discord\.com/oauth2/authorize\?\S+?(?=['\"\s])", text)
    assert f"permissions={PERMISSIONS.value}" in link
    assert "scope=bot+applications.commands" in link
    assert f"client_id={stage.discord.application_id}" in link
    assert len(re.findall(r"\] ready ", text)) == 1
    assert "Traceback" not in text


async def test_commands_are_registered_only_when_they_changed(tmp_path: Path) -> None:
    async with servers(tmp_path) as stage:
        async with process(stage, tmp_path) as bot:
            await stopped(bot)
        assert len(stage.discord.requests.matching("PUT", COMMANDS_ROUTE)) == 1
        async with process(stage, tmp_path) as bot:
            await stopped(bot)
        assert len(stage.discord.requests.matching("PUT", COMMANDS_ROUTE)) == 1
        changed = next(iter(stage.discord.world.commands.values()))
        changed.body["description"] = "of an older version"
        async with process(stage, tmp_path) as bot:
            await stopped(bot)
        assert len(stage.discord.requests.matching("PUT", COMMANDS_ROUTE)) == 2


async def test_ctrl_c_stops_it_as_cleanly(tmp_path: Path) -> None:
    async with servers(tmp_path) as stage, process(stage, tmp_path) as bot:
        await stage.ask()
        await stopped(bot, signal.SIGINT)
    assert "Traceback" not in "".join(bot.log)


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
async def test_json_lines_parse_and_hold_no_secret(tmp_path: Path, level: str) -> None:
    async with servers(tmp_path) as stage:
        async with process(stage, tmp_path, LOG_FORMAT="json", LOG_LEVEL=level) as bot:
            await use_everything(stage)
            await stopped(bot)
        text = "".join(bot.log)
        tokens = [interaction.token for interaction in stage.discord.services.registry._by_id.values()]
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["event"] for line in lines].count("ready") == 1
    assert len(tokens) >= 4
    for secret in (stage.discord.token, stage.ulazai.api_key, *tokens):
        assert secret not in text
    if level == "INFO":
        assert {line["level"] for line in lines} <= {"info", "warning", "error"}


async def use_everything(stage: Stage) -> None:
    """Let every kind of line be written: success, refusal, provider trouble, rate limits."""
    await stage.ask()
    record = await stage.member.slash(
        stage.videos, "animate", files={"image": ("a.png", picture())}, prompt="it blinks"
    )
    await record.finished()
    stage.ulazai.faults.add("POST", GENERATE, Fault(status=500))
    await stage.ask("unclear")
    limited = Fault(status=429, body={"message": "", "retry_after": 0.1, "global": False}, headers={"Via": "x"})
    stage.discord.faults.add("PATCH", r"/api/v10/webhooks/.*", limited)
    stage.discord.faults.add("PATCH", r"/api/v10/webhooks/.*", Fault(status=404, body={"code": 10015, "message": "?"}))
    stage.discord.faults.add("POST", r"/api/v10/interactions/.*", Fault(cut="before"))
    record = await stage.member.slash(stage.videos, "usage")
    await record.settled()
    await stage.delivered(3)


async def test_wrong_token_is_one_readable_line_and_exit_code_1(tmp_path: Path) -> None:
    async with servers(tmp_path) as stage:
        environment = bot_environment(stage.discord, stage.ulazai, tmp_path) | {"DISCORD_TOKEN": "wrong-token"}
        ended = await run(environment, tmp_path)
    assert ended.code == 1
    *_, last = ended.errors.splitlines()
    assert last.startswith("reelpool: ")
    assert "DISCORD_TOKEN" in last
    assert "Traceback" not in ended.errors
    assert "Unclosed" not in ended.errors


async def test_wrong_settings_are_reported_together_before_any_request(tmp_path: Path) -> None:
    async with servers(tmp_path) as stage:
        environment = bot_environment(stage.discord, stage.ulazai, tmp_path)
        wrong = {"DISCORD_TOKEN": "", "LIMIT_ACTIVE_JOBS": "many", "ULAZAI_BASE_URL": "ftp://x", "LOG_LEVEL": "loud"}
        ended = await run(environment | wrong, tmp_path)
        assert len(stage.discord.requests) == 0
    assert ended.code == 2
    assert all(name in ended.errors for name in wrong)
    assert "Traceback" not in ended.errors
    assert not stage.settings.database_path.exists()


async def test_discord_away_at_start_is_waited_for(tmp_path: Path) -> None:
    async with servers(tmp_path) as stage:
        stage.discord.faults.add("GET", "/api/v10/users/@me", Fault(status=503))
        for fault in (Fault(cut="before"), Fault(status=503)):
            stage.discord.faults.add("GET", "/api/v10/gateway/bot", fault)
        async with process(stage, tmp_path) as bot:
            await stage.ask()
            await stage.delivered()
            await stopped(bot)
    assert "Traceback" not in "".join(bot.log)
    assert "Unclosed" not in "".join(bot.log)
