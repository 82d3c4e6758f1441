"""Validates modals.

Source: Discord's documentation, "Component Reference", and its API reference, "Modals".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.discord.http.form_errors import FormErrors, Path
from sandbox.discord.messages.component_checks import check_options, number
from sandbox.discord.world.constants import SELECT_TYPES, ComponentType

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.discord.world.models import JsonObject

MAX_ROWS = 5

_IN_LABEL = SELECT_TYPES | {
    ComponentType.TEXT_INPUT,
    ComponentType.FILE_UPLOAD,
    ComponentType.RADIO_GROUP,
    ComponentType.CHECKBOX_GROUP,
    ComponentType.CHECKBOX,
}
_AT_TOP = (ComponentType.ACTION_ROW, ComponentType.TEXT_DISPLAY, ComponentType.LABEL)


def check_modal(modal: JsonObject) -> None:
    """Validate a modal and set ids on its components.

    Raises:
        ApiError: 50035 for invalid fields.
    """
    _ModalChecker().check(modal)


class _ModalChecker:
    def __init__(self) -> None:
        self._errors = FormErrors(("data",))
        self._custom_ids: set[str] = set()
        self._rules: dict[int, Callable[[JsonObject, Path], None]] = {
            ComponentType.TEXT_INPUT: self._text_input,
            ComponentType.FILE_UPLOAD: self._range,
            ComponentType.CHECKBOX: self._nothing_more,
            ComponentType.RADIO_GROUP: self._radio_group,
            ComponentType.CHECKBOX_GROUP: self._checkbox_group,
            **dict.fromkeys(SELECT_TYPES, self._select),
        }

    def check(self, modal: JsonObject) -> None:
        errors = self._errors
        errors.check_length(("custom_id",), modal.get("custom_id"), 1, 100)
        errors.check_length(("title",), modal.get("title"), 1, 45)
        components = modal.get("components")
        if isinstance(components, list):
            self._check_rows(components)
        else:
            errors.missing(("components",))
        errors.raise_if_any()
        number(modal["components"])

    def _check_rows(self, components: list[JsonObject]) -> None:
        path: Path = ("components",)
        self._errors.check_count(path, components, 1, MAX_ROWS)
        for index, component in enumerate(components):
            self._row(component, (*path, index))

    def _row(self, row: JsonObject, path: Path) -> None:
        kind = row.get("type")
        if not self._errors.check_choice((*path, "type"), kind, [int(t) for t in _AT_TOP]):
            return
        if kind == ComponentType.TEXT_DISPLAY:
            self._errors.check_length((*path, "content"), row.get("content"), 1, 4000)
        elif kind == ComponentType.LABEL:
            self._label(row, path)
        else:
            self._action_row(row, path)

    def _action_row(self, row: JsonObject, path: Path) -> None:
        children = row.get("components") or []
        self._errors.check_count((*path, "components"), children, 1, 1)
        for index, child in enumerate(children):
            where = (*path, "components", index)
            self._errors.check_length((*where, "label"), child.get("label"), 1, 45)
            self._input(child, where, frozenset({ComponentType.TEXT_INPUT}))

    def _label(self, label: JsonObject, path: Path) -> None:
        self._errors.check_length((*path, "label"), label.get("label"), 1, 45)
        if label.get("description") is not None:
            self._errors.check_length((*path, "description"), label["description"], 1, 100)
        child = label.get("component")
        if isinstance(child, dict):
            self._input(child, (*path, "component"), _IN_LABEL)
        else:
            self._errors.missing((*path, "component"))

    def _input(self, child: JsonObject, path: Path, allowed: frozenset[ComponentType]) -> None:
        if not self._errors.check_choice((*path, "type"), child.get("type"), [int(t) for t in allowed]):
            return
        where = (*path, "custom_id")
        if self._errors.check_length(where, child.get("custom_id"), 1, 100):
            if child["custom_id"] in self._custom_ids:
                message = "Component custom id cannot be duplicated"
                self._errors.add(where, "COMPONENT_CUSTOM_ID_DUPLICATED", message)
            self._custom_ids.add(child["custom_id"])
        self._rules[child["type"]](child, path)

    def _nothing_more(self, child: JsonObject, path: Path) -> None:
        """Accept a checkbox: it has nothing more to validate."""

    def _text_input(self, child: JsonObject, path: Path) -> None:
        self._errors.check_choice((*path, "style"), child.get("style"), (1, 2))
        for name, most in (("placeholder", 100), ("value", 4000)):
            if child.get(name) is not None:
                self._errors.check_length((*path, name), child[name], 0, most)
        for name, least in (("min_length", 0), ("max_length", 1)):
            given = child.get(name)
            if given is not None and not least <= given <= 4000:
                message = f"int value should be between {least} and 4000."
                self._errors.add((*path, name), "NUMBER_TYPE_MAX", message)

    def _select(self, child: JsonObject, path: Path) -> None:
        if child.get("placeholder") is not None:
            self._errors.check_length((*path, "placeholder"), child["placeholder"], 0, 150)
        if child["type"] == ComponentType.STRING_SELECT:
            check_options(self._errors, child.get("options"), path, most=25)

    def _radio_group(self, child: JsonObject, path: Path) -> None:
        check_options(self._errors, child.get("options"), path, most=10, least=2)

    def _checkbox_group(self, child: JsonObject, path: Path) -> None:
        check_options(self._errors, child.get("options"), path, most=10)
        self._range(child, path)

    def _range(self, child: JsonObject, path: Path) -> None:
        least, most = child.get("min_values"), child.get("max_values")
        if least is not None and most is not None and least > most:
            message = "min_values must not be larger than max_values."
            self._errors.add((*path, "min_values"), "NUMBER_TYPE_MAX", message)
