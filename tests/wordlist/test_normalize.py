import re
import unicodedata
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.wordlist.look_alikes import LOOK_ALIKES
from bot.wordlist.normalize import DIGIT_READINGS, EMOJI_READINGS, LETTER_READINGS, SIGN_READINGS, fold, visible
from tests.properties import PROPERTY
from tests.wordlist.look_alike_table import TABLE, look_alike_table

Form = Literal["NFC", "NFD", "NFKC", "NFKD"]
FORMS: tuple[Form, ...] = ("NFC", "NFD", "NFKC", "NFKD")


@pytest.mark.parametrize(
    "text",
    [
        "PAYPAL",
        "\uff30\uff41\uff59\uff50\uff41\uff4c",  # full width
        "\U0001d4f9\U0001d4ea\U0001d502\U0001d4f9\U0001d4ea\U0001d4f5",  # mathematical script
        "\u24df\u24d0\u24e8\u24df\u24d0\u24db",  # circled
        "\u0440\u0430\u0443\u0440\u0430l",  # Cyrillic
        "\u03a1\u0391yp\u0391l",  # Greek capitals
        "\u13e2\u15c5\u13a9\ua4d1\ua4ee\u14aa",  # Cherokee, Canadian syllabics, Lisu
        "\u1d18\u1d00\u028f\u1d18\u1d00\u029f",  # small capitals
        "p\u00e4yp\u0105\u0142",  # accents and strokes
        "p\u0336a\u0336y\u0336p\u20dda\u0300\u0301\u0302\u0303l",  # struck through, circled, piled up
        "p\u200ba\u00ady\u2060p\ufeffa\u202el",  # zero width, soft hyphen, joiner, byte order mark, direction
        "p\ufe0fa\U000e0101y\u034fp\u3164a\U000e0061l\x07",  # variation selectors, fillers, tags, controls
    ],
)
def test_look_alike_spellings_normalize_to_the_same(text: str) -> None:
    assert fold(text) == "paypal"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("が", "か"),  # voicing
        ("ที", "ที่"),  # a tone
        ("कु", "का"),  # vowels
        ("क़", "क"),  # a nukta
        ("각", "가"),
    ],
)
def test_marks_that_make_another_letter_stay(one: str, other: str) -> None:
    assert fold(one) != fold(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Straße", "STRASSE"),
        ("\u0421\u0410\u041b\u041e", "\u0441\u0430\u043b\u043e"),  # Russian in capitals
        ("\u0397\u039c\u0395\u03a1\u0391\u03a3", "\u03b7\u03bc\u03ad\u03c1\u03b1\u03c2"),  # Greek, with its last s
        ("\u0130stanbul", "istanbul"),
        ("\u0661\u0662\u0663", "123"),  # Arabic digits
        ("\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd", "\u05e9\u05dc\u05d5\u05dd"),  # Hebrew points
        ("\uff76\uff9e", "\u30ac"),  # half-width kana
        ("\u1100\u1161\u11a8", "\uac01"),  # Hangul from its letters
    ],
)
def test_other_scripts_normalize_within_themselves(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@PROPERTY
@given(st.text())
def test_normalizing_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@PROPERTY
@given(st.text(), st.sampled_from(FORMS))
def test_every_unicode_normal_form_gives_the_same(text: str, form: Form) -> None:
    assert fold(unicodedata.normalize(form, text)) == fold(text)


@PROPERTY
@given(st.text())
def test_case_makes_no_difference(text: str) -> None:
    assert fold(text.casefold()) == fold(text)


def test_every_look_alike_in_the_table_is_reachable() -> None:
    assert [f"{ord(c):04X}" for c, letter in LOOK_ALIKES.items() if fold(c) != letter or fold(letter) != letter] == []
    readings = (LETTER_READINGS, DIGIT_READINGS, SIGN_READINGS, EMOJI_READINGS)
    assert [f"{ord(c):04X}" for table in readings for c in table if fold(c) != c] == []


def test_the_table_is_generated_from_unicodes_data() -> None:
    assert TABLE.read_text("utf-8") == look_alike_table()


def test_every_character_normalizes_in_one_step() -> None:
    characters = [chr(point) for point in range(0x30000)]
    assert [hex(ord(c)) for c in characters if fold(fold(c)) != fold(c)] == []


# What shows nothing


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a calm lake\u202egnp.exe", "a calm lakegnp.exe"),
        ("\u2066a\u2069 \u200eb\u200f \u061cc", "a b c"),  # directions
        ("nice\U000e0041\U000e0042 view\ue004", "nice view"),  # tags, private use
        ("a\ufe00\ufe0fb\U000e0100\U000e01ef", "ab"),  # variation selectors, which can carry any hidden text
        ("a\u200bb\u200dc\ufeff\u2060\u00ad\u180e\u034f", "abc"),
        ("\ud800a\udfff\x00\x07", "a"),
        ("a\r\nb\rc\u2028d\x0be\tf", "a\nb\nc\nd\ne\tf"),
        ("\u3164a\uffa0", "a"),
        ("caf\u00e9 e\u0301 \u0645\u06dd\u0661 \u65e5\u672c", "caf\u00e9 e\u0301 \u0645\u06dd\u0661 \u65e5\u672c"),
    ],
    ids=ascii,
)
def test_invisible_and_direction_changing_characters_are_removed(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize(
    "emoji",
    [
        "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",  # a family
        "\U0001f3f3\ufe0f\u200d\U0001f308",  # a flag of two parts
        "\u2764\ufe0f\u200d\U0001f525",  # a heart on fire
        "\U0001f469\U0001f3fd\u200d\U0001f680",  # a skin tone in the middle
        "\U0001f642\u200d\u2194\ufe0f",  # a head that shakes
        "\U0001f6b4\u200d\u2640\ufe0f",
        "1\ufe0f\u20e3 #\ufe0f\u20e3",
        "\U0001f1fa\U0001f1f8",
    ],
    ids=ascii,
)
def test_joined_emoji_stay_whole(emoji: str) -> None:
    assert visible(f"a{emoji}b") == f"a{emoji}b"
    assert visible(f"a\u200d{emoji}\u200d\u200db") == f"a{emoji}b"


@PROPERTY
@given(st.text(st.sampled_from("a1\n\r\u200d\ufe0f\u20e3\u202e\U0001f469\U0001f3fd\u2640\U000e0041") | st.characters()))
def test_what_is_shown_is_shown_again_and_hides_nothing(text: str) -> None:
    shown = visible(text)
    assert visible(shown) == shown
    assert not re.search("[\u200b\u202a-\u202e\u2066-\u2069\ufeff\U000e0000-\U000e0fff\r]", shown)
    assert "\u200d" not in re.sub("(?<=[^\x00-\u00a8])\u200d(?=[^\x00-\u00a8])", "", shown)
    encodable = shown.encode()
    assert encodable.decode() == shown
