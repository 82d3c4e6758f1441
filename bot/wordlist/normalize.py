"""One spelling for all texts that look the same to a reader, of listed words and of prompts alike. Pure.

`fold` replaces what has one meaning: compatibility forms (full width, mathematical alphabets, ligatures: NFKD of
https://unicode.org/reports/tr15/), case (casefold), accents, invisible characters, and letters of other alphabets that
are drawn like Latin ones (`look_alikes.py`, out of Unicode's table of confusable characters). What may stand for a
letter but need not (4 for a, $ for s) stays as it is: the `..._READINGS` name it.
"""

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
_BLANK_BLOCKS = (range(0xFE00, 0xFE10), range(0xFFF0, 0xFFF9), range(0xE0000, 0xE1000))


def fold(text: str) -> str:
    """Return the one spelling of a text; folding it again changes nothing."""
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
