"""One spelling for all that a reader takes for the same text: pure, and the same for listed words and for prompts.

`fold` undoes what can be undone for certain: compatibility forms (full width, mathematical alphabets, ligatures: NFKD
of https://unicode.org/reports/tr15/), case (casefold), accents, and everything invisible. It also replaces letters of
other alphabets that look like one Latin letter, as Unicode's data of confusable characters has them
(https://unicode.org/reports/tr39/#Confusable_Detection), kept to the alphabets that people take them from. What may
stand for a letter but need not (4 for a, $ for s) stays as it is; `DIGIT_READINGS` and `SIGN_READINGS` name it.
"""

import string
import unicodedata
from functools import lru_cache

# Letters that always look like the Latin one, by code point, after casefold: phonetic letters and small capitals,
# Cyrillic, Greek, Armenian, Cherokee, Canadian syllabics and Lisu.
_POINTS = {
    "a": "0250 0251 1D00 03B1 0430 13AA 15C5 A4EE",
    "ae": "00E6 1D01 04D5",
    "b": "0180 0253 0299 0432 044C 03B2 13CF 13F4 1472 15AF 15F7 A4D0",
    "c": "0188 023C 1D04 0441 13DF A4DA",
    "d": "0111 0256 0257 1D05 0501 13A0 13E7 146F 15DE 15EA A4D3",
    "e": "01DD 0247 025B 1D07 03B5 0435 0454 04BD 13AC A4F0",
    "f": "0192 A730 03DD 15B4 A4DD",
    "g": "01E5 0260 0261 0262 050D 0581 13C0 13F3 A4D6",
    "h": "0127 0266 029C 043D 04BB 0570 13BB 13C2 157C A4E7",
    "i": "0131 0268 0269 026A 1D7B 03B9 0456 13A5",
    "j": "0237 0249 029D 1D0A 03F3 0458 13AB 148D A4D9",
    "k": "0199 1D0B 03BA 043A 049B 13E6 A4D7",
    "l": "0142 019A 026B 029F 13DE 14AA A4E1",
    "m": "0271 1D0D 043C 13B7 15F0 A4DF",
    "n": "014B 019E 0272 0274 043F 0578 057C A4E0",
    "o": "00F8 0275 1D0F 043E 03BF 0585 A4F3",
    "oe": "0153 0276",
    "p": "01A5 1D18 03C1 0440 13E2 146D A4D1",
    "q": "024B 051B 0563 0566",
    "r": "024D 027E 0280 0433 13A1 13D2 1587 A4E3",
    "s": "A731 0455 057F 13D5 13DA A4E2",
    "t": "0167 01AD 1D1B 03C4 0442 13A2 A4D4",
    "u": "0289 028B 1D1C 057D 144C A4F4",
    "v": "028C 1D20 0475 13D9 142F A4E6",
    "w": "026F 1D21 0461 051D 0561 13B3 13D4 A4EA",
    "x": "03C7 0445 04B3 166D A4EB",
    "y": "01B4 024F 028F 0443 04AF 13A9 A4EC",
    "z": "01B6 0225 1D22 13C3 A4DC",
}
LOOK_ALIKES = {chr(int(point, 16)): letter for letter, points in _POINTS.items() for point in points.split()}

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
    """Tell accents, points and strokes on a letter from the marks that are vowels or change the sound.

    By the canonical combining class (https://unicode.org/reports/tr44/#Canonical_Combining_Class_Values): 1 is laid
    over a letter, 10 to 36 are Hebrew and Arabic points, from 200 on what is put around any letter. Nuktas, viramas,
    the voicing of kana and the vowels and tones of Indic scripts and Thai are below or between.
    """
    combining_class = unicodedata.combining(mark)
    is_drawn_around = unicodedata.category(mark) == "Me"
    return is_drawn_around or combining_class == 1 or 10 <= combining_class <= 36 or combining_class >= 200
