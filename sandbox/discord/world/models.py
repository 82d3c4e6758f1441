"""The models of the local Discord: users, servers, channels, messages, commands.

Ids are ints here and strings on the wire. Times are Unix seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sandbox.discord.world.constants import THREAD_TYPES, ChannelType, MessageFlag

JsonObject = dict[str, Any]

MEBIBYTE = 1024 * 1024
_UPLOAD_LIMIT_BY_TIER = {0: 10 * MEBIBYTE, 1: 10 * MEBIBYTE, 2: 50 * MEBIBYTE, 3: 100 * MEBIBYTE}


@dataclass(slots=True)
class User:
    """An account.

    Attributes:
        color: the CSS colour of the avatar.
        listed: whether the page offers to act as this user.
        accepts_dms: whether it accepts direct messages.
    """

    id: int
    username: str
    global_name: str | None = None
    bot: bool = False
    color: str = "#5865f2"
    listed: bool = True
    locale: str = "en-US"
    accepts_dms: bool = True

    @property
    def display_name(self) -> str:
        """The name shown."""
        return self.global_name or self.username


@dataclass(slots=True)
class Role:
    """A role of a server; the role with the server's own id is @everyone."""

    id: int
    name: str
    permissions: int = 0
    position: int = 1
    color: int = 0
    managed: bool = False
    mentionable: bool = False


@dataclass(slots=True)
class Overwrite:
    """What a channel allows and denies to a role (`type` 0) or member (`type` 1)."""

    id: int
    type: int
    allow: int = 0
    deny: int = 0


@dataclass(slots=True)
class Member:
    """A user in a server."""

    user_id: int
    role_ids: list[int] = field(default_factory=list)
    nick: str | None = None
    joined_at: float = 0.0


@dataclass(slots=True)
class Guild:
    """A server. `upload_limit_bytes` and `max_active_threads` may be set for tests."""

    id: int
    name: str
    owner_id: int
    roles: dict[int, Role] = field(default_factory=dict)
    members: dict[int, Member] = field(default_factory=dict)
    premium_tier: int = 0
    locale: str = "en-US"
    upload_limit_override: int | None = None
    max_active_threads: int = 1000

    @property
    def upload_limit_bytes(self) -> int:
        """Largest file that can be posted here: the override, else the boost tier's limit."""
        return self.upload_limit_override or _UPLOAD_LIMIT_BY_TIER[self.premium_tier]


@dataclass(slots=True)
class ThreadState:
    """The fields that only threads have."""

    owner_id: int
    created_at: float
    archived: bool = False
    locked: bool = False
    auto_archive_minutes: int = 4320
    archive_changed_at: float = 0.0
    invitable: bool = True
    message_count: int = 0
    total_message_sent: int = 0
    member_ids: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Channel:
    """A text channel, a thread or a direct message."""

    id: int
    type: int
    guild_id: int | None = None
    name: str = ""
    parent_id: int | None = None
    position: int = 0
    topic: str | None = None
    nsfw: bool = False
    slowmode_seconds: int = 0
    overwrites: dict[int, Overwrite] = field(default_factory=dict)
    last_message_id: int | None = None
    last_pin_at: float | None = None
    recipient_ids: list[int] = field(default_factory=list)
    thread: ThreadState | None = None
    deleted: bool = False

    @property
    def is_thread(self) -> bool:
        """Whether it is a thread."""
        return self.type in THREAD_TYPES

    @property
    def is_dm(self) -> bool:
        """Whether it is a direct message channel."""
        return self.type == ChannelType.DM


@dataclass(slots=True)
class Attachment:
    """A file of a message or an interaction, without its bytes. `channel_id` is part of its URL."""

    id: int
    channel_id: int
    filename: str
    size: int
    content_type: str
    width: int | None = None
    height: int | None = None
    description: str | None = None
    title: str | None = None
    ephemeral: bool = False


@dataclass(slots=True)
class Reference:
    """The message that a message replies to or announces; for a new thread, only its channel."""

    message_id: int | None
    channel_id: int
    guild_id: int | None = None


@dataclass(slots=True)
class Origin:
    """The interaction that made a message: the source of `interaction_metadata`."""

    interaction_id: int
    type: int
    user_id: int
    name: str = ""
    command_type: int | None = None
    original_response_message_id: int | None = None
    target_message_id: int | None = None
    interacted_message_id: int | None = None
    triggered_by: Origin | None = None


@dataclass(slots=True)
class Message:
    """A message. `visible_to` is the only user who sees an ephemeral one.

    `mention_ids` are the users it mentions, `pinged_user_ids` those who were notified when it was made.
    """

    id: int
    channel_id: int
    author_id: int
    timestamp: float
    guild_id: int | None = None
    type: int = 0
    content: str = ""
    flags: int = 0
    edited_at: float | None = None
    attachments: list[Attachment] = field(default_factory=list)
    embeds: list[JsonObject] = field(default_factory=list)
    components: list[JsonObject] = field(default_factory=list)
    mention_ids: list[int] = field(default_factory=list)
    mention_role_ids: list[int] = field(default_factory=list)
    mention_everyone: bool = False
    pinged_user_ids: list[int] = field(default_factory=list)
    nonce: str | int | None = None
    enforced_nonce: bool = False
    reference: Reference | None = None
    webhook_id: int | None = None
    origin: Origin | None = None
    visible_to: int | None = None
    pinned_at: float | None = None
    late_edits: list[float] = field(default_factory=list)
    deleted: bool = False

    @property
    def ephemeral(self) -> bool:
        """Whether only one user sees it."""
        return self.visible_to is not None

    @property
    def pinned(self) -> bool:
        """Whether it is pinned in its channel."""
        return self.pinned_at is not None

    @property
    def thinking(self) -> bool:
        """Whether it is a deferred response without content."""
        return self.has_flag(MessageFlag.LOADING)

    def has_flag(self, flag: MessageFlag) -> bool:
        """Return whether a bit of `flags` is set."""
        return bool(self.flags & flag)


@dataclass(slots=True)
class Command:
    """An application command: what the bot sent, and the id and version it was given."""

    id: int
    version: int
    guild_id: int | None
    body: JsonObject

    @property
    def key(self) -> tuple[int, str]:
        """Identifies the command when it is registered again: its type and name."""
        return int(self.body["type"]), str(self.body["name"])


@dataclass(slots=True)
class Application:
    """The bot's application.

    Attributes:
        owner_id: its owner; for a team, the team's owner.
        team_ids: the members of the team that owns it; empty if a single user does.
    """

    id: int
    bot_id: int
    token: str
    owner_id: int
    team_ids: tuple[int, ...] = ()
