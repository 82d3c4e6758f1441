"""Validates embeds against Discord's limits.

Source: Discord's API reference, "Embed Limits".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sandbox.discord.http.form_errors import FormErrors, Path
    from sandbox.discord.world.models import JsonObject

MAX_EMBEDS = 10
MAX_TOTAL = 6000
MAX_FIELDS = 25

_URL_SCHEMES = ("http://", "https://", "attachment://")


def check_embeds(embeds: list[JsonObject], errors: FormErrors) -> None:
    """Collect the errors of a message's embeds, and set their type to "rich"."""
    errors.check_count(("embeds",), embeds, 0, MAX_EMBEDS)
    for index, embed in enumerate(embeds):
        embed["type"] = "rich"
        embed.pop("video", None)  # a bot cannot set it: Discord ignores it
        _check_embed(embed, ("embeds", index), errors)
    if sum(_text_length(embed) for embed in embeds) > MAX_TOTAL:
        message = f"Embed size exceeds maximum size of {MAX_TOTAL}"
        errors.add(("embeds",), "MAX_EMBED_SIZE_EXCEEDED", message)


def _check_embed(embed: JsonObject, path: Path, errors: FormErrors) -> None:
    for name, most in (("title", 256), ("description", 4096)):
        if embed.get(name) is not None:
            errors.check_length((*path, name), embed[name], 0, most)
    for name, key, most in (("footer", "text", 2048), ("author", "name", 256)):
        if embed.get(name) is not None:
            errors.check_length((*path, name, key), embed[name].get(key), 1, most)
    for name in ("image", "thumbnail"):
        if embed.get(name) is not None:
            _check_url(embed[name].get("url"), (*path, name, "url"), errors)
    if embed.get("url") is not None:
        _check_url(embed["url"], (*path, "url"), errors)
    _check_fields(embed.get("fields") or [], (*path, "fields"), errors)


def _check_fields(fields: list[JsonObject], path: Path, errors: FormErrors) -> None:
    errors.check_count(path, fields, 0, MAX_FIELDS)
    for index, entry in enumerate(fields):
        errors.check_length((*path, index, "name"), entry.get("name"), 1, 256)
        errors.check_length((*path, index, "value"), entry.get("value"), 1, 1024)


def _check_url(url: object, path: Path, errors: FormErrors) -> None:
    if not errors.check_length(path, url, 1, 2048):
        return
    if not str(url).startswith(_URL_SCHEMES):
        message = f'Scheme "{str(url).split(":", 1)[0]}" is not supported. Scheme must be one of (http, https).'
        errors.add(path, "URL_TYPE_INVALID_SCHEME", message)


def _text_length(embed: JsonObject) -> int:
    parts = [embed.get("title"), embed.get("description")]
    parts += [(embed.get("footer") or {}).get("text"), (embed.get("author") or {}).get("name")]
    for entry in embed.get("fields") or []:
        parts += [entry.get("name"), entry.get("value")]
    return sum(len(str(part)) for part in parts if part is not None)
