"""Who is first, while ranks change all the time. Pure."""

import heapq
from collections.abc import Iterable
from typing import Generic, Protocol, Self, TypeVar

_SLACK = 16


class Comparable(Protocol):
    """What can be put in order."""

    def __lt__(self, other: Self, /) -> bool:
        """Tell whether this comes before the other."""
        ...


R = TypeVar("R", bound=Comparable)


class PriorityMap(Generic[R]):
    """Keys by rank, the lowest first, and among equals the lowest key.

    A change of rank pushes a new entry on a heap; the old one is passed over when it comes up. So each change costs
    O(log n), spread over many, however many there are.
    """

    def __init__(self) -> None:
        self._ranks: dict[int, R] = {}
        self._heap: list[tuple[R, int]] = []

    def __len__(self) -> int:
        return len(self._ranks)

    def put(self, key: int, rank: R) -> None:
        """Give a key this rank, in place of an earlier one."""
        if self._ranks.get(key) == rank:
            return
        self._ranks[key] = rank
        heapq.heappush(self._heap, (rank, key))
        if len(self._heap) > 2 * len(self._ranks) + _SLACK:
            self._heap = [(rank, key) for key, rank in self._ranks.items()]
            heapq.heapify(self._heap)

    def drop(self, key: int) -> None:
        """Take a key out, if it is there."""
        self._ranks.pop(key, None)

    def __contains__(self, key: int) -> bool:
        return key in self._ranks

    def first(self) -> int:
        """Return the key with the lowest rank.

        Raises:
            IndexError: there is none.
        """
        while self._ranks.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][1]

    def keys(self) -> Iterable[int]:
        """Return all keys, in no order."""
        return self._ranks.keys()

    def in_order(self) -> list[int]:
        """Return all keys, the first one first."""
        return sorted(self._ranks, key=lambda key: (self._ranks[key], key))
