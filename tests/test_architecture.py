"""Nobody imports what is above them; and the checker that holds this sees it when somebody does."""

from functools import cache
from pathlib import Path

import pytest

from tests.architecture import FLOORS, ORDER, Graph, imports_of, is_in, read_graph, violations

ROOT = Path(__file__).parents[1]


@cache
def graph() -> Graph:
    """Read what the house imports, once."""
    return read_graph(ROOT, ("bot", "cogs"))


def test_the_house_keeps_its_floors() -> None:
    assert violations(graph()) == []


def test_every_floor_and_place_is_taken() -> None:
    assert {room for room in FLOORS if not any(is_in(module, (room,)) for module in graph())} == set()
    places = {f"{room}.{name}" for room, rows in ORDER.items() for names in rows for name in names}
    assert places - set(graph()) <= {"bot.pools.service"}


def test_the_sandbox_is_imported_by_tests_and_the_command_line_only() -> None:
    importers = {
        module for module, targets in graph().items() if any(is_in(each, ("bot.sandbox",)) for each in targets)
    }
    assert {module for module in importers if not is_in(module, ("bot.sandbox",))} == {"bot.__main__"}


@pytest.mark.parametrize(
    ("module", "statement", "words"),
    [
        ("bot.errors", "from bot.config import Settings", "only goes down"),
        ("bot.storage.database", "from bot.jobs.models import Job", "only goes down"),
        ("bot.storage.schema", "import bot.config", "only goes down"),
        ("bot.pools.rules", "from bot.jobs import models", "only goes down"),
        ("bot.jobs.models", "from bot.client import VideoBot", "only goes down"),
        ("bot.client", "import cogs.video", "only goes down"),
        ("cogs.video", "from bot.app import run", "only goes down"),
        ("bot.app", "from bot.__main__ import main", "only goes down"),
        ("bot.jobs.models", "from bot.jobs.worker import Worker", "order of its room"),
        ("bot.jobs.repository", "from bot.jobs import service", "order of its room"),
        ("bot.jobs.gate", "from bot.jobs.models import Job", "order of its room"),
        ("bot.pools.models", "from bot.pools.ledger import hold", "order of its room"),
        ("bot.provider.models", "def f():\n    import bot.provider.ulazai", "order of its room"),
        ("cogs.video", "from bot.jobs.repository import JobRepository", "cogs know services"),
        ("cogs._render", "from bot.pools import ledger", "cogs know services"),
        ("cogs.delivery", "import aiohttp", "cogs know services"),
        ("cogs.delivery", "from sqlalchemy import select", "cogs know services"),
        ("cogs.delivery", "from bot.provider.ulazai import UlazaiProvider", "cogs know services"),
        ("bot.jobs.delivery", "import discord", "ids cross as int"),
        ("bot.config", "if True:\n    from discord.ext import commands", "ids cross as int"),
        ("bot.jobs.worker", "import aiohttp.web", "HTTP has its places"),
        ("bot.jobs.service", "from sqlalchemy.exc import IntegrityError", "SQL has its places"),
        ("bot.sandbox.faults", "from bot.errors import ReelpoolError", "knows nothing of the bot"),
        ("bot.sandbox.faults", "import cogs.video", "knows nothing of the bot"),
        ("bot.app", "from bot.sandbox.faults import Fault", "does not know of the sandbox"),
        ("bot.newcomer", "", "has no floor"),
        ("bot.jobs.newcomer", "", "has no place in bot.jobs"),
    ],
)
def test_the_checker_sees_what_is_wrong(module: str, statement: str, words: str) -> None:
    changed = {**graph(), module: graph().get(module, set()) | imports_of(module, statement, graph())}
    assert [found for found in violations(changed) if found.startswith(module) and words in found]


def test_the_checker_sees_circles() -> None:
    changed = {**graph(), "cogs._render": graph()["cogs._render"] | {"cogs.video"}}
    assert [found for found in violations(changed) if found.startswith("a circle") and "cogs.video" in found]


def test_imports_are_found_wherever_they_stand() -> None:
    source = """
import os.path, bot.errors as e
from bot import clock, __version__
from bot.jobs.models import Job
def f():
    from cogs import video
if TYPE_CHECKING:
    import discord.ext.commands
"""
    found = imports_of("bot.x", source, graph())
    assert found == {"os", "bot.errors", "bot.clock", "bot", "bot.jobs.models", "cogs.video", "discord"}


def test_relative_imports_are_refused() -> None:
    with pytest.raises(ValueError, match="relative"):
        imports_of("bot.x", "from . import clock", graph())
