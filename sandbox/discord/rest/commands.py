"""REST: global and server commands.

Source: Discord's API reference, "Application Commands".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from sandbox.discord.http.form_errors import FormErrors
from sandbox.discord.http.json_answers import json_answer
from sandbox.discord.interactions.command_checks import MAX_BY_TYPE, check_command, check_commands
from sandbox.discord.rest.base import FORM, Rest, no_content, path_id
from sandbox.discord.world.constants import CommandType
from sandbox.discord.world.errors import ApiError
from sandbox.discord.world.events import CommandsChange
from sandbox.discord.world.models import Command, Guild, JsonObject
from sandbox.discord.world.payloads import command_json

if TYPE_CHECKING:
    from sandbox.discord.services import Services

_ROLE, _USER = 1, 2
_TOO_MANY = {CommandType.SLASH: 30032, CommandType.USER: 30033, CommandType.MESSAGE: 30033}


class CommandRest(Rest):
    """Registering and listing commands."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._created_today: dict[tuple[int, int | None], int] = {}

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of this group."""
        routes: list[web.RouteDef] = []
        for scope in ("", "/guilds/{guild_id}"):
            every = "/applications/{application_id}" + scope + "/commands"
            one = every + "/{command_id}"
            routes += [
                web.get(every, self.list_all),
                web.post(every, self.create),
                web.put(every, self.overwrite),
                web.get(one, self.get),
                web.patch(one, self.edit),
                web.delete(one, self.delete),
            ]
        of_guild = "/applications/{application_id}/guilds/{guild_id}/commands"
        of_one = of_guild + "/{command_id}/permissions"
        return [
            web.get(of_guild + "/permissions", self.all_permissions),
            web.get(of_one, self.permissions),
            *routes,
        ]

    async def permissions(self, request: web.Request) -> web.Response:
        """Respond with the server's permission overrides of one command.

        Raises:
            ApiError: 10066: there are none.
        """
        guild, command_id = self.guild(request), path_id(request, "command_id")
        rules = self.world.command_rules.get((guild.id, command_id))
        if rules is None:
            raise ApiError(10066)
        return json_answer(self._rules_json(guild, command_id, rules))

    async def all_permissions(self, request: web.Request) -> web.Response:
        """Respond with the server's permission overrides of all commands."""
        guild = self.guild(request)
        rules = self.world.command_rules.items()
        found = [self._rules_json(guild, command_id, each) for (of, command_id), each in rules if of == guild.id]
        return json_answer(found)

    def _rules_json(self, guild: Guild, command_id: int, rules: dict[int, bool]) -> JsonObject:
        return {
            "id": str(command_id),
            "application_id": str(self.services.application.id),
            "guild_id": str(guild.id),
            "permissions": [
                {"id": str(target), "type": _ROLE if target in guild.roles else _USER, "permission": allowed}
                for target, allowed in rules.items()
            ],
        }

    async def list_all(self, request: web.Request) -> web.Response:
        """Respond with all commands of the scope."""
        return self._answer_all(self._scope(request))

    async def get(self, request: web.Request) -> web.Response:
        """Respond with one command."""
        return self._answer(self._command(request))

    async def create(self, request: web.Request) -> web.Response:
        """Register a command, or replace the one with the same type and name."""
        scope = self._scope(request)
        body = dict(request[FORM].payload)
        self._check_one(body)
        before = {command.key: command for command in self.world.commands_of(scope)}
        is_new = (int(body["type"]), str(body["name"])) not in before
        self._check_totals([*(c.body for c in before.values()), *([body] if is_new else [])])
        self._count_new(scope, int(is_new))
        command = self._register(scope, body, before)
        self._changed()
        return json_answer(self._json(command), status=201 if is_new else 200)

    async def overwrite(self, request: web.Request) -> web.Response:
        """Replace all commands of the scope; existing ones keep their ids.

        Raises:
            ApiError: 50035 for what is not a list, or invalid commands; 30032 to 30034 for too many.
        """
        scope = self._scope(request)
        bodies = request[FORM].json
        errors = FormErrors()
        if not isinstance(bodies, list):
            raise ApiError(50035)
        check_commands(bodies, errors)
        errors.raise_if_any()
        self._check_totals(bodies)
        before = {command.key: command for command in self.world.commands_of(scope)}
        kept = {(int(body["type"]), str(body["name"])) for body in bodies}
        self._count_new(scope, len(kept - set(before)))
        for key, command in before.items():
            if key not in kept:
                self.world.remove_command(command)
        for body in bodies:
            self._register(scope, body, before)
        self._changed()
        return self._answer_all(scope)

    async def edit(self, request: web.Request) -> web.Response:
        """Edit a command."""
        command = self._command(request)
        body = command.body | request[FORM].payload
        self._check_one(body)
        self._replace(command, body)
        self._changed()
        return self._answer(command)

    async def delete(self, request: web.Request) -> web.Response:
        """Delete a command."""
        self.world.remove_command(self._command(request))
        self._changed()
        return no_content()

    def _scope(self, request: web.Request) -> int | None:
        if path_id(request, "application_id") != self.services.application.id:
            raise ApiError(10002)
        return self.guild(request).id if "guild_id" in request.match_info else None

    def _command(self, request: web.Request) -> Command:
        scope = self._scope(request)
        command = self.world.commands.get(path_id(request, "command_id"))
        if command is None or command.guild_id != scope:
            raise ApiError(10063)
        return command

    def _check_one(self, body: JsonObject) -> None:
        errors = FormErrors()
        check_command(body, errors)
        errors.raise_if_any()

    def _check_totals(self, bodies: list[Any]) -> None:
        for kind, most in MAX_BY_TYPE.items():
            if sum(body["type"] == kind for body in bodies) > most:
                message = f"Maximum number of application commands reached ({most})"
                raise ApiError(_TOO_MANY[kind], message, status=400)

    def _count_new(self, scope: int | None, created: int) -> None:
        key = (int(self.world.clock() // 86_400), scope)
        count = self._created_today.get(key, 0) + created
        if created and count > self.services.settings.daily_command_creates:
            raise ApiError(30034)
        self._created_today = {key: count} | {k: n for k, n in self._created_today.items() if k[0] == key[0]}
        self._created_today[key] = count

    def _register(self, scope: int | None, body: JsonObject, before: dict[tuple[int, str], Command]) -> Command:
        command = before.get((int(body["type"]), str(body["name"])))
        if command is not None:
            return self._replace(command, body)
        new_id = self.world.ids.next()
        return self.world.put_command(Command(new_id, self.world.ids.next(), scope, body))

    def _replace(self, command: Command, body: JsonObject) -> Command:
        if command.body != body:
            command.body = body
            command.version = self.world.ids.next()
            self.world.put_command(command)
        return command

    def _changed(self) -> None:
        commands = tuple(self.world.commands.values())
        self.world.events.publish("COMMANDS_UPDATE", CommandsChange(commands))

    def _json(self, command: Command) -> JsonObject:
        return command_json(command, self.services.application.id)

    def _answer(self, command: Command) -> web.Response:
        return json_answer(self._json(command))

    def _answer_all(self, scope: int | None) -> web.Response:
        return json_answer([self._json(command) for command in self.world.commands_of(scope)])
