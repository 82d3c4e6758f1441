"""Validates a submitted modal as Discord's apps do, and resolves its ids.

Source: Discord's documentation, "Component Reference", the interaction responses of each component.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.discord.interactions.select_input import read_select_values
from sandbox.discord.world.constants import SELECT_TYPES, ComponentType
from sandbox.discord.world.errors import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.discord.interactions.command_input import TakeFile
    from sandbox.discord.interactions.payloads import Resolved
    from sandbox.discord.world.models import Channel, JsonObject
    from sandbox.discord.world.world import World

_MAX_TEXT = 4000


@dataclass(slots=True)
class ModalInput:
    """Validates one submitted modal.

    Attributes:
        world: where users, roles and channels are looked up.
        channel: where the modal was opened.
        take_file: returns the attachment for an uploaded file's number.
        resolved: the objects that the values refer to.
    """

    world: World
    channel: Channel
    take_file: TakeFile
    resolved: Resolved

    def read(self, modal: JsonObject, submitted: object) -> list[JsonObject]:
        """Return the components for the bot, in the modal's order.

        Raises:
            ClientError: something required is missing or not valid.
        """
        given = {str(c["custom_id"]): c for c in _inputs(submitted)}
        return [self._row(row, given) for row in modal["components"]]

    def _row(self, row: JsonObject, given: dict[str, JsonObject]) -> JsonObject:
        kind = row["type"]
        head = {"type": kind, "id": row["id"]}
        if kind == ComponentType.TEXT_DISPLAY:
            return head
        if kind == ComponentType.LABEL:
            return head | {"component": self._input(row["component"], row["label"], given)}
        return head | {"components": [self._input(c, c.get("label", ""), given) for c in row["components"]]}

    def _input(self, field: JsonObject, label: str, given: dict[str, JsonObject]) -> JsonObject:
        head = {"type": field["type"], "id": field["id"], "custom_id": field["custom_id"]}
        answer = given.get(field["custom_id"], {})
        kind = ComponentType(field["type"])
        if kind in SELECT_TYPES:
            values = _values(answer)
            required = field.get("required", True)
            read = read_select_values(self.world, self.channel, field, values, self.resolved) if values else []
            _check_count(label, read, field, required=required)
            return head | {"values": read}
        readers: dict[ComponentType, Callable[[JsonObject, str, JsonObject], JsonObject]] = {
            ComponentType.TEXT_INPUT: self._text,
            ComponentType.FILE_UPLOAD: self._files,
            ComponentType.RADIO_GROUP: self._radio,
            ComponentType.CHECKBOX_GROUP: self._checkboxes,
            ComponentType.CHECKBOX: self._checkbox,
        }
        return head | readers[kind](field, label, answer)

    def _text(self, field: JsonObject, label: str, answer: JsonObject) -> JsonObject:
        value = str(answer.get("value") or "")
        required = field.get("required", True)
        if not value and not required:
            return {"value": ""}
        least = max(field.get("min_length") or 0, 1 if required else 0)
        most = field.get("max_length") or _MAX_TEXT
        if not value:
            raise ClientError(f"{label}: This field is required")
        if not least <= len(value) <= most:
            raise ClientError(f"{label}: Must be between {least} and {most} in length.")
        return {"value": value}

    def _files(self, field: JsonObject, label: str, answer: JsonObject) -> JsonObject:
        values = _values(answer)
        _check_count(label, values, field, required=field.get("required", True))
        try:
            attachments = [self.take_file(value) for value in values]
        except KeyError:
            raise ClientError(f"{label}: the file was not uploaded") from None
        self.resolved.attachments.extend(attachments)
        return {"values": [str(attachment.id) for attachment in attachments]}

    def _radio(self, field: JsonObject, label: str, answer: JsonObject) -> JsonObject:
        value = answer.get("value")
        if value is None and not field.get("required", True):
            return {"value": None}
        _check_options(label, [value], field)
        return {"value": value}

    def _checkboxes(self, field: JsonObject, label: str, answer: JsonObject) -> JsonObject:
        values = _values(answer)
        most = field.get("max_values") or len(field["options"])
        _check_count(label, values, field | {"max_values": most}, required=field.get("required", True))
        _check_options(label, values, field)
        return {"values": values}

    def _checkbox(self, field: JsonObject, _label: str, answer: JsonObject) -> JsonObject:
        return {"value": bool(answer.get("value", field.get("default", False)))}


def _inputs(submitted: object) -> Iterator[JsonObject]:
    for row in submitted if isinstance(submitted, list) else []:
        if not isinstance(row, dict):
            continue
        inner = row.get("components") or [row.get("component")]
        yield from (c for c in inner if isinstance(c, dict) and "custom_id" in c)


def _values(answer: JsonObject) -> list[object]:
    values = answer.get("values")
    return list(values) if isinstance(values, list) else []


def _check_count(label: str, values: list[object], field: JsonObject, *, required: bool) -> None:
    if not values and not required:
        return
    least = field.get("min_values", 1)
    least = 1 if least is None or required else least
    least = max(least, field.get("min_values") or 0)
    most = field.get("max_values") or 1
    if not least <= len(values) <= most:
        raise ClientError(f"{label}: choose between {least} and {most}")


def _check_options(label: str, values: list[object], field: JsonObject) -> None:
    offered = {option["value"] for option in field["options"]}
    if not offered.issuperset(values):
        raise ClientError(f"{label}: This field is required")
