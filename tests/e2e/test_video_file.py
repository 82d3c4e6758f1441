"""The video in the result: attached when it fits, else the link alone."""

import pytest

from sandbox.discord.world.models import MEBIBYTE
from tests.e2e.stage import MESSAGES, Stage
from tests.local.faults import Fault

VIDEO = "/kling/videos/.*"


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


async def test_the_limit_is_read_at_run_time(stage: Stage) -> None:
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


async def test_passing_trouble_with_the_file_is_sat_out(stage: Stage) -> None:
    stage.ulazai.faults.add("GET", VIDEO, Fault(status=503), times=2)
    result = await stage.outcome(await stage.ask())
    assert len(result.attachments) == 1
