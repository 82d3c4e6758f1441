"""A video from text: the card, the thread, the request, the result, the books."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from sandbox.ulazai.values import Task
from tests.e2e.stage import Stage, staged, text_of

_COUNTED = ("/interactions/", "/webhooks/")


async def test_card_says_who_what_settings_price_and_what_is_left(stage: Stage) -> None:
    card = await stage.ask("a cat on the moon", duration=10, aspect_ratio="9:16", sound=True)
    shown = text_of(card.message)
    assert not card.ephemeral
    for words in (
        "a cat on the moon",
        f"<@{stage.member.id}>",
        "10 s",
        "9:16",
        "with sound",
        "220 held",
        "330 credits",
        "State:",
        "private",
    ):
        assert words in shown
    assert card.message.pinged_user_ids == []


async def test_request_is_explicit_and_not_published_by_default(stage: Stage) -> None:
    await stage.outcome(await stage.ask("a cat"))
    (task,) = stage.ulazai.tasks.values()
    assert task.request == {
        "prompt": "a cat",
        "generationMode": "text_to_video",
        "duration": "5",
        "aspectRatio": "16:9",
        "sound": False,
        "prompt_directory_optin": False,
    }


async def test_every_option_reaches_the_provider(stage: Stage) -> None:
    card = await stage.ask("a dog", duration=10, aspect_ratio="1:1", sound=True, publish=True)
    assert "210 held" in text_of(card.message)
    await stage.outcome(card)
    (task,) = stage.ulazai.tasks.values()
    assert task.request == {
        "prompt": "a dog",
        "generationMode": "text_to_video",
        "duration": "10",
        "aspectRatio": "1:1",
        "sound": True,
        "prompt_directory_optin": True,
    }
    await stage.delivered()
    assert stage.balance == (0, 210)


async def test_result_mentions_only_the_requester_and_has_link_and_credits(stage: Stage) -> None:
    card = await stage.ask("hello @everyone")
    result = await stage.outcome(card)
    (task,) = stage.ulazai.tasks.values()
    assert result.pinged_user_ids == [stage.member.id]
    assert not result.mention_everyone
    assert f"{stage.ulazai.base_url}/kling/videos/{task.task_id}.mp4" in result.content
    assert "Credits used: **55**" in result.content
    assert "495 of 550 credits left" in result.content


async def test_video_is_attached_so_that_it_plays_in_place(stage: Stage) -> None:
    result = await stage.outcome(await stage.ask())
    (file,) = result.attachments
    assert file.content_type == "video/mp4"
    assert stage.discord.file(file.id)[4:8] == b"ftyp"


async def test_card_ends_as_ready_with_the_way_to_the_thread(stage: Stage) -> None:
    card = await stage.ask()
    thread = await stage.thread(card)
    shown = await stage.card_says(card, "Ready")
    assert f"<#{thread.id}>" in shown
    assert "55 used" in shown


async def test_ledger_and_row_at_the_end(stage: Stage) -> None:
    card = await stage.ask()
    result = await stage.outcome(card)
    await stage.delivered()
    (job,) = stage.jobs
    assert (job["state"], job["charged_credits"], job["result_message_id"]) == ("succeeded", 55, result.id)
    assert (job["card_message_id"], job["thread_id"]) == (card.message.id, card.message.id)
    assert job["account_credits"] == stage.ulazai.credits == 4945
    assert stage.entries == [("hold", 55), ("charge", 55)]


async def test_at_most_three_counted_requests_per_video(stage: Stage) -> None:
    await stage.card_says(await stage.ask(), "Ready")
    await stage.delivered()
    stage.discord.requests.clear()
    await stage.card_says(await stage.ask("another one"), "Ready")
    await stage.delivered(2)
    counted = [request for request in stage.discord.requests if not request.path.startswith(_COUNTED)]
    assert len(counted) <= 3


@pytest.mark.parametrize(
    ("reported", "booked", "entries"),
    [
        (40, 40, [("hold", 55), ("charge", 40), ("release", 15)]),
        (110, 110, [("hold", 55), ("hold", 55), ("charge", 110)]),
        (0, 0, [("hold", 55), ("release", 55)]),
        (None, 55, [("hold", 55), ("charge", 55)]),
        ("many", 55, [("hold", 55), ("charge", 55)]),
    ],
)
async def test_credits_are_those_that_the_provider_reports(
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
    reported: object,
    booked: int,
    entries: list[tuple[str, int]],
) -> None:
    def answer(task: Task, _remaining: int, _speed: float) -> dict[str, Any]:
        data = {"task_id": task.task_id, "credits_used": reported, "estimated_time": "0.3-0.5 seconds"}
        return {key: value for key, value in data.items() if value is not None}

    monkeypatch.setattr("sandbox.ulazai.server.submission", answer)
    result = await stage.outcome(await stage.ask())
    assert f"Credits used: **{booked}**" in result.content
    assert f"{550 - booked} of 550 credits left" in result.content
    await stage.delivered()
    assert stage.entries == entries
    assert stage.balance == (0, booked)


async def test_progress_bar_moves_while_the_video_is_made(tmp_path: Path) -> None:
    async with staged(tmp_path, speed=40) as stage:
        card = await stage.ask()
        await stage.card_says(card, "█")
        await stage.card_says(card, "Ready")


async def test_card_edits_keep_their_minimum_interval(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cogs.messages.status_cards._BETWEEN_EDITS_SECONDS", 0.6)
    async with staged(tmp_path, speed=25) as stage:
        await stage.card_says(await stage.ask(), "Ready")
        edits = stage.discord.requests.matching("PATCH", "/webhooks/{application_id}/{token}/messages/{message_id}")
    pauses = [later.at - earlier.at for earlier, later in pairwise(edits)]
    assert len(pauses) >= 2
    assert min(pauses) > 0.55
