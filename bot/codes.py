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
