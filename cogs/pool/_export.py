"""Write the ledger to a file for a moderator: in pieces, and packed where it would be too large."""

import asyncio
import tempfile
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import SEEK_END, BufferedRandom, TextIOWrapper

from bot.codes import Refusal
from bot.errors import RefusedError
from bot.pools.ledger.reports import LedgerEntry
from cogs.rendering.ledger_csv import write_entries, write_heading

_MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Export:
    """A file that can be sent: what is in it, how many entries these are, and how its name ends."""

    file: BufferedRandom
    entries: int
    suffix: str


@asynccontextmanager
async def exported(chunks: AsyncIterator[list[LedgerEntry]], max_bytes: int) -> AsyncIterator[Export]:
    """Write entries to a temporary file that has at most `max_bytes`, and yield it.

    Raises:
        RefusedError: it is larger even when packed.
    """
    with tempfile.TemporaryFile() as table, tempfile.TemporaryFile() as archive:
        count = await _write(table, chunks)
        if _size(table) <= max_bytes:
            yield Export(table, count, "csv")
            return
        await asyncio.to_thread(_pack, table, archive)
        if _size(archive) > max_bytes:
            raise RefusedError(Refusal.EXPORT_TOO_LARGE, entries=count, megabytes=max_bytes // _MEGABYTE)
        yield Export(archive, count, "zip")


async def _write(file: BufferedRandom, chunks: AsyncIterator[list[LedgerEntry]]) -> int:
    # By the mark at the beginning spreadsheets know that it is UTF-8.
    text = TextIOWrapper(file, encoding="utf-8-sig", newline="")
    write_heading(text)
    count = 0
    async for entries in chunks:
        write_entries(text, entries)
        count += len(entries)
    text.flush()
    # The file stays open when the wrapper goes.
    text.detach()
    return count


def _pack(file: BufferedRandom, archive: BufferedRandom) -> None:
    with (
        zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed,
        packed.open("ledger.csv", "w", force_zip64=True) as entry,
    ):
        while piece := file.read(_MEGABYTE):
            entry.write(piece)
    archive.seek(0)


def _size(file: BufferedRandom) -> int:
    """Return how many bytes are in a file, which is at its beginning then."""
    size = file.seek(0, SEEK_END)
    file.seek(0)
    return size
