"""REST: messages of channels.

Source: Discord's API reference, "Message".
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from aiohttp import web

from sandbox.discord.http.form_errors import FormErrors, snowflake
from sandbox.discord.http.json_answers import json_answer
from sandbox.discord.messages.drafts import Draft, read_draft
from sandbox.discord.messages.service import Authorship
from sandbox.discord.rest.base import FORM, Rest, no_content, query_id, query_int
from sandbox.discord.world import permissions
from sandbox.discord.world.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.discord.world.models import Channel, Message

_BULK_DELETE_SECONDS = 14 * 86_400


class MessageRest(Rest):
    """Routes that post, read, edit and delete messages."""

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of this group."""
        messages = "/channels/{channel_id}/messages"
        return [
            web.post(messages, self.create),
            web.get(messages, self.list_all),
            web.post(messages + "/bulk-delete", self.bulk_delete),
            web.get(messages + "/{message_id}", self.get),
            web.patch(messages + "/{message_id}", self.edit),
            web.delete(messages + "/{message_id}", self.delete),
            web.post("/channels/{channel_id}/typing", self.type),
        ]

    async def create(self, request: web.Request) -> web.Response:
        """Post a message."""
        channel = self.channel(request)
        self.need(channel, self._sending(channel))
        form = request[FORM]
        draft = read_draft(form.payload, form.files, upload_limit_bytes=self.upload_limit(channel))
        self._check_rights(channel, draft)
        self._check_dms_open(channel)
        message = self.services.messages.with_nonce(self.bot_id, draft)
        if message is None:
            self.services.threads.wake(channel, self.bot_id)
            message = self.services.messages.post(channel, draft, Authorship(self.bot_id))
        return self._answer(message)

    async def get(self, request: web.Request) -> web.Response:
        """Respond with one message."""
        return self._answer(self.message(request, self.channel(request)))

    async def list_all(self, request: web.Request) -> web.Response:
        """Respond with up to 100 messages, newest first."""
        channel = self.channel(request)
        if not self.rights(channel) & permissions.READ_MESSAGE_HISTORY:
            return json_answer([])
        limit = query_int(request, "limit", 50, 1, 100)
        found = sorted(self._select(request, channel.id, limit), key=lambda message: -message.id)
        return json_answer([self.services.writer.write(message) for message in found])

    async def edit(self, request: web.Request) -> web.Response:
        """Edit one of the bot's own messages.

        Raises:
            ApiError: 50005 for somebody else's message, 50035 for invalid fields.
        """
        channel = self.channel(request)
        message = self.message(request, channel)
        if message.author_id != self.bot_id:
            raise ApiError(50005)
        self._check_open(channel)
        form = request[FORM]
        limit = self.upload_limit(channel)
        draft = read_draft(form.payload, form.files, upload_limit_bytes=limit, edited=message)
        self._check_rights(channel, draft)
        return self._answer(self.services.messages.edit(message, draft))

    async def delete(self, request: web.Request) -> web.Response:
        """Delete a message: one of the bot's own, or any with Manage Messages."""
        channel = self.channel(request)
        message = self.message(request, channel)
        if message.author_id != self.bot_id:
            self.need(channel, permissions.MANAGE_MESSAGES)
        self.services.messages.delete(message)
        return no_content()

    async def bulk_delete(self, request: web.Request) -> web.Response:
        """Delete 2 to 100 messages not older than two weeks."""
        channel = self.channel(request)
        self.need(channel, permissions.MANAGE_MESSAGES)
        given = request[FORM].payload.get("messages") or []
        errors = FormErrors()
        errors.check_count(("messages",), given, 2, 100)
        ids = [snowflake(value, errors, ("messages", index)) for index, value in enumerate(given)]
        found = [self.world.messages[i] for i in ids if i is not None and i in self.world.messages]
        oldest = self.world.clock() - _BULK_DELETE_SECONDS
        if any(message.timestamp < oldest for message in found):
            errors.add(("messages",), "MESSAGES_TOO_OLD", "You can only bulk delete messages under 14 days old.")
        errors.raise_if_any()
        for message in found:
            if message.channel_id == channel.id:
                self.services.messages.delete(message)
        return no_content()

    async def type(self, request: web.Request) -> web.Response:
        """Accept a typing indicator; the page does not show it."""
        channel = self.channel(request)
        self.need(channel, self._sending(channel))
        return no_content()

    def _answer(self, message: Message) -> web.Response:
        return json_answer(self.services.writer.write(message))

    def _sending(self, channel: Channel) -> int:
        return permissions.SEND_MESSAGES_IN_THREADS if channel.is_thread else permissions.SEND_MESSAGES

    def _check_rights(self, channel: Channel, draft: Draft) -> None:
        if draft.files:
            self.need(channel, permissions.ATTACH_FILES)
        if draft.reference is not None and not self.rights(channel) & permissions.READ_MESSAGE_HISTORY:
            raise ApiError(160002)
        if draft.embeds:
            self.need(channel, permissions.EMBED_LINKS)

    def _check_open(self, channel: Channel) -> None:
        if channel.thread is not None and channel.thread.archived:
            raise ApiError(50083)

    def _check_dms_open(self, channel: Channel) -> None:
        people = (self.world.users[user_id] for user_id in channel.recipient_ids)
        if not all(user.accepts_dms for user in people):
            raise ApiError(50007)

    def _select(self, request: web.Request, channel_id: int, limit: int) -> Iterable[Message]:
        after, around = query_id(request, "after"), query_id(request, "around")
        if around is not None:
            half = limit // 2
            newer = _public(self.world.messages_after(channel_id, around - 1), limit - half)
            return [*newer, *_public(self.world.messages_before(channel_id, around), half)]
        if after is not None:
            return _public(self.world.messages_after(channel_id, after), limit)
        return _public(self.world.messages_before(channel_id, query_id(request, "before")), limit)


def _public(messages: Iterable[Message], limit: int) -> Iterable[Message]:
    return islice((message for message in messages if not message.ephemeral), limit)
