"""The sentence of each error: what is the case, and what to do now.

Each code of `Refusal` has one row here: a sentence with the names of its data in braces, or a function of its data
where the sentence depends on them. Errors that still carry a sentence show it as it is.
"""

from collections.abc import Callable, Mapping

from bot.codes import TEXT, Reason, Refusal, Value
from bot.errors import ReelpoolError, RefusedError

Data = Mapping[str, Value]

_SENTENCES: dict[Refusal, str | Callable[[Data], str]] = {
    Refusal.STOPPING: "I am just being restarted. Please try again in a minute.",
    Refusal.SERVERS_ONLY: "I only work in servers: please use this command in a server's channel.",
    Refusal.CHOICE_GONE: "I can't find what you chose: it may have been deleted. Please choose again.",
    Refusal.FORM_LOST: "I was restarted meanwhile; please open this form again.",
}


def sentence_of(error: ReelpoolError) -> str:
    """Return what a member is told of an error."""
    return refusal(error.reason) if isinstance(error, RefusedError) else error.user_text


def refusal(reason: Reason) -> str:
    """Return the sentence of a refusal."""
    if reason.code == TEXT:
        return str(reason.data["text"])
    sentence = _SENTENCES[Refusal(reason.code)]
    return sentence.format_map(reason.data) if isinstance(sentence, str) else sentence(reason.data)
