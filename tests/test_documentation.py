"""What the README, `.env.example` and the changelog say is what there is; all of it, and nothing else."""

import ast
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from discord import Permissions, app_commands
from pydantic.fields import FieldInfo

import bot
import bot.__main__ as command_line
from bot.client import PERMISSIONS
from bot.config import Settings
from cogs.commands import declared

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
ENV_EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

_ROW = re.compile(r"\|(.*)\|")
_SETTING = re.compile(r"(# )?([A-Z][A-Z0-9_]*)=(.*)")
_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(\[[\w,]+\])?(?P<bounds>.*)")


def table(heading: str, document: str = README) -> list[list[str]]:
    """Return the rows of every table with this first column's heading, cell by cell."""
    rows: list[list[str]] = []
    is_inside = False
    for line in document.splitlines():
        match = _ROW.fullmatch(line)
        cells = [cell.strip() for cell in match[1].split("|")] if match else []
        is_inside = bool(cells) and (is_inside or cells[0] == heading)
        if is_inside and cells[0] != heading and not cells[0].startswith("---"):
            rows.append(cells)
    return rows


def unquoted(cell: str) -> str:
    """Return what stands between a cell's backquotes."""
    return cell.strip().removeprefix("`").removesuffix("`")


# Settings


def default_of(field: FieldInfo) -> str:
    """Return a default as it is written in the environment; a secret has none."""
    default = field.default
    if isinstance(default, bool):
        return str(default).lower()
    return "" if field.is_required() or default is None else str(default)


DEFAULTS = {name.upper(): default_of(field) for name, field in Settings.model_fields.items()}


def test_the_readme_has_every_setting_with_its_default() -> None:
    rows = table("setting")
    assert {unquoted(row[0]): unquoted(row[1]) for row in rows} == DEFAULTS
    assert len(rows) == len(DEFAULTS)
    assert all(row[2].endswith(".") for row in rows)


def test_the_example_has_every_setting_with_its_default_and_meaning() -> None:
    lines = ENV_EXAMPLE.splitlines()
    found: dict[str, str] = {}
    for before, line in zip(["", *lines], lines, strict=False):
        if match := _SETTING.fullmatch(line):
            commented, name, value = match.groups()
            assert name not in found
            assert before.startswith("# "), f"{name} has no meaning"
            assert not _SETTING.fullmatch(before)
            assert bool(commented) is not Settings.model_fields[name.lower()].is_required()
            found[name] = value
    assert found == DEFAULTS


def test_the_example_is_itself_a_file_of_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    active = ENV_EXAMPLE.replace("DISCORD_TOKEN=", "DISCORD_TOKEN=the-token").replace(
        "ULAZAI_API_KEY=", "ULAZAI_API_KEY=the-api-key"
    )
    (tmp_path / ".env").write_text(re.sub(r"(?m)^# (?=[A-Z0-9_]+=)", "", active), encoding="utf-8")
    for name in DEFAULTS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    assert Settings.model_validate(
        Settings().model_dump()  # type: ignore[call-arg, unused-ignore]  # the fields come from the file
    ) == Settings.model_validate({"discord_token": "the-token", "ulazai_api_key": "the-api-key"})


# Commands


def registered() -> Iterator[str]:
    """Yield what members can use, as the README writes it."""
    yield from map(_written, _commands_of(declared()))
    for path in (ROOT / "cogs").rglob("*.py"):
        yield from re.findall(r'ContextMenu\(\s*name="([^"]+)"', path.read_text(encoding="utf-8"))


def _commands_of(
    found: Iterable[app_commands.Command[Any, ..., Any] | app_commands.Group],
) -> Iterator[app_commands.Command[Any, ..., Any]]:
    for command in found:
        if isinstance(command, app_commands.Group):
            yield from (each for each in command.walk_commands() if isinstance(each, app_commands.Command))
        else:
            yield command


def _written(command: app_commands.Command[Any, ..., Any]) -> str:
    return f"/{command.qualified_name}"


def test_the_readme_has_every_command_and_no_other() -> None:
    told = [unquoted(row[0]) for row in table("command")]
    in_discord = [name for name in told if name.split()[0] != "reelpool"]
    assert sorted(in_discord) == sorted(registered())


def test_the_readme_has_every_option_of_each_command() -> None:
    rows = {unquoted(row[0]): row[1] for row in table("command")}
    for command in _commands_of(declared()):
        options = {parameter.display_name for parameter in command.parameters}
        assert options <= set(re.findall(r"`([a-z_]+)`", rows[_written(command)])), command.qualified_name


def test_the_readme_has_every_command_of_the_command_line() -> None:
    told = [unquoted(row[0]).split() for row in table("command")]
    subcommands = {words[1] for words in told if words[0] == "reelpool" and words[1:]}
    assert subcommands | {"sandbox"} == set(command_line.main.commands)
    assert "-m bot sandbox" in README


def test_the_readme_has_every_permission_and_no_other() -> None:
    told = [row[0].lower().replace(" ", "_") for row in table("permission")]
    # Discord's own pages say "View Channels" where its documentation has VIEW_CHANNEL.
    names = [name if name in Permissions.VALID_FLAGS else name.removesuffix("s") for name in told]
    assert Permissions(**dict.fromkeys(names, True)) == PERMISSIONS
    assert len(told) == sum(is_wanted for _, is_wanted in PERMISSIONS)


def test_the_readme_has_every_exit_code() -> None:
    codes = {value for name, value in vars(command_line).items() if name.startswith("_EXIT")}
    assert {int(row[0]) for row in table("exit code")} == codes | {0}


# Dependencies


def requirements(lines: list[str]) -> dict[str, str]:
    """Return the bounds of each library."""
    found = {}
    for line in lines:
        match = _REQUIREMENT.fullmatch(line)
        assert match, line
        if match["name"] != "reelpool":
            found[match["name"]] = match["bounds"]
    return found


RUNTIME = requirements(PROJECT["project"]["dependencies"])
EXTRAS = {name: requirements(lines) for name, lines in PROJECT["project"]["optional-dependencies"].items()}


def test_every_library_has_a_lower_and_an_upper_bound() -> None:
    build = requirements(PROJECT["build-system"]["requires"])
    for name, bounds in [
        *RUNTIME.items(),
        *build.items(),
        *(item for extra in EXTRAS.values() for item in extra.items()),
    ]:
        assert re.fullmatch(r">=[\d.]+,<[\d.]+", bounds), name


def test_each_library_has_its_reason() -> None:
    rows = table("library", ARCHITECTURE)
    assert sorted(unquoted(row[0]) for row in rows) == sorted([*RUNTIME, *EXTRAS["sandbox"]])
    assert all(row[1] for row in rows)


# Checks and versions


def test_ci_runs_the_readmes_test_line() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    (line,) = [line for block in blocks for line in block.splitlines() if "-m pytest" in line]
    first = next(line for line in README.splitlines() if "-m pytest" in line)
    assert line == first
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "test_line=$(grep --max-count=1 -e '-m pytest' README.md)" in script
    assert 'bash -euo pipefail -c "$test_line"' in script
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_there_is_one_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"(?m)^## (\S+)", changelog)
    assert newest
    assert newest[1] == PROJECT["project"]["version"] == bot.__version__


# Paths and names

DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
_PATH = re.compile(r"`((?:bot|cogs|sandbox|tests|benchmarks|docs)/[\w./-]*)`(?:: ((?:`[\w.]+`(?:, | and )?)+))?")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_links_to_is_there(path: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)]+)\)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_the_paths_and_names_in_a_document_are_there(path: Path) -> None:
    for found, names in _PATH.findall(path.read_text(encoding="utf-8")):
        assert (ROOT / found).exists(), found
        for name in re.findall(r"`([\w.]+)`", names):
            assert name in names_in(ROOT / found), f"{found}: {name}"


def names_in(path: Path) -> set[str]:
    """Return what a module defines: functions, classes, constants, and the methods and attributes of classes."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set(_defined(tree.body))
    for owner in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        attributes = {node.attr for node in ast.walk(owner) if isinstance(node, ast.Attribute)}
        found |= {f"{owner.name}.{name}" for name in attributes.union(_defined(owner.body))}
    return found


def _defined(body: Iterable[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.AnnAssign | ast.Assign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name))


def test_the_architecture_names_paths_and_names() -> None:
    assert len([names for _, names in _PATH.findall(ARCHITECTURE) if names]) > 50
