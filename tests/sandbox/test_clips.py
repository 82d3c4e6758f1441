"""The sandbox's clips, decoded again as a player would."""

import io
import time
from dataclasses import dataclass

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops

from sandbox.clip_scenes import scene_for
from sandbox.clips import SIZES, ClipSpec, render_clip


@dataclass
class Probe:
    """What a player finds in a clip."""

    size: tuple[int, int]
    seconds: float
    pixels: str | None
    codecs: list[str]
    images: list[Image.Image]
    audio_seconds: float


def probe(clip: bytes) -> Probe:
    with av.open(io.BytesIO(clip), "r") as container:
        video = container.streams.video[0]
        size = (video.width, video.height)
        pixels = video.pix_fmt
        codecs = [stream.codec_context.name for stream in container.streams.get()]
        images = [Image.frombytes("RGB", size, rgb_bytes(frame)) for frame in container.decode(video)]
        assert container.duration is not None
        seconds = container.duration / av.time_base
    return Probe(size, seconds, pixels, codecs, images, audio_seconds(clip))


def audio_seconds(clip: bytes) -> float:
    with av.open(io.BytesIO(clip), "r") as container:
        if not container.streams.audio:
            return 0.0
        return sum(frame.samples / frame.sample_rate for frame in container.decode(container.streams.audio[0]))


def rgb_bytes(frame: av.VideoFrame) -> bytes:
    plane = frame.reformat(format="rgb24").planes[0]
    data, row = bytes(plane), frame.width * 3
    return b"".join(data[y * plane.line_size : y * plane.line_size + row] for y in range(frame.height))


def picture(size: tuple[int, int], kind: str = "PNG") -> bytes:
    shade = Image.linear_gradient("L").resize(size)
    target = io.BytesIO()
    Image.merge("RGB", (shade, shade.transpose(Image.Transpose.ROTATE_180), shade)).save(target, kind)
    return target.getvalue()


def difference(one: Image.Image, other: Image.Image) -> float:
    histogram = ImageChops.difference(one, other).convert("L").histogram()
    return sum(value * count for value, count in enumerate(histogram)) / (one.width * one.height)


@pytest.mark.parametrize(
    ("aspect_ratio", "seconds", "sound"), [("16:9", 5, False), ("9:16", 10, True), ("1:1", 5, True)]
)
def test_a_clip_is_what_was_asked_for(aspect_ratio: str, seconds: int, sound: bool) -> None:
    clip = render_clip(ClipSpec("A dog in a field", seconds, aspect_ratio, sound))
    found = probe(clip)
    assert found.size == SIZES[aspect_ratio]
    assert found.seconds == pytest.approx(seconds, abs=0.1)
    assert found.pixels == "yuv420p"
    assert found.codecs == (["h264", "aac"] if sound else ["h264"])
    assert found.audio_seconds == pytest.approx(seconds if sound else 0, abs=0.1)
    assert len(clip) < 1_500_000


def test_the_index_comes_first_so_that_it_plays_while_loading() -> None:
    clip = render_clip(ClipSpec("A dog"))
    assert 0 < clip.index(b"moov") < clip.index(b"mdat")


def test_a_clip_moves() -> None:
    images = probe(render_clip(ClipSpec("A dog"))).images
    assert difference(images[0], images[len(images) // 2]) > 5


def test_different_prompts_look_different() -> None:
    size = SIZES["16:9"]
    assert difference(scene_for("A dog", size, None)(0.5), scene_for("A cat", size, None)(0.5)) > 1


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ((1000, 600), (640, 384)),
        ((400, 1000), (256, 640)),
        ((333, 333), (640, 640)),
        ((750, 301), (640, 256)),
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_picture_keeps_its_shape(source: tuple[int, int], shown: tuple[int, int], kind: str) -> None:
    assert ClipSpec("", picture=picture(source, kind)).size == shown


def test_a_picture_is_shown_and_moves() -> None:
    data = picture((640, 400))
    found = probe(render_clip(ClipSpec("It moves", picture=data, sound=True)))
    assert found.size == (640, 400)
    original = Image.open(io.BytesIO(data)).crop((0, 0, 640, 200))
    assert difference(original, found.images[0].crop((0, 0, 640, 200))) < 8
    assert difference(found.images[0], found.images[-1]) > 1


def test_a_turned_photo_is_shown_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turned by 90 degrees
    target = io.BytesIO()
    Image.new("RGB", (640, 320)).save(target, "JPEG", exif=exif)
    assert ClipSpec("", picture=target.getvalue()).size == (320, 640)


def test_an_unreadable_picture_is_an_os_error() -> None:
    with pytest.raises(OSError, match="cannot identify"):
        render_clip(ClipSpec("", picture=b"not a picture"))


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        " \n\t ",
        "\ud800",
        "\x00\u202e\u200d",
        "😀" * 50,
        "漢字" * 500,
        "مرحبا بالعالم",
        "e\u0301" * 20,
        "x" * 2000,
    ],
)
@pytest.mark.parametrize("size", [(640, 360), (256, 640), (640, 256)])
def test_any_prompt_can_be_drawn(prompt: str, size: tuple[int, int]) -> None:
    assert scene_for(prompt, size, None)(0.0).size == size


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(), max_size=80))
def test_any_text_can_be_drawn(prompt: str) -> None:
    assert scene_for(prompt, (360, 640), None)(1.0).mode == "RGB"


def test_a_clip_is_drawn_quickly() -> None:
    render_clip(ClipSpec("warm up", sound=True))
    started = time.process_time()
    render_clip(ClipSpec("A dog in a field", 10, sound=True))
    assert time.process_time() - started < 3  # about one second on a slow core; this catches a tenfold one
