"""What a check found."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How it stands; the word is what is printed."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "WRONG"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it stands, and what to do where it is not well."""

    verdict: Verdict
    subject: str
    text: str


def ok(subject: str, text: str) -> Finding:
    """All is well."""
    return Finding(Verdict.OK, subject, text)


def warning(subject: str, text: str) -> Finding:
    """The bot can work, but somebody should look."""
    return Finding(Verdict.WARNING, subject, text)


def wrong(subject: str, text: str) -> Finding:
    """The bot can't do its work."""
    return Finding(Verdict.WRONG, subject, text)
