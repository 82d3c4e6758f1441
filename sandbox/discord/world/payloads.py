"""Users, servers, roles and channels as Discord's JSON.

Source: Discord's API reference, the objects of the same names.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sandbox.discord.world.models import Channel, Command, Guild, JsonObject, Member, Role, ThreadState, User
    from sandbox.discord.world.world import World


def timestamp(unix_seconds: float) -> str:
    """Return a time as ISO 8601 with microseconds, in UTC."""
    return datetime.fromtimestamp(unix_seconds, UTC).isoformat(timespec="microseconds")


def moment(unix_seconds: float | None) -> str | None:
    """Return a time as `timestamp` does, or None for None."""
    return None if unix_seconds is None else timestamp(unix_seconds)


def user_json(user: User) -> JsonObject:
    """Return a user object."""
    return {
        "id": str(user.id),
        "username": user.username,
        "discriminator": "0000" if user.bot else "0",
        "global_name": user.global_name,
        "avatar": None,
        "bot": user.bot,
        "system": False,
        "public_flags": 0,
        "banner": None,
        "accent_color": None,
        "avatar_decoration_data": None,
        "clan": None,
        "primary_guild": None,
    }


def member_json(member: Member) -> JsonObject:
    """Return a guild member object without its user."""
    return {
        "roles": [str(role_id) for role_id in member.role_ids],
        "nick": member.nick,
        "avatar": None,
        "banner": None,
        "joined_at": timestamp(member.joined_at),
        "premium_since": None,
        "deaf": False,
        "mute": False,
        "flags": 0,
        "pending": False,
        "communication_disabled_until": None,
    }


def resolved_member_json(member: Member, rights: int) -> JsonObject:
    """Return a guild member object for an interaction's resolved data: with permissions, without voice and user."""
    body = member_json(member) | {"permissions": str(rights)}
    return {key: value for key, value in body.items() if key not in {"deaf", "mute"}}


def member_with_user_json(world: World, member: Member) -> JsonObject:
    """Return a guild member object with its user."""
    return member_json(member) | {"user": user_json(world.users[member.user_id])}


def role_json(role: Role) -> JsonObject:
    """Return a role object."""
    return {
        "id": str(role.id),
        "name": role.name,
        "permissions": str(role.permissions),
        "position": role.position,
        "color": role.color,
        "colors": {"primary_color": role.color, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "managed": role.managed,
        "mentionable": role.mentionable,
        "icon": None,
        "unicode_emoji": None,
        "flags": 0,
    }


def channel_json(world: World, channel: Channel) -> JsonObject:
    """Return a channel object: of a text channel, a thread or a direct message."""
    if channel.is_dm:
        return _dm_json(world, channel)
    body: JsonObject = {
        "id": str(channel.id),
        "type": int(channel.type),
        "guild_id": str(channel.guild_id),
        "name": channel.name,
        "parent_id": None if channel.parent_id is None else str(channel.parent_id),
        "last_message_id": None if channel.last_message_id is None else str(channel.last_message_id),
        "rate_limit_per_user": channel.slowmode_seconds,
        "last_pin_timestamp": moment(channel.last_pin_at),
        "flags": 0,
    }
    if channel.thread is not None:
        return body | _thread_fields(channel.thread)
    return body | _text_fields(channel)


def _text_fields(channel: Channel) -> JsonObject:
    return {
        "position": channel.position,
        "topic": channel.topic,
        "nsfw": channel.nsfw,
        "permission_overwrites": [
            {"id": str(o.id), "type": o.type, "allow": str(o.allow), "deny": str(o.deny)}
            for o in channel.overwrites.values()
        ],
    }


def _thread_fields(thread: ThreadState) -> JsonObject:
    return {
        "owner_id": str(thread.owner_id),
        "message_count": thread.message_count,
        "member_count": len(thread.member_ids),
        "total_message_sent": thread.total_message_sent,
        "thread_metadata": {
            "archived": thread.archived,
            "auto_archive_duration": thread.auto_archive_minutes,
            "archive_timestamp": timestamp(thread.archive_changed_at),
            "locked": thread.locked,
            "invitable": thread.invitable,
            "create_timestamp": timestamp(thread.created_at),
        },
    }


def _dm_json(world: World, channel: Channel) -> JsonObject:
    people = [world.users[user_id] for user_id in channel.recipient_ids]
    return {
        "id": str(channel.id),
        "type": int(channel.type),
        "last_message_id": None if channel.last_message_id is None else str(channel.last_message_id),
        "last_pin_timestamp": moment(channel.last_pin_at),
        "recipients": [user_json(user) for user in people if not user.bot],
        "flags": 0,
    }


def guild_json(guild: Guild) -> JsonObject:
    """Return a guild object without its channels and members."""
    return {
        "id": str(guild.id),
        "name": guild.name,
        "owner_id": str(guild.owner_id),
        "roles": [role_json(role) for role in guild.roles.values()],
        "premium_tier": guild.premium_tier,
        "preferred_locale": guild.locale,
        **_UNUSED_GUILD_FIELDS,
    }


def guild_create_json(world: World, guild: Guild, bot_id: int) -> JsonObject:
    """Return the data of a GUILD_CREATE event, as a bot without the members intent receives it.

    Args:
        world: holds channels, members and messages.
        guild: that the bot is in.
        bot_id: of the bot, whose permissions say which threads it sees.
    """
    threads = [t for t in world.active_threads(guild.id) if world.can_see(t, bot_id)]
    member = guild.members[bot_id]
    return guild_json(guild) | {
        "joined_at": timestamp(member.joined_at),
        "large": False,
        "unavailable": False,
        "member_count": len(guild.members),
        "voice_states": [],
        "members": [member_with_user_json(world, member)],
        "channels": [channel_json(world, channel) for channel in world.channels_of(guild.id)],
        "threads": [channel_json(world, thread) for thread in threads],
        "presences": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
    }


def command_json(command: Command, application_id: int) -> JsonObject:
    """Return an application command object."""
    given: JsonObject = {
        "id": str(command.id),
        "application_id": str(application_id),
        "version": str(command.version),
    }
    if command.guild_id is not None:
        given["guild_id"] = str(command.guild_id)
    return {**_COMMAND_DEFAULTS, **command.body, **given}


_UNUSED_GUILD_FIELDS: JsonObject = {
    "icon": None,
    "splash": None,
    "discovery_splash": None,
    "banner": None,
    "description": None,
    "vanity_url_code": None,
    "features": [],
    "emojis": [],
    "stickers": [],
    "region": "us-east",
    "afk_channel_id": None,
    "afk_timeout": 300,
    "application_id": None,
    "system_channel_id": None,
    "system_channel_flags": 0,
    "rules_channel_id": None,
    "public_updates_channel_id": None,
    "safety_alerts_channel_id": None,
    "widget_enabled": False,
    "widget_channel_id": None,
    "verification_level": 1,
    "default_message_notifications": 1,
    "explicit_content_filter": 2,
    "mfa_level": 0,
    "nsfw_level": 0,
    "nsfw": False,
    "max_members": 500_000,
    "max_presences": None,
    "max_video_channel_users": 25,
    "max_stage_video_channel_users": 50,
    "premium_subscription_count": 0,
    "premium_progress_bar_enabled": False,
    "hub_type": None,
    "incidents_data": None,
}

_COMMAND_DEFAULTS: JsonObject = {
    "description": "",
    "name_localizations": None,
    "description_localizations": None,
    "default_member_permissions": None,
    "dm_permission": True,
    "contexts": None,
    "integration_types": [0],
    "nsfw": False,
}
