"""Parses and validates the message in a request.

Source: Discord's API reference, "Create Message", "Edit Message", "Embed Limits".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sandbox.discord.http.attachments import Upload, safe_filename
from sandbox.discord.http.form_errors import FormErrors, Path
from sandbox.discord.messages.component_checks import ComponentChecker, number
from sandbox.discord.messages.embed_checks import check_embeds
from sandbox.discord.messages.mentions import ALL_MENTIONS, AllowedMentions, read_allowed_mentions
from sandbox.discord.world.constants import MessageFlag
from sandbox.discord.world.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sandbox.discord.world.models import Attachment, JsonObject, Message

MAX_CONTENT = 2000
_SETTABLE_FLAGS = (
    MessageFlag.SUPPRESS_EMBEDS | MessageFlag.EPHEMERAL | MessageFlag.SUPPRESS_NOTIFICATIONS | MessageFlag.COMPONENTS_V2
)


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file of the request with its metadata."""

    upload: Upload
    description: str | None = None
    title: str | None = None


@dataclass(slots=True)
class Draft:
    """The message in a request. None stands for a field that an edit leaves unchanged.

    Attributes:
        files: the new files.
        kept: ids of the attachments that an edit keeps.
        given: the names of the request's fields.
    """

    content: str | None = None
    embeds: list[JsonObject] | None = None
    components: list[JsonObject] | None = None
    flags: int = 0
    files: list[NewFile] = field(default_factory=list)
    kept: frozenset[int] | None = None
    mentions: AllowedMentions = ALL_MENTIONS
    nonce: str | int | None = None
    enforce_nonce: bool = False
    reference: JsonObject | None = None
    given: frozenset[str] = frozenset()

    @property
    def is_v2(self) -> bool:
        """Whether it uses Components V2."""
        return bool(self.flags & MessageFlag.COMPONENTS_V2)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        return not (self.content or self.embeds or self.components or self.files)


def read_draft(
    payload: JsonObject,
    files: Mapping[int, Upload],
    *,
    upload_limit_bytes: int,
    default_mentions: AllowedMentions = ALL_MENTIONS,
    edited: Message | None = None,
    prefix: Path = (),
) -> Draft:
    """Parse and validate the message of a request.

    Args:
        payload: the request's JSON.
        files: its uploads, by their number in `files[n]`.
        upload_limit_bytes: largest file allowed.
        default_mentions: allowed mentions if the request has none.
        edited: the message to edit; None for a new one.
        prefix: path of the message in the request's JSON.

    Raises:
        ApiError: 40005 for too large a file, 50035 for invalid fields.
    """
    if any(len(upload.content) > upload_limit_bytes for upload in files.values()):
        raise ApiError(40005)
    errors = FormErrors(prefix)
    draft = _read_fields(payload, default_mentions, errors)
    _read_files(draft, payload, files, errors)
    _check(draft, edited, errors)
    errors.raise_if_any()
    return draft


def _read_fields(payload: JsonObject, default_mentions: AllowedMentions, errors: FormErrors) -> Draft:
    return Draft(
        content=_text(payload.get("content"), errors),
        embeds=_objects(payload, "embeds", errors),
        components=_objects(payload, "components", errors),
        flags=_flags(payload.get("flags"), errors),
        mentions=read_allowed_mentions(payload.get("allowed_mentions"), default_mentions, errors),
        nonce=_nonce(payload.get("nonce"), errors),
        enforce_nonce=bool(payload.get("enforce_nonce")),
        reference=payload.get("message_reference"),
        given=frozenset(payload),
    )


def _text(value: object, errors: FormErrors) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str | int):
        errors.wrong_type(("content",), "string")
        return None
    errors.check_length(("content",), str(value), 0, MAX_CONTENT)
    return str(value).strip()


def _objects(payload: JsonObject, name: str, errors: FormErrors) -> list[JsonObject] | None:
    value = payload.get(name)
    if value is None and name == "embeds" and payload.get("embed") is not None:
        value = [payload["embed"]]
    if value is None:
        return [] if name in payload else None
    if not isinstance(value, list):
        errors.add((name,), "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
        return None
    return [item for item in value if isinstance(item, dict)]


def _flags(value: object, errors: FormErrors) -> int:
    if value is None:
        return 0
    if not isinstance(value, int):
        errors.wrong_type(("flags",), "int")
        return 0
    return value & _SETTABLE_FLAGS


def _nonce(value: object, errors: FormErrors) -> str | int | None:
    if value is None or isinstance(value, int):
        return value
    return str(value) if errors.check_length(("nonce",), value, 0, 25) else None


def _read_files(draft: Draft, payload: JsonObject, files: Mapping[int, Upload], errors: FormErrors) -> None:
    listed = payload.get("attachments")
    listed_by_id: dict[int, JsonObject] = {}
    if isinstance(listed, list):
        listed_by_id = {int(str(item.get("id", -1))): item for item in listed if isinstance(item, dict)}
        draft.kept = frozenset(listed_by_id) - set(files)
    errors.check_count(("attachments",), [*files, *(draft.kept or ())], 0, 10)
    for index, upload in sorted(files.items()):
        about = listed_by_id.get(index, {})
        if about.get("description") is not None:
            errors.check_length(("attachments", index, "description"), about["description"], 0, 1024)
        name = str(about.get("filename") or upload.filename)
        renamed = Upload(safe_filename(name), upload.content, upload.content_type)
        draft.files.append(NewFile(renamed, about.get("description"), about.get("title")))


def _check(draft: Draft, edited: Message | None, errors: FormErrors) -> None:
    v2 = draft.is_v2 or (edited is not None and edited.has_flag(MessageFlag.COMPONENTS_V2))
    if v2:
        _check_v2(draft, edited, errors)
    if draft.embeds:
        check_embeds(draft.embeds, errors)
    if draft.components:
        names = frozenset(_filenames(draft, edited))
        ComponentChecker(errors, v2=v2, filenames=names).check(draft.components)
        number(draft.components)


def _check_v2(draft: Draft, edited: Message | None, errors: FormErrors) -> None:
    code = "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2"
    keeps_content = edited is not None and edited.content and "content" not in draft.given
    if draft.content or keeps_content:
        message = "The 'content' field cannot be used when using MessageFlags.IS_COMPONENTS_V2"
        errors.add(("content",), code, message)
    keeps_embeds = edited is not None and edited.embeds and draft.embeds is None
    if draft.embeds or keeps_embeds:
        message = "The 'embeds' field cannot be used when using MessageFlags.IS_COMPONENTS_V2"
        errors.add(("embeds",), code, message)


def _filenames(draft: Draft, edited: Message | None) -> Iterable[str]:
    yield from (file.upload.filename for file in draft.files)
    if edited is not None:
        yield from (a.filename for a in kept_attachments(draft, edited))


def kept_attachments(draft: Draft, message: Message) -> list[Attachment]:
    """Return the attachments of a message that an edit keeps."""
    if draft.kept is None:
        return message.attachments
    return [attachment for attachment in message.attachments if attachment.id in draft.kept]
