"""Words and phrases that a server's moderators do not want in prompts: pure.

A listed word is found as a whole word, however it is disguised: `fold` takes away what is the same for a reader, and
here digits and signs are read as the letters they stand for. These are the rules where more than one is thinkable:

- Between the words of a phrase there may be any white space and punctuation, signs and emoji.
- A digit or sign is read as a letter only in a word that has a letter of its own, and not in a quantity (5s, 80s, 4k):
  "4ss" and "a$$" are disguises, "455" and "$55" are numbers. A sign also still ends a word: "ass!" and "yes|ass".
- In a listed word, digits and signs stand for themselves. Moderators list the word; its disguises are found.
- Scripts without spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese) are searched through. In Korean, particles are
  written behind a word without a space: it must begin where a word begins, and may go on unless it is one syllable.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache

from bot.codes import Refusal
from bot.errors import RefusedError
from bot.wordlist.normalize import DIGIT_READINGS, EMOJI_READINGS, LETTER_READINGS, SIGN_READINGS, fold

MAX_WORDS = 500
MAX_WORD_LENGTH = 100

# Commas of Latin, Chinese and Arabic writing, and everything that breaks a line.
_BETWEEN_WORDS = re.compile(r"[,\uff0c\u3001\u060c\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_SPACELESS = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u19e0-\u19ff\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3040-\u312f"
    r"\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua9e0-\ua9ff\uaa60-\uaa7f\uf900-\ufaff"
    r"\U0001aff0-\U0001b16f\U00020000-\U0003ffff]"
)
_HANGUL = re.compile(r"[\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff]")

# Kinds of characters, one letter each: a text's kinds are a string that is as long as the text.
_GAP, _SIGN, _WORD, _SPACELESS_LETTER, _SYLLABLE, _MARK, _SPACELESS_MARK = " swckmn"
_START = re.compile(r"(?<![wmks])[wsk]|(?<=s)[wsk]|c|(?<=[wm])k|(?<=k)[ws]")
_TOKEN = re.compile(r"[wmks]+")
_QUANTITY = re.compile(r"\d+[^\W\d_]")
_OUTER_SIGNS = re.compile(r"(?<![^\W_])[!|+]+|[!|+]+(?![^\W_])")
_OPENING = 3  # letters by which most of a prompt is told to begin no listed word
_SIGNS = SIGN_READINGS | EMOJI_READINGS
_DISGUISES = DIGIT_READINGS | SIGN_READINGS
_READ_ANYWHERE = LETTER_READINGS | EMOJI_READINGS
_AMBIGUOUS = frozenset(_DISGUISES | _READ_ANYWHERE)


def parse_words(text: str) -> tuple[str, ...]:
    """Split what a moderator typed (commas or line breaks) into clean words and phrases.

    Raises:
        RefusedError: there is no word in it, or one that can't be listed.
    """
    words = tuple(filter(None, map(_clean, _BETWEEN_WORDS.split(text))))
    if not words:
        raise RefusedError(Refusal.WORDS_NONE)
    for word in words:
        _check(word)
    return _without_doubles(words)


def add_words(words: tuple[str, ...], new: tuple[str, ...]) -> tuple[str, ...]:
    """Return the list with the new words at its end; one that is listed in another spelling is not added again.

    Raises:
        RefusedError: the list would be longer than `MAX_WORDS`.
    """
    merged = _without_doubles((*words, *new))
    if len(merged) > MAX_WORDS:
        raise RefusedError(Refusal.WORDS_FULL, count=len(merged), most=MAX_WORDS)
    return merged


def remove_words(words: tuple[str, ...], gone: tuple[str, ...]) -> tuple[str, ...]:
    """Return the list without these words, in whatever spelling they are listed."""
    keys = set(map(_key, gone))
    return tuple(word for word in words if _key(word) not in keys)


def first_match(words: tuple[str, ...], prompt: str) -> str | None:
    """Return the listed word that comes first in a prompt, as it is listed; None if there is none."""
    if not words:
        return None
    return _compiled(words).find(prompt)


def _clean(word: str) -> str:
    """Return a word as it is shown: composed, printable, single spaces."""
    parts = ("".join(filter(str.isprintable, part)) for part in unicodedata.normalize("NFC", word).split())
    return " ".join(filter(None, parts))


def _check(word: str) -> None:
    if len(word) > MAX_WORD_LENGTH:
        raise RefusedError(Refusal.WORD_TOO_LONG, word=word, length=len(word), most=MAX_WORD_LENGTH)
    letters = [character for character in _key(word) if character.isalnum()]
    if not letters:
        raise RefusedError(Refusal.WORD_WITHOUT_LETTERS, word=word)
    if len(letters) == 1 and not _is_word_by_itself(letters[0]):
        raise RefusedError(Refusal.WORD_OF_ONE_LETTER, word=word)


def _is_word_by_itself(letter: str) -> bool:
    """Tell an ideograph or a Korean syllable, which can be a word, from a letter."""
    return "IDEOGRAPH" in unicodedata.name(letter, "") or _HANGUL.match(letter) is not None


def _without_doubles(words: Iterable[str]) -> tuple[str, ...]:
    by_key: dict[str, str] = {}
    for word in words:
        by_key.setdefault(_key(word), word)
    return tuple(by_key.values())


@lru_cache(maxsize=4096)
def _key(word: str) -> str:
    """Return what is looked for: the folded word, with one space for whatever is between its words."""
    letters = _OUTER_SIGNS.sub(" ", fold(word))
    gapped = (" " if kind == _GAP else letter for letter, kind in zip(letters, _kinds(letters), strict=True))
    return " ".join("".join(gapped).split())


def _kinds(text: str) -> str:
    return "".join(map(_kind, text))


@lru_cache(maxsize=4096)
def _kind(character: str) -> str:
    if character in _SIGNS:
        return _SIGN
    category = unicodedata.category(character)[0]
    if category not in "LNM":
        return _GAP
    if _SPACELESS.match(character):
        return _SPACELESS_MARK if category == "M" else _SPACELESS_LETTER
    if _HANGUL.match(character):
        return _SYLLABLE
    return _MARK if category == "M" else _WORD


def _readings(text: str, kinds: str) -> Mapping[int, str]:
    """Return the letters that characters may stand for beside themselves, by their place in the text."""
    used = set(text)
    if used.isdisjoint(_AMBIGUOUS):
        return {}
    found = {place: _READ_ANYWHERE[letter] for place, letter in enumerate(text) if letter in _READ_ANYWHERE}
    if used.isdisjoint(_DISGUISES):
        return found
    for token in _TOKEN.finditer(kinds):
        word = text[token.start() : token.end()]
        if _may_be_disguised(word):
            found |= {
                place: _DISGUISES[letter] for place, letter in enumerate(word, token.start()) if letter in _DISGUISES
            }
    return found


def _may_be_disguised(word: str) -> bool:
    if _DISGUISES.keys().isdisjoint(word):
        return False
    has_letter = any(letter.isalpha() or letter in EMOJI_READINGS for letter in word)
    return has_letter and not _QUANTITY.fullmatch(word.strip("".join(SIGN_READINGS)))


class _Node:
    """A place in the tree of listed words: what may come next, and the word that ends here."""

    __slots__ = ("after", "is_first", "is_gap", "word")

    def __init__(self, *, is_first: bool = False, is_gap: bool = False) -> None:
        self.after: dict[str, _Node] = {}
        self.is_first, self.is_gap = is_first, is_gap
        self.word: str | None = None


class _WordTree:
    """The listed words, letter by letter, so that a prompt is walked through once for all of them.

    All beginnings and all readings of a disguise are followed at the same time, and each place in the tree once: so the
    time is at most the prompt's length times the size of the tree, whatever is written in either.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._root = _Node()
        self._openings: set[str] = set()
        self._short_openings: set[str] = set()
        for word in words:
            self._add(word)

    def _add(self, word: str) -> None:
        node = self._root
        key = _key(word)
        opening = key.split(" ")[0][:_OPENING]
        (self._openings if len(opening) == _OPENING else self._short_openings).add(opening)
        for place, letter in enumerate(key):
            node = node.after.setdefault(letter, _Node(is_first=place == 0, is_gap=letter == " "))
        node.word = node.word or word

    def find(self, prompt: str) -> str | None:
        text = fold(prompt)
        kinds = _kinds(text)
        readings = _readings(text, kinds)
        walked = 0
        for match in _START.finditer(kinds):
            start = match.start()
            if start < walked or not self._may_begin(text, start, readings):
                continue
            word, walked = self._walk(start, text, kinds, readings)
            if word is not None:
                return word
        return None

    def _may_begin(self, text: str, start: int, readings: Mapping[int, str]) -> bool:
        """Tell, faster than by walking, whether a listed word may begin here."""
        if readings and not readings.keys().isdisjoint(range(start, start + _OPENING)):
            return True
        if text[start : start + _OPENING] in self._openings:
            return True
        return text[start] in self._short_openings or text[start : start + 2] in self._short_openings

    def _walk(self, start: int, text: str, kinds: str, readings: Mapping[int, str]) -> tuple[str | None, int]:
        """Follow all words that begin here or, before these have come to nothing, later: the word, and how far."""
        nodes: list[_Node] = []
        for place in range(start, len(text)):
            if _START.match(kinds, place):
                nodes.append(self._root)
            letters = text[place] + readings.get(place, "")
            nodes = _step(nodes, letters, kinds[place])
            if not nodes:
                return None, place + 1
            for node in nodes:
                if node.word is not None and _ends(kinds, place, is_one_letter=node.is_first):
                    return node.word, place + 1
        return None, len(text)


def _step(nodes: Iterable[_Node], letters: str, kind: str) -> list[_Node]:
    found: dict[_Node, None] = {}  # a set that keeps its order
    for node in nodes:
        if kind in (_GAP, _SIGN):
            gap = node if node.is_gap else node.after.get(" ")
            if gap is not None:
                found[gap] = None
        if kind != _GAP:
            for letter in letters:
                if letter in node.after:
                    found[node.after[letter]] = None
    return list(found)


def _ends(kinds: str, place: int, *, is_one_letter: bool) -> bool:
    """Tell whether a word may end here: the next character is not part of it."""
    if place + 1 == len(kinds):
        return True
    here, following = kinds[place], kinds[place + 1]
    if following in (_MARK, _SPACELESS_MARK):
        return False
    if here == following == _SYLLABLE:
        return not is_one_letter
    return following in (_GAP, _SIGN, _SPACELESS_LETTER, _SYLLABLE) or here in (
        _SPACELESS_LETTER,
        _SPACELESS_MARK,
        _SYLLABLE,
    )


@lru_cache(maxsize=32)
def _compiled(words: tuple[str, ...]) -> _WordTree:
    return _WordTree(words)
