"""Messages and attachments as Discord's JSON.

Source: Discord's API reference, "Message Object" and "Attachment Object".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.discord.world.constants import MessageType
from sandbox.discord.world.payloads import channel_json, member_json, timestamp, user_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.discord.http.attachments import AttachmentStore
    from sandbox.discord.world.models import Attachment, JsonObject, Message, Origin, Reference
    from sandbox.discord.world.world import World

ATTACHMENT_SCHEME = "attachment://"


class MessageWriter:
    """Writes messages as JSON, with fresh URLs of their files."""

    def __init__(self, world: World, attachment_store: AttachmentStore) -> None:
        self._world = world
        self._attachment_store = attachment_store

    def write(self, message: Message) -> JsonObject:
        """Return a message object as REST sends it."""
        body = self._without_references(message)
        if message.reference is not None:
            body["message_reference"] = _reference_json(message.reference)
            if message.type == MessageType.REPLY:
                body["referenced_message"] = self._answered(message, message.reference)
        if thread := self._world.channels.get(message.id):
            body["thread"] = channel_json(self._world, thread)
        return body

    def write_for_gateway(self, message: Message) -> JsonObject:
        """Return a message object as MESSAGE_CREATE and MESSAGE_UPDATE carry it: with the server and the member."""
        body = self.write(message)
        if message.guild_id is None:
            return body
        members = self._world.guilds[message.guild_id].members
        body["guild_id"] = str(message.guild_id)
        if message.webhook_id is None and message.author_id in members:
            body["member"] = member_json(members[message.author_id])
        for mention in body["mentions"]:
            if member := members.get(int(mention["id"])):
                mention["member"] = member_json(member)
        return body

    def attachment(self, attachment: Attachment) -> JsonObject:
        """Return an attachment object."""
        url = self._attachment_store.url(attachment)
        body: JsonObject = {
            "id": str(attachment.id),
            "filename": attachment.filename,
            "size": attachment.size,
            "url": url,
            "proxy_url": url,
            "content_type": attachment.content_type,
        }
        optional = {
            "width": attachment.width,
            "height": attachment.height,
            "description": attachment.description,
            "title": attachment.title,
            "ephemeral": attachment.ephemeral or None,
        }
        return body | {key: value for key, value in optional.items() if value is not None}

    def _without_references(self, message: Message) -> JsonObject:
        world = self._world
        files = {a.filename: a for a in message.attachments}
        shown = set(files) - set(_referenced_files(message))
        body: JsonObject = {
            "id": str(message.id),
            "channel_id": str(message.channel_id),
            "type": int(message.type),
            "author": user_json(world.users[message.author_id]),
            "content": message.content,
            "timestamp": timestamp(message.timestamp),
            "edited_timestamp": None if message.edited_at is None else timestamp(message.edited_at),
            "tts": False,
            "mention_everyone": message.mention_everyone,
            "mentions": [user_json(world.users[user_id]) for user_id in message.mention_ids],
            "mention_roles": [str(role_id) for role_id in message.mention_role_ids],
            # Files shown in an embed or component are not listed as attachments
            "attachments": [self.attachment(a) for a in message.attachments if a.filename in shown],
            "embeds": self._resolve(message.embeds, files),
            "components": self._resolve(message.components, files),
            "pinned": message.pinned,
            "flags": message.flags,
        }
        return body | self._optional_fields(message)

    def _answered(self, message: Message, reference: Reference) -> JsonObject | None:
        answered = self._world.messages.get(reference.message_id or 0)
        # A public reply to an ephemeral message does not reveal it
        if answered is None or (answered.ephemeral and answered.visible_to != message.visible_to):
            return None
        return self._without_references(answered)

    def _optional_fields(self, message: Message) -> JsonObject:
        body: JsonObject = {}
        if message.nonce is not None:
            body["nonce"] = message.nonce
        if message.webhook_id is not None:
            body["webhook_id"] = body["application_id"] = str(message.webhook_id)
        if message.origin is not None:
            body["interaction_metadata"] = self._origin(message.origin)
            if message.origin.command_type is not None:
                body["interaction"] = self._legacy_origin(message.origin)
        return body

    def _origin(self, origin: Origin) -> JsonObject:
        ids = {
            "original_response_message_id": origin.original_response_message_id,
            "target_message_id": origin.target_message_id,
            "interacted_message_id": origin.interacted_message_id,
        }
        body: JsonObject = {
            "id": str(origin.interaction_id),
            "type": int(origin.type),
            "user": user_json(self._world.users[origin.user_id]),
            "authorizing_integration_owners": {},
            "name": origin.name,
        }
        if origin.command_type is not None:
            body["command_type"] = int(origin.command_type)
        if origin.triggered_by is not None:
            body["triggering_interaction_metadata"] = self._origin(origin.triggered_by)
        return body | {key: str(value) for key, value in ids.items() if value is not None}

    def _legacy_origin(self, origin: Origin) -> JsonObject:
        user = user_json(self._world.users[origin.user_id])
        return {
            "id": str(origin.interaction_id),
            "type": int(origin.type),
            "name": origin.name,
            "user": user,
        }

    def _resolve(self, parts: list[JsonObject], files: dict[str, Attachment]) -> list[JsonObject]:
        return [self._resolve_object(part, files) for part in parts]

    def _resolve_object(self, part: JsonObject, files: dict[str, Attachment]) -> JsonObject:
        url = part.get("url")
        if isinstance(url, str) and url.startswith(ATTACHMENT_SCHEME):
            attachment = files.get(url.removeprefix(ATTACHMENT_SCHEME))
            return part if attachment is None else part | self._media(attachment)
        return {key: self._resolve_value(value, files) for key, value in part.items()}

    def _resolve_value(self, value: object, files: dict[str, Attachment]) -> object:
        if isinstance(value, dict):
            return self._resolve_object(value, files)
        if isinstance(value, list):
            return [self._resolve_value(item, files) for item in value]
        return value

    def _media(self, attachment: Attachment) -> JsonObject:
        url = self._attachment_store.url(attachment)
        return {
            "url": url,
            "proxy_url": url,
            "width": attachment.width,
            "height": attachment.height,
            "content_type": attachment.content_type,
            "attachment_id": str(attachment.id),
            "placeholder": "",
            "placeholder_version": 1,
            "loading_state": 2,
            "flags": 0,
        }


def _reference_json(reference: Reference) -> JsonObject:
    body: JsonObject = {
        "type": 0,
        "message_id": reference.message_id,
        "channel_id": reference.channel_id,
        "guild_id": reference.guild_id,
    }
    return {key: value if key == "type" else str(value) for key, value in body.items() if value is not None}


def _referenced_files(message: Message) -> Iterable[str]:
    yield from files_named_in(message.embeds)
    yield from files_named_in(message.components)


def files_named_in(part: object) -> Iterable[str]:
    """Yield the filenames that an embed or component refers to with `attachment://`."""
    if isinstance(part, list):
        for item in part:
            yield from files_named_in(item)
    elif isinstance(part, dict):
        url = part.get("url")
        if isinstance(url, str) and url.startswith(ATTACHMENT_SCHEME):
            yield url.removeprefix(ATTACHMENT_SCHEME)
        for value in part.values():
            yield from files_named_in(value)
