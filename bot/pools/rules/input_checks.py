"""Numbers and reasons that people type: what can be used of them. Pure; Discord's own limits bind its apps only."""

from bot.errors import ChangeRefusedError

MAX_CREDITS = 1_000_000_000
"""Credits of one deposit, withdrawal, budget or rule."""

MAX_REASON = 300
"""Characters of a reason."""


def check_credits(amount: float, *, least: int = 1) -> int:
    """Return an amount of credits that can be used.

    Raises:
        ChangeRefusedError: it is no whole number, or not one from `least` to `MAX_CREDITS`.
    """
    return check_whole(amount, least, MAX_CREDITS, "of credits; 0 is no limit" if least == 0 else "of credits")


def check_whole(number: float, least: int, most: int, what: str) -> int:
    """Return a whole number within bounds, both included; `what` says of what it is a number.

    Raises:
        ChangeRefusedError: it is none.
    """
    if not isinstance(number, int) or not least <= number <= most:
        raise ChangeRefusedError(f"Please give a whole number from {least} to {most:,} {what}.")
    return number


def clean_reason(text: str, *, is_needed: bool = True) -> str:
    """Return a reason on one line, without what can't be seen.

    Raises:
        ChangeRefusedError: there is none although it is needed, or it is too long.
    """
    reason = " ".join("".join(letter for letter in word if letter.isprintable()) for word in text.split()).strip()
    if len(reason) > MAX_REASON:
        raise ChangeRefusedError(f"That reason has {len(reason)} characters, and {MAX_REASON} is the most.")
    if is_needed and not reason:
        raise ChangeRefusedError("Please give a reason in words.")
    return reason
