"""Parses mentions and allowed mentions.

Source: Discord's API reference, "Allowed Mentions Object". Responses to interactions mention only users by default.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.discord.http.form_errors import FormErrors, snowflake

if TYPE_CHECKING:
    from sandbox.discord.world.models import JsonObject

_USER = re.compile(r"<@!?(\d{1,20})>")
_ROLE = re.compile(r"<@&(\d{1,20})>")
_EVERYONE = re.compile(r"@(everyone|here)\b")
_KINDS = ("users", "roles", "everyone")


@dataclass(frozen=True, slots=True)
class AllowedMentions:
    """The mentions that a message may make.

    Attributes:
        parse: the kinds of which every mention is allowed.
        users: the users allowed if their kind is not in `parse`.
        roles: likewise.
        replied_user: whether the author of the replied-to message is mentioned.
    """

    parse: frozenset[str] = frozenset(_KINDS)
    users: frozenset[int] = frozenset()
    roles: frozenset[int] = frozenset()
    replied_user: bool = True

    def counts_user(self, user_id: int) -> bool:
        """Return whether a mention of this user is allowed."""
        return "users" in self.parse or user_id in self.users

    def counts_role(self, role_id: int) -> bool:
        """Return whether a mention of this role is allowed."""
        return "roles" in self.parse or role_id in self.roles


ALL_MENTIONS = AllowedMentions()
USER_MENTIONS = AllowedMentions(parse=frozenset({"users"}))


@dataclass(frozen=True, slots=True)
class Mentioned:
    """The mentions in a text, whether allowed or not."""

    users: tuple[int, ...]
    roles: tuple[int, ...]
    everyone: bool


def mentioned_in(text: str) -> Mentioned:
    """Return the users and roles that a text mentions."""
    return Mentioned(
        tuple(dict.fromkeys(int(found) for found in _USER.findall(text))),
        tuple(dict.fromkeys(int(found) for found in _ROLE.findall(text))),
        _EVERYONE.search(text) is not None,
    )


def read_allowed_mentions(given: object, default: AllowedMentions, errors: FormErrors) -> AllowedMentions:
    """Return the `allowed_mentions` of a request.

    Args:
        given: the field's value.
        default: returned if the request has none.
        errors: where errors are collected.
    """
    if given is None:
        return default
    if not isinstance(given, dict):
        errors.wrong_type(("allowed_mentions",), "object")
        return default
    parse = given.get("parse") or []
    for kind in parse:
        errors.check_choice(("allowed_mentions", "parse"), kind, _KINDS)
    return AllowedMentions(
        frozenset(str(kind) for kind in parse),
        _ids(given, "users", errors),
        _ids(given, "roles", errors),
        bool(given.get("replied_user", False)),
    )


def _ids(given: JsonObject, kind: str, errors: FormErrors) -> frozenset[int]:
    path = ("allowed_mentions", kind)
    values = given.get(kind) or []
    if values and kind in (given.get("parse") or []):
        message = f'parse:["{kind}"] and {kind}: [ids...] are mutually exclusive.'
        errors.add(("allowed_mentions",), "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", message)
    errors.check_count(path, values, 0, 100)
    read = (snowflake(value, errors, (*path, index)) for index, value in enumerate(values))
    return frozenset(value for value in read if value is not None)
