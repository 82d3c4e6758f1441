"""Computes a member's permissions.

Source: Discord's documentation, "Permissions", the table and "Permission Overwrites".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sandbox.discord.world.models import Channel, Guild, Member

ADD_REACTIONS: Final = 1 << 6
ADMINISTRATOR: Final = 1 << 3
ATTACH_FILES: Final = 1 << 15
CHANGE_NICKNAME: Final = 1 << 26
CREATE_PRIVATE_THREADS: Final = 1 << 36
CREATE_PUBLIC_THREADS: Final = 1 << 35
EMBED_LINKS: Final = 1 << 14
MANAGE_CHANNELS: Final = 1 << 4
MANAGE_GUILD: Final = 1 << 5
MANAGE_MESSAGES: Final = 1 << 13
MANAGE_THREADS: Final = 1 << 34
MENTION_EVERYONE: Final = 1 << 17
PIN_MESSAGES: Final = 1 << 51
READ_MESSAGE_HISTORY: Final = 1 << 16
SEND_MESSAGES: Final = 1 << 11
SEND_MESSAGES_IN_THREADS: Final = 1 << 38
USE_APPLICATION_COMMANDS: Final = 1 << 31
USE_EXTERNAL_EMOJIS: Final = 1 << 18
VIEW_CHANNEL: Final = 1 << 10

ALL: Final = (1 << 53) - 1

_WRITING: Final = (
    VIEW_CHANNEL
    | SEND_MESSAGES
    | SEND_MESSAGES_IN_THREADS
    | CREATE_PUBLIC_THREADS
    | EMBED_LINKS
    | ATTACH_FILES
    | READ_MESSAGE_HISTORY
)
BOT_ROLE: Final = _WRITING | PIN_MESSAGES
EVERYONE: Final = (
    _WRITING | ADD_REACTIONS | CHANGE_NICKNAME | CREATE_PRIVATE_THREADS | USE_APPLICATION_COMMANDS | USE_EXTERNAL_EMOJIS
)
MODERATOR: Final = MANAGE_GUILD | MANAGE_MESSAGES | MANAGE_THREADS | PIN_MESSAGES
IN_DM: Final = (
    VIEW_CHANNEL
    | SEND_MESSAGES
    | EMBED_LINKS
    | ATTACH_FILES
    | READ_MESSAGE_HISTORY
    | ADD_REACTIONS
    | USE_APPLICATION_COMMANDS
    | USE_EXTERNAL_EMOJIS
    | MENTION_EVERYONE
)


def in_guild(guild: Guild, member: Member) -> int:
    """Return a member's permissions in the server: those of @everyone and all their roles."""
    if member.user_id == guild.owner_id:
        return ALL
    allowed = guild.roles[guild.id].permissions
    for role_id in member.role_ids:
        allowed |= guild.roles[role_id].permissions
    return ALL if allowed & ADMINISTRATOR else allowed


def in_channel(guild: Guild, member: Member, channel: Channel, *, in_thread: bool = False) -> int:
    """Return a member's permissions in a channel of the server; 0 if they cannot see it.

    Args:
        guild: the server.
        member: the member.
        channel: a text channel; for a thread, its parent.
        in_thread: whether for a thread, where sending has its own permission.
    """
    allowed = in_guild(guild, member)
    if allowed & ADMINISTRATOR:
        return ALL
    allowed = _apply_overwrites(guild, member, channel, allowed)
    if not allowed & VIEW_CHANNEL:
        return 0
    if not allowed & (SEND_MESSAGES_IN_THREADS if in_thread else SEND_MESSAGES):
        # Without the permission to send, Discord denies these three as well
        allowed &= ~(MENTION_EVERYONE | ATTACH_FILES | EMBED_LINKS)
    return allowed


def _apply_overwrites(guild: Guild, member: Member, channel: Channel, allowed: int) -> int:
    overwrites = channel.overwrites
    if everyone := overwrites.get(guild.id):
        allowed = allowed & ~everyone.deny | everyone.allow
    roles = [overwrites[role_id] for role_id in member.role_ids if role_id in overwrites]
    for overwrite in roles:
        allowed &= ~overwrite.deny
    for overwrite in roles:
        allowed |= overwrite.allow
    if own := overwrites.get(member.user_id):
        allowed = allowed & ~own.deny | own.allow
    return allowed
