"""Words and phrases that a server's moderators do not want in prompts: pure.

A listed word is found as a whole word, however it is disguised: `fold` takes away what is the same for a reader, and
here digits and signs are read as the letters they stand for. The rules where there is a choice:

- Between the words of a phrase there may be any white space and punctuation, signs and emoji.
- A digit or sign is read as a letter only in a word that has a letter of its own, and not in a quantity (5s, 80s, 4k):
  "4ss" and "a$$" are disguises, "455" and "$55" are numbers. A sign also still ends a word: "ass!" and "yes|ass".
- In a listed word, digits and signs stand for themselves. Moderators list the word; its disguises are found.
- "vv" is read as w, and "rn" as m in words of five letters and more: "burn" is not "bum".
- Spaced letters are read as one word where most of its parts are single letters: "b a d w or d". Longer parts end it.
- A word that is listed with endings is also found as an English plural or with -ed, -er and -ing; never inside a word.
- Scripts without spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese) are searched through. In Korean, particles are
  written behind a word without a space: it must begin where a word begins, and may go on unless it is one syllable.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import product

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
# Spaced letters: parts of one or two letters. Signs are either letters ("a $ $") or between letters ("a!s!s").
_SPACED = (
    re.compile(r"(?<![wsmkcn])[ws]m*(?:[ws]m*)?(?: +[ws]m*(?:[ws]m*)?(?![wsmkcn]))+"),
    re.compile(r"(?<![wmkcn])wm*(?:wm*)?(?:[ s]+wm*(?:wm*)?(?![wmkcn]))+"),
)
_PART = (re.compile(r"[wsm]+"), re.compile(r"[wm]+"))
_LEAST_PARTS = 3
_OPENING = 3  # letters by which most places of a prompt are known to begin no listed word
_PAIRS = {"w": "vv", "m": "rn"}
_LEAST_LETTERS_WITH_RN = 5
_MOST_PAIRS = 2  # of one word that are combined in every way
_SIGNS = SIGN_READINGS | EMOJI_READINGS
_DISGUISES = DIGIT_READINGS | SIGN_READINGS
_READ_ANYWHERE = LETTER_READINGS | EMOJI_READINGS
_READ_SPACED = _DISGUISES | _READ_ANYWHERE
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


def add_endings(words: tuple[str, ...], with_endings: tuple[str, ...], new: tuple[str, ...]) -> tuple[str, ...]:
    """Return which words of the list are found with endings, once these are added to them.

    Args:
        words: the whole list, with the new words in it.
        with_endings: those of them that are found with endings already.
        new: words that shall be, in whatever spelling they are listed.
    """
    keys = set(map(_key, (*with_endings, *new)))
    return tuple(word for word in words if _key(word) in keys)


def first_match(words: tuple[str, ...], prompt: str, *, with_endings: tuple[str, ...] = ()) -> str | None:
    """Return the listed word that comes first in a prompt, as it is listed; None if there is none.

    A word in spaced letters is returned only where there is no other.

    Args:
        words: the list.
        prompt: the text to search.
        with_endings: those of the list that are found with endings as well.
    """
    if not words:
        return None
    return _compiled(words, with_endings).find(prompt)


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
    """Return whether a character can be a word: an ideograph or a Korean syllable."""
    return "IDEOGRAPH" in unicodedata.name(letter, "") or _HANGUL.match(letter) is not None


def _without_doubles(words: Iterable[str]) -> tuple[str, ...]:
    by_key: dict[str, str] = {}
    for word in words:
        by_key.setdefault(_key(word), word)
    return tuple(by_key.values())


@lru_cache(maxsize=4096)
def _key(word: str) -> str:
    """Return what is searched for: the folded word, with one space for whatever is between its words."""
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


def _inflections(key: str) -> Iterator[str]:
    """Return the regular plurals and forms of an English word, and of a phrase's last word."""
    if not ("a" <= key[-1:] <= "z"):
        return
    stem, last = key[:-1], key[-1]
    yield from (key + ending for ending in ("s", "es", "ed", "er", "ers", "ing", "ings"))
    if last == "e":
        yield from (stem + ending for ending in ("ed", "er", "ers", "ing", "ings"))
    elif last == "y":
        yield from (stem + ending for ending in ("ies", "ied", "ier", "iers"))
    elif last not in "aiou":
        yield from (key + last + ending for ending in ("ed", "er", "ers", "ing", "ings"))


def _written(key: str) -> Iterator[str]:
    """Return the ways of writing a word with pairs of letters that are read as one."""
    has_rn = sum(letter.isalnum() for letter in key) >= _LEAST_LETTERS_WITH_RN
    pairs = {letter: pair for letter, pair in _PAIRS.items() if letter != "m" or has_rn}
    places = [place for place, letter in enumerate(key) if letter in pairs]
    # Beyond that many, the first ones are all written in one way.
    free, tied = places[-_MOST_PAIRS:], places[:-_MOST_PAIRS]
    for chosen in product((False, True), repeat=len(free)):
        paired = {place for place, is_paired in zip(free, chosen, strict=True) if is_paired}
        if paired and all(chosen):
            paired.update(tied)
        yield "".join(pairs[letter] if place in paired else letter for place, letter in enumerate(key))


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

    def __init__(self, words: Iterable[str], with_endings: Iterable[str]) -> None:
        self._root = _Node()
        # The words without the gaps of phrases, for spaced letters.
        self._spaced_root = _Node()
        self._openings: set[str] = set()
        self._short_openings: set[str] = set()
        inflected = frozenset(with_endings)
        for word in words:
            key = _key(word)
            for form in {key, *(_inflections(key) if word in inflected else ())}:
                _add(self._spaced_root, form.replace(" ", ""), word)
                for written in _written(form):
                    opening = written.partition(" ")[0][:_OPENING]
                    (self._openings if len(opening) == _OPENING else self._short_openings).add(opening)
                    _add(self._root, written, word)

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
        return self._find_spaced(text, kinds)

    def _find_spaced(self, text: str, kinds: str) -> str | None:
        """Return a listed word that is written in spaced letters."""
        for spaced, part in zip(_SPACED, _PART, strict=True):
            for run in spaced.finditer(kinds):
                parts = [text[found.start() : found.end()] for found in part.finditer(kinds, run.start(), run.end())]
                for first in range(len(parts) - _LEAST_PARTS + 1):
                    word = self._walk_spaced(parts, first)
                    if word is not None:
                        return word
        return None

    def _walk_spaced(self, parts: list[str], first: int) -> str | None:
        """Follow the words that begin with this part of spaced letters."""
        nodes, singles = [self._spaced_root], 0
        for count, part in enumerate(parts[first:], start=1):
            for letter in part:
                nodes = _step(nodes, letter + _READ_SPACED.get(letter, ""), _WORD)
            if not nodes:
                return None
            singles += len(part) == 1
            # In a number of spaced digits no letter is meant.
            has_letter = any(letter.isalpha() for letter in "".join(parts[first : first + count]))
            if count >= _LEAST_PARTS and singles * 2 > count and has_letter:
                for node in nodes:
                    if node.word is not None:
                        return node.word
        return None

    def _may_begin(self, text: str, start: int, readings: Mapping[int, str]) -> bool:
        """Return whether a listed word may begin here; faster than walking."""
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


def _add(root: _Node, key: str, word: str) -> None:
    node = root
    for place, letter in enumerate(key):
        node = node.after.setdefault(letter, _Node(is_first=place == 0, is_gap=letter == " "))
    node.word = node.word or word


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
    """Return whether a word may end here: the next character is not part of it."""
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
def _compiled(words: tuple[str, ...], with_endings: tuple[str, ...]) -> _WordTree:
    return _WordTree(words, with_endings)
