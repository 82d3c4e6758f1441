"""The archive: the cap, whole copies or none, and disks that are full or can't be written."""

import asyncio
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from bot.media.archive import Archive
from tests.properties import PROPERTY

CAP = 100
KEYS = st.integers(0, 6).map(str)
STORES = st.lists(st.tuples(KEYS, st.integers(0, CAP + 20)), min_size=1, max_size=25)


def archive_in(folder: Path, max_bytes: int = CAP) -> Archive:
    return Archive(folder, max_bytes)


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def keys(folder: Path) -> set[str]:
    return {name.removeprefix("reelpool-").removesuffix(".mp4") for name in files(folder)}


def total(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


async def content(archive: Archive, key: str) -> bytes | None:
    file = await archive.find(key)
    if file is None:
        return None
    with file:
        return file.read()


async def test_stored_copy_is_read_back(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    file = BytesIO(b"a whole video")
    file.seek(5)
    assert await archive.store("7-18c", file)
    assert file.tell() == 0
    assert await content(archive, "7-18c") == b"a whole video"
    assert await content(archive, "8-18c") is None


async def test_a_second_copy_takes_the_place_of_the_first(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    assert await archive.store("1", BytesIO(b"a" * 60))
    assert await archive.store("2", BytesIO(b"c" * 40))
    assert await archive.store("1", BytesIO(b"b" * 50))
    assert await content(archive, "1") == b"b" * 50
    assert keys(tmp_path) == {"1", "2"}


async def test_without_a_folder_nothing_is_kept() -> None:
    archive = Archive(None, CAP)
    await archive.open()
    assert not await archive.store("1", BytesIO(b"video"))
    assert await archive.find("1") is None


@pytest.mark.parametrize("key", ["", "../1", "a/b", "A", "1.mp4", "ü", "1\n", "x" * 65])
async def test_an_invalid_key_never_becomes_a_path(tmp_path: Path, key: str) -> None:
    archive = archive_in(tmp_path)
    with pytest.raises(ValueError, match="not a key"):
        await archive.store(key, BytesIO(b"video"))
    with pytest.raises(ValueError, match="not a key"):
        await archive.find(key)


@PROPERTY
@given(stores=STORES)
def test_the_size_limit_holds_and_the_newest_stay(stores: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(_check_stores(Path(name), stores))


async def _check_stores(folder: Path, stores: list[tuple[str, int]]) -> None:
    archive = archive_in(folder)
    model: dict[str, int] = {}
    for key, size in stores:
        assert await archive.store(key, BytesIO(b"x" * size)) == (size <= CAP)
        if size <= CAP:
            _store_in_model(model, key, size)
        assert total(folder) <= CAP
        assert keys(folder) == set(model)
    # A later process reads the same order from the disk.
    await archive_in(folder, 0).open()
    assert total(folder) == 0


def _store_in_model(model: dict[str, int], key: str, size: int) -> None:
    model.pop(key, None)
    while sum(model.values()) + size > CAP:
        del model[next(iter(model))]
    model[key] = size


async def test_the_folder_is_not_scanned_for_each_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive, scans = archive_in(tmp_path, 300), 0
    await archive.open()

    def count(folder: Path) -> object:
        nonlocal scans
        scans += 1
        return scan(folder)

    scan = os.scandir
    monkeypatch.setattr("bot.media.archive.os.scandir", count)
    for number in range(330):
        await archive.store(str(number), BytesIO(b"x"))
    # To look at the result goes through the folder as well.
    scans_by_archive = scans
    assert keys(tmp_path) == {str(number) for number in range(30, 330)}
    assert scans_by_archive == 1


def empty(folder: Path) -> None:
    for path in list(folder.iterdir()):
        path.unlink()


async def test_files_removed_by_hand_free_their_space(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    for number in range(CAP):
        await archive.store(str(number), BytesIO(b"x"))
    empty(tmp_path)
    for number in range(2 * CAP):
        await archive.store(f"new-{number}", BytesIO(b"x"))
    assert total(tmp_path) == CAP


async def test_a_smaller_limit_is_applied_at_start(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    for key in ("1", "2", "3"):
        await archive.store(key, BytesIO(b"x" * 30))
    await archive_in(tmp_path, 65).open()
    assert keys(tmp_path) == {"2", "3"}


async def test_the_newest_is_the_newest_though_the_clock_was_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = archive_in(tmp_path)
    await archive.store("1", BytesIO(b"x" * 50))
    monkeypatch.setattr("bot.media.archive.time.time_ns", lambda: 10**9)
    await archive.store("2", BytesIO(b"x" * 50))
    await archive.store("3", BytesIO(b"x" * 50))
    assert keys(tmp_path) == {"2", "3"}


async def test_many_at_once_stay_under_the_limit(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    await asyncio.gather(*(archive.store(str(n), BytesIO(b"x" * 30)) for n in range(20)))
    assert total(tmp_path) == 90


async def test_other_files_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    names = ("holiday.mp4", "reelpool-1.mp4.txt", "video-1.mp4")
    for name in names:
        (tmp_path / name).write_bytes(b"x" * 1000)
    archive = archive_in(tmp_path)
    await archive.open()
    assert await archive.store("1", BytesIO(b"x" * CAP))
    assert await archive.store("2", BytesIO(b"x" * CAP))
    assert files(tmp_path) == {*names, "reelpool-2.mp4"}


async def test_an_open_copy_stays_readable_when_it_makes_room(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    await archive.store("1", BytesIO(b"a" * CAP))
    file = await archive.find("1")
    assert file is not None
    with file:
        await archive.store("2", BytesIO(b"b" * CAP))
        assert await content(archive, "1") is None
        assert file.read() == b"a" * CAP


async def test_copies_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    archive = archive_in(tmp_path / "new" / "folder")
    await archive.open()
    await archive.store("1", BytesIO(b"video"))
    assert archive.folder is not None
    assert archive.folder.stat().st_mode & 0o077 == 0
    assert (archive.folder / "reelpool-1.mp4").stat().st_mode & 0o077 == 0


@contextmanager
def full_disk(room_bytes: int) -> Iterator[None]:
    """Let no file grow longer than this, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


async def test_a_full_disk_costs_the_copy_and_is_logged_once(tmp_path: Path) -> None:
    archive = archive_in(tmp_path, 10**6)
    file = BytesIO(b"x" * 50_000)
    with capture_logs() as logs:
        with full_disk(10_000):
            assert not await archive.store("1", file)
            assert not await archive.store("2", file)
        assert file.tell() == 0
        assert len(logs) == 1
        assert keys(tmp_path) == set()
        assert await archive.store("3", file)
        with full_disk(10_000):
            assert not await archive.store("4", file)
    assert len(logs) == 2
    assert keys(tmp_path) == {"3"}


async def test_an_unusable_folder_costs_the_copy_and_is_logged_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    archive = archive_in(tmp_path / "file" / "folder")
    with capture_logs() as logs:
        await archive.open()
        assert not await archive.store("1", BytesIO(b"video"))
        assert await archive.find("1") is None
    assert [log["log_level"] for log in logs] == ["error"]


async def test_a_folder_that_was_removed_is_made_again(tmp_path: Path) -> None:
    archive = archive_in(tmp_path / "folder")
    assert await archive.store("1", BytesIO(b"video"))
    assert await content(archive, "1") == b"video"


STORE_FOR_EVER = """
import asyncio, io, itertools, pathlib, sys
from bot.media.archive import Archive

async def main():
    archive = Archive(pathlib.Path(sys.argv[1]), 4_000_000)
    for n in itertools.count():
        await archive.store(str(n), io.BytesIO(bytes([n % 251]) * 300_000))
        print(n, flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("stores", [1, 6, 20])
async def test_killed_at_any_time_it_has_complete_copies_only(tmp_path: Path, stores: int) -> None:
    _store_until_killed(tmp_path, stores)
    # What a kill leaves in the middle of a copy is there for certain, too.
    (tmp_path / ".reelpool-partial-x").write_bytes(b"x" * 1000)
    archive = archive_in(tmp_path, 4_000_000)
    await archive.open()
    assert not any(name.startswith(".") for name in files(tmp_path))
    assert total(tmp_path) <= 4_000_000
    # Thirteen have room, and one of them goes before the next one comes.
    assert len(keys(tmp_path)) >= min(stores, 12)
    for key in keys(tmp_path):
        assert await content(archive, key) == bytes([int(key) % 251]) * 300_000


def _store_until_killed(folder: Path, stores: int) -> None:
    command = [sys.executable, "-c", STORE_FOR_EVER, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own command
        assert process.stdout is not None
        for _ in range(stores):
            assert process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
