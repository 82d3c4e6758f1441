"""Pinning messages to their channel.

Source: Discord's API reference, "Message": "Get Channel Pins", "Pin Message"; and "Permission Changes Going into
Effect February 2026", since when Manage Messages no longer suffices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.discord.messages.drafts import Draft
from sandbox.discord.messages.mentions import AllowedMentions
from sandbox.discord.messages.service import Authorship, MessageService
from sandbox.discord.world.constants import MessageType
from sandbox.discord.world.errors import ApiError
from sandbox.discord.world.models import Channel, Message, Reference

if TYPE_CHECKING:
    from sandbox.discord.world.world import World

MAX_PINS = 50
_NOBODY = AllowedMentions(parse=frozenset(), replied_user=False)
_PINNABLE = frozenset(
    {MessageType.DEFAULT, MessageType.REPLY, MessageType.SLASH_COMMAND, MessageType.CONTEXT_MENU_COMMAND}
)


class PinService:
    """Pins and unpins messages. The caller checks permissions."""

    def __init__(self, world: World, messages: MessageService) -> None:
        self._world = world
        self._messages = messages

    def pinned(self, channel: Channel) -> list[Message]:
        """Return a channel's pinned messages, last pinned first."""
        found = [(m.pinned_at, m.id, m) for m in self._world.messages_of(channel.id) if m.pinned_at is not None]
        return [message for _, _, message in sorted(found, key=lambda each: each[:2], reverse=True)]

    def pin(self, channel: Channel, message: Message, user_id: int) -> None:
        """Pin a message and announce it in its channel; does nothing if it is pinned already.

        Args:
            channel: its channel.
            message: the message.
            user_id: who pins it.

        Raises:
            ApiError: 50021 for a system message, 30003 if the channel has the maximum of pins.
        """
        if message.type not in _PINNABLE:
            raise ApiError(50021)
        if message.pinned:
            return
        if len(self.pinned(channel)) >= MAX_PINS:
            raise ApiError(30003)
        # In microseconds, the precision of the API
        message.pinned_at = channel.last_pin_at = round(self._world.clock(), 6)
        self._changed(channel, message)
        reference = Reference(message.id, channel.id, channel.guild_id)
        by = Authorship(user_id, MessageType.PIN_ADDED, reference=reference)
        self._messages.post(channel, Draft(mentions=_NOBODY), by)

    def unpin(self, channel: Channel, message: Message) -> None:
        """Unpin a message; does nothing if it is not pinned."""
        if message.pinned:
            message.pinned_at = None
            self._changed(channel, message)

    def _changed(self, channel: Channel, message: Message) -> None:
        self._messages.changed(message)
        self._world.put_channel(channel)
        self._world.events.publish("CHANNEL_PINS_UPDATE", channel)
