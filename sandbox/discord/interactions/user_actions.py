"""Users' actions: they post messages, use commands, press buttons and submit modals, as in Discord's apps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.discord.http.attachments import AttachmentStore, Upload, describe
from sandbox.discord.interactions.command_input import CommandInput
from sandbox.discord.interactions.modal_input import ModalInput
from sandbox.discord.interactions.offers import CommandOffers
from sandbox.discord.interactions.payloads import InteractionWriter, Resolved
from sandbox.discord.interactions.registry import Interaction, InteractionRegistry
from sandbox.discord.interactions.select_input import read_select_values
from sandbox.discord.messages.component_checks import walk
from sandbox.discord.messages.drafts import read_draft
from sandbox.discord.messages.service import Authorship, MessageService
from sandbox.discord.world import permissions
from sandbox.discord.world.constants import SELECT_TYPES, CommandType, InteractionType
from sandbox.discord.world.errors import ApiError, ClientError
from sandbox.discord.world.models import MEBIBYTE, Attachment, Channel, Command, JsonObject, Message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.discord.gateway.sessions import GatewaySessions
    from sandbox.discord.messages.threads import ThreadService
    from sandbox.discord.world.world import World

_DM_UPLOAD_LIMIT = 10 * MEBIBYTE


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """A user's use of a command, component or modal, as the page sends it."""

    user_id: int
    channel: Channel
    payload: JsonObject
    files: Mapping[int, Upload]
    forced: bool = False

    @property
    def data(self) -> JsonObject:
        """The `data` of the payload."""
        data = self.payload.get("data")
        return data if isinstance(data, dict) else {}


class UserActions:
    """Validates users' actions as Discord's apps do, and carries them out.

    Args:
        world: holds channels, members and messages.
        attachment_store: keeps uploaded files.
        messages: posts users' messages.
        threads: revives archived threads that users write in.
        registry: opens interactions.
        writer: writes interactions as JSON.
        sessions: send interactions to the bot.
    """

    def __init__(
        self,
        world: World,
        attachment_store: AttachmentStore,
        messages: MessageService,
        threads: ThreadService,
        registry: InteractionRegistry,
        writer: InteractionWriter,
        sessions: GatewaySessions,
    ) -> None:
        self._world = world
        self._attachment_store = attachment_store
        self._messages = messages
        self._threads = threads
        self._registry = registry
        self._writer = writer
        self._sessions = sessions
        self.offers = CommandOffers(world)
        self._acts: dict[InteractionType, Callable[[ActionRequest], Interaction]] = {
            InteractionType.COMMAND: self._use_command,
            InteractionType.AUTOCOMPLETE: self._use_command,
            InteractionType.COMPONENT: self._use_component,
            InteractionType.MODAL_SUBMIT: self._submit_modal,
        }

    def say(self, user_id: int, channel_id: int, payload: JsonObject, files: Mapping[int, Upload]) -> Message:
        """Post a user's message.

        Args:
            user_id: the author.
            channel_id: where.
            payload: the message's JSON.
            files: the uploads, by number.

        Raises:
            ClientError: 403 without permission, 400 for invalid fields.
        """
        channel = self.visible_channel(user_id, channel_id)
        rights = self._world.permissions_in(channel, user_id)
        sending = permissions.SEND_MESSAGES_IN_THREADS if channel.is_thread else permissions.SEND_MESSAGES
        if not rights & sending or (files and not rights & permissions.ATTACH_FILES):
            raise ClientError("You do not have permission to send messages in this channel.", 403)
        try:
            draft = read_draft(payload, files, upload_limit_bytes=self._upload_limit(channel))
            if found := self._messages.with_nonce(user_id, draft):
                return found
            self._threads.wake(channel, user_id)
            return self._messages.post(channel, draft, Authorship(user_id))
        except ApiError as error:
            raise ClientError(_readable(error), error.status) from error

    def act(
        self, user_id: int, payload: JsonObject, files: Mapping[int, Upload], *, forced: bool = False
    ) -> Interaction:
        """Send an interaction to the bot.

        Args:
            user_id: the user.
            payload: as in the client API's `POST /client/interactions`.
            files: the uploads, by number.
            forced: send it even if Discord's apps would not offer the command here.

        Raises:
            ClientError: 403 without permission, 400 for invalid fields.
        """
        number = payload.get("type")
        if number not in tuple(InteractionType):
            raise ClientError("Unknown type of interaction.")
        channel = self.visible_channel(user_id, _number(payload.get("channel_id")))
        if channel.thread is not None and channel.thread.archived:
            raise ClientError("This thread is archived.")
        limit = self._upload_limit(channel)
        if any(len(upload.content) > limit for upload in files.values()):
            raise ClientError(f"Your files are too powerful. Max file size: {limit // MEBIBYTE} MiB")
        interaction = self._acts[InteractionType(number)](ActionRequest(user_id, channel, payload, files, forced))
        self._registry.open(interaction)
        body = self._writer.write(interaction)
        self._sessions.dispatch("INTERACTION_CREATE", body, channel.guild_id)
        return interaction

    def visible_channel(self, user_id: int, channel_id: int) -> Channel:
        """Return a channel that the user sees.

        Raises:
            ClientError: 403 if it does not exist or they cannot see it.
        """
        channel = self._world.channels.get(channel_id)
        if channel is None or not self._world.can_see(channel, user_id):
            raise ClientError("You do not have access to this channel.", 403)
        return channel

    def _use_command(self, act: ActionRequest) -> Interaction:
        command = self._command(act)
        resolved = Resolved()
        data: JsonObject = {
            "id": str(command.id),
            "name": command.body["name"],
            "type": command.body["type"],
        }
        if command.guild_id is not None:
            data["guild_id"] = str(command.guild_id)
        kind = InteractionType(act.payload["type"])
        if command.body["type"] == CommandType.SLASH:
            reader = CommandInput(
                self._world,
                act.channel,
                act.user_id,
                self._file_taker(act),
                kind == InteractionType.AUTOCOMPLETE,
                resolved,
            )
            data["options"] = reader.read(command.body.get("options") or [], act.data.get("options"))
        else:
            data["target_id"] = self._target(act, command, resolved)
        return self._interaction(act, kind, data, resolved, command=command)

    def _command(self, act: ActionRequest) -> Command:
        command = self._world.commands.get(_number(act.data.get("id")))
        if command is None:
            raise ClientError("This command is outdated, please try again in a few minutes.")
        if not act.forced and not self.offers.is_offered(command, act.channel, act.user_id):
            raise ClientError("You do not have permission to use this command here.", 403)
        return command

    def _target(self, act: ActionRequest, command: Command, resolved: Resolved) -> str:
        target_id = _number(act.data.get("target_id"))
        if command.body["type"] == CommandType.USER:
            if target_id not in self._world.users:
                raise ClientError("Unknown user.")
            resolved.users.add(target_id)
            return str(target_id)
        message = self._world.messages.get(target_id)
        if message is None or message.channel_id != act.channel.id:
            raise ClientError("The message could not be found.")
        if not self._world.can_read(message, act.user_id):
            raise ClientError("The message could not be found.")
        resolved.messages.append(message)
        return str(target_id)

    def _use_component(self, act: ActionRequest) -> Interaction:
        message = self._world.messages.get(_number(act.payload.get("message_id")))
        if message is None or not self._world.can_read(message, act.user_id):
            raise ClientError("The message could not be found.")
        component = _component(message, act.data.get("custom_id"))
        data: JsonObject = {
            "custom_id": component["custom_id"],
            "component_type": component["type"],
            "id": component.get("id", 0),
        }
        resolved = Resolved()
        if component["type"] in SELECT_TYPES:
            data["values"] = self._chosen(act, component, resolved)
        return self._interaction(act, InteractionType.COMPONENT, data, resolved, message=message)

    def _chosen(self, act: ActionRequest, select: JsonObject, resolved: Resolved) -> list[object]:
        values = act.data.get("values") or []
        least = 1 if select.get("min_values") is None else select["min_values"]
        most = select.get("max_values") or 1
        if not least <= len(values) <= most:
            raise ClientError(f"Choose between {least} and {most}.")
        return read_select_values(self._world, act.channel, select, values, resolved)

    def _submit_modal(self, act: ActionRequest) -> Interaction:
        opener = self._registry.get(_number(act.payload.get("interaction_id")))
        if opener is None or opener.modal is None or opener.user_id != act.user_id:
            raise ClientError("Something went wrong. Try again.")
        resolved = Resolved()
        reader = ModalInput(self._world, act.channel, self._file_taker(act), resolved)
        data: JsonObject = {
            "custom_id": opener.modal["custom_id"],
            "components": reader.read(opener.modal, act.data.get("components")),
        }
        message = None if opener.message is None or opener.message.deleted else opener.message
        return self._interaction(act, InteractionType.MODAL_SUBMIT, data, resolved, message=message, opener=opener)

    def _interaction(
        self,
        act: ActionRequest,
        kind: InteractionType,
        data: JsonObject,
        resolved: Resolved,
        *,
        command: Command | None = None,
        message: Message | None = None,
        opener: Interaction | None = None,
    ) -> Interaction:
        found = self._writer.resolve(resolved, act.channel, act.user_id)
        return Interaction(
            id=self._world.ids.next(),
            token=self._registry.new_token(),
            type=kind,
            user_id=act.user_id,
            channel=act.channel,
            data=data | {"resolved": found} if found else data,
            created_at=self._world.clock(),
            command=command,
            message=message,
            opener=opener,
        )

    def _file_taker(self, act: ActionRequest) -> Callable[[object], Attachment]:
        def take(number: object) -> Attachment:
            upload = act.files[_number(number, default=-1)]
            attachment = describe(upload, self._world.ids.next(), act.channel.id)
            attachment.ephemeral = True
            self._attachment_store.put(attachment.id, upload.content)
            return attachment

        return take

    def _upload_limit(self, channel: Channel) -> int:
        if channel.guild_id is None:
            return _DM_UPLOAD_LIMIT
        return self._world.guilds[channel.guild_id].upload_limit_bytes


def _component(message: Message, custom_id: object) -> JsonObject:
    for component in walk(message.components):
        if component.get("custom_id") == custom_id and custom_id is not None:
            if component.get("disabled"):
                raise ClientError("This is switched off.")
            return component
    raise ClientError("Something went wrong. Try again.")


def _number(value: object, default: int = 0) -> int:
    text = str(value)
    return int(text) if text.isdecimal() else default


def _readable(error: ApiError) -> str:
    """Return what an app shows of an error: the first field's message, else the error's."""
    node: object = error.errors
    while isinstance(node, dict):
        if "_errors" in node:
            return str(node["_errors"][0]["message"])
        node = next(iter(node.values()), None)
    return error.message
