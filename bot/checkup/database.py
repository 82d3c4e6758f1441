"""The database: is it there, sound and of this version, and is there room for it to grow?"""

import os
import shutil
from pathlib import Path

from bot.checkup.findings import Finding, ok, warning, wrong
from bot.errors import StorageError
from bot.storage.inspection import Schema, inspect_file

_SUBJECT = "database"
_DISK = "disk space"
_BYTES_PER_MB = 1_000_000
# The bot writes a few kilobytes a job: below the first it may stop any moment, below the second within weeks.
_NO_ROOM_BYTES = 20 * _BYTES_PER_MB
_LITTLE_ROOM_BYTES = 200 * _BYTES_PER_MB


def check_database(path: Path) -> list[Finding]:
    """Check the database and its disk without changing anything. Reads the whole file."""
    try:
        folder = _existing_folder(path)
        return [_check_file(path, folder), _check_disk(folder)]
    except OSError as error:
        return [wrong(_SUBJECT, f"{path} can't be read ({error.strerror}): run this as the bot's own user.")]


def _check_file(path: Path, folder: Path) -> Finding:
    if not os.access(folder, os.W_OK | os.X_OK):
        return wrong(_SUBJECT, f"{folder} can't be written by this user: change its owner, or DATABASE_URL.")
    if not path.exists():
        return ok(_SUBJECT, f"{path} is not there yet; the bot makes it when it starts.")
    if not os.access(path, os.R_OK | os.W_OK):
        return wrong(_SUBJECT, f"{path} can't be written by this user: change its owner or its permissions.")
    try:
        schema = inspect_file(path, thorough=True)
    except StorageError as error:
        return wrong(_SUBJECT, str(error))
    size = f"{path}, {path.stat().st_size / _BYTES_PER_MB:.1f} MB, sound"
    if schema is Schema.OLDER:
        return warning(_SUBJECT, f"{size}, of an older version: make a backup; the bot brings it up to date at start.")
    return ok(_SUBJECT, f"{size}, of this version." if schema is Schema.CURRENT else f"{size}, still empty.")


def _check_disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    text = f"{free / _BYTES_PER_MB:,.0f} MB are free at {folder}"
    if free < _NO_ROOM_BYTES:
        return wrong(_DISK, f"{text}: make room, or the bot soon can't take a request.")
    if free < _LITTLE_ROOM_BYTES:
        return warning(_DISK, f"{text}: make room soon.")
    return ok(_DISK, f"{text}.")


def _existing_folder(path: Path) -> Path:
    """Return the folder of a file, or the one in which that folder would be made."""
    return next(folder for folder in path.resolve().parents if folder.is_dir())
