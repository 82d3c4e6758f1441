"""REST: responses to interactions, by their id and token, without the bot's token.

Source: Discord's API reference, "Receiving and Responding to Interactions".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from sandbox.discord.http.json_answers import json_answer
from sandbox.discord.rest.base import FORM, Rest, no_content, path_id
from sandbox.discord.world.constants import CallbackType
from sandbox.discord.world.errors import ApiError

if TYPE_CHECKING:
    from sandbox.discord.interactions.registry import Interaction
    from sandbox.discord.world.models import JsonObject, Message

_TRUE = frozenset({"1", "true", "True"})


class InteractionRest(Rest):
    """Routes of initial responses and follow-ups."""

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of this group."""
        hook = "/webhooks/{application_id}/{token}"
        message = hook + "/messages/{message_id}"
        return [
            web.post("/interactions/{interaction_id}/{token}/callback", self.callback),
            web.post(hook, self.follow_up),
            web.get(message, self.get),
            web.patch(message, self.edit),
            web.delete(message, self.delete),
        ]

    async def callback(self, request: web.Request) -> web.Response:
        """Accept the initial response."""
        interaction_id = path_id(request, "interaction_id")
        interaction = self.services.registry.pending(interaction_id, request.match_info["token"])
        message = self.services.answers.answer(interaction, request[FORM])
        if request.query.get("with_response") not in _TRUE:
            return no_content()
        return json_answer(self._callback_response(interaction, message))

    async def follow_up(self, request: web.Request) -> web.Response:
        """Post a follow-up."""
        return self._answer(self.services.answers.follow_up(self._interaction(request), request[FORM]))

    async def get(self, request: web.Request) -> web.Response:
        """Respond with a message of the interaction."""
        return self._answer(self._message(request))

    async def edit(self, request: web.Request) -> web.Response:
        """Edit a message of the interaction."""
        interaction = self._interaction(request)
        message = self._message(request)
        return self._answer(self.services.answers.edit(interaction, message, request[FORM]))

    async def delete(self, request: web.Request) -> web.Response:
        """Delete a message of the interaction."""
        self.services.messages.delete(self._message(request))
        return no_content()

    def _interaction(self, request: web.Request) -> Interaction:
        if path_id(request, "application_id") != self.services.application.id:
            raise ApiError(10015)
        return self.services.registry.with_token(request.match_info["token"])

    def _message(self, request: web.Request) -> Message:
        interaction = self._interaction(request)
        return self.services.answers.message(interaction, request.match_info["message_id"])

    def _answer(self, message: Message) -> web.Response:
        return json_answer(self.services.writer.write(message))

    def _callback_response(self, interaction: Interaction, message: Message | None) -> JsonObject:
        about: JsonObject = {"id": str(interaction.id), "type": int(interaction.type)}
        resource: JsonObject = {"type": int(interaction.answer or 0)}
        if message is not None:
            about["response_message_id"] = str(message.id)
            about["response_message_loading"] = message.thinking
            about["response_message_ephemeral"] = message.ephemeral
        if message is not None and interaction.answer != CallbackType.DEFERRED_UPDATE:
            resource["message"] = self.services.writer.write(message)
        return {"interaction": about, "resource": resource}
