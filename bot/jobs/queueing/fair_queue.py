"""Whose turn it is when the provider takes fewer jobs than are asked for. Pure.

The next turn goes

1. to the server with the fewest jobs at the provider, among equals to the one that was served least recently;
2. within it, to a job that a moderator moved to the front: the newest move first, for "to the front" is before
   everything that is there already;
3. else to a member with nothing at the provider before one with something, so that one member's twenty jobs never
   keep another's first waiting behind them;
4. then to the member who used the fewest credits in the window, that is for jobs that were sent;
5. then to the oldest job.

Nobody starves: each turn raises the counts and credits of who gets it, so that it comes round to everybody who waits.
Newcomers with fewer credits used pass; but credits leave the window, and who has none in it is passed by nobody.

An unconfirmed job is not at the provider: nobody knows whether it is, and it may stay with the moderators for days,
in which its place would stand empty.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from bot.jobs.queueing.priority_map import PriorityMap

_NEVER = datetime.min.replace(tzinfo=UTC)
_TICK = timedelta(microseconds=1)

Member = tuple[int, int]
"""A member of a server: both ids, the server's first."""


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """A job that waits for its turn, or has had it and is at the provider.

    Attributes:
        credits: what it costs.
        moved_at: when a moderator moved it to the front of its server's line.
    """

    job_id: int
    guild_id: int
    member_id: int
    credits: int
    moved_at: datetime | None = None


@dataclass(slots=True)
class _Member:
    """A member with jobs that wait or are at the provider."""

    at_provider: int = 0
    used: int = 0
    is_known: bool = False
    waiting: PriorityMap[int] = field(default_factory=PriorityMap)

    @property
    def rank(self) -> tuple[bool, int, int]:
        return self.at_provider > 0, self.used, self.waiting.first()


@dataclass(slots=True)
class _Guild:
    at_provider: int = 0
    served_at: datetime = _NEVER
    members: defaultdict[int, _Member] = field(default_factory=lambda: defaultdict(_Member))
    moved: PriorityMap[float] = field(default_factory=PriorityMap)
    ranking: PriorityMap[tuple[bool, int, int]] = field(default_factory=PriorityMap)

    @property
    def next_job_id(self) -> int:
        if self.moved:
            return self.moved.first()
        return self.members[self.ranking.first()].waiting.first()


@dataclass(frozen=True, slots=True)
class _InFlight:
    """A job at the provider, and when its server was served with it and before it."""

    turn: QueuedJob
    served_at: datetime
    served_before: datetime


class FairQueue:
    """The jobs that wait, those that are at the provider, and whose turn is next.

    A turn costs O(log n), however many wait; the whole order costs a sort.
    """

    def __init__(self) -> None:
        self._guilds: defaultdict[int, _Guild] = defaultdict(_Guild)
        self._ranking: PriorityMap[tuple[int, datetime]] = PriorityMap()
        self._waiting: dict[int, QueuedJob] = {}
        self._taken: dict[int, _InFlight] = {}
        self._unknown: set[Member] = set()
        self._served_at = _NEVER

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, job_id: int) -> bool:
        return job_id in self._waiting

    @property
    def at_provider(self) -> Sequence[int]:
        """The jobs that are at the provider."""
        return list(self._taken)

    @property
    def taken(self) -> int:
        """How many jobs are at the provider."""
        return len(self._taken)

    @property
    def unknown(self) -> set[Member]:
        """Members who wait beside others of their server, and of whom it is not known what they used."""
        return {member for member in self._unknown if len(self._guilds[member[0]].ranking) > 1}

    @property
    def rivals(self) -> set[Member]:
        """Members who wait beside others of their server."""
        lines = {guild_id: guild.ranking.keys() for guild_id, guild in self._guilds.items() if len(guild.ranking) > 1}
        return {(guild_id, member_id) for guild_id, member_ids in lines.items() for member_id in member_ids}

    def join(self, turn: QueuedJob) -> None:
        """Let a job wait, also in place of what was known of it before."""
        self.free(turn.job_id)
        if before := self._waiting.get(turn.job_id):
            self._withdraw(before)
        self._waiting[turn.job_id] = turn
        guild = self._guild(turn)
        member = self._member(turn)
        if turn.moved_at is not None:
            guild.moved.put(turn.job_id, -turn.moved_at.timestamp())
        else:
            member.waiting.put(turn.job_id, turn.job_id)
            if not member.is_known:
                self._unknown.add((turn.guild_id, turn.member_id))
        self._rank(turn)

    def leave(self, job_id: int) -> None:
        """Forget a job, wherever it is."""
        self.free(job_id)
        if turn := self._waiting.get(job_id):
            self._withdraw(turn)
            self._rank(turn)

    def take(self, now: datetime) -> QueuedJob:
        """Give the next turn: its job is at the provider from now on.

        Raises:
            IndexError: nobody waits.
        """
        guild = self._guilds[self._ranking.first()]
        turn = self._waiting[guild.next_job_id]
        self._withdraw(turn)
        # Later than every turn before, also within one moment and by a clock that was set back.
        self._served_at = max(now, self._served_at + _TICK)
        self._occupy(turn, self._served_at)
        self._member(turn).used += turn.credits
        self._rank(turn)
        return turn

    def give_back(self, job_id: int) -> None:
        """The provider did not take a job: all is as if its turn had not been."""
        if (taken := self._taken.get(job_id)) is None:
            return
        guild = self._guild(taken.turn)
        if guild.served_at == taken.served_at:
            guild.served_at = taken.served_before
        self._member(taken.turn).used -= taken.turn.credits
        self.free(job_id)

    def occupy(self, turn: QueuedJob, sent_at: datetime) -> None:
        """A job is at the provider since then, though its turn was not given here."""
        if turn.job_id in self._taken:
            return
        self.leave(turn.job_id)
        self._served_at = max(self._served_at, sent_at)
        self._occupy(turn, sent_at)
        self._rank(turn)

    def free(self, job_id: int) -> None:
        """A job is not at the provider any more."""
        if taken := self._taken.pop(job_id, None):
            self._guild(taken.turn).at_provider -= 1
            self._member(taken.turn).at_provider -= 1
            self._rank(taken.turn)

    def serve(self, guild_id: int, at: datetime) -> None:
        """Tell when a server was served, perhaps by an earlier process."""
        guild = self._guilds[guild_id]
        guild.served_at = max(guild.served_at, at)
        self._served_at = max(self._served_at, at)
        if guild_id in self._ranking:
            self._ranking.put(guild_id, (guild.at_provider, guild.served_at))

    def learn(self, used: Mapping[Member, int]) -> None:
        """Tell what members used in the window for jobs that were sent."""
        for (guild_id, member_id), credits_used in used.items():
            self._unknown.discard((guild_id, member_id))
            guild = self._guilds.get(guild_id)
            if guild and (member := guild.members.get(member_id)):
                member.used, member.is_known = credits_used, True
                if member.waiting:
                    guild.ranking.put(member_id, member.rank)

    def order(self) -> list[QueuedJob]:
        """Return all who wait in the order of their turns, if nothing else happens."""
        keyed = []
        for guild_id, guild in self._guilds.items():
            # In each round those come first that have not been served before it, then the others as in the last one.
            count, fixed = guild.at_provider, (-guild.at_provider, guild.served_at, guild_id)
            keyed += [((count + place, *fixed), turn) for place, turn in enumerate(self._order_of(guild))]
        keyed.sort(key=lambda pair: pair[0])
        return [turn for _, turn in keyed]

    def _order_of(self, guild: _Guild) -> Iterator[QueuedJob]:
        added: dict[int, int] = {}
        for job_id in guild.moved.in_order():
            turn = self._waiting[job_id]
            added[turn.member_id] = added.get(turn.member_id, 0) + turn.credits
            yield turn
        ranks: list[tuple[bool, int, int]] = []
        for member_id, member in guild.members.items():
            is_busy, used = member.at_provider > 0 or member_id in added, member.used + added.get(member_id, 0)
            for job_id in sorted(member.waiting.keys()):
                ranks.append((is_busy, used, job_id))
                is_busy, used = True, used + self._waiting[job_id].credits
        # Each member's own ranks only grow: to sort all is to take the lowest again and again.
        ranks.sort()
        yield from (self._waiting[job_id] for _, _, job_id in ranks)

    def _guild(self, turn: QueuedJob) -> _Guild:
        return self._guilds[turn.guild_id]

    def _member(self, turn: QueuedJob) -> _Member:
        return self._guild(turn).members[turn.member_id]

    def _occupy(self, turn: QueuedJob, served_at: datetime) -> None:
        guild = self._guild(turn)
        self._taken[turn.job_id] = _InFlight(turn, served_at, guild.served_at)
        guild.served_at = max(guild.served_at, served_at)
        guild.at_provider += 1
        self._member(turn).at_provider += 1

    def _withdraw(self, turn: QueuedJob) -> None:
        del self._waiting[turn.job_id]
        self._guild(turn).moved.drop(turn.job_id)
        self._member(turn).waiting.drop(turn.job_id)

    def _rank(self, turn: QueuedJob) -> None:
        """Put a job's member and server in their places after a change."""
        guild, member = self._guild(turn), self._member(turn)
        if member.waiting:
            guild.ranking.put(turn.member_id, member.rank)
        else:
            guild.ranking.drop(turn.member_id)
            self._unknown.discard((turn.guild_id, turn.member_id))
            if not member.at_provider:
                del guild.members[turn.member_id]
        if guild.moved or guild.ranking:
            self._ranking.put(turn.guild_id, (guild.at_provider, guild.served_at))
        else:
            self._ranking.drop(turn.guild_id)


def expected_starts(
    seconds: Sequence[float], now: float, ends: Sequence[float], limit: int, per_second: float
) -> list[float]:
    """Return when each of those who wait should start by the monotonic clock, in the order of their turns.

    Args:
        seconds: how long each of them may take.
        now: when the first may start, as far as it is up to the queue, by the monotonic clock.
        ends: when the jobs at the provider should end, by the same.
        limit: how many jobs the provider may have at once; 0: any number.
        per_second: how many may be sent in a second; 0: any number.
    """
    gap = 1 / per_second if per_second else 0.0
    paced = [now + place * gap for place in range(len(seconds))]
    if not limit:
        return paced
    # Where there are more than may be, the first ones to end make room for nobody.
    places = [max(end, now) for end in sorted(ends)[-limit:]] + [now] * (limit - len(ends))
    heapq.heapify(places)
    starts = []
    for earliest, length in zip(paced, seconds, strict=True):
        starts.append(max(earliest, places[0]))
        heapq.heapreplace(places, starts[-1] + length)
    return starts
