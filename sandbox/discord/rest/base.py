"""Base of the REST handlers: ids of the path, the bot's permissions, empty responses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from sandbox.discord.http.form import Form
from sandbox.discord.http.form_errors import FormErrors, snowflake
from sandbox.discord.world import permissions
from sandbox.discord.world.errors import ApiError

if TYPE_CHECKING:
    from sandbox.discord.services import Services
    from sandbox.discord.world.models import Channel, Guild, Message

FORM = web.RequestKey("form", Form)


class Rest:
    """Base of a group of REST handlers."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.world = services.world
        self.bot_id = services.application.bot_id

    def channel(self, request: web.Request) -> Channel:
        """Return the channel of the path, if the bot sees it.

        Raises:
            ApiError: 10003 if there is none, 50001 if the bot does not see it.
        """
        channel = self.world.channel(path_id(request, "channel_id"))
        self.need(channel, permissions.VIEW_CHANNEL)
        return channel

    def message(self, request: web.Request, channel: Channel) -> Message:
        """Return the message of the path; ephemeral ones are hidden from the bot's token.

        Raises:
            ApiError: 10008 if there is none, 50001 or 50013 if the bot may not read it.
        """
        self.need(channel, permissions.READ_MESSAGE_HISTORY)
        message = self.world.message(channel.id, path_id(request, "message_id"))
        if message.ephemeral:
            raise ApiError(10008)
        return message

    def guild(self, request: web.Request) -> Guild:
        """Return the server of the path, if the bot is in it.

        Raises:
            ApiError: 10004 if there is none, 50001 if the bot is not in it.
        """
        guild = self.world.guild(path_id(request, "guild_id"))
        if self.bot_id not in guild.members:
            raise ApiError(50001)
        return guild

    def rights(self, channel: Channel) -> int:
        """Return the bot's permissions in a channel."""
        return self.world.permissions_in(channel, self.bot_id)

    def need(self, channel: Channel, wanted: int) -> None:
        """Check that the bot has all permissions in `wanted`.

        Raises:
            ApiError: 50001 if it does not see the channel, 50013 if another permission is missing.
        """
        rights = self.rights(channel)
        if not rights & permissions.VIEW_CHANNEL:
            raise ApiError(50001)
        if rights & wanted != wanted:
            raise ApiError(50013)

    def upload_limit(self, channel: Channel) -> int:
        """Return the largest file the bot may post in a channel, in bytes."""
        if channel.guild_id is None:
            return 10 * 1024 * 1024
        return self.world.guilds[channel.guild_id].upload_limit_bytes


def path_id(request: web.Request, name: str) -> int:
    """Return the id with this name in the path.

    Raises:
        ApiError: 50035 if it is not a number.
    """
    errors = FormErrors()
    value = snowflake(request.match_info[name], errors, (name,))
    errors.raise_if_any()
    return value or 0


def query_int(request: web.Request, name: str, default: int, least: int, most: int) -> int:
    """Return a number of the query string.

    Args:
        request: the request.
        name: the parameter.
        default: the value if it is missing.
        least: smallest value.
        most: largest value.

    Raises:
        ApiError: 50035 if it is not a number from `least` to `most`.
    """
    text = request.query.get(name, str(default))
    errors = FormErrors()
    if not text.isdecimal():
        errors.add((name,), "NUMBER_TYPE_COERCE", f'Value "{text}" is not int.')
    elif not least <= int(text) <= most:
        errors.add((name,), "NUMBER_TYPE_MAX", f"int value should be between {least} and {most}.")
    errors.raise_if_any()
    return int(text)


def query_id(request: web.Request, name: str) -> int | None:
    """Return an id of the query string, or None if it is not there.

    Raises:
        ApiError: 50035 if it is not a number.
    """
    if name not in request.query:
        return None
    errors = FormErrors()
    value = snowflake(request.query[name], errors, (name,))
    errors.raise_if_any()
    return value


def no_content() -> web.Response:
    """Return an empty response (204)."""
    return web.Response(status=204)
