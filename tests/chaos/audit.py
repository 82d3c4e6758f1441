"""Compares, at the end of a run, what the bot says with what Discord and the provider say."""

import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.local.people import InteractionRecord
from tests.local.servers import LocalDiscord, LocalUlazAI

_OUTCOME_MARK = re.compile(r"-# #(\d+), <t:\d+")
_SIGNS = {"charge": 1, "refund": -1}
_HELD = {"hold": 1, "charge": -1, "release": -1}

Row = Mapping[str, Any]


@dataclass(slots=True)
class Verdict:
    """What came of a run.

    Attributes:
        accepted: jobs that the bot has a row of, or whose card a member saw.
        lost: accepted jobs that ended in none of posted, failed with its credits back, and unconfirmed.
        double_charges: tasks beyond the first that the provider charged for one job.
        double_posts: messages beyond the first that tell one job's outcome.
        ledger_difference: credits, added up over the jobs that are not unconfirmed, by which the bot's books
            and the provider's differ.
        troubles: what is wrong, one line each.
        troubled_jobs: the numbers of the jobs that they are about.
    """

    accepted: int = 0
    posted: int = 0
    failed: int = 0
    unconfirmed: int = 0
    lost: int = 0
    double_charges: int = 0
    double_posts: int = 0
    ledger_difference: int = 0
    troubles: list[str] = field(default_factory=list)
    troubled_jobs: set[int] = field(default_factory=set)

    @property
    def holds(self) -> bool:
        """Whether the promise was kept."""
        return not (self.lost or self.double_charges or self.double_posts or self.ledger_difference)

    def blame(self, job_id: int, trouble: str) -> None:
        """Note what is wrong with a job."""
        self.troubles.append(f"job {job_id}: {trouble}")
        self.troubled_jobs.add(job_id)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the bot's file, Discord and the provider say about a run.

    Attributes:
        jobs: the rows of the jobs table.
        held: credits on hold by the bot's ledger, by job.
        spent: credits spent by the bot's ledger, by job.
        tasks: how many tasks the provider has, by prompt.
        paid: what the provider took less what it gave back, by prompt.
        outcomes: how many messages tell a job's outcome, by job.
        videos: how many messages have a video's address, by address.
        ghosts: prompts of requests that a member saw a card for, and of which the bot has no row.
    """

    jobs: tuple[Row, ...]
    held: Counter[int]
    spent: Counter[int]
    tasks: Counter[str]
    paid: Counter[str]
    outcomes: Counter[int]
    videos: Counter[str]
    ghosts: tuple[str, ...] = ()


def gather(
    database: Path, local_discord: LocalDiscord, ulazai: LocalUlazAI, asked: Iterable[tuple[str, InteractionRecord]]
) -> Evidence:
    """Collect the evidence."""
    jobs, entries = _read(database)
    held, spent = _books(entries)
    prompts = {task.task_id: str(task.request["prompt"]) for task in ulazai.tasks.values()}
    paid: Counter[str] = Counter()
    for line in ulazai.charges:
        paid[prompts[line.task_id]] += _SIGNS[line.kind] * line.credits
    outcomes, videos = _posts(local_discord, [job["video_url"] for job in jobs if job["video_url"]])
    taken = {job["interaction_id"] for job in jobs}
    ghosts = tuple(prompt for prompt, record in asked if _saw_card(record) and record.id not in taken)
    return Evidence(jobs, held, spent, Counter(prompts.values()), paid, outcomes, videos, ghosts)


def judge(evidence: Evidence) -> Verdict:
    """Compare the evidence with the promise."""
    verdict = Verdict(accepted=len(evidence.jobs) + len(evidence.ghosts), lost=len(evidence.ghosts))
    verdict.troubles += [f"a card without a job: {prompt}" for prompt in evidence.ghosts]
    for job in evidence.jobs:
        _judge_end(job, evidence, verdict)
        _judge_doubles(job, evidence, verdict)
        _judge_books(job, evidence, verdict)
    strangers = evidence.tasks.keys() - {job["prompt"] for job in evidence.jobs}
    for prompt in strangers:
        verdict.ledger_difference += abs(evidence.paid[prompt])
        verdict.troubles.append(f"the provider was paid for what is no job: {prompt}")
    return verdict


def _judge_end(job: Row, evidence: Evidence, verdict: Verdict) -> None:
    told, held = evidence.outcomes[job["id"]] > 0, evidence.held[job["id"]]
    match job["state"]:
        case "succeeded" if told and not held and evidence.videos[job["video_url"]]:
            verdict.posted += 1
        case "failed" if told and not held and not evidence.spent[job["id"]]:
            verdict.failed += 1
        case "cancelled" if not held and not evidence.spent[job["id"]]:
            verdict.failed += 1
        case "unconfirmed" if told and held + evidence.spent[job["id"]] > 0:
            verdict.unconfirmed += 1
        case state:
            verdict.lost += 1
            verdict.blame(job["id"], f"lost: {state}, told: {told}, held: {held}, spent: {evidence.spent[job['id']]}")


def _judge_doubles(job: Row, evidence: Evidence, verdict: Verdict) -> None:
    tasks = evidence.tasks[job["prompt"]]
    if tasks > 1:
        verdict.double_charges += tasks - 1
        verdict.blame(job["id"], f"the provider charged {tasks} tasks")
    posts = max(evidence.outcomes[job["id"]], evidence.videos[job["video_url"]])
    if posts > 1:
        verdict.double_posts += posts - 1
        verdict.blame(job["id"], f"its outcome was posted {posts} times")


def _judge_books(job: Row, evidence: Evidence, verdict: Verdict) -> None:
    if job["state"] == "unconfirmed":
        return
    spent, paid = evidence.spent[job["id"]], evidence.paid[job["prompt"]]
    if spent != paid:
        verdict.ledger_difference += abs(spent - paid)
        verdict.blame(job["id"], f"{spent} credits spent by the bot's books, {paid} by the provider's")


def _read(database: Path) -> tuple[tuple[Row, ...], list[Row]]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        jobs = tuple(dict(row) for row in connection.execute("SELECT * FROM jobs ORDER BY id"))
        return jobs, [dict(row) for row in connection.execute("SELECT job_id, kind, credits FROM ledger_entries")]


def _books(entries: Iterable[Row]) -> tuple[Counter[int], Counter[int]]:
    held: Counter[int] = Counter()
    spent: Counter[int] = Counter()
    for entry in entries:
        held[entry["job_id"]] += _HELD.get(entry["kind"], 0) * entry["credits"]
        spent[entry["job_id"]] += _SIGNS.get(entry["kind"], 0) * entry["credits"]
    return held, spent


def _posts(local_discord: LocalDiscord, urls: Iterable[str]) -> tuple[Counter[int], Counter[str]]:
    """Count the bot's own messages, those that no command made, by what they tell."""
    outcomes: Counter[int] = Counter()
    text = []
    for message in local_discord.world.messages.values():
        if message.author_id == local_discord.bot_id and message.origin is None:
            outcomes.update(map(int, _OUTCOME_MARK.findall(message.content)))
            text.append(message.content)
    return outcomes, Counter({url: sum(url in content for content in text) for url in urls})


def _saw_card(record: InteractionRecord) -> bool:
    return record.state == "answered" and not record.ephemeral
