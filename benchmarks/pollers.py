"""The ways to poll jobs that the policy benchmark compares, in virtual time."""

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from benchmarks.workloads import Durations, ReportedProgress
from bot.jobs.polling.forecast import AGES, best_plan
from bot.jobs.polling.policy import TYPICAL, PollState, StatisticsByKind, next_poll
from bot.provider.models import GenerationMode, GenerationRequest

_REQUEST = GenerationRequest(GenerationMode.TEXT, "A dog in a field")
_NEARLY_ALL = 0.9999


@dataclass(frozen=True, slots=True)
class Found:
    """How a job's end was found: at which poll, and how late."""

    requests: int
    lateness_seconds: float


class Poller(Protocol):
    """A way to poll jobs, one after the other."""

    def poll(self, duration: float, progress: ReportedProgress) -> Found:
        """Poll a job until its end is found."""
        ...


class Timetable:
    """Polls at ages that depend on nothing but the age at the last poll."""

    def __init__(self, first_age: float, next_age: Callable[[float], float]) -> None:
        self._first_age = first_age
        self._next_age = next_age

    def poll(self, duration: float, _progress: ReportedProgress) -> Found:
        """Poll a job until its end is found."""
        age, requests = self._first_age, 1
        while age < duration:
            age, requests = self._next_age(age), requests + 1
        return Found(requests, age - duration)


class Reelpool:
    """The bot's own policy, with its statistics of the jobs so far."""

    def __init__(self, gap_seconds: float) -> None:
        self._gap_seconds = gap_seconds
        self._statistics = StatisticsByKind(gap_seconds)
        self._jobs = 0

    def poll(self, duration: float, progress: ReportedProgress) -> Found:
        """Poll a job until its end is found."""
        (found,) = self.poll_all([duration], [progress], 0.0)
        return found

    def poll_all(
        self, durations: Sequence[float], progress: Sequence[ReportedProgress], interval_seconds: float
    ) -> list[Found]:
        """Poll jobs that run at the same time until each of their ends is found.

        Args:
            durations: in seconds, in the order of submission.
            progress: what each of them reports.
            interval_seconds: between two submissions.
        """
        first, found = self._jobs, [Found(0, 0.0)] * len(durations)
        states = [PollState(place * interval_seconds, TYPICAL) for place in range(len(durations))]
        due = [(state.sent_at, place) for place, state in enumerate(states)]
        self._jobs += len(durations)
        while due:
            now, place = heapq.heappop(due)
            state, age = states[place], now - states[place].sent_at
            if now == state.sent_at:
                self._statistics.start(_REQUEST, first + place)
            elif age >= durations[place]:
                self._statistics.finish(_REQUEST, first + place, state, now)
                found[place] = Found(state.polls + 1, age - durations[place])
                continue
            else:
                states[place] = state = state.after_poll(now, progress[place](age))
            heapq.heappush(due, (next_poll(state, now, self._gap_seconds, self._statistics.of(_REQUEST)), place))
        return found


def documented_loop() -> Poller:
    """Poll at once, then every ten seconds, as in the provider's example."""
    return Timetable(0.0, lambda age: age + 10)


def two_second_loop() -> Poller:
    """Poll every two seconds."""
    return Timetable(2.0, lambda age: age + 2)


def back_off() -> Poller:
    """Poll after one second, two more, four more, and so on up to thirty."""
    return Timetable(1.0, lambda age: age + min(30.0, age + 1))


def informed(durations: Durations, requests: float, gap_seconds: float) -> Poller:
    """Follow the bot's plan for a known distribution.

    Args:
        durations: their distribution.
        requests: expected per job.
        gap_seconds: the shortest time between two polls of a job.
    """
    shares = [1 - durations.ended(age) for age in AGES]
    places = [place for place, share in enumerate(shares) if 1 - _NEARLY_ALL < share < _NEARLY_ALL]
    begin, end = max(0, places[0] - 1), places[-1] + 2
    plan = best_plan((0.0, *AGES[begin:end]), (1.0, *shares[begin:end]), requests, gap_seconds)
    return Timetable(plan.after(0.0), plan.after)


def poll_jobs(poller: Poller, durations: Iterable[float], progress: Iterable[ReportedProgress]) -> list[Found]:
    """Poll jobs one after the other, and return how their ends were found.

    Args:
        poller: keeps its statistics from job to job.
        durations: in seconds.
        progress: what each job reports.
    """
    return [poller.poll(duration, reported) for duration, reported in zip(durations, progress, strict=True)]
