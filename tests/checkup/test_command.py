"""The command itself: its lines, its colours and its exit code."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.__main__ import main
from bot.checkup.findings import Verdict
from bot.checkup.run import check_env_file

REPOSITORY = str(Path(__file__).parents[2])


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("DISCORD_TOKEN", "ULAZAI_API_KEY", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    yield
    logging.disable(logging.NOTSET)


def test_lines_are_plain_where_nobody_sees_colours() -> None:
    result = CliRunner().invoke(main, ["check"])
    assert result.exit_code == 1
    assert [line.split(":")[0] for line in result.output.splitlines()] == [
        "WRONG   settings",
        "WRONG   settings",
        "ok      database",
        "ok      disk space",
        "warning all else",
    ]
    assert "\x1b" not in result.output


def test_lines_are_coloured_on_a_terminal() -> None:
    result = CliRunner().invoke(main, ["check"], color=True)
    starts = [line.split("m")[0] for line in result.output.splitlines()]
    red, green, yellow = "\x1b[31", "\x1b[32", "\x1b[33"
    assert starts == [red, red, green, green, yellow]


def test_a_wrong_database_address_is_exit_code_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "nowhere")
    result = CliRunner().invoke(main, ["backup", "copy.db"])
    assert result.exit_code == 2
    assert "DATABASE_URL: must look like sqlite:///" in result.output


def test_a_console_that_cannot_show_a_character_loses_only_that(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONIOENCODING": "latin-1", "DATABASE_URL": f"sqlite:///{tmp_path}/\u6f22.db"}
    line = [sys.executable, "-m", "bot", "check"]
    done = subprocess.run(  # noqa: S603 - our own command
        line, env=environment | {"PYTHONPATH": REPOSITORY}, capture_output=True, text=True, check=False
    )
    assert "?.db is not there yet" in done.stdout
    assert "warning all else" in done.stdout


@pytest.mark.skipif(os.name != "posix", reason="no modes of files")
def test_an_env_file_that_others_may_read_is_warned_of(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("")
    for mode, verdict in ((0o600, Verdict.OK), (0o644, Verdict.WARNING), (0o620, Verdict.WARNING)):
        file.chmod(mode)
        found = check_env_file()
        assert found.verdict is verdict
        assert ("chmod 600" in found.text) is (verdict is Verdict.WARNING)
