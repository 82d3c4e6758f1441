"""Jobs that are in flight before the bot starts: their rows, their tasks at the provider, their cards and threads."""

import random
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from benchmarks.guilds import Guilds, Place
from bot.config import MAX_CREDITS
from bot.pools.queries import open_pool
from bot.storage.database import Database
from bot.storage.schema import jobs, ledger_entries
from sandbox.discord.world.constants import ChannelType, MessageFlag
from sandbox.discord.world.models import Channel, Message, ThreadState
from sandbox.ulazai.answers import TYPICAL_SECONDS
from sandbox.ulazai.values import Generation, Task, TaskState
from tests.local.servers import LocalDiscord, LocalUlazAI

_PROMPT = "a harbour in the morning, number {}"
_PRICE = 55


@dataclass(frozen=True, slots=True)
class Span:
    """Range of the duration of videos, in seconds; uniform between the two."""

    low: float
    high: float

    @property
    def mean(self) -> float:
        """Their mean."""
        return (self.low + self.high) / 2


@dataclass(frozen=True, slots=True)
class Started:
    """A job that was submitted before the bot starts; Unix seconds."""

    number: int
    place: Place
    at: float
    ends_at: float


def plan_backlog(guilds: Guilds, in_flight: int, span: Span, now: float) -> list[Started]:
    """Plan jobs as a steady flow would have left them: started at an even rate until now, some of them done.

    Args:
        guilds: where they are.
        in_flight: about how many are not done.
        span: of their durations.
        now: Unix seconds.
    """
    draw = random.Random(2)  # noqa: S311 - must be repeatable
    per_second = in_flight / span.mean
    ages = [(number + 0.5) / per_second for number in range(int(per_second * span.high))]
    return [
        Started(number, guilds.next_place(), now - age, now - age + draw.uniform(span.low, span.high))
        for number, age in enumerate(reversed(ages), 1)
    ]


async def lay_backlog(
    backlog: list[Started], database: Path, local_discord: LocalDiscord, ulazai: LocalUlazAI, now: float
) -> int:
    """Write a backlog to the database, to Discord and to the provider, which must not have been started yet.

    Args:
        backlog: from `plan_backlog`.
        database: the file of the bot's database.
        local_discord: gets the cards and threads.
        ulazai: gets the tasks that are not done.
        now: Unix seconds.

    Returns:
        How many jobs are in flight.
    """
    rows = [_lay_job(started, local_discord, ulazai, now) for started in backlog]
    async with Database.open(f"sqlite+aiosqlite:///{database}") as opened, opened.transaction() as connection:
        if rows:
            await connection.execute(insert(jobs), rows)
            for guild_id in {row["guild_id"] for row in rows}:
                await open_pool(connection, guild_id, MAX_CREDITS, datetime.fromtimestamp(now, UTC))
            await connection.execute(insert(ledger_entries), [_entry(row, kind) for row in rows for kind in _KINDS])
    return sum(row["state"] == "processing" for row in rows)


_KINDS = ("hold", "charge")


def _lay_job(started: Started, local_discord: LocalDiscord, ulazai: LocalUlazAI, now: float) -> dict[str, Any]:
    task_id = str(uuid.UUID(int=started.number, version=4))
    card_id = _lay_card(started, local_discord)
    row = _row(started, task_id, card_id, ulazai.speed)
    if started.ends_at > now:
        ulazai.tasks[task_id] = _task(started, task_id)
        return row
    done_at = datetime.fromtimestamp(started.ends_at, UTC)
    video = {"video_url": f"http://127.0.0.1/kling/videos/{task_id}.mp4", "state": "succeeded"}
    delivery = {"result_channel_id": card_id, "result_message_id": card_id, "delivered_at": done_at}
    return row | video | delivery | {"finished_at": done_at, "delivery_began_at": done_at}


def _lay_card(started: Started, local_discord: LocalDiscord) -> int:
    world, place = local_discord.world, started.place
    card_id = world.ids.next()
    prompt = _PROMPT.format(started.number)
    world.put_message(
        Message(
            id=card_id,
            channel_id=place.channel_id,
            guild_id=place.guild_id,
            author_id=local_discord.bot_id,
            timestamp=started.at,
            flags=MessageFlag.HAS_THREAD,
            embeds=[{"type": "rich", "description": prompt}],
        )
    )
    state = ThreadState(local_discord.bot_id, created_at=started.at, member_ids=[local_discord.bot_id])
    kind = ChannelType.PUBLIC_THREAD
    world.put_channel(Channel(card_id, kind, place.guild_id, prompt, parent_id=place.channel_id, thread=state))
    return card_id


def _row(started: Started, task_id: str, card_id: int, speed: float) -> dict[str, Any]:
    at = datetime.fromtimestamp(started.at, UTC)
    low, high = (seconds / speed for seconds in TYPICAL_SECONDS)
    return {
        "interaction_id": started.number,
        "guild_id": started.place.guild_id,
        "channel_id": started.place.channel_id,
        "in_thread": False,
        "member_id": started.place.person.id,
        "mode": "text_to_video",
        "prompt": _PROMPT.format(started.number),
        "image_url": None,
        "duration_seconds": 5,
        "aspect_ratio": "16:9",
        "sound": False,
        "publish": False,
        "state": "processing",
        "held_credits": _PRICE,
        "charged_credits": _PRICE,
        "task_id": task_id,
        "estimate_low_seconds": low,
        "estimate_high_seconds": high,
        "video_url": None,
        "created_at": at,
        "submitted_at": at,
        "finished_at": None,
        "card_message_id": card_id,
        "thread_id": card_id,
        "delivery_began_at": None,
        "result_channel_id": None,
        "result_message_id": None,
        "delivered_at": None,
    }


def _entry(row: dict[str, Any], kind: str) -> dict[str, Any]:
    # A new database numbers its rows from one, in the order in which they come.
    return {
        "guild_id": row["guild_id"],
        "kind": kind,
        "credits": _PRICE,
        "job_id": row["interaction_id"],
        "member_id": row["member_id"],
        "created_at": row["created_at"],
    }


def _task(started: Started, task_id: str) -> Task:
    prompt = _PROMPT.format(started.number)
    return Task(
        task_id=task_id,
        request={"prompt": prompt},
        generation=Generation(prompt, 5, "16:9", sound=False, in_directory=False, image_url=None),
        credits=_PRICE,
        created_at=started.at,
        ends_at=started.ends_at,
        state=TaskState.PROCESSING,
    )
