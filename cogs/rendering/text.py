"""Text helpers: escape, shorten and quote members' texts, links, and times in Discord's markup.

What a member wrote is shown as it was written and acts on nothing: every character that Discord's markdown could read
as markup is escaped by a backslash, which Discord takes before any character but letters, digits and white space.
"""

import math
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from types import MappingProxyType
from urllib.parse import quote

import discord

from bot.wordlist.normalize import visible

_IN_LIST = 80

# What can begin or end markup: styles, code, spoilers, masked links and quotes anywhere; mentions, times, custom emoji
# and addresses by `<` or by a colon; headings and lists at the beginning of a line; invites without a scheme.
# Underscores inside words end nothing and stay, so that addresses are whole.
_MARKUP = re.compile(
    r"[\\*~|`\[\]>]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|<[@#/:&!]*|:(?=\S)"
    r"|^[ \t]*(?:[-+#]+|\d+[.)])|(?<=discord)[.]|(?<=discordapp)[.]",
    re.MULTILINE | re.IGNORECASE,
)
_PUNCTUATION = re.compile(r"[^\w\s]|_")
_MASS_MENTION = re.compile(r"@(?=everyone|here)", re.IGNORECASE)
_REFERENCE = re.compile(
    r"<(?:@(?P<member>!?\d+)|@&(?P<role>\d+)|#(?P<channel>\d+)|/(?P<command>[^:<>]+):\d+|a?:(?P<emoji>\w+):\d+"
    r"|t:(?P<time>-?\d{1,14})(?::\w)?|id:(?P<guide>\w+))>"
)
# A host may be an IPv6 address.
_ADDRESS_START = re.compile(r"https?://(\[[0-9a-f:.]+\])?", re.IGNORECASE)
_IN_ADDRESS = "%/:?#@!$&+,;=-._~"


def relative(moment: datetime) -> str:
    """Return a time that Discord shows relative to now, in the reader's language; never before `moment`."""
    return f"<t:{math.ceil(moment.timestamp())}:R>"


def at(moment: datetime, style: str = "f") -> str:
    """Return a time as Discord shows it in the reader's zone and language; never before `moment`."""
    return f"<t:{math.ceil(moment.timestamp())}:{style}>"


def ended(text: str) -> str:
    """Return the text with a capital letter, and a full stop unless it ends with punctuation."""
    return f"{text[:1].upper()}{text[1:]}{'' if text[-1:] in '.!?' else '.'}"


def quoted(text: str, limit: int) -> str:
    """Quote a member's text, cut to `limit` characters before it is escaped."""
    return "\n".join(f"> {line}" for line in plain(cut(text, limit)).splitlines())


def short(text: str) -> str:
    """Shorten a member's text for a list, on one line."""
    return plain(cut(" ".join(text.split()), _IN_LIST))


def plain(text: str) -> str:
    """Return a text that is shown as it was written: no markdown, no link, no mention, and nothing invisible.

    It has at most twice as many characters as the text.
    """
    escaped = _MARKUP.sub(lambda match: _PUNCTUATION.sub(r"\\\g<0>", match[0]), visible(text))
    # The backslash is for readers; this is for whatever looks for the words alone.
    return _MASS_MENTION.sub("@\u200b", escaped)


def link(address: str, name: str = "") -> str:
    """Return a link that ends where the address ends, whatever stands in it; what is no web address is plain text.

    Args:
        address: as another service gave it.
        name: what is shown instead of it; may not be markdown.
    """
    start = _ADDRESS_START.match(address)
    if start is None:
        return plain(address)
    # At brackets, quotes, white space and what is not ASCII the address would end, or act.
    whole = start[0] + quote(visible(address[start.end() :]), safe=_IN_ADDRESS)
    return f"[{name}]({whole})" if name else whole


def mentioned_members(text: str) -> set[int]:
    """Return the ids of the members whom a text mentions."""
    return {int(match["member"].lstrip("!")) for match in _REFERENCE.finditer(text) if match["member"]}


def unmarked(text: str, guild: discord.Guild | None = None, members: Mapping[int, str] = MappingProxyType({})) -> str:
    """Return a text in one line for places without markdown, such as names: references become names that people read.

    Args:
        text: what a member wrote.
        guild: whose roles and channels are named; None: none is known.
        members: names by id, of those who are known.
    """

    def name(match: re.Match[str]) -> str:
        return _reference_name(match, guild, members)

    return " ".join(visible(_REFERENCE.sub(name, visible(text))).split())


def _reference_name(reference: re.Match[str], guild: discord.Guild | None, members: Mapping[int, str]) -> str:
    kind, value = reference.lastgroup or "", reference[reference.lastgroup or 0]
    match kind:
        case "member":
            name = f"@{members.get(int(value.lstrip('!')), 'member')}"
        case "role":
            role = guild.get_role(int(value)) if guild else None
            name = f"@{role.name.removeprefix('@') if role else 'role'}"
        case "channel":
            channel = guild.get_channel_or_thread(int(value)) if guild else None
            name = f"#{channel.name if channel else 'channel'}"
        case "command":
            name = f"/{value}"
        case "time":
            with suppress(ValueError, OverflowError, OSError):
                return f"{datetime.fromtimestamp(int(value), UTC):%Y-%m-%d %H:%M} UTC"
            name = "a time"
        case _:
            name = value.replace("_", " ")
    return name


def cut(text: str, limit: int) -> str:
    """Cut a text to `limit` characters."""
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


def fit(lines: Iterable[str], limit: int) -> str:
    """Join as many lines as fit within the limit of characters."""
    text = ""
    for line in lines:
        if len(text) + len(line) + 1 > limit:
            break
        text = f"{text}\n{line}" if text else line
    return text
