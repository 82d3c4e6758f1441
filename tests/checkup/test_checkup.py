"""`reelpool check` against both local servers: all well, and each fault with its cure."""

import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
import pytest_asyncio

from bot.checkup.discord_account import command_names
from bot.checkup.findings import Finding, Verdict
from bot.checkup.run import check_all
from bot.client import PERMISSIONS
from bot.clock import Clock, SteadyClock, SystemClock
from bot.storage.database import Database
from sandbox.discord.world import permissions, seed
from sandbox.run import bot_environment
from tests.e2e.stage import Stage, running_bot, servers
from tests.local.faults import Fault

NOBODY = "http://127.0.0.1:9"
"""An address where nobody listens: the port is the discard service's."""

SUBJECTS = [
    "settings",
    "database",
    "disk space",
    "books",
    "UlazAI key",
    "Discord token",
    "Public Bot",
    "commands",
    "server Reelpool Studio",
]
ACCOUNT = r"/api/v10/users/@me"
STATUS = r"/kling26/api/status/.*"


@pytest_asyncio.fixture
async def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    """Both servers, and the environment in which a bot would find them; its commands are registered already."""
    async with servers(tmp_path) as ready:
        environment = bot_environment(ready.discord, ready.ulazai, tmp_path)
        for name in ("DISCORD_TOKEN", "DISCORD_API_URL", "ULAZAI_API_KEY", "ULAZAI_BASE_URL", "DATABASE_URL"):
            monkeypatch.setenv(name, environment[name])
        monkeypatch.chdir(tmp_path)
        async with running_bot(ready):
            pass
        yield ready


async def findings(clock: Clock | None = None) -> dict[str, Finding]:
    """What is found, by its subject; nothing of it shows a secret or takes more than a line."""
    found = [finding async for finding in check_all(clock or SystemClock())]
    secrets = {os.environ.get(name) for name in ("DISCORD_TOKEN", "ULAZAI_API_KEY")} - {None, ""}
    for finding in found:
        line = f"{finding.subject}: {finding.text}"
        assert line.isprintable()
        assert not any(secret in line for secret in secrets if secret)
    return {finding.subject: finding for finding in found}


async def test_all_is_well_while_the_bot_runs(stage: Stage) -> None:
    async with running_bot(stage):
        found = await findings()
        assert stage.discord.bot_online
    assert [*found] == [*SUBJECTS, "clock"]
    assert {finding.verdict for finding in found.values()} == {Verdict.OK}
    assert not stage.ulazai.tasks
    assert "reelpool" in found["Discord token"].text


@pytest.mark.usefixtures("stage")
async def test_all_is_well_when_it_stands_still() -> None:
    found = await findings()
    assert {finding.verdict for finding in found.values()} == {Verdict.OK}
    assert found["database"].text.endswith("MB, sound, of this version.")


class Case(NamedTuple):
    """A fault, the line on which it is seen, and what that says, the cure included."""

    spoil: Callable[[Stage, pytest.MonkeyPatch], object]
    subject: str
    verdict: Verdict
    says: str


def missing_rights(stage: Stage, _: pytest.MonkeyPatch) -> None:
    guild = stage.discord.world.guild(stage.discord.guild_id)
    for role in guild.roles:
        stage.discord.admin.set_role_permissions(guild.id, role, permissions.VIEW_CHANNEL)


def damage(stage: Stage, _: pytest.MonkeyPatch) -> None:
    with stage.settings.database_path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(4096))


def sql(statement: str) -> Callable[[Stage, pytest.MonkeyPatch], None]:
    def spoil(stage: Stage, _: pytest.MonkeyPatch) -> None:
        with closing(sqlite3.connect(stage.settings.database_path)) as connection, connection:
            connection.execute(statement)

    return spoil


def setting(name: str, value: str) -> Callable[[Stage, pytest.MonkeyPatch], None]:
    return lambda _, monkeypatch: monkeypatch.setenv(name, value)


def ulazai_fault(fault: Fault) -> Callable[[Stage, pytest.MonkeyPatch], object]:
    return lambda stage, _: stage.ulazai.faults.add("GET", STATUS, fault, times=None)


def discord_fault(path: str, fault: Fault) -> Callable[[Stage, pytest.MonkeyPatch], object]:
    return lambda stage, _: stage.discord.faults.add("GET", path, fault, times=None)


TOKEN, KEY, SERVER, WRONG, WARNING = "Discord token", "UlazAI key", SUBJECTS[-1], Verdict.WRONG, Verdict.WARNING
HTML = Fault(status=200, body="<html>hello</html>", content_type="text/html")
GUILD = r"/api/v10/guilds/\d+"
WITHOUT_ROLES = Fault(status=200, body={"id": str(seed.GUILD_ID), "name": "Reelpool Studio", "owner_id": "1"})

CASES = {
    "wrong token": Case(setting("DISCORD_TOKEN", "not-the-token"), TOKEN, WRONG, "refused: copy it again from the"),
    "no Discord": Case(setting("DISCORD_API_URL", NOBODY), TOKEN, WRONG, "can't be reached: check the network and"),
    "Discord away": Case(
        discord_fault(ACCOUNT, Fault(status=503)), TOKEN, WRONG, "answered with status 503: check the"
    ),
    "no Discord there": Case(discord_fault(ACCOUNT, HTML), TOKEN, WRONG, "does not answer as Discord does: check the"),
    "Discord hangs up": Case(discord_fault(ACCOUNT, Fault(cut="before")), TOKEN, WRONG, "can't be reached: check the"),
    "wrong key": Case(lambda stage, _: stage.ulazai.revoke_key(), KEY, WRONG, "refused: put the key from your UlazAI"),
    "no UlazAI": Case(setting("ULAZAI_BASE_URL", NOBODY), KEY, WRONG, "can't be reached: check the network and"),
    "UlazAI away": Case(
        ulazai_fault(Fault(status=502)), KEY, WRONG, "status 502 (an empty answer): check again in a while"
    ),
    "UlazAI hangs up": Case(ulazai_fault(Fault(cut="before")), KEY, WRONG, "check again in a while"),
    "UlazAI busy": Case(ulazai_fault(Fault(status=429)), KEY, WARNING, "check again in a while"),
    "404 to everybody": Case(ulazai_fault(Fault(status=404)), KEY, WARNING, "make sure that ULAZAI_BASE_URL is"),
    "no UlazAI there": Case(
        ulazai_fault(Fault(body={"success": True, "data": {"status": "processing"}})), KEY, WARNING, "ULAZAI_BASE_URL"
    ),
    "missing rights": Case(missing_rights, SERVER, WRONG, "the bot lacks Send Messages, Embed Links, Attach Files,"),
    "roles not sent": Case(discord_fault(GUILD, WITHOUT_ROLES), SERVER, WRONG, "not known, Discord did not send its"),
    "server not shown": Case(discord_fault(GUILD, Fault(status=403, body={})), SERVER, WRONG, "answered with status"),
    "servers not shown": Case(
        discord_fault(ACCOUNT + "/guilds", Fault(status=403, body={})), "servers", WRONG, "status 403: check again"
    ),
    "in no server": Case(
        lambda stage, _: stage.discord.admin.remove_bot(stage.discord.guild_id), "servers", WARNING, "invite it with"
    ),
    "no commands": Case(
        lambda stage, _: stage.discord.world.commands.clear(), "commands", WARNING, "Start the bot, it registers them"
    ),
    "open to everybody": Case(
        setting("POOL_OPEN_FOR_ALL_SERVERS", "true"), "Public Bot", WARNING, "switch it off in the developer portal"
    ),
    "damaged": Case(damage, "database", WRONG, "is damaged"),
    "newer": Case(sql("UPDATE alembic_version SET version_num = '9'"), "database", WRONG, "Install the newer version"),
    "older": Case(sql("DELETE FROM alembic_version"), "database", WARNING, "of an older version: make a backup"),
    "somebody else's": Case(sql("DROP TABLE alembic_version"), "database", WRONG, "database of something else: let"),
    "disk nearly full": Case(
        lambda _, patch: patch.setattr("bot.checkup.database._LITTLE_ROOM_BYTES", 1e30),
        "disk space",
        WARNING,
        "make room soon",
    ),
    "disk full": Case(
        lambda _, patch: patch.setattr("bot.checkup.database._NO_ROOM_BYTES", 1e30), "disk space", WRONG, "make room"
    ),
}


@pytest.mark.parametrize("case", list(CASES.values()), ids=list(CASES))
async def test_a_fault_is_on_its_line_with_the_fix(stage: Stage, monkeypatch: pytest.MonkeyPatch, case: Case) -> None:
    case.spoil(stage, monkeypatch)
    found = await findings()
    assert case.says in found[case.subject].text
    assert found[case.subject].verdict is case.verdict
    others = [finding for subject, finding in found.items() if subject != case.subject]
    assert {finding.verdict for finding in others} == {Verdict.OK}
    assert not stage.ulazai.tasks


@pytest.mark.usefixtures("stage")
@pytest.mark.parametrize(("minutes", "side"), [(5, "fast"), (-5, "slow")])
async def test_a_clock_that_is_off(minutes: int, side: str) -> None:
    skewed = SteadyClock(lambda: datetime.now(UTC) + timedelta(minutes=minutes), time.monotonic)
    found = await findings(skewed)
    assert found["clock"].verdict is Verdict.WRONG
    assert f" s {side}: let the machine set it by itself" in found["clock"].text


@pytest.mark.usefixtures("stage")
async def test_without_any_server_the_time_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_API_URL", NOBODY)
    monkeypatch.setenv("ULAZAI_BASE_URL", NOBODY)
    found = await findings()
    assert found["clock"].verdict is Verdict.WARNING
    assert [subject for subject, finding in found.items() if finding.verdict is WRONG] == [KEY, TOKEN]


@pytest.mark.usefixtures("stage")
async def test_every_fault_of_the_settings_has_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "two words")
    monkeypatch.delenv("ULAZAI_API_KEY")
    found = [finding async for finding in check_all(SystemClock())]
    faults = [finding.text for finding in found if finding.subject == "settings"]
    assert len(faults) == 2
    assert any(fault.startswith("DISCORD_TOKEN: ") for fault in faults)
    assert any(fault.startswith("ULAZAI_API_KEY is missing") for fault in faults)
    assert "two words" not in str(found)
    # The database needs no account: it is checked all the same.
    assert [finding.verdict for finding in found if finding.subject == "database"] == [Verdict.OK]
    monkeypatch.setenv("DATABASE_URL", "nowhere")
    found = [finding async for finding in check_all(SystemClock())]
    assert [finding.subject for finding in found] == ["settings"] * 3 + ["all else"]


@pytest.mark.usefixtures("stage")
async def test_a_database_that_is_not_there_yet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/new/folder/a.db")
    found = await findings()
    assert found["database"].verdict is Verdict.OK
    assert "the bot makes it when it starts" in found["database"].text
    assert not (tmp_path / "new").exists()


async def test_a_check_changes_nothing(tmp_path: Path, stage: Stage) -> None:
    async with Database.open(stage.settings.database_url):
        pass
    before = stage.settings.database_path.read_bytes()
    await findings()
    assert stage.settings.database_path.read_bytes() == before
    assert not (tmp_path / "reelpool.db-wal").stat().st_size


async def test_a_servers_name_cannot_change_the_terminal(stage: Stage) -> None:
    stage.discord.world.guild(stage.discord.guild_id).name = "\x1b[2Jgone\nok  all: well"
    assert "server  [2Jgone ok  all: well" in await findings()


async def test_the_names_of_the_commands_are_those_that_are_registered(stage: Stage) -> None:
    slash = {command.body["name"] for command in stage.discord.commands if command.body.get("type", 1) == 1}
    assert command_names() == slash


def test_every_permission_is_checked() -> None:
    assert PERMISSIONS.value == permissions.BOT_ROLE
