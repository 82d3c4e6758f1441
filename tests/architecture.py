"""The floors of the house: who may import whom. README.md, "How it is built", draws them."""

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

Graph = Mapping[str, set[str]]
"""Each module of ours with what it imports: modules of ours by their whole name, others by their first word."""

# An arrow only goes to a lower floor; rooms on one floor do not know each other.
FLOORS = {
    "bot.__main__": 7,
    "bot.app": 6,
    "bot.checkup": 6,
    "cogs": 6,
    "bot.client": 5,
    "bot.command_sync": 4,
    "bot.jobs": 4,
    "bot.pools": 3,
    "bot.storage": 2,
    "bot.provider": 2,
    "bot.config": 2,
    "bot.downloads": 2,
    "bot.archive": 2,
    "bot.errors": 1,
    "bot.clock": 1,
    "bot.logs": 1,
    "bot": 0,
}

# Within these rooms a module only imports those of the rows above its own.
ORDER: dict[str, tuple[tuple[str, ...], ...]] = {
    "bot.jobs": (
        ("models", "durations", "figures", "inspection", "gate", "schedule", "throttle", "ranking"),
        ("checks", "learning", "outlook", "turns"),
        ("polling",),
        ("rows", "turn_rows", "delivery", "entry", "experience", "sessions"),
        ("approval_rows",),
        ("taking",),
        ("repository", "decisions", "approvals", "session_rows"),
        ("service", "unconfirmed", "moderation", "sending", "watching", "telling", "approving", "desk", "line"),
        ("turnstile", "session_service"),
        ("worker", "session_keeper"),
    ),
    "bot.pools": (
        ("folding", "amounts"),
        ("policy", "words"),
        ("models", "brakes"),
        ("rules", "ledger", "policies", "changes", "approval_rules", "account"),
        ("allowances", "admission", "rows", "wording", "books"),
        ("reports", "book_rows", "sessions", "announcements"),
        ("forecast", "paging", "sheet"),
        ("statements",),
        ("service", "reconciliation"),
    ),
    "bot.provider": (("models",), ("ports",), ("ulazai",)),
    "bot.storage": (
        ("schema", "files", "driver"),
        ("migrations",),
        ("upgrade",),
        ("inspection", "lock"),
        ("database", "backup", "snapshot"),
    ),
}

SANDBOX = "bot.sandbox"
_IN_SQL = (
    "bot.jobs.repository",
    "bot.jobs.rows",
    "bot.jobs.turn_rows",
    "bot.jobs.decisions",
    "bot.jobs.approval_rows",
    "bot.jobs.taking",
    "bot.jobs.approvals",
    "bot.jobs.session_rows",
    "bot.pools.ledger",
    "bot.pools.rows",
    "bot.pools.policies",
    "bot.pools.sessions",
    "bot.pools.paging",
    "bot.pools.statements",
    "bot.pools.announcements",
    "bot.pools.book_rows",
)
_SQL = ("bot.storage", *_IN_SQL, "bot.config")
_HTTP = ("bot.provider.ulazai", "bot.downloads", "bot.client", "bot.app", "bot.checkup", SANDBOX)
_DISCORD_FLOOR = 5
_NOT_FOR_COGS = (*_IN_SQL, "bot.provider.ulazai", "bot.storage", "sqlalchemy", "aiohttp")


def is_in(module: str, places: Iterable[str]) -> bool:
    """Tell whether a module is one of these, or in one of these packages."""
    return any(module == place or module.startswith(f"{place}.") for place in places)


def room_of(module: str) -> str | None:
    """Return the room that a module of ours is in; None if it has no floor yet."""
    rooms = [room for room in FLOORS if module == room or (room != "bot" and module.startswith(f"{room}."))]
    return max(rooms, key=len, default=None)


def is_ours(module: str) -> bool:
    """Tell a module of this project from a library."""
    return is_in(module, ("bot", "cogs"))


def violations(graph: Graph) -> list[str]:
    """Return what breaks the rules, in words."""
    return [*_homeless(graph), *_cycles(graph), *_forbidden(graph)]


def _homeless(graph: Graph) -> Iterator[str]:
    for module in graph:
        if not is_in(module, (SANDBOX,)) and room_of(module) is None:
            yield f"{module} has no floor"
        room = room_of(module)
        if room in ORDER and module != room and _row(room, module) is None:
            yield f"{module} has no place in {room}"


def _cycles(graph: Graph) -> Iterator[str]:
    # In the sandbox a connection and its gateway name each other's types, which is no circle when it runs.
    ours = {module: targets - {module} for module, targets in graph.items() if not is_in(module, (SANDBOX,))}
    try:
        TopologicalSorter(ours).prepare()
    except CycleError as error:
        yield f"a circle: {' -> '.join(error.args[1])}"


@dataclass(frozen=True, slots=True)
class Rule:
    """What one import must not do."""

    words: str
    is_broken: Callable[[str, str], bool]


def _forbidden(graph: Graph) -> Iterator[str]:
    for module, targets in graph.items():
        for target in sorted(targets):
            yield from (f"{module} imports {target}: {rule.words}" for rule in RULES if rule.is_broken(module, target))


def _goes_up(module: str, target: str) -> bool:
    if not is_ours(target) or is_in(module, (SANDBOX,)) or is_in(target, (SANDBOX,)):
        return False
    room, other = room_of(module), room_of(target)
    if room is None or other is None or room == other:
        return False
    return FLOORS[other] >= FLOORS[room]


def _is_out_of_order(module: str, target: str) -> bool:
    room = room_of(module)
    if room is None or room not in ORDER or room_of(target) != room:
        return False
    row, other = _row(room, module), _row(room, target)
    is_same_package = module.split(".")[:3] == target.split(".")[:3]
    return row is not None and other is not None and not is_same_package and other >= row


def _row(room: str, module: str) -> int | None:
    if module == room:
        return -1
    name = module.removeprefix(f"{room}.").split(".")[0]
    return next((number for number, names in enumerate(ORDER[room]) if name in names), None)


def _is_below(module: str, floor: int) -> bool:
    room = room_of(module)
    return not is_in(module, (SANDBOX,)) and room is not None and FLOORS[room] < floor


RULES = (
    Rule("an arrow only goes down", _goes_up),
    Rule("not in the order of its room", _is_out_of_order),
    Rule(
        "cogs know services, values, the client and discord",
        lambda module, target: is_in(module, ("cogs",)) and is_in(target, _NOT_FOR_COGS),
    ),
    Rule(
        "ids cross as int below the client",
        lambda module, target: target == "discord" and _is_below(module, _DISCORD_FLOOR),
    ),
    Rule("HTTP has its places", lambda module, target: target == "aiohttp" and not is_in(module, _HTTP)),
    Rule("SQL has its places", lambda module, target: target == "sqlalchemy" and not is_in(module, _SQL)),
    Rule(
        "the sandbox knows nothing of the bot but its settings",
        lambda module, target: (
            is_in(module, (SANDBOX,)) and is_ours(target) and not is_in(target, (SANDBOX, "bot.config"))
        ),
    ),
    Rule(
        "the bot does not know of the sandbox",
        lambda module, target: is_in(target, (SANDBOX,)) and not is_in(module, (SANDBOX,)) and module != "bot.__main__",
    ),
)


def read_graph(root: Path, packages: Iterable[str]) -> dict[str, set[str]]:
    """Read what every module of these packages imports."""
    sources = {
        _name(path.relative_to(root)): path.read_text(encoding="utf-8")
        for package in packages
        for path in sorted((root / package).rglob("*.py"))
    }
    return {module: imports_of(module, source, sources) for module, source in sources.items()}


def _name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(module: str, source: str, known: Iterable[str]) -> set[str]:
    """Return what a module imports, wherever in it the import stands."""
    modules = set(known)
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(_known_as(alias.name, modules) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"{module} has a relative import")
            origin = node.module or ""
            found.update(_known_as(f"{origin}.{alias.name}", modules) for alias in node.names)
    return found


def _known_as(name: str, modules: set[str]) -> str:
    """Cut a name down to the module of ours that holds it, or to a library's first word."""
    if not is_ours(name):
        return name.split(".", maxsplit=1)[0]
    while name not in modules and "." in name:
        name = name.rpartition(".")[0]
    return name
