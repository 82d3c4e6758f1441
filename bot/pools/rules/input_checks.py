"""Check numbers and reasons that people typed. Pure; Discord checks only what its own apps send."""

from enum import StrEnum

from bot.codes import Refusal
from bot.errors import RefusedError
from bot.wordlist.normalize import visible

MAX_CREDITS = 1_000_000_000
"""Credits of one deposit, withdrawal, budget or rule."""

MAX_REASON = 300
"""Characters of a reason."""


class Unit(StrEnum):
    """What a typed number counts."""

    CREDITS = "credits"
    JOBS = "jobs"
    PERCENT = "percent"
    MINUTES = "minutes"
    HOURS = "hours"
    DAYS = "days"


def check_credits(amount: float, *, least: int = 1) -> int:
    """Return an amount of credits that can be used.

    Raises:
        RefusedError: it is not a whole number from `least` to `MAX_CREDITS`.
    """
    return check_whole(amount, least, MAX_CREDITS, Unit.CREDITS)


def check_whole(number: float, least: int, most: int, unit: Unit) -> int:
    """Return a whole number within bounds.

    Args:
        number: what was typed.
        least: the lower bound, included.
        most: the upper bound, included.
        unit: what it counts, for the refusal.

    Raises:
        RefusedError: it is not a whole number within them.
    """
    if not isinstance(number, int) or not least <= number <= most:
        raise RefusedError(Refusal.NOT_A_NUMBER, least=least, most=most, unit=unit)
    return number


def clean_reason(text: str, *, is_needed: bool = True) -> str:
    """Return a reason on one line, without invisible characters.

    Raises:
        RefusedError: it is missing although it is needed, or too long.
    """
    reason = " ".join(visible(text).split())
    if len(reason) > MAX_REASON:
        raise RefusedError(Refusal.REASON_TOO_LONG, length=len(reason), most=MAX_REASON)
    if is_needed and not reason:
        raise RefusedError(Refusal.REASON_MISSING)
    return reason
