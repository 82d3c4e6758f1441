"""Public functions, methods and constructors with three or more own arguments document them, one by one.

No linter asks for an `Args:` section by the number of arguments; that a section names them all is ruff's D417, and that
every raise is documented its DOC501.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("bot", "cogs", "sandbox", "benchmarks")
_FEWEST = 3
# What a library passes: Discord's interaction, and the three arguments of discord.py's `DynamicItem.from_custom_id`.
_PASSED_BY_LIBRARIES = {"self", "cls", "interaction"}
_OF_LIBRARIES = {"from_custom_id"}
# Where the decorators describe each option to the person who uses it.
_DESCRIBING = re.compile(r"^(app_commands\.describe|click\.(option|argument))\(")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def own_arguments(function: Function) -> list[str]:
    """Return the names of the arguments that are the function's own."""
    given = function.args
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    names = [each.arg for each in named if each is not None]
    return [name for name in names if name not in _PASSED_BY_LIBRARIES and not name.startswith("_")]


def undocumented(source: str) -> Iterator[str]:
    """Yield the public functions of a module that should document their arguments, and don't."""
    yield from _undocumented(ast.parse(source))


def _undocumented(owner: ast.Module | ast.ClassDef) -> Iterator[str]:
    for node in owner.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from (f"{node.name}.{name}" for name in _undocumented(node))
        elif isinstance(node, Function) and _should_document(node) and not _is_documented(node, owner):
            yield node.name


def _should_document(function: Function) -> bool:
    is_public = function.name == "__init__" or not function.name.startswith("_")
    is_described = any(_DESCRIBING.match(ast.unparse(each)) for each in function.decorator_list)
    is_overload = any(ast.unparse(each).endswith("overload") for each in function.decorator_list)
    if not is_public or is_described or is_overload or function.name in _OF_LIBRARIES:
        return False
    return len(own_arguments(function)) >= _FEWEST


def _is_documented(function: Function, owner: ast.Module | ast.ClassDef) -> bool:
    text = ast.get_docstring(function) or ""
    if function.name == "__init__":
        # In the class's docstring, and what stays an attribute under its own name may stand there as one.
        described = f"{ast.get_docstring(owner)}\n{text}"
        return all(re.search(rf"(?m)^    {name}: ", described) for name in own_arguments(function))
    # "See `Notifier.post`": the protocol that it implements documents them.
    return text.startswith("See `") or re.search(r"(?m)^Args:$", text) is not None


MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def test_functions_with_three_arguments_document_them() -> None:
    found = {
        path.relative_to(ROOT).as_posix(): names
        for path in MODULES
        if (names := list(undocumented(path.read_text(encoding="utf-8"))))
    }
    assert found == {}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('def f(a, b, c):\n    """Do."""', ["f"]),
        ('def f(a, b, *, c=0):\n    """Do.\n\n    Args:\n        a: one.\n    """', []),
        ('def f(a, b):\n    """Do."""', []),
        ('def _f(a, b, c):\n    """Do."""', []),
        ('class A:\n    """It."""\n\n    def __init__(self, a, b, c):\n        pass', ["A.__init__"]),
        (
            'class A:\n    """It.\n\n    Args:\n        a: 1.\n    """\n\n    def __init__(self, a, b, c): 0',
            ["A.__init__"],
        ),
        ('class A:\n    async def f(self, a, b, c):\n        """See `B.f`."""', []),
        ('@app_commands.describe(a="x")\nasync def f(interaction, a, b, c):\n    """Do."""', []),
        ('async def f(interaction, a, b):\n    """Do."""', []),
    ],
)
def test_the_check_sees_what_is_missing(source: str, found: list[str]) -> None:
    assert list(undocumented(source)) == found
