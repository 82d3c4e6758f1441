"""Fair queue: which job is submitted next while the provider takes fewer than are queued. Pure.

The next slot goes

1. to the server with the fewest jobs in flight, among equals to the one that was served least recently;
2. within it, to a job that a moderator moved to the front, the newest move first: "to the front" means before all that
   were moved earlier;
3. else to a member with no job in flight before one with any, so that nobody's first job waits behind another member's
   twentieth;
4. then to the member who used the fewest credits in the window, for submitted jobs;
5. then to the oldest job.

Nobody starves: each slot raises the counts and the used credits of the member who gets it. Members with fewer credits
used overtake, but credits leave the window, and nobody overtakes a member with none in it.

An unconfirmed job is not counted as in flight: nobody knows whether it is, and it may wait for the moderators for days,
during which its slot would stay empty.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
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


_NEVER = datetime.min.replace(tzinfo=UTC)
_TICK = timedelta(microseconds=1)

Member = tuple[int, int]
"""A member of a server: both ids, the server's first."""


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """A job in the queue or in flight.

    Attributes:
        credits: its price.
        moved_at: when a moderator moved it to the front of its server's queue.
    """

    job_id: int
    guild_id: int
    member_id: int
    credits: int
    moved_at: datetime | None = None


@dataclass(slots=True)
class _Member:
    """A member with jobs in the queue or in flight."""

    in_flight: int = 0
    used: int = 0
    is_known: bool = False
    waiting: PriorityMap[int] = field(default_factory=PriorityMap)

    @property
    def priority(self) -> tuple[bool, int, int]:
        return self.in_flight > 0, self.used, self.waiting.first()


@dataclass(slots=True)
class _Guild:
    in_flight: int = 0
    served_at: datetime = _NEVER
    members: defaultdict[int, _Member] = field(default_factory=lambda: defaultdict(_Member))
    moved: PriorityMap[float] = field(default_factory=PriorityMap)
    priorities: PriorityMap[tuple[bool, int, int]] = field(default_factory=PriorityMap)

    @property
    def next_job_id(self) -> int:
        if self.moved:
            return self.moved.first()
        return self.members[self.priorities.first()].waiting.first()


@dataclass(frozen=True, slots=True)
class _InFlight:
    """A job in flight; when its server was served with it, and before it."""

    job: QueuedJob
    served_at: datetime
    served_before: datetime


class FairQueue:
    """The queued jobs, those in flight, and which one is next.

    Taking one job costs O(log n), listing all of them in order a sort.
    """

    def __init__(self) -> None:
        self._guilds: defaultdict[int, _Guild] = defaultdict(_Guild)
        self._priorities: PriorityMap[tuple[int, datetime]] = PriorityMap()
        self._waiting: dict[int, QueuedJob] = {}
        self._in_flight: dict[int, _InFlight] = {}
        self._unknown_members: set[Member] = set()
        self._served_at = _NEVER

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, job_id: int) -> bool:
        return job_id in self._waiting

    @property
    def in_flight(self) -> Sequence[int]:
        """Ids of the jobs in flight."""
        return list(self._in_flight)

    @property
    def in_flight_count(self) -> int:
        """How many jobs are in flight."""
        return len(self._in_flight)

    @property
    def unknown_members(self) -> set[Member]:
        """Members who compete with others of their server, and whose used credits are not known."""
        return {member for member in self._unknown_members if len(self._guilds[member[0]].priorities) > 1}

    @property
    def competing_members(self) -> set[Member]:
        """Members who compete with others of their server."""
        queues = {
            guild_id: guild.priorities.keys() for guild_id, guild in self._guilds.items() if len(guild.priorities) > 1
        }
        return {(guild_id, member_id) for guild_id, member_ids in queues.items() for member_id in member_ids}

    def enqueue(self, job: QueuedJob) -> None:
        """Add a job, or replace it if it is queued or in flight."""
        self.end(job.job_id)
        if before := self._waiting.get(job.job_id):
            self._withdraw(before)
        self._waiting[job.job_id] = job
        guild = self._guild(job)
        member = self._member(job)
        if job.moved_at is not None:
            guild.moved.put(job.job_id, -job.moved_at.timestamp())
        else:
            member.waiting.put(job.job_id, job.job_id)
            if not member.is_known:
                self._unknown_members.add((job.guild_id, job.member_id))
        self._update_priorities(job)

    def remove(self, job_id: int) -> None:
        """Remove a job that is queued or in flight."""
        self.end(job_id)
        if job := self._waiting.get(job_id):
            self._withdraw(job)
            self._update_priorities(job)

    def pop(self, now: datetime) -> QueuedJob:
        """Return the next job, and count it as in flight.

        Raises:
            IndexError: the queue is empty.
        """
        guild = self._guilds[self._priorities.first()]
        job = self._waiting[guild.next_job_id]
        self._withdraw(job)
        # Later than for every job before, also within the same microsecond and after the clock was set back.
        self._served_at = max(now, self._served_at + _TICK)
        self._start(job, self._served_at)
        self._member(job).used += job.credits
        self._update_priorities(job)
        return job

    def undo_pop(self, job_id: int) -> None:
        """Undo `pop` for a job that the provider did not take."""
        if (flight := self._in_flight.get(job_id)) is None:
            return
        guild = self._guild(flight.job)
        if guild.served_at == flight.served_at:
            guild.served_at = flight.served_before
        self._member(flight.job).used -= flight.job.credits
        self.end(job_id)

    def add_in_flight(self, job: QueuedJob, sent_at: datetime) -> None:
        """Count a job as in flight that was not popped from this queue.

        Args:
            job: the job.
            sent_at: when it was submitted.
        """
        if job.job_id in self._in_flight:
            return
        self.remove(job.job_id)
        self._served_at = max(self._served_at, sent_at)
        self._start(job, sent_at)
        self._update_priorities(job)

    def end(self, job_id: int) -> None:
        """Count a job as in flight no longer."""
        if flight := self._in_flight.pop(job_id, None):
            self._guild(flight.job).in_flight -= 1
            self._member(flight.job).in_flight -= 1
            self._update_priorities(flight.job)

    def set_served(self, guild_id: int, at: datetime) -> None:
        """Set when a server was last served, as by an earlier process."""
        guild = self._guilds[guild_id]
        guild.served_at = max(guild.served_at, at)
        self._served_at = max(self._served_at, at)
        if guild_id in self._priorities:
            self._priorities.put(guild_id, (guild.in_flight, guild.served_at))

    def set_used_credits(self, used: Mapping[Member, int]) -> None:
        """Set the credits that members used in the window, for submitted jobs."""
        for (guild_id, member_id), credits_used in used.items():
            self._unknown_members.discard((guild_id, member_id))
            guild = self._guilds.get(guild_id)
            if guild and (member := guild.members.get(member_id)):
                member.used, member.is_known = credits_used, True
                if member.waiting:
                    guild.priorities.put(member_id, member.priority)

    def order(self) -> list[QueuedJob]:
        """Return the queued jobs in the order in which they will be submitted if nothing changes."""
        keyed = []
        for guild_id, guild in self._guilds.items():
            # A round gives each server a slot: first those that were not served before it, then the others as before.
            count, fixed = guild.in_flight, (-guild.in_flight, guild.served_at, guild_id)
            keyed += [((count + place, *fixed), job) for place, job in enumerate(self._order_of(guild))]
        keyed.sort(key=lambda pair: pair[0])
        return [job for _, job in keyed]

    def _order_of(self, guild: _Guild) -> Iterator[QueuedJob]:
        added: dict[int, int] = {}
        for job_id in guild.moved.in_order():
            job = self._waiting[job_id]
            added[job.member_id] = added.get(job.member_id, 0) + job.credits
            yield job
        priorities: list[tuple[bool, int, int]] = []
        for member_id, member in guild.members.items():
            is_busy, used = member.in_flight > 0 or member_id in added, member.used + added.get(member_id, 0)
            for job_id in sorted(member.waiting.keys()):
                priorities.append((is_busy, used, job_id))
                is_busy, used = True, used + self._waiting[job_id].credits
        # The priorities of one member's jobs only grow, so sorting equals taking the lowest one repeatedly.
        priorities.sort()
        yield from (self._waiting[job_id] for _, _, job_id in priorities)

    def _guild(self, job: QueuedJob) -> _Guild:
        return self._guilds[job.guild_id]

    def _member(self, job: QueuedJob) -> _Member:
        return self._guild(job).members[job.member_id]

    def _start(self, job: QueuedJob, served_at: datetime) -> None:
        guild = self._guild(job)
        self._in_flight[job.job_id] = _InFlight(job, served_at, guild.served_at)
        guild.served_at = max(guild.served_at, served_at)
        guild.in_flight += 1
        self._member(job).in_flight += 1

    def _withdraw(self, job: QueuedJob) -> None:
        del self._waiting[job.job_id]
        self._guild(job).moved.drop(job.job_id)
        self._member(job).waiting.drop(job.job_id)

    def _update_priorities(self, job: QueuedJob) -> None:
        """Update the priorities of a job's member and server after a change."""
        guild, member = self._guild(job), self._member(job)
        if member.waiting:
            guild.priorities.put(job.member_id, member.priority)
        else:
            guild.priorities.drop(job.member_id)
            self._unknown_members.discard((job.guild_id, job.member_id))
            if not member.in_flight:
                del guild.members[job.member_id]
        if guild.moved or guild.priorities:
            self._priorities.put(job.guild_id, (guild.in_flight, guild.served_at))
        else:
            self._priorities.drop(job.guild_id)


def expected_starts(
    seconds: Sequence[float], now: float, ends: Sequence[float], limit: int, per_second: float
) -> list[float]:
    """Return when each queued job should start, by the monotonic clock, in the order of the queue.

    Args:
        seconds: expected durations of the queued jobs, in the order of the queue.
        now: when the first of them may start, by the monotonic clock.
        ends: when the jobs in flight should end, by the same clock.
        limit: how many jobs may be in flight; 0: any number.
        per_second: how many may be submitted in a second; 0: any number.
    """
    gap = 1 / per_second if per_second else 0.0
    paced = [now + place * gap for place in range(len(seconds))]
    if not limit:
        return paced
    # With more jobs in flight than allowed, the first ones to end free no slot.
    slots = [max(end, now) for end in sorted(ends)[-limit:]] + [now] * (limit - len(ends))
    heapq.heapify(slots)
    starts = []
    for earliest, length in zip(paced, seconds, strict=True):
        starts.append(max(earliest, slots[0]))
        heapq.heapreplace(slots, starts[-1] + length)
    return starts
