"""REST: application commands."""

from collections.abc import AsyncIterator

import pytest

from sandbox.discord.world import seed
from sandbox.discord.world.models import JsonObject
from tests.sandbox.discord.tools import RawBot, raw_bot

GLOBAL = f"/applications/{seed.APPLICATION_ID}/commands"
OF_GUILD = f"/applications/{seed.APPLICATION_ID}/guilds/{seed.GUILD_ID}/commands"


@pytest.fixture
async def bot() -> AsyncIterator[RawBot]:
    async with raw_bot() as bot:
        yield bot


def command(name: str = "video", **more: object) -> JsonObject:
    return {"name": name, "description": "d"} | more


def option(name: str = "prompt", **more: object) -> JsonObject:
    return {"type": 3, "name": name, "description": "d"} | more


async def test_overwriting_keeps_ids_and_removes_the_rest(bot: RawBot) -> None:
    _, first = await bot("PUT", GLOBAL, [command("a"), command("b")])
    _, second = await bot("PUT", GLOBAL, [command("b"), command("c")])
    ids = {c["name"]: c["id"] for c in first}
    assert {c["name"]: c["id"] for c in second}["b"] == ids["b"]
    _, found = await bot("GET", GLOBAL)
    assert {c["name"] for c in found} == {"b", "c"}
    assert {c["version"] for c in first if c["name"] == "b"} <= {c["version"] for c in second}


async def test_single_command(bot: RawBot) -> None:
    status, made = await bot("POST", GLOBAL, command())
    assert status == 201
    status, again = await bot("POST", GLOBAL, command(description="other"))
    assert (status, again["id"]) == (200, made["id"])
    path = f"{GLOBAL}/{made['id']}"
    assert (await bot("PATCH", path, {"description": "third"}))[1]["description"] == "third"
    assert (await bot("DELETE", path))[0] == 204
    assert (await bot("GET", path))[1]["code"] == 10063


async def test_commands_of_a_server(bot: RawBot) -> None:
    _, (made,) = await bot("PUT", OF_GUILD, [command()])
    assert made["guild_id"] == str(seed.GUILD_ID)
    assert (await bot("GET", GLOBAL))[1] == []
    assert bot.local.person("member-one").offered(seed.VIDEOS_ID) == ["video"]


LONG_CHOICES = [{"name": "x" * 100, "value": "y" * 100}] * 25

INVALID = {
    "capital letter": command("Video"),
    "space": command("a b"),
    "long name": command("x" * 33),
    "no description": {"name": "video"},
    "long description": command(description="x" * 101),
    "menu with description": {"name": "Menu", "type": 3, "description": "x"},
    "26 options": command(options=[option(f"o{n}") for n in range(26)]),
    "same option twice": command(options=[option(), option()]),
    "required after optional": command(options=[option("a"), option("b", required=True)]),
    "26 choices": command(options=[option(choices=[{"name": str(n), "value": str(n)} for n in range(26)])]),
    "choices and autocomplete": command(options=[option(choices=[{"name": "a", "value": "a"}], autocomplete=True)]),
    "length of a number": command(options=[option(type=4, max_length=5)]),
    "unknown option type": command(options=[option(type=12)]),
    "too large": command(options=[option(n, choices=LONG_CHOICES) for n in ("a", "b")]),
    "unknown context": command(contexts=[7]),
    "option beside a subcommand": command(options=[option("a", type=1), option("b")]),
    "group in a group": command(options=[option("a", type=2, options=[option("b", type=2)])]),
    "subcommand in a subcommand": command(options=[option("a", type=1, options=[option("b", type=1)])]),
}


@pytest.mark.parametrize("body", INVALID.values(), ids=INVALID.keys())
async def test_invalid_command(bot: RawBot, body: JsonObject) -> None:
    status, answer = await bot("PUT", GLOBAL, [body])
    assert (status, answer["code"]) == (400, 50035)
    assert list(answer["errors"]) == ["0"]


async def test_limits_of_numbers(bot: RawBot) -> None:
    menus = [{"name": f"m{n}", "type": 3} for n in range(16)]
    assert (await bot("PUT", GLOBAL, menus))[1]["code"] == 30033
    assert (await bot("PUT", GLOBAL, [command(f"c{n}") for n in range(101)]))[1]["code"] == 30032
    bot.local.settings.daily_command_creates = 3
    assert (await bot("PUT", GLOBAL, [command("a"), command("b")]))[0] == 200
    assert (await bot("PUT", GLOBAL, [command("a"), command("b")]))[0] == 200
    assert (await bot("PUT", GLOBAL, [command("c"), command("d")]))[1]["code"] == 30034


async def test_wrong_application(bot: RawBot) -> None:
    assert (await bot("GET", "/applications/1/commands"))[1]["code"] == 10002
