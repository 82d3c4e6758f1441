"""Messages for refused requests and errors: what is the case, and what to do now.

Each code of `Refusal` has one entry: a template with its data in braces, or a function of its data.
"""

from collections.abc import Callable, Mapping
from typing import Any

from bot.codes import Reason, Refusal, Value
from bot.errors import ReelpoolError, RefusedError, StorageError
from bot.pools.rules.input_checks import Unit
from cogs.rendering.labels import CHEAPEST_KIND
from cogs.rendering.text import at, cut, ended, plain, relative

Data = Mapping[str, Any]


def _paused(data: Data) -> str:
    return ended(f"The moderators have paused videos here{_because(data['reason'])}")


def _blocked(data: Data) -> str:
    until = f" until {relative(data['until'])}" if data["until"] else ""
    return ended(f"A moderator has blocked you from making videos here{until}{_because(data['reason'])}")


def _because(reason: str) -> str:
    return f": {plain(reason)}" if reason else ""


def _wrong_channel(data: Data) -> str:
    places = ", ".join(f"<#{channel_id}>" for channel_id in data["channel_ids"])
    return f"Videos can only be made in {places}. Please use the command there."


def _pool_empty(data: Data) -> str:
    text = f"{data['price']} credits is too much for what is left in this server's pool ({data['available']})."
    return f"{text} {_what_fits(data) or 'Please ask a moderator for more credits.'}"


def _session_empty(data: Data) -> str:
    text = f"{data['price']} credits is too much for what is left of this session's budget ({data['available']})."
    return f"{text} {_what_fits(data) or 'Please ask a moderator for another session.'}"


def _low_balance(data: Data) -> str:
    text = f"This server's pool is low ({data['available']} credits), so only {CHEAPEST_KIND} videos are made now."
    return f"{text} {_what_fits(data) or 'Please ask a moderator for more credits.'}"


def _max_price(data: Data) -> str:
    text = f"This video costs {data['price']} credits, and your limit is {data['max_price']} for one video."
    return f"{text} {_what_fits(data) or '`/why` shows where that comes from.'}"


def _limit_jobs(data: Data) -> str:
    if not data["allowed"]:
        return "You can't make videos here; `/why` shows where that comes from."
    waiting = f", {data['undecided']} of them waiting for a moderator" if data.get("undecided") else ""
    return (
        f"You have {data['used']} of {data['allowed']} videos open{waiting}; `/usage` shows them. "
        f"There should be room for another {relative(data['free_at'])}."
    )


def _limit_credits(data: Data) -> str:
    if not data["allowed"]:
        return "You can't spend credits here; `/why` shows where that comes from."
    used = f"You have used {data['used']} of your {data['allowed']} credits in the last {data['hours']:g} hours"
    wait = f"wait until {at(data['free_at'])}" if data["free_at"] else ""
    if fits := _what_fits(data):
        way = f"{fits[:-1]}, or {wait}." if wait else fits
    else:
        way = f"Please {wait}." if wait else "It is more than your whole allowance; `/why` shows where that comes from."
    return f"{used}, so {data['price']} is too much. {way}"


def _what_fits(data: Data) -> str:
    """Return the kind of video that would be accepted now; empty: there is none."""
    if "fits_price" not in data:
        return ""
    if data["fits_if_published"]:
        return f"{data['fits_price']} works if it is published."
    kind = f"{data['fits_seconds']} seconds {'with sound' if data['fits_sound'] else 'without sound'}"
    published = ", published" if data["fits_publish"] else ""
    return f"{data['fits_price']} works: {kind}{published}."


def _budget_too_large(data: Data) -> str:
    text = f"{data['budget']} credits is too much for what is left in this server's pool ({data['available']})."
    if data["available"] >= data["least"]:
        return f"{text} Up to {data['available']} works."
    return f"{text} A session needs {data['least']} at least, so the pool needs a deposit first."


_UNITS = {
    Unit.CREDITS: ("credits", "no limit"),
    Unit.JOBS: ("open videos", "no limit"),
    Unit.PERCENT: ("per cent", "never"),
    Unit.MINUTES: ("minutes", ""),
    Unit.HOURS: ("hours", ""),
    Unit.DAYS: ("days", ""),
}


def _not_a_number(data: Data) -> str:
    unit, zero = _UNITS[Unit(data["unit"])]
    zero = f"; 0 means {zero}" if data["least"] == 0 else ""
    return f"Please give a whole number of {unit} from {data['least']} to {data['most']:,}{zero}."


def _export_too_large(data: Data) -> str:
    size = f"larger than the {data['megabytes']} MB that this server takes" if data["megabytes"] else "too large"
    return f"The file of the ledger's {data['entries']:,} entries is {size}. Choose a number of `days`."


def _session_ended_already(data: Data) -> str:
    who = f"<@{data['ended_by']}> has ended this session" if data["ended_by"] else "This session ended by itself"
    when = f" {relative(data['ended_at'])}" if data["ended_at"] else ""
    return f"{who}{when}; what was left of its budget is back in the pool."


def _operator(data: Data) -> str:
    if not data.get("operator_id"):
        return "the person"
    return f"<@{data['operator_id']}> ({plain(data['operator_name'])})"


_MEGABYTE = 1024 * 1024
# Where Discord's own name of a permission is not the API's name in title case.
_PERMISSIONS = {
    "read_messages": "View Channel",
    "view_channel": "View Channel",
    "send_messages_in_threads": "Send Messages in Threads",
}


_DECIDED = {
    "approved": "approved #{job_id}",
    "cheaper": "approved a cheaper kind of #{job_id}",
    "denied": "denied #{job_id}",
    "cancelled": "cancelled #{job_id}",
    "charged": "decided that #{job_id} was charged",
    "not_charged": "decided that #{job_id} was not charged",
    "try_again": "had #{job_id} tried again",
}


def _decided_already(data: Data) -> str:
    when = f" {relative(data['decided_at'])}" if data["decided_at"] else ""
    if data["decided_by"] is None:
        return f"The time to decide about #{data['job_id']} ended{when}. Nothing has changed."
    what = _DECIDED[data["decision"]].format(job_id=data["job_id"])
    return f"<@{data['decided_by']}> {what} already{when}. Nothing has changed."


def _image_too_large(data: Data) -> str:
    size, most = data["size_bytes"] / _MEGABYTE, data["most_bytes"] // _MEGABYTE
    return f"That image has {size:.1f} MB. Please use one of at most {most} MB."


def _image_too_long(data: Data) -> str:
    shape = "wide" if data["width"] > data["height"] else "tall"
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
    Refusal.DONE_ALREADY: "That is already done; nothing was done twice.",
    Refusal.SERVERS_ONLY: "I only work in servers: please use this command in a server's channel.",
    Refusal.CHOICE_GONE: "I can't find what you chose: it may have been deleted. Please choose again.",
    Refusal.NOT_OFFERED: "I don't offer this `{option}`. Please choose one from the list that Discord shows.",
    Refusal.FORM_LOST: "I was restarted in the meantime. Please open this form again.",
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
    # Moderators' decisions about jobs.
    Refusal.NO_SUCH_REQUEST: "There is nothing to decide about #{job_id} here.",
    Refusal.OWN_REQUEST: ("#{job_id} is your own request. Another moderator or the bot's operator has to decide."),
    Refusal.DECIDED_ALREADY: _decided_already,
    Refusal.NO_CHEAPER_KIND: "There is no cheaper kind of #{job_id}. Approve it, or deny it.",
    Refusal.NO_TASK_ID: "That is no task id. Copy it from UlazAI's list of generations.",
    Refusal.TASK_UNKNOWN: "UlazAI knows no task with this id. Nothing has changed.",
    Refusal.TASK_OF_ANOTHER: "This task belongs to another video. Nothing has changed.",
    Refusal.PROVIDER_SILENT: "UlazAI can't be asked right now. Nothing has changed; please try again.",
    Refusal.NOT_CANCELLABLE_BY_MODERATOR: (
        "#{job_id} can't be cancelled: it does not wait for approval or in the queue here."
    ),
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
    # The server's rules.
    Refusal.SERVER_NOT_APPROVED: lambda data: (
        "This server has no credits to spend yet. Please ask "
        f"{_operator(data)}, who runs this bot, for a `/pool deposit`."
    ),
    Refusal.PAUSED: _paused,
    Refusal.BLOCKED: _blocked,
    Refusal.WRONG_CHANNEL: _wrong_channel,
    Refusal.PROMPT_NOT_ALLOWED: (
        "Your prompt may not fit this server's rules. Change it, or ask a moderator to check it."
    ),
    Refusal.SESSION_FOR_ROLE: "This session is for <@&{role_id}>. Please use another channel.",
    # Credits and limits.
    Refusal.POOL_EMPTY: _pool_empty,
    Refusal.SESSION_EMPTY: _session_empty,
    Refusal.LOW_BALANCE: _low_balance,
    Refusal.MAX_PRICE: _max_price,
    Refusal.LIMIT_JOBS: _limit_jobs,
    Refusal.LIMIT_CREDITS: _limit_credits,
    Refusal.HOLD_TOO_LARGE: "This needs {needed} credits, and this server's pool has {available} left.",
    Refusal.WITHDRAWAL_TOO_LARGE: (
        "Only {available} credits are available in this server's pool; the rest is held for videos and sessions. "
        "Nothing was withdrawn."
    ),
    Refusal.BUDGET_TOO_LARGE: _budget_too_large,
    # Numbers and reasons that people type.
    Refusal.NOT_A_NUMBER: _not_a_number,
    Refusal.REASON_MISSING: "Please give a reason in words.",
    Refusal.REASON_TOO_LONG: "That reason has {length} characters; please shorten it to {most}.",
    # Changes of the rules.
    Refusal.MANAGES_ALREADY: "<@&{role_id}> already manages the pool.",
    Refusal.MANAGES_NOT: "That role does not manage the pool, so nothing has changed.",
    Refusal.MANAGER_ROLES_FULL: "{most} roles manage the pool, the maximum. Remove one first.",
    Refusal.EVERYONE_MANAGES_NOT: "@everyone can't manage the pool. Choose a role of your moderators.",
    Refusal.CHANNEL_NAMED_ALREADY: "<#{channel_id}> is already on the list.",
    Refusal.CHANNEL_NOT_NAMED: "That channel is not on the list, so nothing has changed.",
    Refusal.CHANNELS_FULL: "{most} channels are on the list, the maximum. Remove one first.",
    Refusal.PAUSED_ALREADY: lambda data: (
        f"Videos are already paused{_because(data['reason'])}. To give another reason, use `/pool resume` first."
    ),
    Refusal.PAUSED_NOT: "Videos are not paused, so nothing has changed.",
    Refusal.BLOCKED_NOT: "<@{member_id}> is not blocked, so nothing has changed.",
    Refusal.BLOCKS_FULL: "{most} members are blocked, the maximum. Unblock one first.",
    Refusal.RULES_FULL: "There are {most} such rules, the maximum. Remove one first.",
    Refusal.NO_SUCH_RULE: "There is no such rule, so nothing has changed. `/pool allow` lists all rules.",
    Refusal.RULE_SET_AND_REMOVED: "Give numbers or remove the rule, not both. Nothing has changed.",
    Refusal.LIMIT_AND_NO_LIMIT: "Give a number or choose no limit, not both. Nothing has changed.",
    Refusal.RULE_FOR_NOBODY: "Choose with `target` whom the rule is for: @everyone, a role or a member.",
    Refusal.LOW_BALANCE_ORDER: (
        "With approval below {approval} %, the limit below {cheapest} % would never apply. "
        "Give approval the smaller number, or switch one off with 0."
    ),
    Refusal.APPROVALS_SET_AND_OFF: "Set something or switch something off, not both at once. Nothing has changed.",
    Refusal.ROLE_GONE: "That role is gone, so nothing has changed.",
    Refusal.TARGET_GONE: "That role or member is gone, so nothing has changed.",
    Refusal.CHOOSE_FROM_LIST: "Choose what to remove from the list that Discord shows while you type.",
    # The list of words.
    Refusal.WORDS_NONE: "There is no word in that. Write words or phrases with commas or line breaks between them.",
    Refusal.WORDS_FULL: "The list would have {count} words and phrases, and the maximum is {most}. Remove some first.",
    Refusal.WORDS_LISTED_ALREADY: "That is already on the list, so nothing has changed.",
    Refusal.WORDS_NOT_LISTED: "That is not on the list, so nothing has changed. `/pool words list` shows what is.",
    Refusal.WORD_TOO_LONG: lambda data: (
        f'"{plain(cut(data["word"], 21))}" has {data["length"]} characters. '
        f"A word or phrase can have {data['most']} at most."
    ),
    Refusal.WORD_WITHOUT_LETTERS: lambda data: f'"{plain(data["word"])}" has no letters to search for. List a word.',
    Refusal.WORD_OF_ONE_LETTER: lambda data: (
        f'"{plain(data["word"])}" is a single letter or digit, which would refuse nearly every prompt. List a word.'
    ),
    # The ledger's pages and file.
    Refusal.PAGES_OF_ANOTHER: "These are another moderator's pages; use the command to get your own.",
    Refusal.EXPORT_TOO_LARGE: _export_too_large,
    # Creative sessions.
    Refusal.SESSION_IN_THREAD: "A session gets its own thread. Please start it in a text channel.",
    Refusal.SESSION_STARTED_ALREADY: "This session is already started.",
    Refusal.SESSION_ANSWER_LOST: (
        "Discord lost my answer, so I ended the session; its {budget} credits are back in the pool."
    ),
    Refusal.SESSION_NOT_OPENED: (
        "I couldn't open a thread for the session here, so its {budget} credits are back in the pool. "
        "Check my permissions, or use another channel."
    ),
    Refusal.SESSION_UNKNOWN: "There is no such session here. Choose one from the list.",
    Refusal.SESSION_ENDED_ALREADY: _session_ended_already,
    Refusal.SESSION_NONE_OPEN: "No session is open here. `/session start` begins one.",
    Refusal.SESSION_AMBIGUOUS: "Several sessions are open. Choose one with the option `session`.",
}


ANSWERED_ELSEWHERE = (
    "Another process with my token and a database of its own answers some commands before me. I cancel my jobs for "
    "those, so that nothing is charged twice. Please stop one of the two processes, or reset the token."
)
"""A direct message to the operator."""


def sentence_of(error: ReelpoolError) -> str:
    """Return the message that a member gets for an error."""
    match error:
        case RefusedError():
            return refusal(error.reason)
        case StorageError():
            return "I can't write to my database right now, so nothing was spent. Please try again in a few minutes."
        case _:
            return "Something went wrong on my side. Check `/usage` before you try again."


def refusal(reason: Reason) -> str:
    """Return the sentence of a refusal."""
    sentence = _SENTENCES[Refusal(reason.code)]
    return sentence.format_map(reason.data) if isinstance(sentence, str) else sentence(reason.data)
