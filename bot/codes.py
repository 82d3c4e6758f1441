"""Codes and their data: what rules, rows and errors carry in place of sentences.

Whatever is decided here is said elsewhere: `cogs/rendering` makes the sentences when somebody reads them, so that
another language is a translation of one folder. A code is a member of an enum; its data are plain values (credits,
ids, names, moments), named alike wherever they occur.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

Value = int | float | str | bool | datetime | None
"""What a code's data may be. Moments occur in errors only: in rows they are columns of their own."""

TEXT = "text"
"""The code of a sentence that an earlier version, or a person, wrote: it is shown as it is."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is as it is.

    Attributes:
        code: a member of one of the enums of codes, or `TEXT`.
        data: what its sentence names.
    """

    code: str
    data: Mapping[str, Value] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return it for a log line: `code key=value …`."""
        return " ".join((self.code, *(f"{name}={value}" for name, value in self.data.items())))

    def to_json(self) -> str:
        """Return it as it is kept in a row."""
        return json.dumps({"code": self.code, **self.data}, ensure_ascii=False)

    @classmethod
    def from_json(cls, document: str) -> "Reason":
        """Return what a row says; one that no code wrote holds a sentence, which is kept whole."""
        try:
            data = json.loads(document)
            return cls(data.pop("code"), data)
        except (ValueError, TypeError, AttributeError, KeyError):
            return cls(TEXT, {"text": document})


class Refusal(StrEnum):
    """Why a request is not accepted. `cogs/rendering/refusals.py` has the sentence of each."""

    STOPPING = "stopping"
    SERVERS_ONLY = "servers_only"
    CHOICE_GONE = "choice_gone"
    FORM_LOST = "form_lost"

    # Requests for videos.
    PROMPT_EMPTY = "prompt_empty"
    PROMPT_TOO_LONG = "prompt_too_long"
    NOT_AN_IMAGE = "not_an_image"
    IMAGE_UNREADABLE = "image_unreadable"
    IMAGE_FORMAT = "image_format"
    IMAGE_TOO_LARGE = "image_too_large"
    IMAGE_TOO_MANY_PIXELS = "image_too_many_pixels"
    IMAGE_TOO_SMALL = "image_too_small"
    IMAGE_TOO_LONG = "image_too_long"
    IMAGE_NOT_FETCHED = "image_not_fetched"
    MESSAGE_WITHOUT_IMAGE = "message_without_image"
    DUPLICATE_REQUEST = "duplicate_request"
    ANSWER_LOST_CANCELLED = "answer_lost_cancelled"
    ANSWER_LOST = "answer_lost"
    SESSION_IS_OVER = "session_is_over"

    # Requests that were refused for their words.
    REQUEST_FORGOTTEN = "request_forgotten"
    REQUEST_OF_ANOTHER = "request_of_another"
    ASKED_ALREADY = "asked_already"

    # A member's own videos.
    NOT_CANCELLABLE = "not_cancellable"
    NOTHING_TO_CANCEL = "nothing_to_cancel"
    SEVERAL_TO_CANCEL = "several_to_cancel"
    NO_SUCH_VIDEO = "no_such_video"
    NOT_QUEUED = "not_queued"

    # Rights and permissions.
    MISSING_PERMISSIONS = "missing_permissions"
    CHANNEL_HIDDEN = "channel_hidden"
    CHANNEL_PERMISSIONS = "channel_permissions"
    MODERATORS_ONLY = "moderators_only"
    OPERATOR_ONLY = "operator_only"


class Failure(StrEnum):
    """Why a job has no video, or is unconfirmed. `cogs/rendering/failures.py` has the sentence of each.

    `reason` in the data are words of a person or of the provider.
    """

    # The provider's answers: `reason`.
    REJECTED = "rejected"
    OUT_OF_CREDITS = "out_of_credits"
    FAILED_AT_PROVIDER = "failed_at_provider"
    PICTURE_GONE = "picture_gone"

    # Nobody knows what became of it: `hours`.
    UNCLEAR = "unclear"
    INTERRUPTED = "interrupted"
    LOST = "lost"
    NO_VIDEO = "no_video"
    TOO_LATE = "too_late"
    NOBODY_DECIDED = "nobody_decided"
    NOTHING_MADE = "nothing_made"

    # Approvals: `reason`, `hours`.
    DENIED = "denied"
    APPROVAL_EXPIRED = "approval_expired"
    SESSION_OVER = "session_over"


class WaitReason(StrEnum):
    """Why queued jobs are not submitted yet. `cogs/rendering/failures.py` has the words of each."""

    BUSY = "busy"
    IN_TROUBLE = "in_trouble"
    OUT_OF_CREDITS = "out_of_credits"
    ACCOUNT_REFUSED = "account_refused"
    UNREACHABLE = "unreachable"
