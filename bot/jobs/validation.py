"""Validation and list prices of requests: pure rules, checked before a credit is held.

Prices: UlazAI's developer documentation. Pictures: what hosts of Kling 2.6 document.
"""

import unicodedata
import warnings
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from io import BytesIO
from urllib.parse import parse_qs, urlsplit

from PIL import Image, UnidentifiedImageError

from bot.codes import Refusal
from bot.errors import RefusedError
from bot.pools.models import PricedKind
from bot.provider.models import GenerationRequest
from bot.wordlist.normalize import visible

MAX_PROMPT = 2000
DURATIONS_SECONDS = (5, 10)
ASPECT_RATIOS = ("16:9", "9:16", "1:1")
PUBLISH_DISCOUNT = 10

MAX_PICTURE_BYTES = 10 * 1024 * 1024
MIN_PICTURE_SIDE = 300
MAX_PICTURE_ASPECT = 2.5
# The header of a picture with much metadata (a camera's, a colour profile's) still ends within this.
PICTURE_HEADER_BYTES = 512 * 1024

_PRICE_OF_FIVE_SECONDS = 55
LOWEST_PRICE = _PRICE_OF_FIVE_SECONDS * min(DURATIONS_SECONDS) // 5 - PUBLISH_DISCOUNT
"""The list price of the cheapest kind of video: short, silent and published."""
_ANIMATABLE = ("JPEG", "PNG")
# Formats that a refusal can name.
_READABLE = (*_ANIMATABLE, "GIF", "WEBP", "BMP")
_BRAILLE_WITHOUT_A_DOT = "\u2800"
_CONTENT_TYPES = ("image/jpeg", "image/jpg", "image/png")


def list_price(request: GenerationRequest) -> int:
    """Return the list price in credits; what is charged in the end is what the provider's answer says."""
    price = _PRICE_OF_FIVE_SECONDS * request.duration_seconds // 5
    if request.sound:
        price *= 2
    return price - PUBLISH_DISCOUNT if request.publish else price


def is_cheapest(request: GenerationRequest) -> bool:
    """Return whether this is the cheapest kind of video, published or not."""
    return request.duration_seconds == min(DURATIONS_SECONDS) and not request.sound


def cheaper_variant(request: GenerationRequest) -> GenerationRequest | None:
    """Return the next cheaper kind of this video: silent, else shorter. None: there is none."""
    if request.sound:
        return replace(request, sound=False)
    if request.duration_seconds > min(DURATIONS_SECONDS):
        return replace(request, duration_seconds=min(DURATIONS_SECONDS))
    return None


def priced_kind(request: GenerationRequest) -> PricedKind:
    """Return the kind of video that is asked for, and its list price."""
    return PricedKind(
        price=list_price(request),
        duration_seconds=request.duration_seconds,
        sound=request.sound,
        publish=request.publish,
        is_cheapest=is_cheapest(request),
    )


def cheaper_kinds(request: GenerationRequest) -> tuple[PricedKind, ...]:
    """Return the kinds that cost less, in the order in which they are suggested.

    First the same kind published; then what costs most, as private or published as it was asked for; then the rest.
    """
    wanted = priced_kind(request)
    variants = (
        priced_kind(replace(request, duration_seconds=seconds, sound=sound, publish=publish))
        for seconds in DURATIONS_SECONDS
        for sound in (False, True)
        for publish in (False, True)
        if sound <= request.sound and seconds <= request.duration_seconds
    )

    def rank(kind: PricedKind) -> tuple[bool, bool, int, bool]:
        is_other_kind = (kind.duration_seconds, kind.sound) != (wanted.duration_seconds, wanted.sound)
        return is_other_kind, kind.publish != wanted.publish, -kind.price, kind.sound

    return tuple(sorted((kind for kind in variants if kind.price < wanted.price), key=rank))


def clean_prompt(prompt: str) -> str:
    """Return the prompt as it is shown, checked, stored and sent: without characters that show nothing.

    Raises:
        RefusedError: PROMPT_EMPTY, PROMPT_TOO_LONG.
    """
    text = visible(prompt).strip()
    if not any(unicodedata.category(char)[0] in "LNPS" and char != _BRAILLE_WITHOUT_A_DOT for char in text):
        raise RefusedError(Refusal.PROMPT_EMPTY)
    if len(text) > MAX_PROMPT:
        raise RefusedError(Refusal.PROMPT_TOO_LONG, length=len(text), most=MAX_PROMPT)
    return text


def check_choices(request: GenerationRequest) -> None:
    """Check what Discord's apps offer as choices: not all that reaches the bot was sent by them.

    Raises:
        RefusedError: NOT_OFFERED.
    """
    if request.duration_seconds not in DURATIONS_SECONDS:
        raise RefusedError(Refusal.NOT_OFFERED, option="duration")
    if request.aspect_ratio is not None and request.aspect_ratio not in ASPECT_RATIOS:
        raise RefusedError(Refusal.NOT_OFFERED, option="aspect_ratio")


@dataclass(frozen=True, slots=True)
class Picture:
    """What Discord reports of an attachment.

    Attributes:
        content_type: the media type, where it is known.
        width: in pixels; None if Discord does not take it for a picture.
        height: in pixels; None if Discord does not take it for a picture.
    """

    url: str
    size_bytes: int
    content_type: str | None
    width: int | None
    height: int | None


def check_picture(picture: Picture) -> None:
    """Check a picture by what Discord reports of it.

    Raises:
        RefusedError: NOT_AN_IMAGE, IMAGE_FORMAT, IMAGE_TOO_LARGE, IMAGE_TOO_SMALL, IMAGE_TOO_LONG.
    """
    kind = (picture.content_type or "").partition(";")[0].strip().lower()
    if kind and not kind.startswith("image/"):
        raise RefusedError(Refusal.NOT_AN_IMAGE)
    if kind and kind not in _CONTENT_TYPES:
        raise RefusedError(Refusal.IMAGE_FORMAT, format=_name(kind.removeprefix("image/")))
    if picture.size_bytes > MAX_PICTURE_BYTES:
        raise RefusedError(Refusal.IMAGE_TOO_LARGE, size_bytes=picture.size_bytes, most_bytes=MAX_PICTURE_BYTES)
    if picture.width and picture.height:
        _check_sides(picture.width, picture.height)


def check_picture_header(header: bytes, *, complete: bool) -> bool:
    """Check a picture by its first bytes.

    Args:
        header: the bytes from the file's beginning.
        complete: there are no more, or no more are wanted.

    Returns:
        Whether these bytes were enough.

    Raises:
        RefusedError: IMAGE_UNREADABLE, IMAGE_TOO_MANY_PIXELS, IMAGE_FORMAT, IMAGE_TOO_SMALL, IMAGE_TOO_LONG.
    """
    try:
        kind, width, height = _read_header(header)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        if not complete:
            return False
        raise RefusedError(Refusal.IMAGE_UNREADABLE) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise RefusedError(Refusal.IMAGE_TOO_MANY_PIXELS) from error
    # Pillow calls a JPEG with a second picture inside, as phones make them, MPO.
    if kind not in (*_ANIMATABLE, "MPO"):
        raise RefusedError(Refusal.IMAGE_FORMAT, format=_name(kind))
    _check_sides(width, height)
    return True


def _read_header(header: bytes) -> tuple[str, int, int]:
    with warnings.catch_warnings():
        # Odd metadata does no harm; too many pixels do.
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(BytesIO(header), formats=_READABLE) as image:
            return image.format or "", *image.size


def picture_expires_at(url: str) -> datetime | None:
    """Return when a picture's address stops working, as Discord signs it into `ex` (hexadecimal seconds)."""
    try:
        (seconds,) = parse_qs(urlsplit(url).query)["ex"]
        return datetime.fromtimestamp(int(seconds, 16), UTC)
    except (KeyError, ValueError, OverflowError, OSError):
        return None


def _check_sides(width: int, height: int) -> None:
    if min(width, height) < MIN_PICTURE_SIDE:
        raise RefusedError(Refusal.IMAGE_TOO_SMALL, width=width, height=height, least=MIN_PICTURE_SIDE)
    if max(width, height) > MAX_PICTURE_ASPECT * min(width, height):
        raise RefusedError(Refusal.IMAGE_TOO_LONG, width=width, height=height, ratio=MAX_PICTURE_ASPECT)


def _name(kind: str) -> str:
    return {"webp": "WebP"}.get(kind.lower(), kind.upper()[:20])
