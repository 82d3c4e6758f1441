"""Pieces of text that all messages use: escaped, cut and quoted texts of people, and times in Discord's markup."""

import math
from collections.abc import Iterable
from datetime import datetime

import discord

_IN_LIST = 80


def relative(moment: datetime) -> str:
    """Return a time that Discord shows relative to now, in the reader's language; never before `moment`."""
    return f"<t:{math.ceil(moment.timestamp())}:R>"


def at(moment: datetime, style: str = "f") -> str:
    """Return a time as Discord shows it in the reader's zone and language; never before `moment`."""
    return f"<t:{math.ceil(moment.timestamp())}:{style}>"


def ended(text: str) -> str:
    """Make a sentence: with a capital letter, and a full stop where it has no end of its own."""
    return f"{text[:1].upper()}{text[1:]}{'' if text[-1:] in '.!?' else '.'}"


def quoted(text: str, limit: int) -> str:
    """Quote a member's text, cut to `limit` characters before it is escaped."""
    return "\n".join(f"> {line}" for line in plain(cut(text, limit)).splitlines())


def short(text: str) -> str:
    """Shorten a member's text for a list, on one line."""
    return plain(cut(" ".join(text.split()), _IN_LIST))


def plain(text: str) -> str:
    """Escape a text: no markdown, and mentions that ping nobody."""
    return discord.utils.escape_mentions(discord.utils.escape_markdown(text, ignore_links=False))


def cut(text: str, limit: int) -> str:
    """Cut a text to `limit` characters."""
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


def fit(lines: Iterable[str], limit: int) -> str:
    """Join as many lines as have room."""
    text = ""
    for line in lines:
        if len(text) + len(line) + 1 > limit:
            break
        text = f"{text}\n{line}" if text else line
    return text
