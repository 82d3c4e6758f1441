"""What a wheel and a source distribution contain, and what a wheel without the sandbox says when asked for it."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("wheel")), versions=["standard"])
    return Path(built)


def sources(*folders: str) -> set[str]:
    """Return the paths of these folders' files as the repository has them."""
    found = (path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file())
    return {path.relative_to(ROOT).as_posix() for path in found if "__pycache__" not in path.parts}


def test_wheel_is_the_bot_and_its_cogs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == sources("bot", "cogs")
    assert "bot/storage/migrations/script.py.mako" in names
    assert {name for name in names if name.startswith("bot/storage/migrations/versions/0")}


def test_source_distribution_has_the_sandbox_and_the_tests(tmp_path: Path) -> None:
    (built,) = SdistBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with tarfile.open(built) as archive:
        names = {PurePosixPath(*PurePosixPath(name).parts[1:]).as_posix() for name in archive.getnames()}
    assert sources("bot", "cogs", "sandbox", "tests", "benchmarks") <= names


def test_wheel_says_in_one_sentence_where_the_sandbox_is(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")  # noqa: S202 - a wheel built from this repository
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    # An editable install of a clone would find the clone's sandbox.
    script = (
        "import sys, runpy, pathlib;"
        "sys.path[:] = [path for path in sys.path if not pathlib.Path(path, 'sandbox').exists()];"
        "sys.argv[:] = ['reelpool', 'sandbox'];"
        "runpy.run_module('bot', run_name='__main__', alter_sys=True)"
    )
    done = subprocess.run(  # noqa: S603 - this interpreter, and nothing from outside
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")
    assert line.endswith(".")
    assert "clone the repository" in line
    assert "python -m bot sandbox" in line
