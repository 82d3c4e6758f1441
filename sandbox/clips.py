"""Encodes short, playable clips in this process: MP4 with H.264 and optional AAC."""

from __future__ import annotations

import math
import tempfile
from array import array
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import av
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

from sandbox.clip_scenes import Scene, open_picture, scene_for

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.video.stream import VideoStream

SIZES = MappingProxyType({"16:9": (640, 360), "9:16": (360, 640), "1:1": (480, 480)})
"""Width and height in pixels for each aspect ratio of the provider."""

_LONGER_SIDE = 640
_FRAMES_PER_SECOND = 12
_SAMPLE_RATE = 24_000
_SAMPLES_PER_FRAME = 1024  # AAC's frame length
_NOTE_SECONDS = 0.625
_RING_SECONDS = 1.5
_MELODY_HZ = (220.0, 329.63, 440.0, 369.99, 293.66, 440.0, 554.37, 329.63)


@dataclass(frozen=True)
class ClipSpec:
    """The contents of a clip.

    Attributes:
        prompt: written on the clip.
        seconds: its length.
        aspect_ratio: a key of `SIZES`; ignored if there is a picture, which has its own.
        sound: whether it has a melody; if not, it has no audio stream.
        picture: JPEG or PNG to zoom into.
    """

    prompt: str
    seconds: int = 5
    aspect_ratio: str = "16:9"
    sound: bool = False
    picture: bytes | None = None

    @cached_property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, both even.

        Raises:
            OSError: the picture cannot be read.
        """
        if self.picture is None:
            return SIZES[self.aspect_ratio]
        picture = open_picture(self.picture)
        scale = _LONGER_SIDE / max(picture.size)
        return _even(picture.width * scale), _even(picture.height * scale)


def render_clip(spec: ClipSpec) -> bytes:
    """Draw and encode a clip; blocks for about a second of one core.

    Returns:
        An MP4 file with its index first, so that it plays while it loads.

    Raises:
        OSError: the picture cannot be read.
    """
    scene = scene_for(spec.prompt, spec.size, spec.picture)
    with tempfile.TemporaryDirectory(prefix="reelpool-clip-") as folder:
        path = Path(folder) / "clip.mp4"  # needs a real file: moving the index to the front reads it again
        with av.open(path, "w", format="mp4", options={"movflags": "+faststart"}) as container:
            _encode(container, spec, scene)
        return path.read_bytes()


def _even(length: float) -> int:
    return max(2, round(length / 2) * 2)


def _encode(container: OutputContainer, spec: ClipSpec, scene: Scene) -> None:
    video = _add_video(container, spec.size)
    audio = _add_audio(container) if spec.sound else None  # all streams come before the first packet
    _encode_video(container, video, scene, spec.seconds)
    if audio is not None:
        _encode_audio(container, audio, spec.seconds)


def _add_video(container: OutputContainer, size: tuple[int, int]) -> VideoStream:
    stream = container.add_stream("libx264", rate=_FRAMES_PER_SECOND)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    stream.options = {"preset": "superfast", "crf": "26", "threads": "1", "g": str(2 * _FRAMES_PER_SECOND)}
    return stream


def _add_audio(container: OutputContainer) -> AudioStream:
    stream = container.add_stream("aac", rate=_SAMPLE_RATE, layout="mono")
    stream.bit_rate = 64_000
    return stream


def _encode_video(container: OutputContainer, stream: VideoStream, scene: Scene, seconds: int) -> None:
    total = seconds * _FRAMES_PER_SECOND
    for index in range(total):
        image = scene(index / (total - 1))
        frame = VideoFrame.from_bytes(image.tobytes("raw", "RGBX"), image.width, image.height)
        frame.pts = index
        frame.time_base = Fraction(1, _FRAMES_PER_SECOND)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _encode_audio(container: OutputContainer, stream: AudioStream, seconds: int) -> None:
    samples = _melody(seconds)
    for start in range(0, len(samples), _SAMPLES_PER_FRAME):
        part = samples[start : start + _SAMPLES_PER_FRAME]
        frame = AudioFrame(format="fltp", layout="mono", samples=len(part))
        frame.planes[0].update(part.tobytes())
        frame.sample_rate = _SAMPLE_RATE
        frame.pts = start
        frame.time_base = Fraction(1, _SAMPLE_RATE)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


@lru_cache(maxsize=4)
def _melody(seconds: int) -> array[float]:
    """Return the samples of overlapping plucked notes that fade out at the end."""
    samples = array("f", bytes(4 * seconds * _SAMPLE_RATE))
    for index in range(int(seconds / _NOTE_SECONDS)):
        note = _note(_MELODY_HZ[index % len(_MELODY_HZ)])
        start = round(index * _NOTE_SECONDS * _SAMPLE_RATE)
        for offset in range(min(len(note), len(samples) - start)):
            samples[start + offset] += note[offset]
    _fade_out(samples, _SAMPLE_RATE // 2)
    return samples


@lru_cache(maxsize=16)
def _note(pitch_hz: float) -> array[float]:
    step = math.tau * pitch_hz / _SAMPLE_RATE
    return array("f", (loudness * math.sin(step * index) for index, loudness in enumerate(_pluck())))


@lru_cache(maxsize=1)
def _pluck() -> array[float]:
    """Return a note's envelope: a fast attack without a click, and a slow decay."""
    length = int(_RING_SECONDS * _SAMPLE_RATE)
    moments = (index / length for index in range(length))
    return array("f", (0.16 * min(1.0, at * 60) * math.exp(-4 * at) * (1 - at) for at in moments))


def _fade_out(samples: array[float], length: int) -> None:
    for index in range(length):
        samples[-1 - index] *= index / length
