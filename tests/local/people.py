"""Users for tests: they run commands, press buttons, submit modals, and see the results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.discord.http.attachments import Upload
from sandbox.discord.interactions.registry import Interaction, InteractionState
from sandbox.discord.messages.component_checks import walk
from sandbox.discord.world.constants import CallbackType, CommandType, ComponentType, InteractionType, OptionType
from sandbox.discord.world.errors import ClientError

if TYPE_CHECKING:
    from sandbox.discord.services import Services
    from sandbox.discord.world.models import Channel, Command, JsonObject, Message, User
    from sandbox.discord.world.world import World

Files = Mapping[str, tuple[str, bytes]]
Value = str | int | float | bool | list[str]

ANSWER_SECONDS = 10.0


class InteractionFailedError(AssertionError):
    """The interaction failed where a response was expected; the text is what the user was shown."""


class InteractionRecord:
    """A user's view of one of their interactions."""

    def __init__(self, services: Services, interaction: Interaction) -> None:
        self._world: World = services.world
        self._interaction = interaction

    @property
    def id(self) -> int:
        """The interaction's id."""
        return self._interaction.id

    @property
    def token(self) -> str:
        """The token with which the bot responds."""
        return self._interaction.token

    @property
    def data(self) -> JsonObject:
        """The `data` that the bot was sent."""
        return self._interaction.data

    @property
    def state(self) -> InteractionState:
        """Whether it is pending, answered or failed."""
        return self._interaction.state

    @property
    def type(self) -> CallbackType | None:
        """The type of the bot's response; None before."""
        return self._interaction.answer

    @property
    def failure(self) -> str | None:
        """The error shown to the user if it failed."""
        return self._interaction.failure

    @property
    def modal(self) -> JsonObject | None:
        """The modal it opened."""
        return self._interaction.modal

    @property
    def choices(self) -> list[JsonObject]:
        """The choices of an autocomplete."""
        return self._interaction.choices or []

    @property
    def original(self) -> Message | None:
        """The message behind `@original`, if it is still there."""
        return self._world.messages.get(self._interaction.original_id or 0)

    @property
    def messages(self) -> list[Message]:
        """The messages the bot made by the interaction, as far as they are still there."""
        found = (self._world.messages.get(message_id) for message_id in self._interaction.message_ids)
        return [message for message in found if message is not None]

    @property
    def message(self) -> Message:
        """The message to check: the original, else the last.

        Raises:
            AssertionError: there is none.
        """
        found = self.original or next(reversed(self.messages), None)
        if found is None:
            message = f"interaction {self.id} has no message ({self.state}, {self.failure})"
            raise AssertionError(message)
        return found

    @property
    def ephemeral(self) -> bool:
        """Whether the answer was for this person alone."""
        return self._interaction.answered_ephemeral

    async def answered(self, seconds: float = ANSWER_SECONDS) -> InteractionRecord:
        """Wait for the bot's first answer.

        Raises:
            InteractionFailedError: it failed.
            TimeoutError: neither happened in time.
        """
        await self.settled(seconds)
        if self.state == InteractionState.FAILED:
            raise InteractionFailedError(self.failure)
        return self

    async def settled(self, seconds: float = ANSWER_SECONDS) -> InteractionRecord:
        """Wait until it was answered or failed."""
        pending = InteractionState.PENDING
        await self._world.events.wait_for(lambda: self.state != pending, seconds)
        return self

    async def finished(self, seconds: float = ANSWER_SECONDS) -> Message:
        """Wait until the response is no longer "thinking".

        Returns:
            The response's message.
        """
        await self.answered(seconds)
        await self._world.events.wait_for(lambda: self._settled_message() is not None, seconds)
        return self.message

    def _settled_message(self) -> Message | None:
        found = self.original or next(reversed(self.messages), None)
        return None if found is None or found.thinking else found


@dataclass(frozen=True, slots=True)
class Person:
    """Acts as one user. A refusal by the apps raises `ClientError`."""

    services: Services
    user: User

    @property
    def id(self) -> int:
        """The user's id."""
        return self.user.id

    def dm(self) -> Channel:
        """Return the direct message channel with the bot; made if there is none."""
        return self.services.world.open_dm(self.services.application.bot_id, self.id)

    async def say(self, channel_id: int, text: str, files: list[tuple[str, bytes]] | None = None) -> Message:
        """Post a message with files as (name, bytes)."""
        uploads = {n: Upload(name, content) for n, (name, content) in enumerate(files or [])}
        payload: JsonObject = {"content": text}
        return self.services.user_actions.say(self.id, channel_id, payload, uploads)

    async def slash(
        self, channel_id: int, command: str, /, *, files: Files | None = None, **options: Value
    ) -> InteractionRecord:
        """Use a slash command; subcommands follow its name after a space.

        Args:
            channel_id: where.
            command: such as "video" or "pool give".
            files: attachment options as name -> (filename, bytes).
            options: all other options by name; ids may be ints.
        """
        return self._slash(self._channel(channel_id), command, files or {}, options)

    async def dm_slash(self, command: str, /, *, files: Files | None = None, **options: Value) -> InteractionRecord:
        """Use a slash command in the direct messages with the bot, also if it is not offered there."""
        return self._slash(self.dm(), command, files or {}, options, forced=True)

    async def autocomplete(
        self, channel_id: int, command: str, focused: str, typed: str = "", /, **options: Value
    ) -> InteractionRecord:
        """Type into an option with autocomplete; the other options are as far as they are filled."""
        return self._slash(self._channel(channel_id), command, {}, options | {focused: typed}, focused=focused)

    async def menu(self, target_id: int, command: str) -> InteractionRecord:
        """Use a message's context menu command; in the channel of the message."""
        message = self.services.world.messages[target_id]
        found = self._command(command, CommandType.MESSAGE)
        data = {"id": str(found.id), "name": command, "type": 3, "target_id": str(target_id)}
        payload: JsonObject = {"type": InteractionType.COMMAND, "channel_id": str(message.channel_id)}
        return self._act(payload | {"data": data})

    async def user_menu(self, channel_id: int, user_id: int, command: str) -> InteractionRecord:
        """Use a user's context menu command."""
        found = self._command(command, CommandType.USER)
        data = {"id": str(found.id), "name": command, "type": 2, "target_id": str(user_id)}
        payload: JsonObject = {"type": InteractionType.COMMAND, "channel_id": str(channel_id)}
        return self._act(payload | {"data": data})

    async def click(self, message_id: int, custom_id: str, values: tuple[str, ...] = ()) -> InteractionRecord:
        """Press a button, or choose values in a select."""
        message = self.services.world.messages[message_id]
        data: JsonObject = {"custom_id": custom_id, "values": list(values)}
        payload: JsonObject = {
            "type": InteractionType.COMPONENT,
            "channel_id": str(message.channel_id),
            "message_id": str(message_id),
            "data": data,
        }
        return self._act(payload)

    async def press(self, message_id: int, label: str) -> InteractionRecord:
        """Press the button with a label."""
        message = self.services.world.messages[message_id]
        for component in walk(message.components):
            if component["type"] == ComponentType.BUTTON and component.get("label") == label:
                return await self.click(message_id, component["custom_id"])
        raise ClientError(f"There is no button {label!r}.")

    async def submit(
        self,
        interaction_id: int,
        values: Mapping[str, Value | None],
        files: Mapping[str, list[tuple[str, bytes]]] | None = None,
    ) -> InteractionRecord:
        """Send a modal.

        Args:
            interaction_id: the interaction that opened it.
            values: by custom id: text, a list of chosen values, or whether a box is ticked.
            files: uploads by custom id.
        """
        opener = self.services.registry.get(interaction_id)
        if opener is None or opener.modal is None:
            raise ClientError("This interaction opened no modal.")
        uploads: dict[int, Upload] = {}
        answers = {key: _answer(value) for key, value in values.items()}
        for custom_id, given in (files or {}).items():
            numbers = [_add(uploads, upload) for upload in given]
            answers[custom_id] = {"values": [str(number) for number in numbers]}
        rows = [{"component": {"custom_id": key} | answer} for key, answer in answers.items()]
        payload: JsonObject = {
            "type": InteractionType.MODAL_SUBMIT,
            "channel_id": str(opener.channel.id),
            "interaction_id": str(interaction_id),
            "data": {"custom_id": opener.modal["custom_id"], "components": rows},
        }
        return self._act(payload, uploads)

    def offered(self, channel_id: int) -> list[str]:
        """Return the names of the commands the person finds in a channel."""
        channel = self._channel(channel_id)
        offers = self.services.user_actions.offers
        commands = self.services.world.commands.values()
        return [c.key[1] for c in commands if offers.is_offered(c, channel, self.id)]

    def _slash(
        self,
        channel: Channel,
        command: str,
        files: Files,
        options: Mapping[str, Value],
        *,
        focused: str | None = None,
        forced: bool = False,
    ) -> InteractionRecord:
        name, *path = command.split()
        found = self._command(name, CommandType.SLASH)
        uploads = {n: Upload(filename, content) for n, (filename, content) in enumerate(files.values())}
        numbers: dict[str, Value] = {option: number for number, option in enumerate(files)}
        values: dict[str, Value] = {**options, **numbers}
        kind = InteractionType.COMMAND if focused is None else InteractionType.AUTOCOMPLETE
        data: JsonObject = {"id": str(found.id), "name": name, "type": 1}
        data["options"] = _options(found.body.get("options") or [], path, values, focused)
        payload: JsonObject = {"type": int(kind), "channel_id": str(channel.id), "data": data}
        return self._act(payload, uploads, forced=forced)

    def _act(
        self, payload: JsonObject, files: Mapping[int, Upload] | None = None, *, forced: bool = False
    ) -> InteractionRecord:
        interaction = self.services.user_actions.act(self.id, payload, files or {}, forced=forced)
        return InteractionRecord(self.services, interaction)

    def _channel(self, channel_id: int) -> Channel:
        return self.services.user_actions.visible_channel(self.id, channel_id)

    def _command(self, name: str, kind: CommandType) -> Command:
        for command in self.services.world.commands.values():
            if command.key == (int(kind), name):
                return command
        raise ClientError(f"There is no command {name!r}.")


def _options(
    definitions: list[JsonObject], path: list[str], values: Mapping[str, Value], focused: str | None
) -> list[JsonObject]:
    by_name = {str(definition["name"]): definition for definition in definitions}
    if path:
        definition = by_name.get(path[0])
        if definition is None:
            raise ClientError(f"There is no subcommand {path[0]!r}.")
        inner = _options(definition.get("options") or [], path[1:], values, focused)
        return [{"name": path[0], "type": definition["type"], "options": inner}]
    return [_option(by_name.get(name), name, value, focused) for name, value in values.items()]


def _option(definition: JsonObject | None, name: str, value: Value, focused: str | None) -> JsonObject:
    kind = OptionType.STRING if definition is None else OptionType(definition["type"])
    ids = {OptionType.USER, OptionType.CHANNEL, OptionType.ROLE, OptionType.MENTIONABLE}
    option: JsonObject = {"name": name, "type": int(kind), "value": str(value) if kind in ids else value}
    return option | {"focused": True} if name == focused else option


def _answer(value: Value | None) -> JsonObject:
    if isinstance(value, list):
        return {"values": value}
    return {"value": value}


def _add(uploads: dict[int, Upload], upload: tuple[str, bytes]) -> int:
    number = len(uploads)
    uploads[number] = Upload(*upload)
    return number
