"""One bot per database."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from bot.errors import DatabaseInUseError, StorageError
from bot.storage.files import make_folder


@contextmanager
def only_bot_on(path: Path) -> Iterator[None]:
    """Keep a database to this process until the end of the block, or of the process.

    The lock is the operating system's, on a file beside the database. It goes with its process however that
    ends, so that a crash leaves nothing to clear away. Who only reads, as a backup does, needs no lock.

    Raises:
        DatabaseInUseError: another bot has it.
        StorageError: the file of the lock can't be made.
    """
    make_folder(path)
    # Two names of one database, such as a link and its target, must meet at one lock.
    lock = FileLock(f"{path.resolve()}.lock", mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise DatabaseInUseError(
            f"another bot is running on {path}: stop it first, or give this one its own DATABASE_URL."
        ) from error
    except (OSError, NotImplementedError) as error:
        raise StorageError(f"can't lock {lock.lock_file}: {error}") from error
    try:
        yield
    finally:
        lock.release()
