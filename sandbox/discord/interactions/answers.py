"""The bot's responses to interactions: the initial one, and follow-ups by the interaction's token.

Source: Discord's documentation, "Receiving and Responding to Interactions".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.discord.http.form_errors import FormErrors
from sandbox.discord.interactions.modal_checks import check_modal
from sandbox.discord.interactions.registry import Interaction, InteractionRegistry, InteractionState
from sandbox.discord.messages.drafts import Draft, read_draft
from sandbox.discord.messages.mentions import USER_MENTIONS
from sandbox.discord.messages.service import Authorship, MessageService
from sandbox.discord.world.constants import CallbackType, InteractionType, MessageFlag, MessageType
from sandbox.discord.world.errors import ApiError
from sandbox.discord.world.models import MEBIBYTE, JsonObject, Message, Reference

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.discord.http.form import Form
    from sandbox.discord.world.models import Application
    from sandbox.discord.world.world import World

_DM_UPLOAD_LIMIT = 10 * MEBIBYTE
_ALLOWED: dict[InteractionType, frozenset[CallbackType]] = {
    InteractionType.COMMAND: frozenset({CallbackType.MESSAGE, CallbackType.DEFERRED_MESSAGE, CallbackType.MODAL}),
    InteractionType.COMPONENT: frozenset(
        {
            CallbackType.MESSAGE,
            CallbackType.DEFERRED_MESSAGE,
            CallbackType.DEFERRED_UPDATE,
            CallbackType.UPDATE,
            CallbackType.MODAL,
        }
    ),
    InteractionType.AUTOCOMPLETE: frozenset({CallbackType.AUTOCOMPLETE}),
    InteractionType.MODAL_SUBMIT: frozenset(
        {
            CallbackType.MESSAGE,
            CallbackType.DEFERRED_MESSAGE,
            CallbackType.DEFERRED_UPDATE,
            CallbackType.UPDATE,
        }
    ),
}


class AnswerService:
    """Carries out the bot's responses.

    Args:
        world: holds channels, members and messages.
        registry: knows the open interactions by their tokens.
        messages: posts and edits.
        application: the bot's application, with its id and the bot's.
    """

    def __init__(
        self,
        world: World,
        registry: InteractionRegistry,
        messages: MessageService,
        application: Application,
    ) -> None:
        self._world = world
        self._registry = registry
        self._messages = messages
        self._bot_id = application.bot_id
        self._application_id = application.id
        self._first: dict[CallbackType, Callable[[Interaction, Form], Message | None]] = {
            CallbackType.MESSAGE: self._send,
            CallbackType.DEFERRED_MESSAGE: self._defer,
            CallbackType.DEFERRED_UPDATE: self._defer_update,
            CallbackType.UPDATE: self._update,
            CallbackType.AUTOCOMPLETE: self._suggest,
            CallbackType.MODAL: self._open_modal,
        }

    def answer(self, interaction: Interaction, form: Form) -> Message | None:
        """Carry out the initial response.

        Returns:
            The message created or edited, if any.

        Raises:
            ApiError: 50035 for invalid fields, 40005 for too large a file.
        """
        kind = _callback_type(interaction, form.payload.get("type"))
        message = self._first[kind](interaction, form)
        if message is not None:
            interaction.original_id = message.id
            interaction.answered_ephemeral = message.ephemeral
        self._registry.answered(interaction, kind)
        return message

    def follow_up(self, interaction: Interaction, form: Form) -> Message:
        """Post a follow-up; if the deferred response is still empty, fill that instead.

        A filled response stays ephemeral or public, as it was deferred.

        Raises:
            ApiError: 50006, 50035, 40005 as for any message.
        """
        original = self._world.messages.get(interaction.original_id or 0)
        if original is not None and original.thinking:
            draft = self._read(interaction, form, edited=original)
            return self._messages.fill(original, draft)
        draft = self._read(interaction, form)
        reference = None if original is None else _reference_to(original)
        return self._post(interaction, draft, MessageType.REPLY, reference=reference, is_follow_up=True)

    def message(self, interaction: Interaction, which: str) -> Message:
        """Return the message of an interaction: "@original" or an id.

        Raises:
            ApiError: 10008 if the interaction has no such message.
        """
        if which == "@original":
            message_id = interaction.original_id
        else:
            message_id = int(which) if which.isdecimal() else None
            known = {*interaction.message_ids, interaction.original_id}
            message_id = message_id if message_id in known else None
        message = self._world.messages.get(message_id or 0)
        if message is None:
            raise ApiError(10008)
        return message

    def edit(self, interaction: Interaction, message: Message, form: Form) -> Message:
        """Edit a message of the interaction; this fills a deferred response.

        Args:
            interaction: the interaction.
            message: its message.
            form: the request's body.

        Raises:
            ApiError: 50006, 50035, 40005 as for any message.
        """
        draft = self._read(interaction, form, edited=message)
        if message.thinking:
            return self._messages.fill(message, draft)
        return self._messages.edit(message, draft)

    def _read(self, interaction: Interaction, form: Form, edited: Message | None = None) -> Draft:
        is_first = interaction.state == InteractionState.PENDING
        guild_id = interaction.channel.guild_id
        limit = _DM_UPLOAD_LIMIT if guild_id is None else self._world.guilds[guild_id].upload_limit_bytes
        return read_draft(
            _data(form) if is_first else form.payload,
            form.files,
            upload_limit_bytes=limit,
            default_mentions=USER_MENTIONS,
            edited=edited,
            prefix=("data",) if is_first else (),
        )

    def _post(
        self,
        interaction: Interaction,
        draft: Draft,
        kind: MessageType,
        *,
        reference: Reference | None = None,
        extra_flags: int = 0,
        is_follow_up: bool = False,
    ) -> Message:
        origin = interaction.origin()
        if is_follow_up:
            origin.original_response_message_id = interaction.original_id
        by = Authorship(
            self._bot_id,
            kind,
            webhook_id=self._application_id,
            origin=origin,
            visible_to=interaction.user_id if draft.flags & MessageFlag.EPHEMERAL else None,
            reference=reference,
            extra_flags=extra_flags,
        )
        message = self._messages.post(interaction.channel, draft, by)
        interaction.message_ids.append(message.id)
        return message

    def _send(self, interaction: Interaction, form: Form) -> Message:
        draft = self._read(interaction, form)
        kind, reference = _answer_kind(interaction)
        return self._post(interaction, draft, kind, reference=reference)

    def _defer(self, interaction: Interaction, form: Form) -> Message:
        draft = Draft(flags=int(_data(form).get("flags") or 0) & MessageFlag.EPHEMERAL)
        kind, reference = _answer_kind(interaction)
        return self._post(interaction, draft, kind, reference=reference, extra_flags=MessageFlag.LOADING)

    def _defer_update(self, interaction: Interaction, _form: Form) -> Message | None:
        return interaction.message

    def _update(self, interaction: Interaction, form: Form) -> Message:
        message = interaction.message
        if message is None or message.deleted:
            raise ApiError(10008)
        return self._messages.edit(message, self._read(interaction, form, edited=message))

    def _suggest(self, interaction: Interaction, form: Form) -> None:
        choices = _data(form).get("choices")
        errors = FormErrors()
        if not isinstance(choices, list):
            errors.missing(("data", "choices"))
            choices = []
        errors.check_count(("data", "choices"), choices, 0, 25)
        for index, choice in enumerate(choices):
            errors.check_length(("data", "choices", index, "name"), choice.get("name"), 1, 100)
            if isinstance(choice.get("value"), str):
                errors.check_length(("data", "choices", index, "value"), choice["value"], 0, 100)
        errors.raise_if_any()
        interaction.choices = [{"name": c["name"], "value": c.get("value")} for c in choices]

    def _open_modal(self, interaction: Interaction, form: Form) -> None:
        modal = _data(form)
        check_modal(modal)
        interaction.modal = modal


def _data(form: Form) -> JsonObject:
    data = form.payload.get("data")
    return data if isinstance(data, dict) else {}


def _callback_type(interaction: Interaction, number: object) -> CallbackType:
    errors = FormErrors()
    known = tuple(int(kind) for kind in CallbackType)
    if not errors.check_choice(("type",), number, known):
        errors.raise_if_any()
    kind = CallbackType(int(str(number)))
    updates = kind in {CallbackType.UPDATE, CallbackType.DEFERRED_UPDATE}
    if kind not in _ALLOWED[interaction.type] or (updates and interaction.message is None):
        message = "This response type is not valid for this interaction."
        errors.add(("type",), "INTERACTION_CALLBACK_TYPE_INVALID", message)
    errors.raise_if_any()
    return kind


def _answer_kind(interaction: Interaction) -> tuple[MessageType, Reference | None]:
    if interaction.message is not None:
        return MessageType.REPLY, _reference_to(interaction.message)
    source = interaction.opener or interaction
    command_type = 1 if source.command is None else source.command.body["type"]
    return (MessageType.SLASH_COMMAND if command_type == 1 else MessageType.CONTEXT_MENU_COMMAND), None


def _reference_to(message: Message) -> Reference:
    return Reference(message.id, message.channel_id, message.guild_id)
