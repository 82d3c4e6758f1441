"""Are the commands that Discord has the ones that we want? Pure.

Discord adds fields of its own and leaves out, or fills in, those that have their default. So each description
is brought to one form first. Source: Discord's documentation, "Application Commands", the tables "Application
Command Structure" and "Application Command Option Structure".
"""

from collections.abc import Iterable, Mapping
from typing import Any

_COMMAND_DEFAULTS: dict[str, Any] = {
    "type": 1,
    "name": "",
    "name_localizations": None,
    "description": "",
    "description_localizations": None,
    "default_member_permissions": None,
    "nsfw": False,
    "integration_types": [0],
    "contexts": None,
}
_OPTION_DEFAULTS: dict[str, Any] = {
    "type": 3,
    "name": "",
    "name_localizations": None,
    "description": "",
    "description_localizations": None,
    "required": False,
    "channel_types": [],
    "min_value": None,
    "max_value": None,
    "min_length": None,
    "max_length": None,
    "autocomplete": False,
}


def commands_differ(registered: Iterable[Mapping[str, Any]], wanted: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether registering `wanted` would change anything."""
    return _by_name(registered) != _by_name(wanted)


def _by_name(commands: Iterable[Mapping[str, Any]]) -> dict[tuple[int, str], dict[str, Any]]:
    return {(int(command.get("type") or 1), str(command["name"])): _command(command) for command in commands}


def _command(command: Mapping[str, Any]) -> dict[str, Any]:
    form = _with_defaults(command, _COMMAND_DEFAULTS)
    form["options"] = [_option(option) for option in command.get("options") or ()]
    if form["default_member_permissions"] is not None:
        form["default_member_permissions"] = str(form["default_member_permissions"])
    return form


def _option(option: Mapping[str, Any]) -> dict[str, Any]:
    form = _with_defaults(option, _OPTION_DEFAULTS)
    form["options"] = [_option(inner) for inner in option.get("options") or ()]
    form["choices"] = [_choice(choice) for choice in option.get("choices") or ()]
    return form


def _choice(choice: Mapping[str, Any]) -> tuple[Any, ...]:
    return choice["name"], choice.get("name_localizations") or None, choice["value"]


def _with_defaults(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    form = {}
    for key, default in defaults.items():
        value = given.get(key)
        # Empty and missing are the same to Discord.
        is_empty = value is None or value in ("", [], {})
        form[key] = default if is_empty else _in_order(value)
    return form


def _in_order(value: object) -> object:
    return sorted(value) if isinstance(value, list) else value
