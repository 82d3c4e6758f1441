"""What a check found."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """The verdict, as it is printed."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "WRONG"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was checked, the verdict, and the cure where something is wrong."""

    verdict: Verdict
    subject: str
    text: str


def ok(subject: str, text: str) -> Finding:
    """Return all is well."""
    return Finding(Verdict.OK, subject, text)


def warning(subject: str, text: str) -> Finding:
    """Return the bot can work, but somebody should check this."""
    return Finding(Verdict.WARNING, subject, text)


def wrong(subject: str, text: str) -> Finding:
    """Return the bot can't do its work."""
    return Finding(Verdict.WRONG, subject, text)
