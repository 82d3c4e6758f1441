"""Writes what a benchmark measured to its own section of docs/performance.md."""

import os
import platform
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

PERFORMANCE = Path(__file__).parent.parent / "docs" / "performance.md"
_HEADING = "# Performance, measured\n\nEach section is written by the command that it names.\n"


def write_section(name: str, text: str, path: Path = PERFORMANCE) -> None:
    """Replace the section `name` of a document, or append it.

    Args:
        name: of the section's markers.
        text: its new content.
        path: of the document.
    """
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    section = f"{begin}\n{text.strip()}\n{end}"
    before = path.read_text(encoding="utf-8") if path.exists() else _HEADING
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    after, found = pattern.subn(lambda _: section, before)
    path.write_text(after if found else f"{before.rstrip()}\n\n{section}\n", encoding="utf-8")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; numbers are in the columns after the first."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def circumstances(*packages: str) -> str:
    """Return when, on what machine and with which versions something was measured."""
    versions = [f"{package} {version(package)}" for package in packages]
    software = ", ".join([f"Python {platform.python_version()}", *versions])
    return f"Measured {datetime.now(UTC):%Y-%m-%d} on {_processor()}, {os.cpu_count()} cores, {software}."


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
