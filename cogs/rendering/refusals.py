"""The sentence of each error: what is the case, and what to do now.

Each code of `Refusal` has one row here: a sentence with the names of its data in braces, or a function of its data
where the sentence depends on them. Errors that still carry a sentence show it as it is.
"""

from collections.abc import Callable, Mapping

from bot.codes import TEXT, Reason, Refusal, Value
from bot.errors import ReelpoolError, RefusedError, StorageError

Data = Mapping[str, Value]

_MEGABYTE = 1024 * 1024
# Where Discord's own name of a permission is not the API's name in title case.
_PERMISSIONS = {
    "read_messages": "View Channel",
    "view_channel": "View Channel",
    "send_messages_in_threads": "Send Messages in Threads",
}


def _image_too_large(data: Data) -> str:
    size, most = int(str(data["size_bytes"])) / _MEGABYTE, int(str(data["most_bytes"])) // _MEGABYTE
    return f"That image has {size:.1f} MB. Please use one of at most {most} MB."


def _image_too_long(data: Data) -> str:
    shape = "wide" if int(str(data["width"])) > int(str(data["height"])) else "tall"
    return (
        f"That image is too {shape} ({data['width']} × {data['height']} pixels): its longer side may be at most "
        f"{data['ratio']:g} times the shorter one. Please crop it."
    )


def permission_names(names: Value) -> str:
    """Return permissions by Discord's own names, bold.

    Args:
        names: the API's names, separated by spaces.
    """
    shown = [_PERMISSIONS.get(name, name.replace("_", " ").title()) for name in str(names).split()]
    return f"permission{'s' * (len(shown) > 1)} {', '.join(f'**{name}**' for name in shown)}"


_SENTENCES: dict[Refusal, str | Callable[[Data], str]] = {
    Refusal.STOPPING: "I am just being restarted. Please try again in a minute.",
    Refusal.SERVERS_ONLY: "I only work in servers: please use this command in a server's channel.",
    Refusal.CHOICE_GONE: "I can't find what you chose: it may have been deleted. Please choose again.",
    Refusal.FORM_LOST: "I was restarted meanwhile; please open this form again.",
    # Requests for videos.
    Refusal.PROMPT_EMPTY: "Your prompt is empty. Please describe what the video should show.",
    Refusal.PROMPT_TOO_LONG: "Your prompt has {length} characters. Please shorten it to {most}.",
    Refusal.NOT_AN_IMAGE: "That file is not an image. Please use a JPEG or PNG.",
    Refusal.IMAGE_UNREADABLE: "I can't read that file as an image. Please use a JPEG or PNG.",
    Refusal.IMAGE_FORMAT: "I can't animate {format} images. Please use a JPEG or PNG.",
    Refusal.IMAGE_TOO_LARGE: _image_too_large,
    Refusal.IMAGE_TOO_MANY_PIXELS: "That image has too many pixels. Please use a smaller one.",
    Refusal.IMAGE_TOO_SMALL: (
        "That image is {width} × {height} pixels. Please use one of at least {least} pixels on each side."
    ),
    Refusal.IMAGE_TOO_LONG: _image_too_long,
    Refusal.IMAGE_NOT_FETCHED: "I couldn't load that image from Discord. Please try again in a moment.",
    Refusal.MESSAGE_WITHOUT_IMAGE: "That message has no image. Choose one that has, or use `/animate`.",
    Refusal.DUPLICATE_REQUEST: "I have this request already; `/usage` shows it.",
    Refusal.ANSWER_LOST_CANCELLED: (
        "Discord lost my answer, so I cancelled your request and nothing was spent. Please try again."
    ),
    Refusal.ANSWER_LOST: "Discord lost my answer, but your video is queued; `/usage` shows it.",
    Refusal.SESSION_IS_OVER: "This session is over. Please use the command in another channel.",
    # Requests that were refused for their words.
    Refusal.REQUEST_FORGOTTEN: "I don't have this request any more. Send it again, then ask.",
    Refusal.REQUEST_OF_ANOTHER: "This is another member's request.",
    Refusal.ASKED_ALREADY: "A moderator has been asked already; `/usage` shows your request.",
    # A member's own videos.
    Refusal.NOT_CANCELLABLE: "#{job_id} can't be cancelled: it is not one of your queued videos. `/usage` shows yours.",
    Refusal.NOTHING_TO_CANCEL: "You have no queued video, and what UlazAI has started can't be cancelled.",
    Refusal.SEVERAL_TO_CANCEL: "{count} of your videos can be cancelled. Choose one with the option `job`.",
    Refusal.NO_SUCH_VIDEO: "You have no finished video #{job_id} here. `/history` lists yours.",
    Refusal.NOT_QUEUED: "#{job_id} is not queued here, so nothing has changed.",
    # Rights and permissions.
    Refusal.MISSING_PERMISSIONS: lambda data: (
        f"I can't work here without the {permission_names(data['permissions'])}. Please tell a moderator."
    ),
    Refusal.CHANNEL_HIDDEN: "I can't post in <#{channel_id}>: it was deleted, or I can't see it.",
    Refusal.CHANNEL_PERMISSIONS: lambda data: (
        f"I can't post in <#{data['channel_id']}> without the {permission_names(data['permissions'])} there."
    ),
    Refusal.MODERATORS_ONLY: (
        "Only moderators can do this: members with **Manage Server**, or with a role from `/pool managers`."
    ),
    Refusal.OPERATOR_ONLY: "Only the bot's operator, who pays for the credits, can do this.",
}


def sentence_of(error: ReelpoolError) -> str:
    """Return what a member is shown of an error."""
    match error:
        case RefusedError():
            return refusal(error.reason)
        case StorageError():
            return "I can't write to my database right now, so nothing was spent. Please try again in a few minutes."
        case _:
            return "Something went wrong on my side. Check `/usage` before you try again."


def refusal(reason: Reason) -> str:
    """Return the sentence of a refusal."""
    if reason.code == TEXT:
        return str(reason.data["text"])
    sentence = _SENTENCES[Refusal(reason.code)]
    return sentence.format_map(reason.data) if isinstance(sentence, str) else sentence(reason.data)
