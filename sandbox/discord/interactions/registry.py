"""Interactions and their deadlines: the bot must respond within three seconds.

Source: Discord's documentation, "Receiving and Responding to Interactions".
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from sandbox.discord.world.constants import CallbackType, InteractionType
from sandbox.discord.world.errors import ApiError
from sandbox.discord.world.models import Channel, Command, JsonObject, Message, Origin

if TYPE_CHECKING:
    from sandbox.discord.settings import Settings
    from sandbox.discord.world.world import World

NO_ANSWER = "The application did not respond"
_KEPT_AFTER_EXPIRY_SECONDS = 60.0


class InteractionState(StrEnum):
    """An interaction's state."""

    PENDING = "pending"
    ANSWERED = "answered"
    FAILED = "failed"


@dataclass(slots=True, eq=False)
class Interaction:
    """A user's use of a command, component or modal.

    Attributes:
        data: the `data` of the payload.
        message: the message whose component was used, or the one that led to a modal.
        command: the command used; for a component or modal None.
        opener: for a modal, the interaction that opened it.
        answer: the type of the bot's response; None before.
        answered_ephemeral: whether that response is ephemeral.
        original_id: the message behind `@original`.
        message_ids: every message the bot posted with the token.
        modal: the modal it opened.
        choices: the choices of an autocomplete.
        failure: the error shown to the user if it failed.
    """

    id: int
    token: str
    type: InteractionType
    user_id: int
    channel: Channel
    data: JsonObject
    created_at: float
    message: Message | None = None
    command: Command | None = None
    opener: Interaction | None = None
    state: InteractionState = InteractionState.PENDING
    answer: CallbackType | None = None
    answered_ephemeral: bool = False
    original_id: int | None = None
    message_ids: list[int] = field(default_factory=list)
    modal: JsonObject | None = None
    choices: list[JsonObject] | None = None
    failure: str | None = None
    deadline: asyncio.TimerHandle | None = None

    @property
    def name(self) -> str:
        """The command's name, or the custom id of the component or modal."""
        return str(self.data.get("name") or self.data.get("custom_id") or "")

    def origin(self) -> Origin:
        """Return the origin of its messages."""
        origin = Origin(self.id, self.type, self.user_id, self.full_name)
        if self.command is not None:
            origin.command_type = int(self.command.body["type"])
            target = self.data.get("target_id")
            origin.target_message_id = int(target) if target and origin.command_type == 3 else None
        if self.type == InteractionType.COMPONENT and self.message is not None:
            origin.interacted_message_id = self.message.id
        if self.opener is not None:
            origin.triggered_by = self.opener.origin()
        return origin

    @property
    def full_name(self) -> str:
        """The command's name with its subcommand, as users see it."""
        if self.command is None:
            return self.opener.full_name if self.opener is not None else ""
        names = [self.name]
        options = self.data.get("options") or []
        while options and options[0]["type"] in {1, 2}:
            names.append(str(options[0]["name"]))
            options = options[0].get("options") or []
        return " ".join(names)


Changed = Callable[[Interaction], None]
Sender = Callable[[Interaction], None]


class InteractionRegistry:
    """Stores interactions by id and token, and enforces their deadlines."""

    def __init__(self, world: World, settings: Settings) -> None:
        self._world = world
        self._settings = settings
        self._by_id: dict[int, Interaction] = {}
        self._by_token: dict[str, Interaction] = {}
        self._listeners: list[Changed] = []

    def listen(self, listener: Changed) -> None:
        """Call `listener` whenever an interaction was answered or failed."""
        self._listeners.append(listener)

    def new_token(self) -> str:
        """Return a unique token."""
        return secrets.token_urlsafe(48)

    def open(self, interaction: Interaction) -> None:
        """Store an interaction and start its deadline."""
        self._forget_old()
        self._by_id[interaction.id] = interaction
        self._by_token[interaction.token] = interaction
        loop = asyncio.get_running_loop()
        deadline = self._settings.interaction_deadline_seconds
        interaction.deadline = loop.call_later(deadline, self.fail, interaction, NO_ANSWER)

    def get(self, interaction_id: int) -> Interaction | None:
        """Return the interaction with an id, if it is still kept."""
        return self._by_id.get(interaction_id)

    def pending(self, interaction_id: int, token: str) -> Interaction:
        """Return an interaction for its initial response.

        Raises:
            ApiError: 10062 if it is unknown or too late, 40060 if it was answered.
        """
        interaction = self._by_id.get(interaction_id)
        if interaction is None or interaction.token != token or interaction.state == InteractionState.FAILED:
            raise ApiError(10062)
        if interaction.state == InteractionState.ANSWERED:
            raise ApiError(40060)
        return interaction

    def with_token(self, token: str) -> Interaction:
        """Return an answered interaction by its token, for a follow-up.

        Raises:
            ApiError: 50027 if the token is unknown or expired, 10015 if nothing was answered yet.
        """
        interaction = self._by_token.get(token)
        if interaction is None or self._age(interaction) > self._settings.interaction_token_seconds:
            raise ApiError(50027)
        if interaction.state != InteractionState.ANSWERED:
            raise ApiError(10015)
        return interaction

    def answered(self, interaction: Interaction, answer: CallbackType) -> None:
        """Record the bot's initial response."""
        interaction.answer = answer
        self._settle(interaction, InteractionState.ANSWERED)

    def fail(self, interaction: Interaction, message: str) -> None:
        """Mark an interaction as failed, with the error shown to the user."""
        if interaction.state == InteractionState.PENDING:
            interaction.failure = message
            self._settle(interaction, InteractionState.FAILED)

    def close(self) -> None:
        """Cancel all deadlines."""
        for interaction in self._by_id.values():
            if interaction.deadline is not None:
                interaction.deadline.cancel()

    def _settle(self, interaction: Interaction, state: InteractionState) -> None:
        interaction.state = state
        if interaction.deadline is not None:
            interaction.deadline.cancel()
            interaction.deadline = None
        for listener in self._listeners:
            listener(interaction)
        self._world.events.wake()

    def _age(self, interaction: Interaction) -> float:
        return self._world.clock() - interaction.created_at

    def _forget_old(self) -> None:
        kept_for = self._settings.interaction_token_seconds + _KEPT_AFTER_EXPIRY_SECONDS
        while self._by_id:
            oldest = next(iter(self._by_id.values()))
            if self._age(oldest) < kept_for:
                return
            del self._by_id[oldest.id]
            self._by_token.pop(oldest.token, None)
