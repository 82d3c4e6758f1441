"""Codes and their data: what rules, rows and errors carry in place of sentences.

Whatever is decided here is said elsewhere: `cogs/rendering` makes the sentences when somebody reads them, so that
another language is a translation of one folder. A code is a member of an enum; its data are plain values (credits,
ids, names, moments), named alike wherever they occur.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

Value = int | float | str | bool | datetime | None | Sequence["Value"] | Mapping[str, "Value"]
"""What a code's data may be. In rows a moment is text (ISO 8601), and what has an order is a list."""

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
    data: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return it for a log line: `code key=value …`."""
        return " ".join((self.code, *(f"{name}={value}" for name, value in self.data.items())))

    def to_json(self) -> str:
        """Return it as it is kept in a row; a sentence stands as it is, unless it could be read as a code."""
        if self.code == TEXT and Reason.from_json(text := str(self.data["text"])) == self:
            return text
        return json.dumps({"code": self.code, **self.data}, ensure_ascii=False, default=datetime.isoformat)

    @classmethod
    def typed(cls, text: str) -> "Reason":
        """Return what a person wrote as a reason."""
        return cls(TEXT, {"text": text})

    @classmethod
    def from_json(cls, document: str) -> "Reason":
        """Return what a row says; one that no code wrote holds a sentence, which is kept whole."""
        try:
            data = json.loads(document)
            return cls(data.pop("code"), data)
        except (ValueError, TypeError, AttributeError, KeyError):
            return cls.typed(document)


class Refusal(StrEnum):
    """Why a request is not accepted. `cogs/rendering/refusals.py` has the sentence of each."""

    STOPPING = "stopping"
    DONE_ALREADY = "done_already"
    SERVERS_ONLY = "servers_only"
    CHOICE_GONE = "choice_gone"
    NOT_OFFERED = "not_offered"
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

    # Moderators' decisions about jobs.
    NO_SUCH_REQUEST = "no_such_request"
    OWN_REQUEST = "own_request"
    DECIDED_ALREADY = "decided_already"
    NO_CHEAPER_KIND = "no_cheaper_kind"
    NO_TASK_ID = "no_task_id"
    TASK_UNKNOWN = "task_unknown"
    TASK_OF_ANOTHER = "task_of_another"
    PROVIDER_SILENT = "provider_silent"
    NOT_CANCELLABLE_BY_MODERATOR = "not_cancellable_by_moderator"

    # Rights and permissions.
    MISSING_PERMISSIONS = "missing_permissions"
    CHANNEL_HIDDEN = "channel_hidden"
    CHANNEL_PERMISSIONS = "channel_permissions"
    MODERATORS_ONLY = "moderators_only"
    OPERATOR_ONLY = "operator_only"

    # The server's rules.
    SERVER_NOT_APPROVED = "server_not_approved"
    PAUSED = "paused"
    BLOCKED = "blocked"
    WRONG_CHANNEL = "wrong_channel"
    PROMPT_NOT_ALLOWED = "prompt_not_allowed"
    SESSION_FOR_ROLE = "session_for_role"

    # Credits and limits.
    POOL_EMPTY = "pool_empty"
    SESSION_EMPTY = "session_empty"
    LOW_BALANCE = "low_balance"
    MAX_PRICE = "max_price"
    LIMIT_JOBS = "limit_jobs"
    LIMIT_CREDITS = "limit_credits"
    HOLD_TOO_LARGE = "hold_too_large"
    WITHDRAWAL_TOO_LARGE = "withdrawal_too_large"
    BUDGET_TOO_LARGE = "budget_too_large"

    # Numbers and reasons that people type.
    NOT_A_NUMBER = "not_a_number"
    REASON_MISSING = "reason_missing"
    REASON_TOO_LONG = "reason_too_long"

    # Changes of the rules.
    MANAGES_ALREADY = "manages_already"
    MANAGES_NOT = "manages_not"
    MANAGER_ROLES_FULL = "manager_roles_full"
    EVERYONE_MANAGES_NOT = "everyone_manages_not"
    CHANNEL_NAMED_ALREADY = "channel_named_already"
    CHANNEL_NOT_NAMED = "channel_not_named"
    CHANNELS_FULL = "channels_full"
    PAUSED_ALREADY = "paused_already"
    PAUSED_NOT = "paused_not"
    BLOCKED_NOT = "blocked_not"
    BLOCKS_FULL = "blocks_full"
    RULES_FULL = "rules_full"
    LIMIT_AND_NO_LIMIT = "limit_and_no_limit"
    NO_SUCH_RULE = "no_such_rule"
    RULE_SET_AND_REMOVED = "rule_set_and_removed"
    RULE_FOR_NOBODY = "rule_for_nobody"
    LOW_BALANCE_ORDER = "low_balance_order"
    APPROVALS_SET_AND_OFF = "approvals_set_and_off"
    ROLE_GONE = "role_gone"
    TARGET_GONE = "target_gone"
    CHOOSE_FROM_LIST = "choose_from_list"

    # The list of words.
    WORDS_NONE = "words_none"
    WORDS_FULL = "words_full"
    WORDS_LISTED_ALREADY = "words_listed_already"
    WORDS_NOT_LISTED = "words_not_listed"
    WORD_TOO_LONG = "word_too_long"
    WORD_WITHOUT_LETTERS = "word_without_letters"
    WORD_OF_ONE_LETTER = "word_of_one_letter"

    # The ledger's pages and file.
    PAGES_OF_ANOTHER = "pages_of_another"
    EXPORT_TOO_LARGE = "export_too_large"

    # Creative sessions.
    SESSION_IN_THREAD = "session_in_thread"
    SESSION_STARTED_ALREADY = "session_started_already"
    SESSION_ANSWER_LOST = "session_answer_lost"
    SESSION_NOT_OPENED = "session_not_opened"
    SESSION_UNKNOWN = "session_unknown"
    SESSION_ENDED_ALREADY = "session_ended_already"
    SESSION_NONE_OPEN = "session_none_open"
    SESSION_AMBIGUOUS = "session_ambiguous"


class AuditAction(StrEnum):
    """What a moderator did. `cogs/rendering/audit.py` has the words of each."""

    DEPOSIT = "deposit"
    WITHDRAW = "withdraw"
    MANAGERS = "managers"
    CHANNELS = "channels"
    PAUSE = "pause"
    RESUME = "resume"
    ALLOW = "allow"
    BLOCK = "block"
    UNBLOCK = "unblock"
    WORDS = "words"
    APPROVALS = "approvals"
    LOW_BALANCE = "low_balance"
    PRIORITIZE = "prioritize"
    APPROVE = "approve"
    APPROVE_CHEAPER = "approve_cheaper"
    DENY = "deny"
    CANCEL = "cancel"
    CHARGED = "charged"
    NOT_CHARGED = "not_charged"
    TRY_AGAIN = "try_again"
    SESSION_START = "session_start"
    SESSION_END = "session_end"


class LedgerReason(StrEnum):
    """Why the bot itself moved credits. `cogs/rendering/audit.py` has the words of each."""

    STARTING_CREDITS = "starting_credits"
    BEFORE_POOL = "before_pool"
    SESSION = "session"
    PRICE_ABOVE_HOLD = "price_above_hold"


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
    CANCELLED_BY_MODERATOR = "cancelled_by_moderator"
    APPROVAL_EXPIRED = "approval_expired"
    SESSION_OVER = "session_over"


class WaitReason(StrEnum):
    """Why queued jobs are not submitted yet. `cogs/rendering/failures.py` has the words of each."""

    BUSY = "busy"
    IN_TROUBLE = "in_trouble"
    OUT_OF_CREDITS = "out_of_credits"
    ACCOUNT_REFUSED = "account_refused"
    UNREACHABLE = "unreachable"

    # The moderators' rules hold it.
    PAUSED = "paused"
    BLOCKED = "blocked"
