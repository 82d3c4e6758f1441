"""The video in the result: attached when it is here and fits, else the link at once, and the file by an edit."""

import time
from pathlib import Path

import pytest

from bot.backoff import Backoff
from cogs.messages import status_cards, video_files
from sandbox.discord.world.models import MEBIBYTE, Message
from tests.e2e.stage import MESSAGES, Stage, hold_finish, running_bot, servers, staged
from tests.local.faults import Fault

VIDEO = "/kling/videos/.*"
POST = "/channels/{channel_id}/messages"


async def link_alone(stage: Stage) -> None:
    result = await stage.outcome(await stage.ask())
    (task_id,) = stage.ulazai.tasks
    link = f"{stage.ulazai.base_url}/kling/videos/{task_id}.mp4"
    assert result.attachments == []
    # Not in angle brackets, so that Discord shows its player for the link.
    assert f" {link}\n" in result.content
    assert result.pinged_user_ids == [stage.member.id]
    await stage.delivered()


async def test_over_the_limit_of_the_server_it_is_the_link(stage: Stage) -> None:
    stage.ulazai.faults.add("GET", VIDEO, Fault(repeat_body_to=11 * MEBIBYTE))
    await link_alone(stage)


@pytest.fixture
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_files, "_DOWNLOAD_BACKOFF", Backoff(0.05, 0.2))
    monkeypatch.setattr(video_files, "_ATTACH_BACKOFF", Backoff(0.05, 0.2))


async def attached(stage: Stage, result: Message) -> int:
    """Wait until a result has its file, and return the file's size."""
    await stage.seen(lambda: result.attachments or None)
    # The file plays, so that its link needs no player.
    assert "<http" in result.content
    return result.attachments[0].size


async def test_slow_file_follows_its_link_into_the_same_message(stage: Stage) -> None:
    stage.ulazai.faults.add("GET", VIDEO, Fault(delay_seconds=3.5))
    card = await stage.ask()
    result = await stage.outcome(card)
    assert result.attachments == []
    assert "<http" not in result.content
    assert await attached(stage, result) > 0
    assert [message.id for message in stage.discord.messages(result.channel_id) if message.attachments] == [result.id]


@pytest.mark.usefixtures("_short_pauses")
@pytest.mark.parametrize("status", [403, 404, 429, 503])
async def test_file_that_is_refused_for_a_while_is_attached_later(stage: Stage, status: int) -> None:
    refused = stage.ulazai.faults.add("GET", VIDEO, Fault(status=status), times=None)
    result = await stage.outcome(await stage.ask())
    assert result.attachments == []
    await stage.until(lambda: refused.hits >= 5)
    stage.ulazai.faults.clear()
    assert await attached(stage, result) > 0


async def test_slow_hosts_delay_nobody_else(tmp_path: Path) -> None:
    async with staged(tmp_path, rate_limits=False, limit_active_jobs=0, limit_window_credits=0) as stage:
        trickling = stage.ulazai.faults.add("GET", VIDEO, Fault(drip_seconds=1.0), times=36)
        for _ in range(36):
            await stage.ask()
        await stage.until(lambda: trickling.hits == 36)
        began = time.monotonic()
        result = await stage.outcome(await stage.ask())
        assert time.monotonic() - began < 5
        assert result.attachments
        await stage.delivered(37)


@pytest.mark.usefixtures("_short_pauses")
@pytest.mark.parametrize("answer_after_effect", [False, True], ids=["before", "after"])
async def test_post_that_fails_with_its_file_is_made_without_it(stage: Stage, *, answer_after_effect: bool) -> None:
    stage.discord.faults.add("POST", MESSAGES, Fault(status=503, answer_after_effect=answer_after_effect))
    result = await stage.outcome(await stage.ask())
    await stage.delivered()
    assert await attached(stage, result) > 0
    assert len(stage.discord.messages(result.channel_id)) == 1


@pytest.mark.usefixtures("_short_pauses")
async def test_edit_with_the_file_is_retried_and_finally_given_up(stage: Stage) -> None:
    stage.discord.faults.add("POST", MESSAGES, Fault(status=503))
    edits = stage.discord.faults.add("PATCH", MESSAGES + r"/\d+", Fault(status=503), times=None)
    result = await stage.outcome(await stage.ask())
    await stage.delivered()
    await stage.until(lambda: edits.hits >= 3)
    assert result.attachments == []
    assert "ready: http" in result.content


async def test_card_does_not_say_ready_before_the_video_is_posted(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status_cards, "_POSTING_SECONDS", 0.2)
    stage.discord.faults.add("POST", MESSAGES, Fault(status=503), times=None)
    card = await stage.ask()
    assert "Ready" not in await stage.card_says(card, "Posting")
    stage.discord.faults.clear()
    await stage.card_says(card, "Ready")
    assert (await stage.outcome(card)).attachments


async def test_what_a_server_refused_is_not_sent_again_until_it_gets_boosts(stage: Stage) -> None:
    stage.ulazai.faults.add("GET", VIDEO, Fault(repeat_body_to=12 * MEBIBYTE), times=None)
    posts = []
    for count in (1, 2):
        assert (await stage.outcome(await stage.ask())).attachments == []
        await stage.delivered(count)
        requests = stage.discord.requests.matching("POST", POST)
        posts.append((len(requests), sum(bool(request.files) for request in requests)))
    assert posts == [(2, 1), (3, 1)]
    stage.discord.admin.edit_guild(stage.discord.guild_id, premium_tier=2)
    await stage.until(lambda: stage.guild.premium_tier == 2)
    assert (await stage.outcome(await stage.ask())).attachments[0].size == 12 * MEBIBYTE


async def test_large_file_is_attached_right_after_a_restart(tmp_path: Path) -> None:
    async with servers(tmp_path) as stage:
        stage.discord.admin.edit_guild(stage.discord.guild_id, premium_tier=2)
        stage.ulazai.faults.add("GET", VIDEO, Fault(repeat_body_to=12 * MEBIBYTE), times=None)
        async with running_bot(stage):
            held = hold_finish(stage)
            card = await stage.ask()
            await stage.until(lambda: stage.states == ["processing"])
        held.release()
        stage.ulazai.faults.add("GET", VIDEO, Fault(repeat_body_to=12 * MEBIBYTE), times=None)
        async with running_bot(stage):
            assert (await stage.outcome(card)).attachments[0].size == 12 * MEBIBYTE


async def test_file_that_was_to_follow_is_attached_after_a_restart(tmp_path: Path) -> None:
    async with servers(tmp_path) as stage:
        slow = stage.ulazai.faults.add("GET", VIDEO, Fault(delay_seconds=60))
        async with running_bot(stage):
            result = await stage.outcome(await stage.ask())
            await stage.delivered()
            assert slow.hits == 1
        assert result.attachments == []
        async with running_bot(stage):
            assert await attached(stage, result) > 0


async def test_the_limit_is_learned_at_run_time(stage: Stage) -> None:
    stage.discord.admin.edit_guild(stage.discord.guild_id, premium_tier=2)
    stage.ulazai.faults.add("GET", VIDEO, Fault(repeat_body_to=11 * MEBIBYTE))
    result = await stage.outcome(await stage.ask())
    (file,) = result.attachments
    assert file.size == 11 * MEBIBYTE


async def test_refused_with_40005_it_is_the_link(stage: Stage) -> None:
    stage.discord.admin.edit_guild(stage.discord.guild_id, upload_limit_bytes=100)
    await link_alone(stage)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=413, body="<html>413 Payload Too Large</html>", content_type="text/html"),
        Fault(status=400, body={"code": 40005, "message": "Request entity too large"}),
    ],
)
async def test_refused_as_too_large_in_any_form_it_is_the_link(stage: Stage, fault: Fault) -> None:
    stage.discord.faults.add("POST", MESSAGES, fault)
    await link_alone(stage)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=404),
        Fault(status=302, headers={"Location": "http://127.0.0.1/"}),
        Fault(status=200, body="<html>not a video</html>", content_type="text/html"),
        Fault(truncate_to=100),
    ],
)
async def test_video_that_cannot_be_fetched_is_linked(stage: Stage, fault: Fault) -> None:
    stage.ulazai.faults.add("GET", VIDEO, fault, times=None)
    await link_alone(stage)


async def test_temporary_errors_with_the_file_are_retried(stage: Stage) -> None:
    stage.ulazai.faults.add("GET", VIDEO, Fault(status=503), times=2)
    result = await stage.outcome(await stage.ask())
    assert len(result.attachments) == 1
