"""What can happen at Discord while a video is being made."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from sandbox.discord.world import permissions
from tests.local.people import Person
from tests.local.servers import LocalDiscord

Event = Callable[[LocalDiscord, int, Person], None]
"""Changes the world around a channel and the member who asked there."""


def _thread_archived(local_discord: LocalDiscord, channel_id: int, _person: Person) -> None:
    for thread in local_discord.threads(channel_id):
        local_discord.admin.set_thread(thread.id, archived=True)


def _thread_locked(local_discord: LocalDiscord, channel_id: int, _person: Person) -> None:
    for thread in local_discord.threads(channel_id):
        local_discord.admin.set_thread(thread.id, locked=True)


def _thread_archived_and_locked(local_discord: LocalDiscord, channel_id: int, person: Person) -> None:
    _thread_locked(local_discord, channel_id, person)
    _thread_archived(local_discord, channel_id, person)


def _thread_deleted(local_discord: LocalDiscord, channel_id: int, _person: Person) -> None:
    for thread in local_discord.threads(channel_id):
        local_discord.admin.delete_channel(thread.id)


def _channel_deleted(local_discord: LocalDiscord, channel_id: int, _person: Person) -> None:
    local_discord.admin.delete_channel(channel_id)


def _card_deleted(local_discord: LocalDiscord, channel_id: int, _person: Person) -> None:
    for message in local_discord.messages(channel_id):
        if message.origin is not None:
            local_discord.admin.delete_message(message.id)


def _denied(rights: int) -> Event:
    def event(local_discord: LocalDiscord, channel_id: int, _person: Person) -> None:
        local_discord.admin.set_overwrite(channel_id, local_discord.bot_id, deny=rights)

    return event


def _member_left(local_discord: LocalDiscord, _channel_id: int, person: Person) -> None:
    local_discord.admin.remove_member(local_discord.guild_id, person.id)


def _alone(local_discord: LocalDiscord, channel_id: int, person: Person) -> None:
    local_discord.admin.set_dms(person.id, accepted=False)
    local_discord.admin.delete_channel(channel_id)


EVENTS: Mapping[str, Event] = MappingProxyType(
    {
        "thread archived": _thread_archived,
        "thread locked": _thread_locked,
        "thread archived and locked": _thread_archived_and_locked,
        "thread deleted": _thread_deleted,
        "channel deleted": _channel_deleted,
        "card deleted": _card_deleted,
        "no access to the channel any more": _denied(permissions.VIEW_CHANNEL),
        "no right to write any more": _denied(permissions.SEND_MESSAGES | permissions.SEND_MESSAGES_IN_THREADS),
        "no right to write in threads any more": _denied(permissions.SEND_MESSAGES_IN_THREADS),
        "no right to attach files any more": _denied(permissions.ATTACH_FILES),
        "no right to read on any more": _denied(permissions.READ_MESSAGE_HISTORY),
        "member left": _member_left,
    }
)
"""Each leaves a place for the outcome."""

NOWHERE_LEFT: Mapping[str, Event] = MappingProxyType({"channel deleted, direct messages refused": _alone})
"""These leave none."""


def _dropped(code: int, *, resumable: bool) -> Event:
    def event(local_discord: LocalDiscord, _channel_id: int, _person: Person) -> None:
        local_discord.drop_gateway(code, resumable=resumable)

    return event


def _asked_to_reconnect(local_discord: LocalDiscord, _channel_id: int, _person: Person) -> None:
    local_discord.services.gateway.request_reconnect()


def _invalidated(*, resumable: bool) -> Event:
    def event(local_discord: LocalDiscord, _channel_id: int, _person: Person) -> None:
        local_discord.services.gateway.invalidate(resumable=resumable)

    return event


# Discord's documentation, "Gateway Close Event Codes"; the others are those of websockets (RFC 6455, 7.4).
_CLOSE_CODES = (1000, 1001, 1011, 1012, 4000, 4001, 4002, 4003, 4005, 4007, 4008, 4009)
_FATAL_CODES = (4004, 4010, 4011, 4012, 4013, 4014)

INTERRUPTIONS: Mapping[str, Event] = MappingProxyType(
    {f"closed with {code}, to be resumed": _dropped(code, resumable=True) for code in _CLOSE_CODES}
    | {f"closed with {code}, to identify anew": _dropped(code, resumable=False) for code in _CLOSE_CODES}
    | {
        "asked to reconnect": _asked_to_reconnect,
        "session invalid, to be resumed": _invalidated(resumable=True),
        "session invalid, to identify anew": _invalidated(resumable=False),
    }
)
"""After these the bot connects again by itself."""

FATAL: Mapping[str, Event] = MappingProxyType(
    {f"closed with {code}, for good": _dropped(code, resumable=False) for code in _FATAL_CODES}
)
"""After these it has to be started again, by its service manager."""
