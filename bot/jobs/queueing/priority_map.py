"""Priority queue whose priorities change. Pure."""

import heapq
from collections.abc import Iterable
from typing import Generic, Protocol, Self, TypeVar

_SLACK = 16


class Comparable(Protocol):
    """A value that can be sorted."""

    def __lt__(self, other: Self, /) -> bool:
        """Return whether this comes before the other."""
        ...


P = TypeVar("P", bound=Comparable)


class PriorityMap(Generic[P]):
    """Keys by priority, the lowest value first, and among equals the lowest key.

    A change of priority pushes a new entry on a heap; the old one is skipped when it comes up (lazy deletion). So a
    change costs amortised O(log n).
    """

    def __init__(self) -> None:
        self._priorities: dict[int, P] = {}
        self._heap: list[tuple[P, int]] = []

    def __len__(self) -> int:
        return len(self._priorities)

    def put(self, key: int, priority: P) -> None:
        """Set the priority of a key."""
        if self._priorities.get(key) == priority:
            return
        self._priorities[key] = priority
        heapq.heappush(self._heap, (priority, key))
        if len(self._heap) > 2 * len(self._priorities) + _SLACK:
            self._heap = [(priority, key) for key, priority in self._priorities.items()]
            heapq.heapify(self._heap)

    def drop(self, key: int) -> None:
        """Remove a key, if it is there."""
        self._priorities.pop(key, None)

    def __contains__(self, key: int) -> bool:
        return key in self._priorities

    def first(self) -> int:
        """Return the key with the lowest priority.

        Raises:
            IndexError: the map is empty.
        """
        while self._priorities.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][1]

    def keys(self) -> Iterable[int]:
        """Return all keys, in no order."""
        return self._priorities.keys()

    def in_order(self) -> list[int]:
        """Return all keys by priority."""
        return sorted(self._priorities, key=lambda key: (self._priorities[key], key))
