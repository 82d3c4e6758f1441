"""`python -m tests.wordlist.look_alike_table` writes `bot/wordlist/look_alikes.py` out of Unicode's data.

The data are Unicode's table of confusable characters (https://unicode.org/reports/tr39/#Confusable_Detection), which
the package `confusables` ships as Unicode publishes it, and the characters' names. A letter is in our table if it, or
its capital, is drawn like Latin letters. The alphabets are those that people borrow letters from: whoever writes
Hebrew, Arabic or an Indic script means its letters.
"""

import re
import textwrap
import unicodedata
from collections import defaultdict
from importlib.metadata import distribution
from itertools import chain
from pathlib import Path

import bot.wordlist

_WIDTH = 120  # of the lines of the repository's code
TABLE = Path(bot.wordlist.__path__[0]) / "look_alikes.py"

_ALPHABETS = re.compile(
    r"(?:LATIN|GREEK|CYRILLIC|COPTIC|ARMENIAN|CHEROKEE|CANADIAN|LISU|WARANG|CARIAN|LYCIAN|TIFINAGH|ELBASAN|OLD|RUNIC"
    r"|DESERET|OSAGE) "
)
# The Latin letters whose names are read: the blocks that are complete in the Unicode version of every Python.
_LATIN = (
    range(0x00C0, 0x0250),
    range(0x0250, 0x02B0),
    range(0x1D00, 0x1D80),
    range(0x1E00, 0x1F00),
    range(0xA730, 0xA732),
)
_LATIN_NAME = re.compile(
    r"LATIN (?:SMALL LETTER|LETTER SMALL CAPITAL) (?:(DOTLESS|OPEN|TURNED) )?([A-Z]|AE|OE)(?: WITH .*)?"
)
# Read in two ways (`normalize.LETTER_READINGS`), or unlike any Latin letter where only the capital is like one.
_LEFT_OUT = frozenset("γζημνσυӏбλл")
# Drawn like a Latin letter in most fonts, and not in Unicode's table.
_ADDED = {"ŋ": "n", "п": "n", "є": "e"}

_HEAD = '''"""Letters that are drawn like Latin ones, by code point: after casefold, the Latin letters first.

Written by `python -m tests.wordlist.look_alike_table`, not by hand, out of Unicode's confusables.txt, version {version}
(https://www.unicode.org/Public/security/{version}/confusables.txt), and the names of Unicode's characters.
"""

_POINTS = {{
'''
_FOOT = """}
LOOK_ALIKES = {chr(int(point, 16)): letters for letters, points in _POINTS.items() for point in points.split()}
"""


def look_alike_table() -> str:
    """Return the text of the module."""
    # Read as a file: the package itself is neither imported nor used.
    source = distribution("confusables").locate_file("confusables/assets/confusables.txt")
    data = Path(str(source)).read_text("utf-8-sig")
    version = re.search(r"^# Version: ([\d.]+)", data, re.MULTILINE)
    if version is None:
        raise ValueError("confusables.txt names no version")
    found = _look_alikes(_parse(data))
    by_letters: dict[str, list[str]] = defaultdict(list)
    for character in sorted(found):
        by_letters[found[character]].append(f"{ord(character):04X}")
    return "".join((_HEAD.format(version=version[1]), *map(_entry, sorted(by_letters.items())), _FOOT))


def _entry(item: tuple[str, list[str]]) -> str:
    letters, points = item
    line = f'    "{letters}": "{" ".join(points)}",'
    if len(line) <= _WIDTH:
        return f"{line}\n"
    # As ruff formats it: on one line within the brackets if there is room.
    rows = textwrap.wrap(" ".join(points), _WIDTH - 10)
    if len(rows) > 1:
        rows = textwrap.wrap(" ".join(points), _WIDTH - 20)
    text = "".join(f'        "{row}{" " if row is not rows[-1] else ""}"\n' for row in rows)
    return f'    "{letters}": (\n{text}    ),\n'


def _parse(data: str) -> dict[str, str]:
    """Return what each single character is confusable with, as in https://unicode.org/reports/tr39/#confusables."""
    rows = (line.partition("#")[0].split(";") for line in data.splitlines() if ";" in line.partition("#")[0])
    return {
        chr(int(source, 16)): "".join(chr(int(point, 16)) for point in target.split())
        for source, target, _ in rows
        if " " not in source.strip()
    }


def _look_alikes(confusables: dict[str, str]) -> dict[str, str]:
    latin = map(chr, chain(*_LATIN))
    letters = {folded for character in (*confusables, *latin) if len(folded := _casefold(character)) == 1}
    found = {character: _letters(character, confusables) for character in letters if _is_borrowed(character)}
    return {character: text for character, text in found.items() if text} | _ADDED


def _is_borrowed(character: str) -> bool:
    name = unicodedata.name(character, "")
    # The one syllable of Canada that Unicode counts as a symbol is read too; Greek notes are not.
    is_letter = character.isalpha() or name.startswith("CANADIAN")
    is_left_out = character.isascii() or character in _LEFT_OUT
    return is_letter and not is_left_out and _ALPHABETS.match(name) is not None


def _letters(character: str, confusables: dict[str, str]) -> str:
    """Return the Latin letters that a character is drawn like, or none."""
    own = _as_latin(character, confusables)
    capital = _as_latin(character.upper(), confusables) if len(character.upper()) == 1 else ""
    # A single letter rather than two that together are drawn like it; only ligatures stand for two.
    name = unicodedata.name(character)
    candidates = [text for text in (own, capital, _by_name(character)) if len(text) == 1]
    if not candidates and ("LATIN" in name or "LIGATURE" in name):
        candidates = [text for text in (own, capital, _by_name(character)) if text]
    return candidates[0] if candidates else ""


def _as_latin(character: str, confusables: dict[str, str]) -> str:
    # Unicode's table has the one direction: m is drawn like rn.
    target = confusables.get(character, "").replace("rn", "m")
    known = [letter if letter.isascii() else _by_name(letter, is_upright=True) for letter in _casefold(target)]
    letters = "".join(known) if all(known) else ""
    return letters if letters.isalpha() else ""


def _by_name(character: str, *, is_upright: bool = False) -> str:
    if not any(ord(character) in block for block in _LATIN):
        return ""
    name = _LATIN_NAME.fullmatch(unicodedata.name(character, ""))
    return "" if name is None or (is_upright and name[1]) else name[2].lower()


def _casefold(text: str) -> str:
    """Return the text in one case and without accents and other marks."""
    caseless = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(part for part in caseless if not unicodedata.category(part).startswith("M"))


if __name__ == "__main__":
    TABLE.write_text(look_alike_table(), "utf-8")
