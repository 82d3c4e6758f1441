"""Measures a running bot for a while: what it did, how late it was, and what it used."""

import asyncio
import statistics
import time
from collections import Counter
from dataclasses import dataclass

from benchmarks.harness import Snapshot, Stage
from benchmarks.meters import Call, ProcessMeter, is_counted, quantile
from sandbox.ulazai.values import TaskState

_GRACE_SECONDS = 20.0
_CHECK_INTERVAL_SECONDS = 0.25
_SAMPLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Window:
    """What happened between two moments.

    Attributes:
        begin: the counters at the first.
        end: the counters at the second.
        in_flight: mean number of videos in flight.
        posted: how many were posted.
        lateness: for each that was done in the window, the seconds until it was posted.
        missing: how many of these were still not posted after a grace period; their lateness counts until then.
        answers: the seconds to the first answer, for each command in the window.
        unanswered: how many of these were not answered in time.
        resident_bytes: the most memory that the bot's process had.
    """

    begin: Snapshot
    end: Snapshot
    in_flight: float
    posted: int
    lateness: list[float]
    missing: int
    answers: list[float]
    unanswered: int
    resident_bytes: int

    @property
    def seconds(self) -> float:
        """Length of the window."""
        return self.end.at - self.begin.at

    @property
    def cpu_share(self) -> float:
        """How much of one processor the bot used."""
        return (self.end.cpu_seconds - self.begin.cpu_seconds) / self.seconds

    @property
    def waiting_share(self) -> float:
        """How much of the time the bot's threads were kept waiting for a processor: high on a busy machine."""
        return (self.end.waiting_seconds - self.begin.waiting_seconds) / self.seconds

    @property
    def own_cpu_share(self) -> float:
        """How much of one processor the servers and the members used."""
        return (self.end.own_cpu_seconds - self.begin.own_cpu_seconds) / self.seconds

    @property
    def cpu_ms_per_job_minute(self) -> float:
        """Milliseconds of processor time for each minute of each job in flight."""
        return self.cpu_share * 60_000 / self.in_flight if self.in_flight else float("nan")

    @property
    def to_discord(self) -> Counter[Call]:
        """The bot's requests to Discord."""
        return self.end.to_discord - self.begin.to_discord

    @property
    def to_provider(self) -> Counter[Call]:
        """Its requests to UlazAI."""
        return self.end.to_provider - self.begin.to_provider

    @property
    def api_calls(self) -> int:
        """The requests to UlazAI's API, without those for files."""
        return sum(count for call, count in self.to_provider.items() if call[1].startswith("/kling26/"))

    @property
    def counted(self) -> int:
        """Its requests to Discord that count towards the bot's limit."""
        return sum(count for call, count in self.to_discord.items() if is_counted(call[1]))

    @property
    def refused(self) -> int:
        """Its requests to Discord that were too many."""
        return sum(count for call, count in self.to_discord.items() if call[2] == 429)

    @property
    def commits(self) -> int:
        """Its write transactions."""
        return (self.end.commits - self.begin.commits) % 2**32

    def per_video(self, count: float) -> float:
        """Return a count for each video that was posted."""
        return count / self.posted if self.posted else float("nan")

    def answer(self, share: float) -> float:
        """Return a quantile of the seconds to the first answer."""
        return quantile(self.answers, share)

    def late(self, share: float) -> float:
        """Return a quantile of the seconds from a video's end to its post."""
        return quantile(self.lateness, share)

    @property
    def mean_lateness(self) -> float:
        """Mean of the seconds from a video's end to its post."""
        return statistics.fmean(self.lateness) if self.lateness else float("nan")


async def measure(stage: Stage, meter: ProcessMeter, seconds: float) -> Window:
    """Measure for some seconds, then wait a little for the posts of the videos that were done in them.

    Args:
        stage: with the bot running.
        meter: of the bot's process.
        seconds: how long to measure.
    """
    begin, samples, peak = stage.snapshot(meter), [], 0
    while (left := begin.at + seconds - time.time()) > 0:
        await asyncio.sleep(min(left, _SAMPLE_SECONDS))
        samples.append(in_flight(stage))
        peak = max(peak, meter.resident_bytes())
    end = stage.snapshot(meter)
    await _settle(stage, begin.at, end.at)
    return _window(stage, begin, end, statistics.fmean(samples), peak)


def in_flight(stage: Stage) -> int:
    """Return how many videos are in flight."""
    return sum(task.state is TaskState.PROCESSING for task in stage.ulazai.tasks.values())


async def _settle(stage: Stage, begin: float, end: float) -> None:
    """Wait until all videos and commands of the window are posted and answered, at most for the grace period."""
    for _ in range(round(_GRACE_SECONDS / _CHECK_INTERVAL_SECONDS)):
        if not _is_unsettled(stage, begin, end):
            return
        await asyncio.sleep(_CHECK_INTERVAL_SECONDS)


def _is_unsettled(stage: Stage, begin: float, end: float) -> bool:
    posted, answers = stage.witness.posted_at, stage.witness.answers
    return not (_ended(stage, begin, end).keys() <= posted.keys() and _asked(stage, begin, end) <= answers.keys())


def _ended(stage: Stage, begin: float, end: float) -> dict[str, float]:
    tasks = stage.ulazai.tasks
    return {task_id: task.ends_at for task_id, task in tasks.items() if begin <= task.ends_at < end}


def _asked(stage: Stage, begin: float, end: float) -> set[int]:
    return {command for command, at in stage.guilds.asked_at.items() if begin <= at < end}


def _window(stage: Stage, begin: Snapshot, end: Snapshot, mean_in_flight: float, resident_bytes: int) -> Window:
    posted_at, now = stage.witness.posted_at, time.time()
    ended = _ended(stage, begin.at, end.at)
    asked = _asked(stage, begin.at, end.at)
    answers = [answer for command, answer in stage.witness.answers.items() if command in asked]
    return Window(
        begin=begin,
        end=end,
        in_flight=mean_in_flight,
        posted=sum(begin.at <= at < end.at for at in posted_at.values()),
        lateness=[posted_at.get(task_id, now) - ends_at for task_id, ends_at in ended.items()],
        missing=sum(task_id not in posted_at for task_id in ended),
        answers=[answer.seconds for answer in answers],
        unanswered=len(asked) - sum(not answer.is_failure for answer in answers),
        resident_bytes=resident_bytes,
    )
