"""One spelling for all texts that look the same to a reader, and texts without what no reader sees. Pure.

`fold` replaces what has one meaning: compatibility forms (full width, mathematical alphabets, ligatures: NFKD of
https://unicode.org/reports/tr15/), case (casefold), accents, invisible characters, and letters of other alphabets that
are drawn like Latin ones (`look_alikes.py`, out of Unicode's table of confusable characters). What may stand for a
letter but need not (4 for a, $ for s) stays as it is: the `..._READINGS` name it.
"""

import re
import string
import unicodedata
from functools import lru_cache

from bot.wordlist.look_alikes import LOOK_ALIKES

# Greek letters whose small and capital forms look like two Latin letters, and the Cyrillic stroke.
LETTER_READINGS = {"γ": "y", "ζ": "z", "η": "nh", "μ": "um", "ν": "vn", "σ": "oc", "υ": "uy", "ӏ": "il"}  # noqa: RUF001 - the look-alikes themselves
DIGIT_READINGS = {"0": "o", "1": "il", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "9": "g"}
SIGN_READINGS = {"@": "a", "$": "s", "€": "e", "!": "i", "|": "il", "+": "t"}
# Letters as emoji: regional indicators, and the white letters on black circles and squares.
EMOJI_READINGS = {
    chr(first + number): letter
    for first in (0x1F1E6, 0x1F150, 0x1F170)
    for number, letter in enumerate(string.ascii_lowercase)
}

# Letters and marks that show nothing; format and most other invisible characters have a category of their own.
_BLANK_LETTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0")
_BLANK_BLOCKS = (range(0x2065, 0x2066), range(0xFE00, 0xFE10), range(0xFFF0, 0xFFF9), range(0xE0000, 0xE1000))

# What may be an emoji, and a tone of skin (https://unicode.org/reports/tr51/#Emoji_Properties).
_PICTOGRAPH = (
    r"[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u24c2\u25a0-\u27bf\u2900-\u297f\u2b00-\u2bff"
    r"\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
)
_EMOJI_PART = rf"{_PICTOGRAPH}[\U0001f3fb-\U0001f3ff]?[\ufe0e\ufe0f]?"
# Whole emoji, keycaps among them, or a single character that may be invisible.
_EMOJI_OR_OTHER = re.compile(rf"(?P<emoji>{_EMOJI_PART}(?:\u200d{_EMOJI_PART})*|[0-9#*]\ufe0f?\u20e3)|[^\x20-\x7e]")
_LINE_BREAK = re.compile(r"\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
# Arabic and Kaithi signs that are drawn around or before digits, though Unicode calls them format characters.
_DRAWN_FORMATS = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")


def visible(text: str) -> str:
    """Return a text without characters that show nothing, reverse it, or have no agreed meaning.

    Emoji that are joined out of several stay whole. Line breaks of every kind become line feeds.
    """
    if text.isascii() and text.isprintable():
        return text
    lines = _LINE_BREAK.sub("\n", text)
    return _EMOJI_OR_OTHER.sub(lambda match: match[0] if match["emoji"] or _is_shown(match[0]) else "", lines)


def _is_shown(character: str) -> bool:
    if character in "\n\t" or character in _DRAWN_FORMATS:
        return True
    # Private use: the meaning is whatever a font makes of it.
    return not (_is_invisible(character) or unicodedata.category(character) in ("Cc", "Co"))


def fold(text: str) -> str:
    """Return the one spelling of a text; it is idempotent."""
    if text.isascii() and text.isprintable():
        return text.lower()
    # Composed again, so that a Hangul syllable or a voiced kana is one character.
    return unicodedata.normalize("NFC", "".join(map(_fold_character, text)))


@lru_cache(maxsize=4096)
def _fold_character(character: str) -> str:
    if _is_invisible(character):
        return ""
    caseless = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())
    return "".join(_letter(part) for part in caseless if not (_is_invisible(part) or _is_accent(part)))


def _letter(character: str) -> str:
    """Return the Latin letter, or the ASCII digit, that a character looks like or stands for; else itself."""
    if character.isdecimal():
        return str(int(character))
    return LOOK_ALIKES.get(character, character)


def _is_invisible(character: str) -> bool:
    if character.isspace():
        return False
    if character in _BLANK_LETTERS or any(ord(character) in block for block in _BLANK_BLOCKS):
        return True
    return unicodedata.category(character) in ("Cc", "Cf", "Cs")


def _is_accent(mark: str) -> bool:
    """Return whether a mark is an accent, point or stroke, and not a vowel or a change of the sound.

    By the canonical combining class (https://unicode.org/reports/tr44/#Canonical_Combining_Class_Values): 1 is laid
    over a letter, 10 to 36 are Hebrew and Arabic points, from 200 on what is put around any letter. Nuktas, viramas,
    the voicing of kana and the vowels and tones of Indic scripts and Thai are below or between.
    """
    combining_class = unicodedata.combining(mark)
    is_drawn_around = unicodedata.category(mark) == "Me"
    return is_drawn_around or combining_class == 1 or 10 <= combining_class <= 36 or combining_class >= 200
