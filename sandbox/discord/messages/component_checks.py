"""Validates the components of a message.

Source: Discord's documentation, "Component Reference".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.discord.messages.payloads import ATTACHMENT_SCHEME
from sandbox.discord.world.constants import SELECT_TYPES, ComponentType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.discord.http.form_errors import FormErrors, Path
    from sandbox.discord.world.models import JsonObject

MAX_COMPONENTS_V2 = 40
MAX_TEXT_V2 = 4000

_TOP_LEVEL_V2 = frozenset(
    {
        ComponentType.ACTION_ROW,
        ComponentType.SECTION,
        ComponentType.TEXT_DISPLAY,
        ComponentType.MEDIA_GALLERY,
        ComponentType.FILE,
        ComponentType.SEPARATOR,
        ComponentType.CONTAINER,
    }
)
_IN_CONTAINER = _TOP_LEVEL_V2 - {ComponentType.CONTAINER}
_LINK, _PREMIUM = 5, 6


class ComponentChecker:
    """Validates the components of one message.

    Args:
        errors: collects what is wrong.
        v2: whether the message uses Components V2.
        filenames: of the message's attachments, which components may refer to.
    """

    def __init__(self, errors: FormErrors, *, v2: bool, filenames: frozenset[str]) -> None:
        self._errors = errors
        self._v2 = v2
        self._filenames = filenames
        self._custom_ids: set[str] = set()
        self._rules: dict[int, Callable[[JsonObject, Path], None]] = {
            ComponentType.ACTION_ROW: self._action_row,
            ComponentType.BUTTON: self._button,
            ComponentType.SECTION: self._section,
            ComponentType.TEXT_DISPLAY: self._text_display,
            ComponentType.THUMBNAIL: self._thumbnail,
            ComponentType.MEDIA_GALLERY: self._media_gallery,
            ComponentType.FILE: self._file,
            ComponentType.SEPARATOR: self._nothing_to_check,
            ComponentType.CONTAINER: self._container,
            **dict.fromkeys(SELECT_TYPES, self._select),
        }

    def check(self, components: list[JsonObject]) -> None:
        """Collect the errors of a message's components."""
        allowed = _TOP_LEVEL_V2 if self._v2 else frozenset({ComponentType.ACTION_ROW})
        path: Path = ("components",)
        if not self._v2:
            self._errors.check_count(path, components, 0, 5)
        self._children(components, path, allowed)
        if self._v2:
            self._check_totals(components)

    def _check_totals(self, components: list[JsonObject]) -> None:
        every = list(walk(components))
        if len(every) > MAX_COMPONENTS_V2:
            message = f"Total number of components in a message cannot exceed {MAX_COMPONENTS_V2}."
            self._errors.add(("components",), "TOO_MANY_COMPONENTS", message)
        text = sum(len(str(c.get("content", ""))) for c in every if c["type"] == ComponentType.TEXT_DISPLAY)
        if text > MAX_TEXT_V2:
            message = f"The total displayable text size exceeds the maximum ({text}/{MAX_TEXT_V2})."
            self._errors.add(("components",), "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED", message)

    def _children(self, components: object, path: Path, allowed: frozenset[ComponentType]) -> None:
        if not isinstance(components, list):
            self._errors.missing(path)
            return
        for index, component in enumerate(components):
            self._one(component, (*path, index), allowed)

    def _one(self, component: object, path: Path, allowed: frozenset[ComponentType]) -> None:
        if not isinstance(component, dict):
            self._errors.wrong_type(path, "component")
            return
        kind = component.get("type")
        if self._errors.check_choice((*path, "type"), kind, [int(choice) for choice in allowed]):
            self._rules[int(str(kind))](component, path)

    def _nothing_to_check(self, component: JsonObject, path: Path) -> None:
        """Accept a separator: it has nothing to validate."""

    def _action_row(self, row: JsonObject, path: Path) -> None:
        inside = (*path, "components")
        children = row.get("components")
        if not isinstance(children, list) or not children:
            self._errors.missing(inside)
            return
        has_select = any(isinstance(c, dict) and c.get("type") in SELECT_TYPES for c in children)
        self._errors.check_count(inside, children, 1, 1 if has_select else 5)
        self._children(children, inside, SELECT_TYPES | {ComponentType.BUTTON})

    def _button(self, button: JsonObject, path: Path) -> None:
        errors = self._errors
        style = button.get("style")
        if not errors.check_choice((*path, "style"), style, (1, 2, 3, 4, 5, 6)):
            return
        if button.get("label") is not None:
            errors.check_length((*path, "label"), button["label"], 0, 80)
        elif button.get("emoji") is None and style != _PREMIUM:
            message = "A button must have a label or emoji."
            errors.add(path, "BUTTON_COMPONENT_INVALID_LABEL", message)
        if style == _LINK:
            self._link(button, path)
        elif style != _PREMIUM:
            self._custom_id(button, path)

    def _link(self, button: JsonObject, path: Path) -> None:
        where = (*path, "url")
        if self._errors.check_length(where, button.get("url"), 1, 512):
            self._check_url(button["url"], where, ("http://", "https://", "discord://"))
        if button.get("custom_id") is not None:
            message = "A custom id and url cannot both be specified"
            self._errors.add(path, "BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE", message)

    def _custom_id(self, component: JsonObject, path: Path) -> None:
        where = (*path, "custom_id")
        if not self._errors.check_length(where, component.get("custom_id"), 1, 100):
            return
        custom_id = component["custom_id"]
        if custom_id in self._custom_ids:
            message = "Component custom id cannot be duplicated"
            self._errors.add(where, "COMPONENT_CUSTOM_ID_DUPLICATED", message)
        self._custom_ids.add(custom_id)

    def _select(self, select: JsonObject, path: Path) -> None:
        self._custom_id(select, path)
        if select.get("placeholder") is not None:
            self._errors.check_length((*path, "placeholder"), select["placeholder"], 0, 150)
        if select["type"] == ComponentType.STRING_SELECT:
            check_options(self._errors, select.get("options"), path, most=25)

    def _section(self, section: JsonObject, path: Path) -> None:
        inside = (*path, "components")
        children = section.get("components")
        self._children(children, inside, frozenset({ComponentType.TEXT_DISPLAY}))
        if isinstance(children, list):
            self._errors.check_count(inside, children, 1, 3)
        accessories = frozenset({ComponentType.BUTTON, ComponentType.THUMBNAIL})
        self._one(section.get("accessory"), (*path, "accessory"), accessories)

    def _text_display(self, text: JsonObject, path: Path) -> None:
        self._errors.check_length((*path, "content"), text.get("content"), 1, 4000)

    def _thumbnail(self, thumbnail: JsonObject, path: Path) -> None:
        self._media(thumbnail.get("media"), (*path, "media"))
        self._description(thumbnail, path)

    def _media_gallery(self, gallery: JsonObject, path: Path) -> None:
        inside = (*path, "items")
        items = gallery.get("items")
        if not isinstance(items, list):
            self._errors.missing(inside)
            return
        self._errors.check_count(inside, items, 1, 10)
        for index, item in enumerate(items):
            self._media(item.get("media"), (*inside, index, "media"))
            self._description(item, (*inside, index))

    def _file(self, file: JsonObject, path: Path) -> None:
        where = (*path, "file", "url")
        url = (file.get("file") or {}).get("url", "")
        if not str(url).startswith(ATTACHMENT_SCHEME):
            self._errors.add(where, "UNFURLED_MEDIA_ITEM_INVALID_URL", "Only attachment:// is allowed here.")
            return
        self._media(file["file"], (*path, "file"))

    def _container(self, container: JsonObject, path: Path) -> None:
        inside = (*path, "components")
        children = container.get("components")
        self._children(children, inside, _IN_CONTAINER)
        if isinstance(children, list):
            self._errors.check_count(inside, children, 1, MAX_COMPONENTS_V2)

    def _description(self, item: JsonObject, path: Path) -> None:
        if item.get("description") is not None:
            self._errors.check_length((*path, "description"), item["description"], 1, 1024)

    def _media(self, media: object, path: Path) -> None:
        where = (*path, "url")
        url = media.get("url") if isinstance(media, dict) else None
        if self._errors.check_length(where, url, 1, 2048):
            self._check_url(str(url), where, ("http://", "https://", ATTACHMENT_SCHEME))

    def _check_url(self, url: str, path: Path, schemes: tuple[str, ...]) -> None:
        if not url.startswith(schemes):
            listed = ", ".join(scheme.removesuffix("://") for scheme in schemes)
            message = f'Scheme "{url.split(":", 1)[0]}" is not supported. Scheme must be one of ({listed}).'
            self._errors.add(path, "URL_TYPE_INVALID_SCHEME", message)
        elif url.startswith(ATTACHMENT_SCHEME) and url.removeprefix(ATTACHMENT_SCHEME) not in self._filenames:
            message = "The referenced attachment was not found."
            self._errors.add(path, "UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND", message)


def check_options(errors: FormErrors, options: object, path: Path, *, most: int, least: int = 1) -> None:
    """Collect the errors of the options of a select, radio or checkbox group.

    Args:
        errors: where errors are collected.
        options: the options.
        path: where in the request they are.
        most: largest number of options.
        least: smallest number of options.
    """
    inside = (*path, "options")
    if not isinstance(options, list):
        errors.missing(inside)
        return
    errors.check_count(inside, options, least, most)
    values: set[str] = set()
    for index, option in enumerate(options):
        errors.check_length((*inside, index, "label"), option.get("label"), 1, 100)
        errors.check_length((*inside, index, "value"), option.get("value"), 1, 100)
        if option.get("description") is not None:
            errors.check_length((*inside, index, "description"), option["description"], 0, 100)
        if option.get("value") in values:
            message = "The specified option value is already used"
            errors.add((*inside, index, "value"), "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", message)
        values.add(str(option.get("value")))


def walk(components: list[JsonObject]) -> Iterator[JsonObject]:
    """Yield every component, also nested ones."""
    for component in components:
        yield component
        yield from walk(component.get("components") or [])
        for single in ("accessory", "component"):
            if isinstance(component.get(single), dict):
                yield from walk([component[single]])


def number(components: list[JsonObject]) -> list[JsonObject]:
    """Set a free `id` on each component without one, as Discord does; changes them in place."""
    taken = {c["id"] for c in walk(components) if c.get("id")}
    following = (n for n in range(1, 10_000) if n not in taken)
    for component in walk(components):
        if not component.get("id"):
            component["id"] = next(following)
    return components
