"""Strategies: JSON of every shape, JSON that was tampered with, and texts that mean to do harm."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

_ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=30),
)
JSON = st.recursive(
    _ODD, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
)
"""Any JSON."""

_HARM = st.sampled_from(
    [
        "@everyone",
        "@here",
        "<@1>",
        "<@&1>",
        "<#1>",
        "```",
        "||",
        "](http://a.invalid)",
        "\u202e",
        "\u0000",
        "\ud83d",
        "🐈‍⬛",
    ]
)
TEXT = st.lists(_HARM | st.text(max_size=40), min_size=1, max_size=8).map(" ".join)
"""Texts with mentions, markdown, control characters and everything else that can be typed."""

Tampering = tuple[int, str, Any]

TAMPERINGS = st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from(["drop", "set", "add"]), JSON), max_size=3)
"""What to do to which of a payload's places."""


def tampered(body: Any, tamperings: list[Tampering]) -> Any:  # noqa: ANN401 - JSON has any shape
    """Return a copy of a JSON value with some of its places dropped, replaced or added to."""
    body = deepcopy(body)
    for number, action, value in tamperings:
        places = list(_places(body))
        if places:
            _tamper(*places[number % len(places)], action, value)
    return body


def _places(node: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401 - JSON has any shape
    keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else []
    for key in keys:
        yield node, key
        yield from _places(node[key])


def _tamper(parent: Any, key: Any, action: str, value: Any) -> None:  # noqa: ANN401 - JSON has any shape
    match action:
        case "drop":
            del parent[key]
        case "set":
            parent[key] = value
        case _ if isinstance(parent, dict):
            parent["unknown"] = value
        case _:
            parent.append(value)
