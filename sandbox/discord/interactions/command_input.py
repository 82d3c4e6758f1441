"""Validates a user's slash command options as Discord's apps do, and resolves their ids.

Source: Discord's documentation, "Application Commands", option types and their limits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.discord.world.constants import OptionType
from sandbox.discord.world.errors import ClientError
from sandbox.discord.world.models import Attachment, Channel, JsonObject

if TYPE_CHECKING:
    from sandbox.discord.interactions.payloads import Resolved
    from sandbox.discord.world.world import World

_MAX_STRING = 6000
_MAX_INTEGER = 2**53
_NESTING = {OptionType.SUB_COMMAND, OptionType.SUB_COMMAND_GROUP}

TakeFile = Callable[[object], Attachment]


@dataclass(slots=True)
class CommandInput:
    """Validates the options of one command use.

    Attributes:
        world: where users, roles and channels are looked up.
        channel: where the command is used.
        user_id: who uses it.
        take_file: returns the attachment for an uploaded file's number.
        lenient: for autocomplete: values may be incomplete, and required ones missing.
        resolved: the objects that the options refer to.
    """

    world: World
    channel: Channel
    user_id: int
    take_file: TakeFile
    lenient: bool
    resolved: Resolved

    def read(self, definitions: list[JsonObject], given: object) -> list[JsonObject]:
        """Return the options for the bot.

        Raises:
            ClientError: one is unknown, missing or not valid.
        """
        options = given if isinstance(given, list) else []
        by_name = {str(d["name"]): d for d in definitions}
        read = [self._read_one(by_name, option) for option in options]
        if not self.lenient:
            self._check_required(definitions, {option["name"] for option in read})
        return read

    def _check_required(self, definitions: list[JsonObject], names: set[str]) -> None:
        if definitions and definitions[0]["type"] in _NESTING and len(names) != 1:
            raise ClientError("Choose a subcommand.")
        for definition in definitions:
            if definition.get("required") and definition["name"] not in names:
                raise ClientError(f"{definition['name']}: This option is required. Specify a value.")

    def _read_one(self, by_name: dict[str, JsonObject], option: object) -> JsonObject:
        if not isinstance(option, dict) or option.get("name") not in by_name:
            raise ClientError("This command is outdated, please try again in a few minutes.")
        definition = by_name[option["name"]]
        kind = OptionType(definition["type"])
        read: JsonObject = {"name": definition["name"], "type": int(kind)}
        if kind in _NESTING:
            inner = self.read(definition.get("options") or [], option.get("options"))
            return read | {"options": inner}
        if option.get("focused"):
            return read | {"value": str(option.get("value", "")), "focused": True}
        return read | {"value": self._value(kind, definition, option.get("value"))}

    def _value(self, kind: OptionType, definition: JsonObject, value: object) -> object:
        readers: dict[OptionType, Callable[[JsonObject, object], object]] = {
            OptionType.STRING: self._string,
            OptionType.INTEGER: self._integer,
            OptionType.NUMBER: self._number,
            OptionType.BOOLEAN: self._boolean,
            OptionType.USER: self._user,
            OptionType.CHANNEL: self._channel,
            OptionType.ROLE: self._role,
            OptionType.MENTIONABLE: self._mentionable,
            OptionType.ATTACHMENT: self._attachment,
        }
        return readers[kind](definition, value)

    def _string(self, definition: JsonObject, value: object) -> str:
        if not isinstance(value, str):
            raise _bad(definition, "Input a valid text.")
        if definition.get("choices"):
            self._check_choice(definition, value)
            return value
        if self.lenient:
            return value
        least = definition.get("min_length") or 0
        most = definition.get("max_length") or _MAX_STRING
        if not least <= len(value) <= most:
            raise _bad(definition, f"Must be between {least} and {most} in length.")
        if not value:
            raise _bad(definition, "This option is required. Specify a value.")
        return value

    def _integer(self, definition: JsonObject, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _MAX_INTEGER:
            raise _bad(definition, "Input a valid integer.")
        self._check_choice(definition, value)
        self._check_range(definition, value)
        return value

    def _number(self, definition: JsonObject, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _bad(definition, "Input a valid number.")
        self._check_choice(definition, value)
        self._check_range(definition, value)
        return value

    def _boolean(self, definition: JsonObject, value: object) -> bool:
        if not isinstance(value, bool):
            raise _bad(definition, "Input a valid boolean.")
        return value

    def _user(self, definition: JsonObject, value: object) -> str:
        user_id = _id(value)
        if user_id not in self.world.users:
            raise _bad(definition, "Input a valid user.")
        self.resolved.users.add(user_id)
        return str(user_id)

    def _channel(self, definition: JsonObject, value: object) -> str:
        channel = self.world.channels.get(_id(value))
        kinds = definition.get("channel_types")
        if (
            channel is None
            or channel.guild_id != self.channel.guild_id
            or not self.world.can_see(channel, self.user_id)
        ):
            raise _bad(definition, "Input a valid channel.")
        if kinds and channel.type not in kinds:
            raise _bad(definition, "Input a valid channel.")
        self.resolved.channels.add(channel.id)
        return str(channel.id)

    def _role(self, definition: JsonObject, value: object) -> str:
        guild = self.world.guilds.get(self.channel.guild_id or 0)
        role_id = _id(value)
        if guild is None or role_id not in guild.roles:
            raise _bad(definition, "Input a valid role.")
        self.resolved.roles.add(role_id)
        return str(role_id)

    def _mentionable(self, definition: JsonObject, value: object) -> str:
        if _id(value) in self.world.users:
            return self._user(definition, value)
        return self._role(definition, value)

    def _attachment(self, definition: JsonObject, value: object) -> str:
        try:
            attachment = self.take_file(value)
        except KeyError:
            raise _bad(definition, "This option is required. Specify a value.") from None
        self.resolved.attachments.append(attachment)
        return str(attachment.id)

    def _check_choice(self, definition: JsonObject, value: object) -> None:
        choices = definition.get("choices")
        if choices and not self.lenient and value not in [choice["value"] for choice in choices]:
            raise _bad(definition, "Input a valid choice.")

    def _check_range(self, definition: JsonObject, value: float) -> None:
        if self.lenient:
            return
        least, most = definition.get("min_value"), definition.get("max_value")
        if least is not None and value < least:
            raise _bad(definition, f"The number must be greater than or equal to {least}.")
        if most is not None and value > most:
            raise _bad(definition, f"The number must be less than or equal to {most}.")


def _bad(definition: JsonObject, message: str) -> ClientError:
    return ClientError(f"{definition['name']}: {message}")


def _id(value: object) -> int:
    text = str(value)
    return int(text) if text.isdecimal() else 0
