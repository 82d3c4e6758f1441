"""When is it worth registering the commands anew?"""

import copy
from typing import Any

import discord
import pytest
from discord import app_commands
from discord.ext import commands

from bot.command_sync import commands_differ
from sandbox.discord.world.models import Command
from sandbox.discord.world.payloads import command_json

Json = dict[str, Any]

PROMPT: Json = {
    "type": 3, "name": "prompt", "description": "What it shows", "required": True, "min_length": 1, "max_length": 2000
}  # fmt: skip
DURATION: Json = {
    "type": 4,
    "name": "duration",
    "description": "How long it is",
    "required": False,
    "choices": [{"name": "5 seconds", "value": 5}, {"name": "10 seconds", "value": 10}],
}
VIDEO: Json = {
    "type": 1,
    "name": "video",
    "description": "Make a video",
    "options": [PROMPT, DURATION],
    "nsfw": False,
    "dm_permission": True,
    "default_member_permissions": 32,
    "contexts": [0],
    "integration_types": [0],
}
POOL: Json = {
    "type": 1,
    "name": "pool",
    "description": "The pool",
    "options": [{"type": 1, "name": "grant", "description": "Give", "options": [{**PROMPT, "name": "why"}]}],
}
MENU: Json = {"type": 3, "name": "Animate image", "contexts": [0], "integration_types": [0]}
WANTED = [VIDEO, POOL, MENU]


def as_discord_answers(command: Json) -> Json:
    """A command as Discord gives it back: with fields of its own, null for what is not set, and no defaults.

    Source: Discord's documentation, "Application Command Object" and its example.
    """
    given = {
        "id": "1", "application_id": "2", "version": "3",
        "name_localizations": None, "description_localizations": None, "default_permission": True, "description": "",
        **copy.deepcopy(command),
    }  # fmt: skip
    if given.get("default_member_permissions") is not None:
        given["default_member_permissions"] = str(given["default_member_permissions"])
    _leave_defaults_out(given)
    return given


def _leave_defaults_out(command: Json) -> None:
    for option in command.get("options", ()):
        if option.get("required") is False:
            del option["required"]
        option.setdefault("name_localizations")
        option.setdefault("description_localizations")
        for choice in option.get("choices", ()):
            choice.setdefault("name_localizations")
        _leave_defaults_out(option)


REGISTERED = [as_discord_answers(command) for command in WANTED]


def test_what_discord_gives_back_is_what_was_registered() -> None:
    assert not commands_differ(REGISTERED, WANTED)
    assert not commands_differ(WANTED, REGISTERED)
    assert not commands_differ([], [])


def test_the_order_of_commands_means_nothing() -> None:
    assert not commands_differ(REGISTERED[::-1], WANTED)


def test_the_order_of_contexts_means_nothing() -> None:
    registered = {**REGISTERED[0], "contexts": [1, 0], "integration_types": [1, 0]}
    assert not commands_differ([registered], [{**VIDEO, "contexts": [0, 1], "integration_types": [0, 1]}])


def test_one_more_or_one_less_differs() -> None:
    assert commands_differ(REGISTERED[:2], WANTED)
    assert commands_differ(REGISTERED, WANTED[:2])
    assert commands_differ([], WANTED)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "film"),
        ("type", 2),
        ("description", "Make a film"),
        ("nsfw", True),
        ("contexts", None),
        ("contexts", [0, 1]),
        ("integration_types", [0, 1]),
        ("default_member_permissions", None),
        ("default_member_permissions", "0"),
        ("name_localizations", {"de": "film"}),
        ("description_localizations", {"de": "Ein Film"}),
        ("options", []),
        ("options", [DURATION, PROMPT]),
    ],
)
def test_each_field_of_a_command_counts(field: str, value: object) -> None:
    changed = {**VIDEO, field: value}
    assert commands_differ([as_discord_answers(VIDEO)], [changed])
    assert commands_differ([as_discord_answers(changed)], [VIDEO])
    assert not commands_differ([as_discord_answers(changed)], [changed])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("type", 3),
        ("name", "length"),
        ("description", "Length"),
        ("required", True),
        ("autocomplete", True),
        ("min_value", 0),
        ("max_value", 10),
        ("min_length", 0),
        ("max_length", 5),
        ("channel_types", [0]),
        ("name_localizations", {"de": "dauer"}),
        ("description_localizations", {"de": "Dauer"}),
        ("choices", []),
        ("choices", DURATION["choices"][::-1]),
        ("choices", [{"name": "5 seconds", "value": 6}, {"name": "10 seconds", "value": 10}]),
        ("choices", [{**choice, "name_localizations": {"de": "x"}} for choice in DURATION["choices"]]),
        ("options", [PROMPT]),
    ],
)
def test_each_field_of_an_option_counts_at_every_depth(field: str, value: object) -> None:
    changed = {**DURATION, field: value}
    for wrap in (lambda option: [option], lambda option: [{**POOL["options"][0], "options": [option]}]):
        before, after = {**VIDEO, "options": wrap(DURATION)}, {**VIDEO, "options": wrap(changed)}
        assert commands_differ([as_discord_answers(before)], [after])
        assert commands_differ([as_discord_answers(after)], [before])


def some_commands() -> list[Json]:
    """Commands of every kind that the library can describe."""
    client = commands.Bot("!", intents=discord.Intents.none())

    @app_commands.command(description="Make a video")
    @app_commands.choices(duration=[app_commands.Choice(name="5 seconds", value=5)])
    async def video(
        interaction: discord.Interaction,
        prompt: app_commands.Range[str, 1, 2000],
        where: discord.TextChannel,
        duration: int = 5,
        share: app_commands.Range[float, 0.5] = 1.5,
    ) -> None:
        del interaction, prompt, where, duration, share

    @app_commands.context_menu(name="Animate image")
    @app_commands.default_permissions(manage_guild=True)
    async def animate(interaction: discord.Interaction, message: discord.Message) -> None:
        del interaction, message

    client.tree.add_command(video)
    client.tree.add_command(animate)
    return [command.to_dict(client.tree) for command in client.tree.get_commands()]


def test_what_the_library_registers_comes_back_the_same_from_the_local_discord() -> None:
    wanted = some_commands()
    registered = [command_json(Command(n, n + 100, None, body), 1) for n, body in enumerate(wanted)]
    assert not commands_differ(registered, wanted)
    assert not commands_differ([as_discord_answers(each) for each in registered], wanted)
