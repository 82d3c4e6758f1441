"""Copies of videos on disk, so that they outlive the links of those who made them.

One file for each video, in one folder, up to a size in all; the oldest make room for the newest. A copy is never a
promise: when the disk is full or can't be written, that costs the copy and nothing else.
"""

import asyncio
import contextlib
import os
import re
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import IO

import structlog

from bot.media.downloads import open_in_thread

_log = structlog.get_logger(__name__)

# Listing the folder gets slower as it fills: this many files are remembered from each listing.
_OLDEST = 100
_PARTIAL = ".reelpool-partial-"
_KEY = re.compile(r"[0-9a-z-]{1,64}")
_NAME = re.compile(rf"reelpool-{_KEY.pattern}\.mp4")


class Archive:
    """A folder of copies, each under a key; any number of coroutines may use it at once.

    A key has up to 64 small letters, digits and hyphens and contains nothing secret: it becomes a file's name. Other
    files in the folder are neither counted nor touched.

    Args:
        folder: where; None keeps nothing. It is made where it is not there.
        max_bytes: of all copies together. A video that is longer is not kept.
    """

    def __init__(self, folder: Path | None, max_bytes: int) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        # Room that was made for one copy must not be taken by another.
        self._storing = asyncio.Lock()
        self._causes_told: set[int | None] = set()
        # What is in the folder; None: to be counted.
        self._stock: _Index | None = None

    async def open(self) -> None:
        """Make the folder, and clear away what a killed process left and what is over the size. Never raises."""
        if (folder := self.folder) is not None:
            await self._attempt(lambda: self._open(folder))

    def _open(self, folder: Path) -> bool:
        _make_folder(folder)
        for partial in folder.glob(f"{_PARTIAL}*"):
            partial.unlink(missing_ok=True)
        self._stock = _Index(folder)
        self._stock.make_room(self.max_bytes)
        return True

    async def store(self, key: str, file: IO[bytes]) -> bool:
        """Keep a copy of a whole file, in place of an earlier one under the same key.

        Whatever is killed and when, there is the whole copy or none.

        Args:
            key: what it is found by.
            file: is read from its start, and is at its start again afterwards.

        Returns:
            Whether it is kept. Where the disk is why it is not, the log says so, once for each cause.

        Raises:
            ValueError: the key is not one.
        """
        name = _name(key)
        if (folder := self.folder) is None:
            return False
        async with self._storing:
            return await self._attempt(lambda: self._store(folder / name, file))

    def _store(self, path: Path, file: IO[bytes]) -> bool:
        try:
            size_bytes = file.seek(0, os.SEEK_END)
            if size_bytes > self.max_bytes:
                return False
            _make_folder(path.parent)
            # Whatever breaks off from here on: then it has to be counted what is there.
            stock, self._stock = self._stock, None
            stock = stock or _Index(path.parent)
            stock.make_room(self.max_bytes - size_bytes, path)
            file.seek(0)
            # Also where the clock was set back, the newest copy is the newest.
            stored_at_ns = max(time.time_ns(), stock.newest_ns + 1)
            _write(path, file, stored_at_ns)
            stock.add(size_bytes, stored_at_ns)
            self._stock = stock
            return True
        finally:
            file.seek(0)

    async def find(self, key: str) -> BufferedReader | None:
        """Return a copy, open for reading, or None; once open it stays readable, even if it has to make room.

        Raises:
            ValueError: the key is not one.
        """
        name = _name(key)
        if (folder := self.folder) is None:
            return None
        try:
            return await open_in_thread(lambda: (folder / name).open("rb"))
        except FileNotFoundError:
            return None
        except OSError as error:
            self._tell(error)
            return None

    async def _attempt(self, work: Callable[[], bool]) -> bool:
        try:
            done = await asyncio.to_thread(work)
        except OSError as error:
            self._tell(error)
            return False
        # The next trouble is news again.
        self._causes_told.clear()
        return done

    def _tell(self, error: OSError) -> None:
        if error.errno not in self._causes_told:
            self._causes_told.add(error.errno)
            _log.error("the archive can't be used; videos are posted without a copy", cause=error.strerror)


@dataclass(frozen=True, slots=True)
class _Copy:
    path: Path
    size_bytes: int
    stored_at_ns: int


class _Index:
    """What is in the folder, so that it is not gone through for each copy.

    Attributes:
        newest_ns: when the newest copy was stored.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count()

    def _count(self) -> None:
        copies = sorted(_copies(self._folder), key=lambda copy: (copy.stored_at_ns, copy.path))
        self._size_bytes = sum(copy.size_bytes for copy in copies)
        self.newest_ns = copies[-1].stored_at_ns if copies else 0
        # Those that make room next.
        self._oldest = deque(copies[:_OLDEST])

    def add(self, size_bytes: int, stored_at_ns: int) -> None:
        """A copy was stored."""
        self._size_bytes += size_bytes
        self.newest_ns = stored_at_ns

    def make_room(self, max_bytes: int, replaced: Path | None = None) -> None:
        """Remove the oldest copies until the others have at most `max_bytes`; the one that is replaced is none."""
        if replaced is not None:
            self._size_bytes -= _status(replaced).size_bytes
        while self._size_bytes > max_bytes:
            if not self._oldest:
                self._count()
                self._size_bytes -= _status(replaced).size_bytes if replaced else 0
                if not self._oldest:
                    return
            copy = self._oldest.popleft()
            # A file that was stored again has a new age and size.
            if copy.path != replaced and _status(copy.path).stored_at_ns in (0, copy.stored_at_ns):
                copy.path.unlink(missing_ok=True)
                self._size_bytes -= copy.size_bytes


def _name(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError(f"not a key of the archive: {key!r}")
    return f"reelpool-{key}.mp4"


def _make_folder(folder: Path) -> None:
    # Members' videos are nobody else's on this machine.
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _status(path: Path) -> _Copy:
    """Return what is there; one of no size and no time if there is nothing."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return _Copy(path, 0, 0)
    return _Copy(path, status.st_size, status.st_mtime_ns)


def _copies(folder: Path) -> Iterator[_Copy]:
    with os.scandir(folder) as entries:
        for entry in entries:
            # An operator may remove copies by hand at any time.
            with contextlib.suppress(FileNotFoundError):
                if _NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                    status = entry.stat(follow_symlinks=False)
                    yield _Copy(Path(entry.path), status.st_size, status.st_mtime_ns)


def _write(path: Path, file: IO[bytes], stored_at_ns: int) -> None:
    descriptor, name = tempfile.mkstemp(prefix=_PARTIAL, dir=path.parent)
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as copy:
            shutil.copyfileobj(file, copy)
            copy.flush()
            os.fsync(copy.fileno())
        os.utime(partial, ns=(stored_at_ns, stored_at_ns))
        partial.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
