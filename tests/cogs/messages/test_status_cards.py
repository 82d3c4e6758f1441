"""The board of cards: how its edits keep to Discord's limit for all requests of a bot."""

from dataclasses import replace
from typing import cast

import discord
import pytest

from bot.client import VideoBot
from bot.jobs.models import Job, JobState
from bot.jobs.ports import JobStatus
from cogs.messages.status_cards import ROUND_SECONDS, StatusCards
from tests.builders import TEXT_REQUEST, requester
from tests.clock import FakeClock


class Channels:
    """Stands for Discord: counts the edits."""

    def __init__(self) -> None:
        self.edits: list[str] = []

    def get_partial_messageable(self, _channel_id: int, *, guild_id: int) -> "Channels":
        assert guild_id
        return self

    def get_partial_message(self, _message_id: int) -> "Channels":
        return self

    async def edit(self, *, embed: discord.Embed) -> None:
        self.edits.append(str(embed.to_dict()))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def channels() -> Channels:
    return Channels()


@pytest.fixture
def board(channels: Channels, clock: FakeClock) -> StatusCards:
    return StatusCards(cast(VideoBot, channels), clock, lambda job: job.created_at)


def ended(clock: FakeClock, job_id: int) -> Job:
    job = Job(job_id, requester(), TEXT_REQUEST, JobState.SUCCEEDED, 55, clock.now(), charged_credits=55)
    return replace(
        job, card_message_id=5000 + job_id, finished_at=clock.now(), delivered_at=clock.now(), thread_id=5000 + job_id
    )


async def edits_in_each_second(board: StatusCards, clock: FakeClock, channels: Channels, seconds: int) -> list[int]:
    found = []
    for _ in range(seconds):
        before = len(channels.edits)
        for _ in range(round(1 / ROUND_SECONDS)):
            clock.advance(ROUND_SECONDS)
            await board.refresh()
        found.append(len(channels.edits) - before)
    return found


async def test_counted_edits_keep_the_limit_and_are_all_made(
    board: StatusCards, clock: FakeClock, channels: Channels
) -> None:
    for job_id in range(150):
        board.show(JobStatus(ended(clock, job_id)))
    found = await edits_in_each_second(board, clock, channels, 8)
    assert max(found) <= 45
    assert sum(found) == 150
    assert len(board) == 0


async def test_edits_leave_room_for_requests_that_go_before_them(
    board: StatusCards, clock: FakeClock, channels: Channels
) -> None:
    await edits_in_each_second(board, clock, channels, 2)
    for job_id in range(30):
        board.show(JobStatus(ended(clock, job_id)))
    for _ in range(45 * 3):
        board.reserve_request()
    assert sum(await edits_in_each_second(board, clock, channels, 1)) == 0
    assert sum(await edits_in_each_second(board, clock, channels, 5)) == 30


async def test_how_a_job_ended_is_shown_once_with_the_thread_that_is_made_for_it(
    board: StatusCards, clock: FakeClock, channels: Channels
) -> None:
    job = ended(clock, 1)
    board.show(JobStatus(replace(job, thread_id=None, delivered_at=None)))
    await board.refresh()
    assert channels.edits == []
    board.set_location(job)
    board.show(JobStatus(job))
    await edits_in_each_second(board, clock, channels, 5)
    assert len(channels.edits) == 1
    assert f"<#{job.thread_id}>" in channels.edits[0]


async def test_what_a_quiet_second_leaves_does_not_come_on_top_of_the_next(
    board: StatusCards, clock: FakeClock, channels: Channels
) -> None:
    await edits_in_each_second(board, clock, channels, 5)
    for job_id in range(200):
        board.show(JobStatus(ended(clock, job_id)))
    for _ in range(8):
        clock.advance(ROUND_SECONDS)
        before = len(channels.edits)
        await board.refresh()
        assert len(channels.edits) - before <= 12


async def test_many_cards_that_count_are_left_alone_and_shown_when_they_are_fewer(
    board: StatusCards, clock: FakeClock, channels: Channels
) -> None:
    jobs = [
        replace(ended(clock, job_id), state=JobState.PROCESSING, charged_credits=None, finished_at=None)
        for job_id in range(60)
    ]
    for job in jobs:
        board.show(JobStatus(job))
    assert sum(await edits_in_each_second(board, clock, channels, 5)) == 0
    for job in jobs[20:]:
        board.show(JobStatus(ended(clock, job.id)))
    assert sum(await edits_in_each_second(board, clock, channels, 5)) == 40
    for job in jobs[:20]:
        board.show(JobStatus(job))
    assert sum(await edits_in_each_second(board, clock, channels, 5)) == 20
