"""Validates application commands.

Source: Discord's documentation, "Application Commands": naming, option structure, limits.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sandbox.discord.world.constants import CommandType, OptionType

if TYPE_CHECKING:
    from sandbox.discord.http.form_errors import FormErrors, Path
    from sandbox.discord.world.models import JsonObject

MAX_BY_TYPE = {CommandType.SLASH: 100, CommandType.USER: 15, CommandType.MESSAGE: 15}
MAX_OPTIONS = 25
MAX_TOTAL_TEXT = 8000

_NAME = re.compile(r"[-_'\w]{1,32}")
_NESTING = {OptionType.SUB_COMMAND, OptionType.SUB_COMMAND_GROUP}
_FILLED_IN = 2
_WITH_CHOICES = {OptionType.STRING, OptionType.INTEGER, OptionType.NUMBER}


def check_commands(commands: list[Any], errors: FormErrors) -> None:
    """Collect the errors of a list of commands."""
    seen: set[tuple[object, object]] = set()
    for index, command in enumerate(commands):
        if not isinstance(command, dict):
            errors.wrong_type((index,), "object")
            continue
        check_command(command, errors, (index,))
        key = (command["type"], command.get("name"))
        if key in seen:
            message = "Application command names must be unique"
            errors.add((index,), "APPLICATION_COMMANDS_DUPLICATE_NAME", message)
        seen.add(key)


def check_command(command: JsonObject, errors: FormErrors, path: Path = ()) -> None:
    """Collect the errors of a command; sets its type if it has none.

    Args:
        command: the command's JSON.
        errors: where errors are collected.
        path: where in the request it is.
    """
    command.setdefault("type", int(CommandType.SLASH))
    kinds = [int(kind) for kind in CommandType]
    if not errors.check_choice((*path, "type"), command["type"], kinds):
        return
    if command["type"] == CommandType.SLASH:
        _check_slash(command, errors, path)
    else:
        _check_menu(command, errors, path)
    for name, choices in (("contexts", (0, 1, 2)), ("integration_types", (0, 1))):
        for index, value in enumerate(command.get(name) or []):
            errors.check_choice((*path, name, index), value, choices)


def _check_slash(command: JsonObject, errors: FormErrors, path: Path) -> None:
    _check_name(command.get("name"), errors, (*path, "name"))
    errors.check_length((*path, "description"), command.get("description"), 1, 100)
    _check_options(command.get("options") or [], errors, path, depth=0)
    if _text_length(command) > MAX_TOTAL_TEXT:
        message = f"Command exceeds maximum size ({MAX_TOTAL_TEXT})"
        errors.add(path, "APPLICATION_COMMAND_TOO_LARGE", message)


def _check_menu(command: JsonObject, errors: FormErrors, path: Path) -> None:
    errors.check_length((*path, "name"), command.get("name"), 1, 32)
    if command.get("description"):
        message = "Context menu commands cannot have description"
        errors.add((*path, "description"), "APPLICATION_COMMAND_INVALID_DESCRIPTION", message)
    if command.get("options"):
        message = "Context menu commands cannot have options"
        errors.add((*path, "options"), "APPLICATION_COMMAND_INVALID_OPTIONS", message)


def _check_name(name: object, errors: FormErrors, path: Path) -> None:
    if not errors.check_length(path, name, 1, 32):
        return
    text = str(name)
    if not _NAME.fullmatch(text) or text != text.lower():
        message = "Command name is invalid"
        errors.add(path, "APPLICATION_COMMAND_INVALID_NAME", message)


def _check_options(options: list[JsonObject], errors: FormErrors, path: Path, depth: int) -> None:
    inside = (*path, "options")
    errors.check_count(inside, options, 0, MAX_OPTIONS)
    _check_nesting(options, errors, inside)
    names: set[str] = set()
    optional_seen = False
    for index, option in enumerate(options):
        where = (*inside, index)
        _check_option(option, errors, where, depth)
        if option.get("name") in names:
            message = "Option names must be unique"
            errors.add(where, "APPLICATION_COMMAND_OPTIONS_NAME_INVALID", message)
        names.add(str(option.get("name")))
        if option.get("required") and optional_seen:
            message = "Required options must be placed before non-required options"
            errors.add(where, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", message)
        optional_seen = optional_seen or not option.get("required")


def _check_nesting(options: list[JsonObject], errors: FormErrors, path: Path) -> None:
    if len({option.get("type") in _NESTING for option in options}) > 1:
        message = "Sub-command and sub-command group option types are mutually exclusive to all other types"
        errors.add(path, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", message)


def _check_option(option: JsonObject, errors: FormErrors, path: Path, depth: int) -> None:
    _check_name(option.get("name"), errors, (*path, "name"))
    errors.check_length((*path, "description"), option.get("description"), 1, 100)
    if not errors.check_choice((*path, "type"), option.get("type"), [int(kind) for kind in OptionType]):
        return
    kind = OptionType(option["type"])
    if kind in _NESTING:
        deepest = 0 if kind == OptionType.SUB_COMMAND_GROUP else 1
        if depth > deepest:
            message = "Sub-command option type is invalid at this level"
            errors.add((*path, "type"), "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", message)
        # A group has subcommands; a subcommand has the options that users fill in
        inner = depth + 1 if kind == OptionType.SUB_COMMAND_GROUP else _FILLED_IN
        _check_options(option.get("options") or [], errors, path, inner)
        return
    _check_choices(option, kind, errors, path)
    _check_range(option, kind, errors, path)


def _check_choices(option: JsonObject, kind: OptionType, errors: FormErrors, path: Path) -> None:
    choices = option.get("choices") or []
    errors.check_count((*path, "choices"), choices, 0, 25)
    if choices and (option.get("autocomplete") or kind not in _WITH_CHOICES):
        message = "Choices are not allowed here"
        errors.add((*path, "choices"), "APPLICATION_COMMAND_OPTIONS_CHOICES_INVALID", message)
    for index, choice in enumerate(choices):
        where = (*path, "choices", index)
        errors.check_length((*where, "name"), choice.get("name"), 1, 100)
        if kind == OptionType.STRING:
            errors.check_length((*where, "value"), choice.get("value"), 0, 100)
        elif not isinstance(choice.get("value"), int | float):
            errors.wrong_type((*where, "value"), "number")


def _check_range(option: JsonObject, kind: OptionType, errors: FormErrors, path: Path) -> None:
    numeric = kind in {OptionType.INTEGER, OptionType.NUMBER}
    for name in ("min_value", "max_value"):
        if option.get(name) is not None and not numeric:
            errors.add((*path, name), "APPLICATION_COMMAND_OPTIONS_RANGE_INVALID", "Only for numbers")
    for name, least in (("min_length", 0), ("max_length", 1)):
        value = option.get(name)
        if value is None:
            continue
        if kind != OptionType.STRING or not least <= value <= 6000:
            message = f"int value should be between {least} and 6000."
            errors.add((*path, name), "NUMBER_TYPE_MAX", message)


def _text_length(part: JsonObject) -> int:
    length = len(str(part.get("name") or "")) + len(str(part.get("description") or ""))
    length += sum(_text_length(option) for option in part.get("options") or [])
    for choice in part.get("choices") or []:
        length += len(str(choice.get("name") or "")) + len(str(choice.get("value") or ""))
    return length
