"""The ways to look at a job that the policy benchmark compares, in virtual time."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from benchmarks.workloads import Durations, ProgressFigure
from bot.jobs.polling.duration_model import AGES
from bot.jobs.polling.inspection_schedule import best_plan
from bot.jobs.polling.policy import TYPICAL, PollState, next_poll
from bot.jobs.polling.statistics_by_kind import StatisticsByKind
from bot.provider.models import GenerationMode, GenerationRequest

_REQUEST = GenerationRequest(GenerationMode.TEXT, "A dog in a field")
_NEARLY_ALL = 0.9999


@dataclass(frozen=True, slots=True)
class Seen:
    """How a job's end was seen: after how many requests, and how late."""

    requests: int
    lateness_seconds: float


class Poller(Protocol):
    """A way to look at jobs, one after the other."""

    def see(self, duration: float, figure: ProgressFigure) -> Seen:
        """Look at a job until its end is seen."""
        ...


class Timetable:
    """Looks at ages that depend on nothing but the number and the age of the last look."""

    def __init__(self, first_age: float, next_age: Callable[[float], float]) -> None:
        self._first_age = first_age
        self._next_age = next_age

    def see(self, duration: float, _figure: ProgressFigure) -> Seen:
        """Look at a job until its end is seen."""
        age, requests = self._first_age, 1
        while age < duration:
            age, requests = self._next_age(age), requests + 1
        return Seen(requests, age - duration)


class Reelpool:
    """The bot's own policy, which learns from job to job."""

    def __init__(self, gap_seconds: float) -> None:
        self._gap_seconds = gap_seconds
        self._experience = StatisticsByKind(gap_seconds)

    def see(self, duration: float, figure: ProgressFigure) -> Seen:
        """Look at a job until its end is seen."""
        watch, age, requests = PollState(0.0, TYPICAL), 0.0, 0
        learned = self._experience.of(_REQUEST)
        while True:
            age, requests = next_poll(watch, age, self._gap_seconds, learned), requests + 1
            if age >= duration:
                break
            watch = watch.seen(age, figure(age))
        self._experience.learn(_REQUEST, watch, age)
        return Seen(requests, age - duration)


def documented_loop() -> Poller:
    """Look at once, then every ten seconds, as in the provider's example."""
    return Timetable(0.0, lambda age: age + 10)


def two_second_loop() -> Poller:
    """Look every two seconds."""
    return Timetable(2.0, lambda age: age + 2)


def back_off() -> Poller:
    """Look after one second, two more, four more, and so on up to thirty."""
    return Timetable(1.0, lambda age: age + min(30.0, age + 1))


def informed(durations: Durations, requests: float, gap_seconds: float) -> Poller:
    """Follow the bot's plan for a distribution that is known, at so many requests."""
    shares = [1 - durations.ended(age) for age in AGES]
    places = [place for place, share in enumerate(shares) if 1 - _NEARLY_ALL < share < _NEARLY_ALL]
    begin, end = max(0, places[0] - 1), places[-1] + 2
    plan = best_plan((0.0, *AGES[begin:end]), (1.0, *shares[begin:end]), requests, gap_seconds)
    return Timetable(plan.after(0.0), plan.after)


def watch_jobs(poller: Poller, durations: Iterable[float], figures: Iterable[ProgressFigure]) -> list[Seen]:
    """Return how the ends of jobs, one after the other, were seen."""
    return [poller.see(duration, figure) for duration, figure in zip(durations, figures, strict=True)]
