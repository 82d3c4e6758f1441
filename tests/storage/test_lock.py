"""One bot per database, as the operating system sees it. Whole processes are tried in tests/e2e/test_operator.py."""

from pathlib import Path

import pytest

from bot.errors import DatabaseInUseError, ReelpoolError, StorageError
from bot.storage.database import Database
from bot.storage.lock import only_bot_on
from tests.storage.test_database import url_of


def test_a_second_bot_is_refused_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with only_bot_on(path):
        with (
            pytest.raises(DatabaseInUseError, match=r"another bot is running on .*a.db: stop it first"),
            only_bot_on(path),
        ):
            pass
        # Who is refused leaves the lock with the one that has it.
        with pytest.raises(DatabaseInUseError), only_bot_on(path):
            pass
    with only_bot_on(path):
        pass


def test_other_names_of_the_same_file_share_one_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "a.db")
    (tmp_path / "folder").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    with only_bot_on(tmp_path / "a.db"):
        for name in (Path("a.db"), tmp_path / "link.db", tmp_path / "folder" / "a.db", tmp_path / "x" / ".." / "a.db"):
            with pytest.raises(DatabaseInUseError), only_bot_on(name):
                pass
        with only_bot_on(tmp_path / "b.db"):
            pass


def test_the_lock_ends_with_an_error(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.db"
    with pytest.raises(ReelpoolError), only_bot_on(path):
        raise ReelpoolError
    with only_bot_on(path):
        assert path.parent.is_dir()


def test_a_lock_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "a.db.lock").mkdir()
    with pytest.raises(StorageError, match=r"can't lock .*a.db.lock"), only_bot_on(tmp_path / "a.db"):
        pass


async def test_it_is_no_lock_on_the_database_itself(tmp_path: Path) -> None:
    with only_bot_on(tmp_path / "a.db"):
        async with Database.open(url_of(tmp_path / "a.db")) as database, database.reading():
            pass
