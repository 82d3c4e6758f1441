"""Starts, edits and archives threads.

Source: Discord's documentation, "Threads", and its API reference, "Start Thread from Message".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.discord.http.form_errors import FormErrors
from sandbox.discord.messages.drafts import Draft
from sandbox.discord.messages.service import Authorship, MessageService
from sandbox.discord.world import permissions
from sandbox.discord.world.constants import ChannelType, MessageFlag, MessageType
from sandbox.discord.world.errors import ApiError
from sandbox.discord.world.models import Channel, JsonObject, Message, Reference, ThreadState

if TYPE_CHECKING:
    from sandbox.discord.world.world import World

ARCHIVE_MINUTES = (60, 1440, 4320, 10080)
MAX_SLOWMODE_SECONDS = 21_600


@dataclass(frozen=True, slots=True)
class ThreadPlan:
    """A new thread's name, type, and minutes of inactivity until it is archived."""

    name: str
    type: ChannelType = ChannelType.PUBLIC_THREAD
    auto_archive_minutes: int = 4320
    slowmode_seconds: int = 0
    invitable: bool = True


def read_plan(payload: JsonObject, default_type: ChannelType) -> ThreadPlan:
    """Parse and validate a request for a new thread.

    Raises:
        ApiError: 50035 for invalid fields.
    """
    errors = FormErrors()
    errors.check_length(("name",), payload.get("name"), 1, 100)
    minutes = payload.get("auto_archive_duration") or 4320
    errors.check_choice(("auto_archive_duration",), minutes, ARCHIVE_MINUTES)
    kind = payload.get("type") or default_type
    errors.check_choice(("type",), kind, (11, 12))
    slowmode = payload.get("rate_limit_per_user") or 0
    if not isinstance(slowmode, int) or not 0 <= slowmode <= MAX_SLOWMODE_SECONDS:
        message = f"int value should be between 0 and {MAX_SLOWMODE_SECONDS}."
        errors.add(("rate_limit_per_user",), "NUMBER_TYPE_MAX", message)
    errors.raise_if_any()
    invitable = bool(payload.get("invitable", True))
    return ThreadPlan(payload["name"], ChannelType(kind), minutes, slowmode, invitable)


class ThreadService:
    """Starts, edits and archives threads. The caller checks who may see the channel."""

    def __init__(self, world: World, messages: MessageService) -> None:
        self._world = world
        self._messages = messages

    def start_from(self, message: Message, plan: ThreadPlan, owner_id: int) -> Channel:
        """Start a thread from a message; its id is the message's.

        Args:
            message: the message.
            plan: name, type and archiving.
            owner_id: who starts it.

        Raises:
            ApiError: 160004 if the message has one already, 160006 if the server has too many active threads.
        """
        if message.id in self._world.channels:
            raise ApiError(160004)
        thread = self._start(message.id, message.channel_id, plan, owner_id)
        message.flags |= MessageFlag.HAS_THREAD
        self._messages.changed(message)
        return thread

    def start_alone(self, parent: Channel, plan: ThreadPlan, owner_id: int) -> Channel:
        """Start a thread without a message; a public one is announced in the channel.

        Args:
            parent: its channel.
            plan: name, type and archiving.
            owner_id: who starts it.

        Raises:
            ApiError: 160006 if the server has too many active threads.
        """
        thread = self._start(self._world.ids.next(), parent.id, plan, owner_id)
        if plan.type == ChannelType.PUBLIC_THREAD:
            by = Authorship(owner_id, MessageType.THREAD_CREATED, reference=Reference(None, thread.id, thread.guild_id))
            self._messages.post(parent, Draft(content=plan.name), by)
        return thread

    def _start(self, thread_id: int, parent_id: int, plan: ThreadPlan, owner_id: int) -> Channel:
        parent = self._world.channel(parent_id)
        self._check_room(parent)
        now = self._world.clock()
        state = ThreadState(
            owner_id,
            created_at=now,
            archive_changed_at=now,
            auto_archive_minutes=plan.auto_archive_minutes,
            invitable=plan.invitable,
            member_ids=[owner_id],
        )
        thread = Channel(
            thread_id,
            plan.type,
            parent.guild_id,
            plan.name,
            parent_id=parent.id,
            slowmode_seconds=plan.slowmode_seconds,
            thread=state,
        )
        self._world.put_channel(thread)
        self._world.events.publish("THREAD_CREATE", thread)
        return thread

    def _check_room(self, parent: Channel) -> None:
        if parent.guild_id is None:
            raise ApiError(50024)
        guild = self._world.guilds[parent.guild_id]
        if self._world.active_thread_count(guild.id) >= guild.max_active_threads:
            raise ApiError(160006)

    def wake(self, channel: Channel, user_id: int) -> None:
        """Unarchive an archived thread for a new message of this user, and add them to it.

        Discord does so for any thread that is not locked.

        Raises:
            ApiError: 160005 for a locked thread, 160006 if there are too many active ones.
        """
        if channel.thread is None:
            return
        may_manage = self._world.permissions_in(channel, user_id) & permissions.MANAGE_THREADS
        if channel.thread.locked and not may_manage:
            raise ApiError(160005)
        if channel.thread.archived:
            self.set_archived(channel, archived=False)

    def set_archived(self, channel: Channel, *, archived: bool) -> None:
        """Archive or unarchive a thread.

        Raises:
            ApiError: 160006 if there are too many active threads to unarchive it.
        """
        self._change_archived(channel, archived=archived)
        self.changed(channel)

    def edit(self, channel: Channel, payload: JsonObject, user_id: int) -> Channel:
        """Edit a thread by a request's JSON.

        Args:
            channel: the thread.
            payload: the request's JSON.
            user_id: whose permissions apply.

        Raises:
            ApiError: 50013 without permission, 50083 if it is archived and stays so, 50035 for wrong values.
        """
        thread = _state_of(channel)
        self._check_rights(channel, thread, payload, user_id)
        if thread.archived and payload.get("archived") is not False and set(payload) - {"archived", "locked"}:
            raise ApiError(50083)
        self._apply(channel, thread, payload)
        self.changed(channel)
        return channel

    def changed(self, channel: Channel) -> None:
        """Save and publish a changed thread."""
        self._world.put_channel(channel)
        self._world.events.publish("THREAD_UPDATE", channel)

    def _check_rights(self, channel: Channel, thread: ThreadState, payload: JsonObject, user_id: int) -> None:
        rights = self._world.permissions_in(channel, user_id)
        if rights & permissions.MANAGE_THREADS:
            return
        waking = set(payload) == {"archived"} and payload["archived"] is False and not thread.locked
        if waking and rights & permissions.SEND_MESSAGES_IN_THREADS:
            return
        if thread.owner_id != user_id or payload.keys() & {"locked", "rate_limit_per_user"} or thread.locked:
            raise ApiError(50013)

    def _apply(self, channel: Channel, thread: ThreadState, payload: JsonObject) -> None:
        plan = read_plan({"name": channel.name} | payload | {"type": channel.type}, ChannelType(channel.type))
        if "archived" in payload:
            self._change_archived(channel, archived=bool(payload["archived"]))
        if "locked" in payload:
            thread.locked = bool(payload["locked"])
        channel.name = plan.name
        if "auto_archive_duration" in payload:
            thread.auto_archive_minutes = plan.auto_archive_minutes
        if "rate_limit_per_user" in payload:
            channel.slowmode_seconds = plan.slowmode_seconds

    def _change_archived(self, channel: Channel, *, archived: bool) -> None:
        thread = _state_of(channel)
        if thread.archived and not archived:
            self._check_room(channel)
        if thread.archived != archived:
            thread.archived = archived
            thread.archive_changed_at = self._world.clock()


def _state_of(channel: Channel) -> ThreadState:
    if channel.thread is None:
        raise ApiError(50024)
    return channel.thread
