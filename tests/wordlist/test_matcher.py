import string
import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.codes import Refusal
from bot.errors import RefusedError
from bot.wordlist.matcher import (
    MAX_WORD_LENGTH,
    MAX_WORDS,
    add_endings,
    add_words,
    first_match,
    parse_words,
    remove_words,
)
from bot.wordlist.normalize import fold
from tests.properties import PROPERTY
from tests.refusals import refused

LEET = {"a": "4@", "b": "8", "e": "3€", "g": "9", "i": "1!|", "l": "1|", "o": "0", "s": "5$", "t": "7+"}
LOOK_ALIKES = {
    "a": "\u0430\u0391\u03b1\u0251\u1d00",
    "b": "\u0412\u0392\u042c",
    "c": "\u0441\u0421\u03f9",
    "e": "\u0435\u0415\u0395\u0454",
    "h": "\u041d\u0397\u04bb",
    "i": "\u0456\u0406\u0399\u0131",
    "k": "\u043a\u039a",
    "m": "\u041c\u039c",
    "n": "\u039d\u0578",
    "o": "\u043e\u041e\u039f\u03bf\u0585",
    "p": "\u0440\u0420\u03a1",
    "s": "\u0455\u0405",
    "t": "\u0422\u03a4",
    "u": "\u03c5\u057d",
    "v": "\u03bd\u0475",
    "x": "\u0445\u03a7",
    "y": "\u0443\u03a5\u04ae",
}
INVISIBLE = ["", "\u200b", "\u200d", "\u00ad", "\u2060", "\ufe0f", "\u034f", "\u202e", "\U000e0100", "\u0301", "\u0336"]
GAPS = [" ", "  ", "\n", "-", ", ", "_", " ... ", "\u3000", "\u00a0", "/", " \U0001f346 ", "\u2014"]

latin_words = st.text(string.ascii_lowercase, min_size=2, max_size=9)
cyrillic_words = st.text("\u0430\u0431\u0432\u0433\u0434\u0435\u0436\u0437\u0438\u043a\u043b\u044f", min_size=2)
words = st.one_of(latin_words, cyrillic_words)
befores = st.sampled_from(["", "a cat, ", "(", "\u65e5\u672c", "!!! "])


@st.composite
def disguised(draw: st.DrawFn, word: str) -> str:
    """The word as somebody writes it who does not want it to be found; it keeps its first letter or a look-alike."""
    return "".join(
        draw(st.sampled_from(_forms(letter, is_first=place == 0))) + draw(st.sampled_from(INVISIBLE))
        for place, letter in enumerate(word)
    )


def _forms(letter: str, *, is_first: bool) -> list[str]:
    forms = [letter, letter.upper(), *LOOK_ALIKES.get(letter, "")]
    if letter.isascii():
        forms += [chr(ord(letter) + 0xFEE0), chr(ord(letter) - ord("a") + 0x1D41A)]  # full width, mathematical bold
    return forms if is_first else [*forms, *LEET.get(letter, "")]


@PROPERTY
@given(st.data(), words, befores, st.sampled_from(["", "!", " x", "\u65e5"]))
def test_a_disguise_is_found(data: st.DataObject, word: str, before: str, after: str) -> None:
    prompt = before + data.draw(disguised(word)) + after
    assert first_match((word,), prompt) == word


@PROPERTY
@given(st.data(), st.lists(latin_words, min_size=2, max_size=4))
def test_a_phrase_is_found_whatever_is_between_its_words(data: st.DataObject, parts: list[str]) -> None:
    gaps = [data.draw(st.sampled_from(GAPS)) for _ in parts]
    prompt = "".join(data.draw(disguised(part)) + gap for part, gap in zip(parts, gaps, strict=True))
    assert first_match((" ".join(parts),), prompt) == " ".join(parts)
    assert first_match((" ".join([*parts, "more"]),), prompt) is None


@PROPERTY
@given(st.data(), st.lists(words, min_size=1, max_size=20), st.lists(words, max_size=20))
def test_other_words_are_not_found(data: st.DataObject, listed: list[str], others: list[str]) -> None:
    assume({_one_letter(word) for word in listed}.isdisjoint({_one_letter(word) for word in others}))
    prompt = "".join(other + data.draw(st.sampled_from(GAPS)) for other in others)
    assert first_match(tuple(listed), prompt) is None


def _one_letter(word: str) -> str:
    return fold(word).replace("vv", "w").replace("rn", "m")


@PROPERTY
@given(words, words)
def test_a_word_inside_another_is_not_found(word: str, more: str) -> None:
    assert first_match((word,), f"{word}{more}") in {None, word if fold(word) == fold(word + more) else None}
    assume(not fold(more + word).startswith(fold(word) + " "))
    assert first_match((word,), f"{more}{word}") is None
    assert first_match((word,), f"{more}{word}{more}") is None


@pytest.mark.parametrize(
    ("listed", "prompt"),
    [
        ("ass", "a class to assess the grass"),
        ("ass", "455 people for $55, or a 5$ bill"),
        ("ss", "a 5s clip"),
        ("bos", "music of the 80s"),
        ("ak", "in 4k"),
        ("ad", "badly made ads"),
        ("bad word", "badword, bad, words"),
        ("\u0441\u0430\u043b\u043e", "\u0441\u0430\u043b\u043e\u043d\u044b"),  # a Russian word in a longer one
        ("\u0e01\u0e32", "\u0e01\u0e48\u0e32"),  # Thai: another tone
        ("\u0e17\u0e35", "\u0e17\u0e35\u0e48"),
        ("\u091c\u0932", "\u091c\u0932\u0940 \u0906\u091c\u0932"),  # Hindi: a vowel more, a letter more
        ("\uac1c", "\uac1c\ub098\ub9ac"),  # Korean: dog, forsythia
        ("\ucee4\ud53c", "\uc544\uc774\uc2a4\ucee4\ud53c"),  # Korean: in the middle of a word
    ],
)
def test_what_is_not_the_word(listed: str, prompt: str) -> None:
    assert first_match((listed,), prompt) is None


@pytest.mark.parametrize(
    ("listed", "prompt"),
    [
        ("ass", "You ASS!"),
        ("ass", "yes|ass"),
        ("ass", "@ss"),
        ("ass", "$uch an a$$."),
        ("ass", "4ss"),
        ("ass", "my_ass"),
        ("ass", "ass's"),
        ("ass", "ass\U0001f1e9\U0001f1ea"),  # a flag behind it
        ("ass", "\U0001f170ss"),  # emoji letters
        ("ass", "\U0001f1e6\U0001f1f8\U0001f1f8"),
        ("kill bill", "k1|L... BI1L"),
        ("strasse", "Straße"),
        ("naïve", "naive"),
        ("naive", "nai\u0308ve"),
        ("don't", "DON\u2019T"),
        ("4chan", "on 4chan"),
        ("18+", "only 18"),
        ("sh!t", "sh!t"),
        ("\u0441\u0430\u043b\u043e", "\u0421\u0410\u041b\u041e!"),  # Russian
        ("\u0441\u0430\u043b\u043e", "ca\u043bo"),  # Russian with Latin letters in it
        ("\u03b7\u03bc\u03ad\u03c1\u03b1", "\u0397\u039c\u0395\u03a1\u0391"),  # Greek
        ("\u0633\u0644\u0627\u0645", "\u0633\u064e\u0644\u0627\u0645"),  # Arabic with its vowels
        ("\u65e5\u672c", "\u79c1\u306f\u65e5\u672c\u4eba"),  # Japanese, among other characters
        ("\u5c4e", "\u72d7\u5c4e"),  # Chinese, one character
        ("\u30da\u30f3", "\uff8d\uff9f\uff9d"),  # half-width kana
        ("\u0e01\u0e32", "\u0e44\u0e1b\u0e01\u0e32\u0e41\u0e1f"),  # Thai
        ("cat", "\u732bcat\u732b"),  # Latin between ideographs
        ("\ucee4\ud53c", "\ucee4\ud53c\ub97c"),  # Korean with a particle
        ("\uac1c", "\uac1c \ub450"),
    ],
)
def test_what_is_the_word(listed: str, prompt: str) -> None:
    assert first_match((listed,), prompt) == listed


def test_the_first_in_the_prompt_is_named_as_it_is_listed() -> None:
    assert first_match(("Zebra", "Apple Pie"), "an apple-pie for a zebra") == "Apple Pie"
    assert first_match((), "anything") is None
    assert first_match(("word",), "") is None


@PROPERTY
@given(st.text(), st.text())
def test_any_text_can_be_matched(text: str, prompt: str) -> None:
    try:
        listed = parse_words(text)
    except RefusedError:
        listed = ()
    assert first_match(listed, prompt) in (*listed, None)
    assert all(first_match((word,), f"so {word}, yes") == word for word in listed)
    assert not listed or parse_words("\n".join(listed)) == listed
    assert remove_words(listed, listed) == ()


def test_words_are_split_and_cleaned() -> None:
    text = " Bad   word ,\n\nworse\u200b,WORST\uff0c\u6bd2\u54c1\u3001 \u4eba \r\n bad\tword,, w\u00f6rse"
    assert parse_words(text) == ("Bad word", "worse", "WORST", "\u6bd2\u54c1", "\u4eba")


@pytest.mark.parametrize(
    ("text", "code", "word"),
    [
        (" \n , \u200b", Refusal.WORDS_NONE, None),
        ("fine, !!!", Refusal.WORD_WITHOUT_LETTERS, "!!!"),
        ("\U0001f346", Refusal.WORD_WITHOUT_LETTERS, "\U0001f346"),
        ("a", Refusal.WORD_OF_ONE_LETTER, "a"),
        ("\u00c9", Refusal.WORD_OF_ONE_LETTER, "\u00c9"),
        ("7", Refusal.WORD_OF_ONE_LETTER, "7"),
        ("\u3042", Refusal.WORD_OF_ONE_LETTER, "\u3042"),
        ("xx, " + "y" * (MAX_WORD_LENGTH + 1), Refusal.WORD_TOO_LONG, "y" * 101),
    ],
)
def test_invalid_words_are_refused(text: str, code: Refusal, word: str | None) -> None:
    with refused(code, **({"word": word} if word else {})):
        parse_words(text)


def test_a_word_of_the_greatest_length_is_listed() -> None:
    assert parse_words("y" * MAX_WORD_LENGTH) == ("y" * MAX_WORD_LENGTH,)


def test_a_word_is_listed_once_in_whatever_spelling() -> None:
    new = ("NA\u00cfVE", "Bad-Word", "n\u0430ive", "new")
    assert add_words(("naive", "bad word"), new) == ("naive", "bad word", "new")


def test_a_word_is_removed_in_whatever_spelling() -> None:
    assert remove_words(("naive", "Bad word", "other"), ("NA\u00cfVE", "bad, word")) == ("other",)


def test_the_list_has_a_maximum() -> None:
    full = tuple(f"word{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(MAX_WORDS))
    assert add_words(full, full[:5]) == full
    with refused(Refusal.WORDS_FULL, count=501, most=500):
        add_words(full, ("another",))
    with refused(Refusal.WORDS_FULL, count=10_000):
        add_words((), parse_words(",".join(f"w{n}" for n in range(10_000))))


@pytest.mark.parametrize("prompt", ["a" + "$" * 1999, "a" + "1" * 1999, "1a " * 666, "i|" * 1000, "\u65e5" * 2000])
def test_no_prompt_takes_long(prompt: str) -> None:
    phrases = tuple(" ".join("s" * count) + " x" for count in range(2, 40))
    listed = (*phrases, *(("il" * 49)[:length] + "x" for length in range(2, 98)), "\u65e5" * 99 + "\u6708")
    first_match(listed, "")
    begin = time.process_time()
    assert first_match(listed, prompt) is None
    assert time.process_time() - begin < 2


@pytest.mark.parametrize(
    ("listed", "prompt"),
    [
        ("badword", "b a d w o r d"),
        ("badword", "b.a-d_w o\u200br d"),
        ("badword", "so: B  A  D  W  O  R  D!"),
        ("badword", "b @ d w 0 r d"),
        ("badword", "b!a!d!w!o!r!d"),
        ("badword", "\u0431 \u0430 \u0501 w \u043e r d, b a d w o r d"),
        ("badword", "x b a d w or d y"),
        ("bad word", "b a d w o r d"),
        ("badword", "badvvord"),
        ("badword", "BADVVORD"),
        ("hammer", "harnmer"),
        ("hammer", "harnrner"),
        ("wow wow wow", "vvovv vvovv vvovv"),
    ],
)
def test_spaced_letters_and_pairs_that_look_like_one_letter_are_found(listed: str, prompt: str) -> None:
    assert first_match((listed,), prompt) == listed


@pytest.mark.parametrize(
    ("listed", "prompt"),
    [
        ("badword", "embadwording"),
        ("badword", "b a d w o r l d"),
        ("badword", "badwords"),
        ("bum", "burn the corn"),
        ("goat", "go at once"),
        ("badword", "a bad w ord"),
        ("is", "1 5 and i s"),
        ("ill", "1 1 1"),
    ],
)
def test_words_and_numbers_in_a_row_are_no_spaced_letters(listed: str, prompt: str) -> None:
    assert first_match((listed,), prompt) is None


@pytest.mark.parametrize(
    ("listed", "prompt", "is_found"),
    [
        ("badword", "two badwords", True),
        ("badword", "BADVVORDS!", True),
        ("badword", "b a d w o r d s", True),
        ("bad word", "bad words", True),
        ("kick", "kicking, kicked, kicker", True),
        ("stop", "stopping", True),
        ("bake", "baking", True),
        ("party", "parties", True),
        ("badword", "embadwording", False),
        ("badword", "badwordsmith", False),
        ("ass", "assess the classes", False),
        ("\u65e5\u672c", "\u65e5 \u672c", False),
    ],
)
def test_a_word_with_endings_is_found_in_its_forms(listed: str, prompt: str, is_found: bool) -> None:
    assert first_match((listed, "other"), prompt, with_endings=(listed,)) == (listed if is_found else None)


def test_endings_are_added_in_whatever_spelling_a_word_is_listed() -> None:
    assert add_endings(("naive", "bad word", "x y"), ("x y",), ("NA\u00cfVE", "not listed")) == ("naive", "x y")


@pytest.mark.parametrize("prompt", ["b a d " * 333, "1 | " * 500, "1 " * 1000, "i1 " * 666, "vv" * 1000, "rn m " * 400])
def test_spaced_letters_and_pairs_take_no_time(prompt: str) -> None:
    listed = (*(("il" * 49)[:length] + "x" for length in range(2, 98)), "mwmw" * 20, *("vr" * n for n in range(2, 40)))
    first_match(listed, "", with_endings=listed)
    begin = time.process_time()
    assert first_match(listed, prompt, with_endings=listed) is None
    assert time.process_time() - begin < 2
