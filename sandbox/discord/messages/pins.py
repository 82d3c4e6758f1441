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
from sandbox.discord.world.errors import refusal
from sandbox.discord.world.models import Channel, Message, Reference

if TYPE_CHECKING:
    from sandbox.discord.world.world import World

MAX_PINS = 50
_NOBODY = AllowedMentions(parse=frozenset(), replied_user=False)
_PINNABLE = frozenset(
    {MessageType.DEFAULT, MessageType.REPLY, MessageType.SLASH_COMMAND, MessageType.CONTEXT_MENU_COMMAND}
)


class PinService:
    """What can be done with pins. The right to do so is checked by the caller."""

    def __init__(self, world: World, messages: MessageService) -> None:
        self._world = world
        self._messages = messages

    def pinned(self, channel: Channel) -> list[Message]:
        """A channel's pinned messages, the last pinned first."""
        found = [(m.pinned_at, m.id, m) for m in self._world.messages_of(channel.id) if m.pinned_at is not None]
        return [message for _, _, message in sorted(found, key=lambda each: each[:2], reverse=True)]

    def pin(self, channel: Channel, message: Message, user_id: int) -> None:
        """Pin a message and tell of it in its channel; one that is pinned already stays as it is.

        Raises:
            ApiError: 50021 for what Discord itself wrote, 30003 if the channel is full of pins.
        """
        if message.type not in _PINNABLE:
            raise refusal(50021)
        if message.pinned:
            return
        if len(self.pinned(channel)) >= MAX_PINS:
            raise refusal(30003)
        # In microseconds, as it is told and asked for
        message.pinned_at = channel.last_pin_at = round(self._world.clock(), 6)
        self._changed(channel, message)
        reference = Reference(message.id, channel.id, channel.guild_id)
        by = Authorship(user_id, MessageType.PIN_ADDED, reference=reference)
        self._messages.post(channel, Draft(mentions=_NOBODY), by)

    def unpin(self, channel: Channel, message: Message) -> None:
        """Unpin a message; nothing happens to one that is not pinned."""
        if message.pinned:
            message.pinned_at = None
            self._changed(channel, message)

    def _changed(self, channel: Channel, message: Message) -> None:
        self._messages.changed(message)
        self._world.put_channel(channel)
        self._world.events.publish("CHANNEL_PINS_UPDATE", channel)
