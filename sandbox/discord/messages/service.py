"""Posts, edits and deletes messages of the bot, of users, and of interaction responses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.discord.http.attachments import AttachmentStore, describe
from sandbox.discord.http.form_errors import FormErrors, snowflake
from sandbox.discord.messages.drafts import Draft, kept_attachments
from sandbox.discord.messages.mentions import AllowedMentions, mentioned_in
from sandbox.discord.world import permissions
from sandbox.discord.world.constants import MessageFlag, MessageType
from sandbox.discord.world.errors import ApiError
from sandbox.discord.world.models import Attachment, Channel, JsonObject, Message, Origin, Reference

if TYPE_CHECKING:
    from sandbox.discord.settings import Settings
    from sandbox.discord.world.world import World

_SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Authorship:
    """A new message's author and origin.

    Attributes:
        author_id: the author.
        type: the message type; None for a plain message or a reply.
        webhook_id: the application, if it responds to an interaction.
        origin: the interaction it responds to.
        visible_to: the only user who sees it; None for everyone.
        reference: the message it replies to.
        extra_flags: flags that a request cannot set.
    """

    author_id: int
    type: MessageType | None = None
    webhook_id: int | None = None
    origin: Origin | None = None
    visible_to: int | None = None
    reference: Reference | None = None
    extra_flags: int = 0

    @property
    def may_be_empty(self) -> bool:
        """Whether the message may be empty: a deferred response, or a system message."""
        return self.type == MessageType.PIN_ADDED or bool(self.extra_flags & MessageFlag.LOADING)


class LateEditLimitError(ApiError):
    """30046: a message older than an hour was edited too often.

    Attributes:
        retry_after: seconds until it may be edited again.
    """

    def __init__(self, retry_after: float) -> None:
        message = "Maximum number of edits to messages older than 1 hour reached. Try again later"
        super().__init__(30046, message, status=429)
        self.retry_after = retry_after

    def body(self) -> JsonObject:
        """Return the response's JSON, with `retry_after`."""
        return super().body() | {"retry_after": self.retry_after, "global": False}


class MessageService:
    """Posts, edits and deletes messages. The caller checks permissions, except those for mentions.

    Args:
        world: holds channels, members and messages.
        attachment_store: keeps the messages' files.
        settings: limits and times of this server.
    """

    def __init__(self, world: World, attachment_store: AttachmentStore, settings: Settings) -> None:
        self._world = world
        self._attachment_store = attachment_store
        self._settings = settings
        self._nonces: dict[tuple[int, str], int] = {}

    def with_nonce(self, author_id: int, draft: Draft) -> Message | None:
        """Return the author's recent message with the same enforced nonce, if any."""
        if draft.nonce is None or not draft.enforce_nonce:
            return None
        message = self._world.messages.get(self._nonces.get((author_id, str(draft.nonce)), 0))
        if message is None or self._world.clock() - message.timestamp > self._settings.nonce_seconds:
            return None
        return message

    def remember_nonces(self) -> None:
        """Index the enforced nonces of messages loaded from disk."""
        for message in self._world.messages.values():
            if message.enforced_nonce:
                self._nonces[message.author_id, str(message.nonce)] = message.id

    def post(self, channel: Channel, draft: Draft, by: Authorship) -> Message:
        """Post a message and publish it.

        Args:
            channel: where.
            draft: its contents.
            by: its author and origin.

        Raises:
            ApiError: 50006 for an empty message, 160005 for a locked thread, 50035 for an unknown reference.
        """
        if draft.is_empty and not by.may_be_empty:
            raise ApiError(50006)
        reference = by.reference or self._reference(channel, draft)
        message = Message(
            id=self._world.ids.next(),
            channel_id=channel.id,
            guild_id=channel.guild_id,
            author_id=by.author_id,
            timestamp=self._world.clock(),
            type=by.type or (MessageType.DEFAULT if reference is None else MessageType.REPLY),
            content=draft.content or "",
            flags=draft.flags & ~MessageFlag.EPHEMERAL | by.extra_flags,
            embeds=draft.embeds or [],
            components=draft.components or [],
            nonce=draft.nonce,
            enforced_nonce=draft.enforce_nonce,
            reference=reference,
            webhook_id=by.webhook_id,
            origin=by.origin,
            visible_to=by.visible_to,
        )
        if by.visible_to is not None:
            message.flags |= MessageFlag.EPHEMERAL
        message.attachments = self._keep_files(draft, message)
        self._mention(message, channel, draft.mentions)
        self._ping(message, channel)
        self._enter(message, channel)
        return message

    def edit(self, message: Message, draft: Draft) -> Message:
        """Edit a message and publish it; fields that the draft does not give stay.

        Raises:
            ApiError: 50006 if the message would be empty.
            LateEditLimitError: it is old and was edited too often.
        """
        channel = self._world.channel(message.channel_id)
        self._check_late_edit(message)
        self._check_not_emptied(message, draft)
        for name in ("content", "embeds", "components"):
            if name in draft.given:
                value = getattr(draft, name)
                setattr(message, name, value if value is not None else "" if name == "content" else [])
        self._change_files(message, draft)
        if "flags" in draft.given:
            message.flags &= ~MessageFlag.SUPPRESS_EMBEDS
        message.flags |= draft.flags & ~MessageFlag.EPHEMERAL
        self._fill(message)
        self._mention(message, channel, draft.mentions)
        self._world.put_message(message)
        self._world.events.publish("MESSAGE_UPDATE", message)
        return message

    def fill(self, message: Message, draft: Draft) -> Message:
        """Fill a deferred response with content. Like any edit it notifies nobody.

        Raises:
            ApiError: 50006 if the draft is empty.
        """
        if draft.is_empty:
            raise ApiError(50006)
        return self.edit(message, draft)

    def _fill(self, message: Message) -> None:
        if message.thinking:
            message.flags &= ~MessageFlag.LOADING
        else:
            message.edited_at = self._world.clock()

    def delete(self, message: Message) -> None:
        """Delete a message and publish it."""
        self._world.remove_message(message)
        for attachment in message.attachments:
            self._attachment_store.drop(attachment.id)
        channel = self._world.channels.get(message.channel_id)
        if channel is not None and channel.thread is not None and not message.ephemeral:
            channel.thread.message_count -= 1
            self._world.put_channel(channel)
        self._world.events.publish("MESSAGE_DELETE", message)

    def changed(self, message: Message) -> None:
        """Save and publish a message that another service changed, such as by starting a thread from it."""
        self._world.put_message(message)
        self._world.events.publish("MESSAGE_UPDATE", message)

    def _enter(self, message: Message, channel: Channel) -> None:
        self._world.put_message(message)
        if not message.ephemeral:
            self._count(message, channel)
        if message.nonce is not None and message.enforced_nonce:
            self._nonces[message.author_id, str(message.nonce)] = message.id
        self._world.events.publish("MESSAGE_CREATE", message)

    def _count(self, message: Message, channel: Channel) -> None:
        channel.last_message_id = message.id
        thread = channel.thread
        if thread is not None:
            thread.message_count += 1
            thread.total_message_sent += 1
            if message.author_id not in thread.member_ids:
                thread.member_ids.append(message.author_id)
        self._world.put_channel(channel)

    def _keep_files(self, draft: Draft, message: Message) -> list[Attachment]:
        kept = []
        for file in draft.files:
            attachment = describe(file.upload, self._world.ids.next(), message.channel_id)
            attachment.ephemeral = message.ephemeral
            attachment.description, attachment.title = file.description, file.title
            self._attachment_store.put(attachment.id, file.upload.content)
            kept.append(attachment)
        return kept

    def _change_files(self, message: Message, draft: Draft) -> None:
        kept = kept_attachments(draft, message)
        for attachment in message.attachments:
            if attachment not in kept:
                self._attachment_store.drop(attachment.id)
        message.attachments = kept + self._keep_files(draft, message)

    def _reference(self, channel: Channel, draft: Draft) -> Reference | None:
        given = draft.reference
        if given is None:
            return None
        errors = FormErrors()
        message_id = snowflake(given.get("message_id"), errors, ("message_reference", "message_id"))
        found = self._world.messages.get(message_id or 0)
        if found is not None and found.channel_id == channel.id and not found.ephemeral:
            return Reference(found.id, channel.id, channel.guild_id)
        if given.get("fail_if_not_exists", True):
            errors.add(("message_reference",), "MESSAGE_REFERENCE_UNKNOWN_MESSAGE", "Unknown message")
        errors.raise_if_any()
        return None

    def _mention(self, message: Message, channel: Channel, allowed: AllowedMentions) -> None:
        found = mentioned_in(message.content)
        rights = self._world.permissions_in(channel, message.author_id)
        may_all = bool(rights & permissions.MENTION_EVERYONE)
        users = [u for u in found.users if u in self._world.users and allowed.counts_user(u)]
        replied = self._replied_to(message)
        if replied is not None and allowed.replied_user and replied not in users:
            users.append(replied)
        message.mention_ids = users
        message.mention_everyone = found.everyone and may_all and "everyone" in allowed.parse
        message.mention_role_ids = [
            role_id
            for role_id in found.roles
            if allowed.counts_role(role_id) and self._may_mention_role(channel, role_id, may_all=may_all)
        ]

    def _replied_to(self, message: Message) -> int | None:
        if message.reference is None or message.type != MessageType.REPLY or message.origin is not None:
            return None
        answered = self._world.messages.get(message.reference.message_id or 0)
        return None if answered is None else answered.author_id

    def _may_mention_role(self, channel: Channel, role_id: int, *, may_all: bool) -> bool:
        if channel.guild_id is None:
            return False
        role = self._world.guilds[channel.guild_id].roles.get(role_id)
        return role is not None and (role.mentionable or may_all)

    def _ping(self, message: Message, channel: Channel) -> None:
        if message.has_flag(MessageFlag.SUPPRESS_NOTIFICATIONS):
            return
        pinged = dict.fromkeys(message.mention_ids)
        if channel.guild_id is not None:
            for member in self._world.guilds[channel.guild_id].members.values():
                if message.mention_everyone or set(member.role_ids) & set(message.mention_role_ids):
                    pinged[member.user_id] = None
        pinged.pop(message.author_id, None)
        message.pinged_user_ids = [user_id for user_id in pinged if self._world.can_see(channel, user_id)]

    def _check_not_emptied(self, message: Message, draft: Draft) -> None:
        after = Draft(
            content=draft.content if "content" in draft.given else message.content,
            embeds=draft.embeds if "embeds" in draft.given else message.embeds,
            components=draft.components if "components" in draft.given else message.components,
            files=draft.files,
        )
        if after.is_empty and not kept_attachments(draft, message):
            raise ApiError(50006)

    def _check_late_edit(self, message: Message) -> None:
        now = self._world.clock()
        if now - message.timestamp < self._settings.late_edit_age_seconds:
            return
        message.late_edits = [at for at in message.late_edits if now - at < _SECONDS_PER_HOUR]
        if len(message.late_edits) >= self._settings.late_edits_per_hour:
            raise LateEditLimitError(round(message.late_edits[0] + _SECONDS_PER_HOUR - now, 3))
        message.late_edits.append(now)
