import sqlite3
import zlib
from contextlib import closing, suppress
from datetime import UTC, datetime
from io import BytesIO

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from bot.codes import Refusal, Value
from bot.errors import RefusedError
from bot.jobs.validation import (
    MAX_PICTURE_BYTES,
    MAX_PROMPT,
    Picture,
    check_picture,
    check_picture_header,
    clean_prompt,
    list_price,
    picture_expires_at,
)
from bot.provider.models import GenerationMode, GenerationRequest
from tests.properties import PROPERTY
from tests.refusals import refused

BLANKS = (
    "\t\n\v\f\r \x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"  # white space
    "\0\x07\x7f\xad\u034f\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u2060\u2061\u2064\ufeff"  # shows nothing
    "\u115f\u1160\u2800\u3164\uffa0"  # letters and symbols that show nothing
    "\u0301\ufe0f\U000e0020\ud800\udfff"  # marks without a letter, halves of characters
)


# Prompts


@PROPERTY
@given(st.one_of(st.text(st.characters(), max_size=60), st.text(st.sampled_from(BLANKS + "ab"), max_size=12)))
@example("a" * (MAX_PROMPT + 1))
@example("\U0001f600" * MAX_PROMPT)
def test_any_text_is_either_refused_or_fit_to_be_stored_and_sent(text: str) -> None:
    try:
        prompt = clean_prompt(text)
    except RefusedError:
        return
    assert 1 <= len(prompt) <= MAX_PROMPT
    assert "\0" not in prompt
    assert prompt == prompt.strip() == clean_prompt(prompt)
    with closing(sqlite3.connect(":memory:")) as connection:
        stored, length = connection.execute("SELECT :text, length(:text)", {"text": prompt}).fetchone()
    assert (stored, length) == (prompt, len(prompt))


@PROPERTY
@given(st.text(st.sampled_from(BLANKS), max_size=30))
def test_an_invisible_prompt_is_refused(text: str) -> None:
    with refused(Refusal.PROMPT_EMPTY):
        clean_prompt(text)


@pytest.mark.parametrize("text", ["猫", "م", "!", "7", "🙂", "é", "👩\u200d👩\u200d👧", "a\nb\tc"])
def test_a_visible_prompt_is_kept_as_it_is(text: str) -> None:
    assert clean_prompt(text) == text


def test_the_longest_prompt() -> None:
    assert clean_prompt(" " + "x" * MAX_PROMPT + "\n") == "x" * MAX_PROMPT
    with refused(Refusal.PROMPT_TOO_LONG, length=MAX_PROMPT + 1, most=MAX_PROMPT):
        clean_prompt("x" * (MAX_PROMPT + 1))


# Prices: the provider's documentation


@pytest.mark.parametrize(
    ("duration_seconds", "sound", "price"), [(5, False, 55), (10, False, 110), (5, True, 110), (10, True, 220)]
)
@pytest.mark.parametrize("mode", GenerationMode)
def test_list_prices(mode: GenerationMode, duration_seconds: int, sound: bool, price: int) -> None:
    assert list_price(GenerationRequest(mode, "x", duration_seconds, sound)) == price
    assert list_price(GenerationRequest(mode, "x", duration_seconds, sound, publish=True)) == price - 10


# Pictures by what Discord reports


def reported(
    content_type: str | None = "image/png", size: int = 1000, width: int | None = 400, height: int | None = 300
) -> Picture:
    return Picture("https://cdn.discordapp.com/a.png", size, content_type, width, height)


@pytest.mark.parametrize("content_type", ["image/png", "image/jpeg", "IMAGE/PNG", "image/png; charset=x", None, ""])
def test_good_reports(content_type: str | None) -> None:
    check_picture(reported(content_type))
    check_picture(reported(content_type, MAX_PICTURE_BYTES, None, None))


@pytest.mark.parametrize(
    ("picture", "code", "data"),
    [
        (reported("text/plain"), Refusal.NOT_AN_IMAGE, {}),
        (reported("image/webp"), Refusal.IMAGE_FORMAT, {"format": "WebP"}),
        (reported("image/heic"), Refusal.IMAGE_FORMAT, {"format": "HEIC"}),
        (reported("image/gif"), Refusal.IMAGE_FORMAT, {"format": "GIF"}),
        (
            reported(size=MAX_PICTURE_BYTES + 1),
            Refusal.IMAGE_TOO_LARGE,
            {"size_bytes": MAX_PICTURE_BYTES + 1, "most_bytes": MAX_PICTURE_BYTES},
        ),
        (reported(width=299), Refusal.IMAGE_TOO_SMALL, {"width": 299, "height": 300, "least": 300}),
        (reported(width=751, height=300), Refusal.IMAGE_TOO_LONG, {"width": 751, "height": 300, "ratio": 2.5}),
        (reported(width=300, height=751), Refusal.IMAGE_TOO_LONG, {"width": 300, "height": 751, "ratio": 2.5}),
    ],
)
def test_bad_reports(picture: Picture, code: Refusal, data: dict[str, Value]) -> None:
    with refused(code, **data):
        check_picture(picture)


# Pictures by their bytes


def encoded(kind: str, size: tuple[int, int] = (400, 300), **options: object) -> bytes:
    target = BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(target, kind, **options)
    return target.getvalue()


def camera_jpeg(metadata_bytes: int = 300_000) -> bytes:
    exif = Image.Exif()
    exif[0x010E] = "x" * 60_000
    return encoded("JPEG", exif=exif, icc_profile=b"p" * metadata_bytes)


def phone_jpeg() -> bytes:
    """Two pictures in one file, as phones make them: Pillow calls it MPO."""
    return encoded("MPO", save_all=True, append_images=[Image.new("RGB", (400, 300))])


def moving_png() -> bytes:
    return encoded("PNG", save_all=True, append_images=[Image.new("RGB", (400, 300), "red")])


def bomb(width: int, height: int) -> bytes:
    """A PNG whose header claims more than its bytes hold."""
    png = encoded("PNG")
    return png[:16] + width.to_bytes(4, "big") + height.to_bytes(4, "big") + _crc_of_header(png, width, height)


def _crc_of_header(png: bytes, width: int, height: int) -> bytes:
    rest = png[24:29]
    crc = zlib.crc32(b"IHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + rest)
    return rest + crc.to_bytes(4, "big") + png[33:]


GOOD = {
    "jpeg": encoded("JPEG"),
    "png": encoded("PNG"),
    "camera": camera_jpeg(),
    "mpo": phone_jpeg(),
    "apng": moving_png(),
}
BAD = {"gif": encoded("GIF"), "webp": encoded("WEBP"), "bmp": encoded("BMP"), "tiff": encoded("TIFF")}
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 500


@pytest.mark.parametrize("data", GOOD.values(), ids=GOOD)
def test_good_pictures(data: bytes) -> None:
    assert check_picture_header(data, complete=True)


@pytest.mark.parametrize(("kind", "name"), [("gif", "GIF"), ("webp", "WebP"), ("bmp", "BMP")])
def test_other_formats_are_refused_by_name(kind: str, name: str) -> None:
    with refused(Refusal.IMAGE_FORMAT, format=name):
        check_picture_header(BAD[kind], complete=True)


@pytest.mark.parametrize(
    "data",
    [b"", b"not a picture at all", b"<svg></svg>" * 50, HEIC, BAD["tiff"], b"\xff\xd8\xff", GOOD["png"][:20]],
    ids=["nothing", "text", "svg", "heic", "tiff", "start of a jpeg", "start of a png"],
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    assert not check_picture_header(data, complete=False)
    with refused(Refusal.IMAGE_UNREADABLE):
        check_picture_header(data, complete=True)


@pytest.mark.parametrize("data", GOOD.values(), ids=GOOD)
def test_a_header_is_checked_as_soon_as_it_is_there(data: bytes) -> None:
    verdicts = [check_picture_header(data[:end], complete=False) for end in range(0, len(data), 1 + len(data) // 60)]
    assert verdicts == sorted(verdicts)
    assert not verdicts[0]


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize(
    ("size", "code"),
    [
        ((300, 300), None),
        ((299, 400), Refusal.IMAGE_TOO_SMALL),
        ((400, 299), Refusal.IMAGE_TOO_SMALL),
        ((1000, 400), None),
        ((400, 1000), None),
        ((1001, 400), Refusal.IMAGE_TOO_LONG),
        ((400, 1001), Refusal.IMAGE_TOO_LONG),
    ],
)
def test_sides(kind: str, size: tuple[int, int], code: Refusal | None) -> None:
    data = encoded(kind, size)
    if code is None:
        assert check_picture_header(data, complete=True)
        return
    with refused(code, width=size[0], height=size[1]):
        check_picture_header(data, complete=True)


@pytest.mark.parametrize("sides", [(10_000, 10_000), (30_000, 30_000)])
def test_too_many_pixels(sides: tuple[int, int]) -> None:
    with refused(Refusal.IMAGE_TOO_MANY_PIXELS):
        check_picture_header(bomb(*sides), complete=True)


@PROPERTY
@given(
    data=st.sampled_from([*GOOD.values(), *BAD.values()]),
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=5),
    end=st.integers(0, 3000),
    complete=st.booleans(),
)
def test_damaged_pictures_never_raise_anything_else(
    data: bytes, changes: list[tuple[int, int]], end: int, complete: bool
) -> None:
    damaged = bytearray(data[:end])
    for place, value in changes:
        damaged[place : place + 1] = bytes([value])
    with suppress(RefusedError):
        assert check_picture_header(bytes(damaged), complete=complete) or not complete


# When a picture's address ends


@pytest.mark.parametrize(
    ("url", "moment"),
    [
        ("https://cdn.discordapp.com/a.png?ex=65b1f0a0&is=1&hm=2", datetime.fromtimestamp(0x65B1F0A0, UTC)),
        ("https://cdn.discordapp.com/a.png", None),
        ("https://cdn.discordapp.com/a.png?ex=", None),
        ("https://cdn.discordapp.com/a.png?ex=soon", None),
        ("https://cdn.discordapp.com/a.png?ex=1&ex=2", None),
        ("https://cdn.discordapp.com/a.png?ex=" + "f" * 30, None),
        ("http://[", None),
    ],
)
def test_picture_expires_at(url: str, moment: datetime | None) -> None:
    assert picture_expires_at(url) == moment


@PROPERTY
@given(st.text())
def test_any_address_can_be_checked(text: str) -> None:
    for url in (text, f"https://cdn.discordapp.com/a?ex={text}"):
        found = picture_expires_at(url)
        assert found is None or found.tzinfo is UTC
