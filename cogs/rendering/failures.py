"""Messages for failures and reasons to wait: one for each code of `Failure` and `WaitReason`."""

from collections.abc import Callable, Mapping

from bot.codes import TEXT, Failure, Reason, Value, WaitReason
from cogs.rendering.text import plain

Data = Mapping[str, Value]


def _with_reason(words: str, without: str) -> Callable[[Data], str]:
    """Return a renderer: `words: reason` if the data has a reason, else another sentence."""

    def sentence(data: Data) -> str:
        reason = plain(str(data.get("reason") or "")).strip()
        if not reason:
            return without
        return f"{words}: {reason}" if reason.endswith((".", "!", "?", "…")) else f"{words}: {reason}."

    return sentence


def _too_late(data: Data) -> str:
    within = f" within {data['hours']:g} hours" if data.get("hours") else ""
    return f"UlazAI has not finished this video{within}, so a moderator has to check."


_FAILURES: dict[Failure, str | Callable[[Data], str]] = {
    Failure.REJECTED: _with_reason("UlazAI rejected the request", "UlazAI rejected the request and gave no reason."),
    Failure.OUT_OF_CREDITS: "This bot's UlazAI account has run out of credits. Please tell a moderator.",
    Failure.FAILED_AT_PROVIDER: _with_reason(
        "UlazAI couldn't make it", "UlazAI couldn't make it and gave no reason. You can try again."
    ),
    Failure.PICTURE_GONE: "Discord doesn't have your image any more. Please send it again.",
    Failure.UNCLEAR: "UlazAI did not say whether it started this video, so I won't send it again by myself.",
    Failure.INTERRUPTED: "I was stopped while I was sending this video to UlazAI, so I won't send it again by myself.",
    Failure.LOST: "UlazAI doesn't know this video any more.",
    Failure.NO_VIDEO: "UlazAI says that this video is done, but gives no link to it.",
    Failure.TOO_LATE: _too_late,
    Failure.NOBODY_DECIDED: (
        "No moderator decided within {hours:g} hours whether it was charged, so it counts as charged."
    ),
    Failure.NOTHING_MADE: "A moderator found that UlazAI did not charge for it.",
    Failure.DENIED: _with_reason("A moderator denied it", "A moderator denied it."),
    Failure.CANCELLED_BY_MODERATOR: _with_reason("A moderator cancelled it", "A moderator cancelled it."),
    Failure.APPROVAL_EXPIRED: "No moderator decided within {hours:g} hours.",
    Failure.SESSION_OVER: "Its session ended before a moderator decided.",
}

_WAITS = {
    WaitReason.BUSY: "UlazAI is busy",
    WaitReason.IN_TROUBLE: "UlazAI has problems",
    WaitReason.OUT_OF_CREDITS: "the UlazAI account is out of credits; please tell a moderator",
    WaitReason.ACCOUNT_REFUSED: "UlazAI refuses the bot's account; please tell a moderator",
    WaitReason.UNREACHABLE: "UlazAI can't be reached",
    WaitReason.PAUSED: "moderators have paused videos here",
    WaitReason.BLOCKED: "a moderator has blocked this member from making videos",
}


def failure(reason: Reason | None) -> str:
    """Return the message of a failure; text that another version stored is shown as it is."""
    if reason is None:
        return "No reason is known."
    if reason.code not in set(Failure):
        return plain(str(reason.data.get(TEXT, reason.code)))
    sentence = _FAILURES[Failure(reason.code)]
    return sentence.format_map(reason.data) if isinstance(sentence, str) else sentence(reason.data)


def own_words(reason: Reason | None) -> str:
    """Return the reason that a person wrote, escaped; empty: nobody wrote one."""
    return plain(str(reason.data.get("reason") or reason.data.get(TEXT) or "")) if reason else ""


def wait_reason(reason: WaitReason) -> str:
    """Return why a job waits, as a part of a sentence."""
    return _WAITS[reason]
