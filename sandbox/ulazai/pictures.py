"""Fetches the picture of an image job and checks it, by the limits that hosts of Kling document."""

import asyncio
import io

import aiohttp
from PIL import Image

from sandbox.clip_scenes import open_picture
from sandbox.ulazai.values import RefusalError

MAX_BYTES = 10 * 1024 * 1024
MIN_SIDE_PIXELS = 300
MAX_ASPECT = 2.5
_MAX_PIXELS = 89_000_000  # where Pillow starts to warn of a decompression bomb
_TIMEOUT = aiohttp.ClientTimeout(total=20, sock_connect=5)


async def fetch_picture(session: aiohttp.ClientSession, url: str) -> bytes:
    """Load a picture and check that a video can be made from it.

    Raises:
        RefusalError: 400, naming what is wrong with the picture or its address.
    """
    try:
        data = await _load(session, url)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        raise RefusalError(400, f"The image could not be fetched ({type(error).__name__})") from error
    await asyncio.to_thread(check_picture, data)
    return data


async def _load(session: aiohttp.ClientSession, url: str) -> bytes:
    async with session.get(url, timeout=_TIMEOUT) as response:
        if response.status != 200:
            raise RefusalError(400, f"The image could not be fetched (status {response.status})")
        data = bytearray()
        async for chunk in response.content.iter_any():
            data += chunk
            if len(data) > MAX_BYTES:
                raise RefusalError(400, "The image is larger than 10 MB")
        return bytes(data)


def check_picture(data: bytes) -> None:
    """Check a picture's format, its size and that it can be decoded.

    Raises:
        RefusalError: 400, naming what is wrong.
    """
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as picture:
            width, height = picture.size
        _check_size(width, height)
        open_picture(data)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise RefusalError(400, "The image must be a sound JPEG or PNG file") from None


def _check_size(width: int, height: int) -> None:
    if min(width, height) < MIN_SIDE_PIXELS:
        raise RefusalError(400, f"The image must be at least {MIN_SIDE_PIXELS} pixels on both sides")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise RefusalError(400, "The image's aspect ratio must be between 1:2.5 and 2.5:1")
    if width * height > _MAX_PIXELS:
        raise RefusalError(400, "The image has too many pixels")
