"""Transport compression of the gateway: one compressed stream per connection, flushed after each message.

Source: Discord's documentation, "Gateway: Transport Compression".
"""

from __future__ import annotations

import importlib
import zlib
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType


class Compressor(Protocol):
    """Compresses messages to frames."""

    def frame(self, text: str) -> bytes:
        """Return the message's part of the compressed stream."""
        ...


class ZlibStream:
    """`compress=zlib-stream`."""

    def __init__(self) -> None:
        self._stream = zlib.compressobj()

    def frame(self, text: str) -> bytes:
        """Return the message, ended by a sync flush (00 00 FF FF)."""
        return self._stream.compress(text.encode()) + self._stream.flush(zlib.Z_SYNC_FLUSH)


class ZstdStream:
    """`compress=zstd-stream`, through `zstandard` or Python 3.14's `compression.zstd`.

    Args:
        compress: compresses bytes to a flushed block.
    """

    def __init__(self, compress: Callable[[bytes], bytes]) -> None:
        self._compress = compress

    def frame(self, text: str) -> bytes:
        """Return the message as a flushed block."""
        return self._compress(text.encode())


def compressor_for(name: str | None) -> Compressor | None:
    """Return the compressor with this name, or None for plain text.

    Raises:
        ValueError: it is unknown or not installed.
    """
    if name is None:
        return None
    if name == "zlib-stream":
        return ZlibStream()
    if name == "zstd-stream":
        return ZstdStream(_zstd())
    raise ValueError(name)


def _zstd() -> Callable[[bytes], bytes]:
    for module, make in (("zstandard", _from_zstandard), ("compression.zstd", _from_standard_library)):
        try:
            return make(importlib.import_module(module))
        except ImportError:
            continue
    raise ValueError("zstd-stream")


def _from_zstandard(module: ModuleType) -> Callable[[bytes], bytes]:
    stream = module.ZstdCompressor().compressobj()
    block = module.COMPRESSOBJ_FLUSH_BLOCK
    return lambda content: bytes(stream.compress(content) + stream.flush(block))


def _from_standard_library(module: ModuleType) -> Callable[[bytes], bytes]:
    stream = module.ZstdCompressor()
    return lambda content: bytes(stream.compress(content, stream.FLUSH_BLOCK))
