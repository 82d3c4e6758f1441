"""What the sandbox's clips show: drifting colours or the member's picture, with the prompt written on it."""

import colorsys
import hashlib
import io
import math
import unicodedata
from collections.abc import Callable
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont, ImageOps

Scene = Callable[[float], Image.Image]
"""Draws the frame at a moment between 0 (start) and 1 (end)."""

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
_Colour = tuple[int, int, int]

_SIGNATURE = "made locally by the Reelpool sandbox"
_WIDER_FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "Arial.ttf")
_MAX_PROMPT_CHARS = 400
_GLOW_SCALE = 8  # the glows are drawn at an eighth of the size: they have no detail, and it is 64 times less work
_ZOOM = 0.18
_NEVER_SHOWN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def scene_for(prompt: str, size: tuple[int, int], picture: bytes | None) -> Scene:
    """Prepare the scene of a clip.

    Args:
        prompt: written on every frame.
        size: width and height in pixels.
        picture: the member's picture, to zoom into; None for drifting colours.

    Raises:
        OSError: the picture cannot be read.
    """
    background = _drifting_glows(prompt, size) if picture is None else _zooming_picture(picture, size)
    caption = _caption(prompt, size)
    accent = _palette(prompt)[1]

    def draw(moment: float) -> Image.Image:
        frame = background(moment)
        frame.paste(caption, (0, 0), caption)
        _draw_progress(frame, moment, accent)
        return frame

    return draw


def open_picture(data: bytes) -> Image.Image:
    """Decode a picture, upright and in RGB.

    Raises:
        OSError: it cannot be read.
    """
    with Image.open(io.BytesIO(data)) as source:
        source.draft("RGB", (1280, 1280))  # lets JPEG decode at a fraction of its size
        return ImageOps.exif_transpose(source).convert("RGB")


def _palette(prompt: str) -> tuple[_Colour, _Colour, _Colour]:
    digest = hashlib.blake2b(prompt.encode("utf-8", "replace"), digest_size=2).digest()
    hue = digest[0] / 256
    spread = 0.06 + digest[1] / 256 * 0.08
    return _colour(hue, 0.75, 0.85), _colour(hue + spread, 0.6, 1.0), _colour(hue - spread, 0.8, 0.75)


def _colour(hue: float, saturation: float, value: float) -> _Colour:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def _drifting_glows(prompt: str, size: tuple[int, int]) -> Scene:
    small = (size[0] // _GLOW_SCALE, size[1] // _GLOW_SCALE)
    colours = _palette(prompt)
    ground = Image.new("RGB", small, tuple(channel // 7 for channel in colours[0]))
    glow = _glow(max(small) * 5 // 4)

    def draw(moment: float) -> Image.Image:
        canvas = ground.copy()
        for index, colour in enumerate(colours):
            canvas.paste(colour, _glow_corner(moment, index, small, glow.width), glow)
        return canvas.resize(size, Image.Resampling.BICUBIC)

    return draw


def _glow(width: int) -> Image.Image:
    """Return a mask that is opaque in the middle and fades to transparent at its edges."""
    edge = 180  # the built-in gradient's value where its inner circle meets the sides
    falloff = [round(255 * math.cos(math.pi / 2 * min(1.0, value / edge)) ** 2) for value in range(256)]
    return Image.radial_gradient("L").point(falloff).resize((width, width))


def _glow_corner(moment: float, index: int, size: tuple[int, int], glow_size: int) -> tuple[int, int]:
    angle = math.tau * (moment * (0.8 + 0.3 * index) + index / 3)
    across = size[0] * (0.5 + 0.38 * math.cos(angle))
    down = size[1] * (0.5 + 0.34 * math.sin(angle * (1 if index % 2 else -1)))
    return round(across - glow_size / 2), round(down - glow_size / 2)


def _zooming_picture(data: bytes, size: tuple[int, int]) -> Scene:
    larger = (round(size[0] * (1 + _ZOOM)), round(size[1] * (1 + _ZOOM)))
    picture = ImageOps.fit(open_picture(data), larger, Image.Resampling.LANCZOS)

    def draw(moment: float) -> Image.Image:
        eased = (1 - math.cos(math.pi * moment)) / 2
        width = picture.width * (1 - eased * _ZOOM / (1 + _ZOOM))
        height = picture.height * (1 - eased * _ZOOM / (1 + _ZOOM))
        left = (picture.width - width) / 2
        top = (picture.height - height) / 3
        box = (left, top, left + width, top + height)
        return picture.resize(size, Image.Resampling.BILINEAR, box=box)

    return draw


def _draw_progress(frame: Image.Image, moment: float, accent: _Colour) -> None:
    thickness = max(3, frame.height // 90)
    end = round(frame.width * moment)
    ImageDraw.Draw(frame).rectangle((0, frame.height - thickness, end, frame.height), fill=accent)


def _caption(prompt: str, size: tuple[int, int]) -> Image.Image:
    width, height = size
    text_size = max(16, min(size) // 15)
    margin = text_size
    text = _plain(prompt)
    font = _font_for(text, text_size)
    small_font = _own_font(max(10, text_size // 2))
    lines = _wrap(_showable(prompt, font), font, width - 2 * margin, max(2, height // 2 // (text_size * 4 // 3)))
    layer = _scrim(size, (len(lines) + 2) * text_size * 2)
    draw = ImageDraw.Draw(layer)
    top = height - margin * 2 - len(lines) * text_size * 4 // 3
    for line in lines:
        draw.text((margin, top), line, font=font, fill=(255, 255, 255, 240))
        top += text_size * 4 // 3
    draw.text((margin, height - margin * 3 // 2), _SIGNATURE, font=small_font, fill=(255, 255, 255, 150))
    return layer


def _scrim(size: tuple[int, int], depth: int) -> Image.Image:
    """Return a layer that darkens towards the bottom, so that white text is readable on any picture."""
    depth = min(depth, size[1])
    shade = Image.linear_gradient("L").resize((size[0], depth)).point([value * 3 // 4 for value in range(256)])
    layer = Image.new("RGBA", size, (0, 0, 0, 0))
    alpha = Image.new("L", size, 0)
    alpha.paste(shade, (0, size[1] - depth))
    layer.putalpha(alpha)
    return layer


@lru_cache(maxsize=32)
def _own_font(text_size: int) -> _Font:
    font = ImageFont.load_default(text_size)
    if isinstance(font, ImageFont.FreeTypeFont):
        # The other layout engine raises an error on some sequences of letters.
        return font.font_variant(layout_engine=ImageFont.Layout.BASIC)
    return font


@lru_cache(maxsize=32)
def _wider_font(name: str, text_size: int) -> _Font | None:
    try:
        return ImageFont.truetype(name, text_size, layout_engine=ImageFont.Layout.BASIC)
    except OSError:
        return None


def _font_for(text: str, text_size: int) -> _Font:
    """Return Pillow's own font, or a system font if the text has letters that Pillow's lacks."""
    own = _own_font(text_size)
    if all(_with_glyphs(own, letter) for letter in set(text) if letter.isalnum()):
        return own
    found = (_wider_font(name, text_size) for name in _WIDER_FONTS)
    return next((font for font in found if font is not None), own)


def _plain(prompt: str) -> str:
    """Return the beginning of the prompt with single spaces and without unprintable characters."""
    composed = unicodedata.normalize("NFC", prompt[:_MAX_PROMPT_CHARS])
    shown = (" " if letter.isspace() else letter for letter in composed)
    kept = (letter for letter in shown if unicodedata.category(letter) not in _NEVER_SHOWN)
    return " ".join("".join(kept).split())


def _showable(text: str, font: _Font) -> str:
    return " ".join("".join(_with_glyphs(font, letter) for letter in text).split())


def _with_glyphs(font: _Font, letter: str) -> str:
    """Return the letter if the font has it, else those parts of its decomposition that the font has."""
    if _has_glyph(font, letter):
        return letter
    return "".join(part for part in unicodedata.normalize("NFKD", letter) if _has_glyph(font, part))


def _has_glyph(font: _Font, letter: str) -> bool:
    if letter.isascii():
        return letter.isprintable()
    return bytes(font.getmask(letter)) != _missing_glyph(font)


@lru_cache(maxsize=32)
def _missing_glyph(font: _Font) -> bytes:
    return bytes(font.getmask("\U0010fffe"))


def _wrap(text: str, font: _Font, width: int, max_lines: int) -> list[str]:
    lines: list[str] = []
    rest = text
    while rest and len(lines) < max_lines:
        line = _first_line(rest, font, width)
        lines.append(line)
        rest = rest[len(line) :].lstrip()
    if rest:
        lines[-1] = lines[-1][:-2].rstrip() + " ..."
    return lines


def _first_line(text: str, font: _Font, width: int) -> str:
    """Return as many words as fit, or as many letters if not even one word fits."""
    fitting = len(text)
    while fitting > 1 and font.getlength(text[:fitting]) > width:
        fitting -= max(1, (fitting - 60) // 2)
    if fitting == len(text):
        return text
    at_blank = text.rfind(" ", 1, fitting + 1)
    return text[: at_blank if at_blank > 0 else fitting]
