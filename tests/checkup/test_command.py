"""The command itself: its lines, its colours and its exit code."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.__main__ import main


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
