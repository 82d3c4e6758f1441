"""The archive: a video outlives the provider's link, and no link leads into the machine or its network."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path

import av
import pytest_asyncio
from aiohttp import web

from sandbox.discord.world.models import MEBIBYTE, Message
from tests.e2e.stage import MESSAGES, STATUS, Stage, refusal_of, running_bot, servers, staged, text_of
from tests.local.faults import Fault, PlannedFault

VIDEO = "/kling/videos/.*"
ANSWER = r"/api/v10/webhooks/\d+/.*/messages/@original"
EXPIRED = "may have expired"


@pytest_asyncio.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage whose bot keeps copies."""
    async with staged(tmp_path, archive_dir=tmp_path / "archive") as stage:
        yield stage


def copies(stage: Stage) -> list[Path]:
    folder = stage.settings.archive_dir
    return sorted(folder.iterdir()) if folder and folder.exists() else []


def link_of(stage: Stage) -> str:
    (task_id,) = stage.ulazai.tasks
    return f"{stage.ulazai.base_url}/kling/videos/{task_id}.mp4"


def kill_link(stage: Stage) -> PlannedFault:
    return stage.ulazai.faults.add("GET", VIDEO, Fault(status=404), times=None)


async def again(stage: Stage, job_id: int = 1) -> Message:
    """Use /history with `video` and return the private answer."""
    record = await stage.member.slash(stage.videos, "history", video=job_id)
    message = await record.finished()
    assert message.visible_to == stage.member.id
    return message


def file_of(stage: Stage, message: Message) -> bytes:
    (file,) = message.attachments
    return stage.discord.file(file.id)


def assert_plays(content: bytes) -> None:
    with av.open(BytesIO(content), mode="r") as clip:
        assert next(clip.decode(video=0)).width > 0


def assert_is_link(stage: Stage, message: Message) -> None:
    assert message.attachments == []
    assert message.content.startswith(f"{link_of(stage)}\n")
    assert EXPIRED in message.content


async def test_video_is_fetched_once_and_outlives_the_link(kept: Stage) -> None:
    fetched = kept.ulazai.faults.add("GET", VIDEO, Fault(), times=None)
    result = await kept.outcome(await kept.ask())
    await kept.delivered()
    assert fetched.hits == 1
    kept.ulazai.faults.clear()
    dead = kill_link(kept)
    message = await again(kept)
    assert_plays(file_of(kept, message))
    assert file_of(kept, message) == file_of(kept, result)
    assert "a cat on the moon" in text_of(message)
    assert dead.hits == 0


async def test_copy_outlives_a_restart(tmp_path: Path) -> None:
    async with servers(tmp_path, archive_dir=tmp_path / "archive") as stage:
        async with running_bot(stage):
            await stage.ask()
            await stage.delivered()
        kill_link(stage)
        async with running_bot(stage):
            assert_plays(file_of(stage, await again(stage)))


async def test_retried_delivery_uses_the_copy(kept: Stage) -> None:
    fetched = kept.ulazai.faults.add("GET", VIDEO, Fault(), times=None)
    kept.discord.faults.add("POST", MESSAGES, Fault(cut="before"), times=2)
    result = await kept.outcome(await kept.ask())
    await kept.delivered()
    assert_plays(file_of(kept, result))
    assert fetched.hits == 1


async def test_what_is_too_large_to_attach_is_kept_after_the_link_is_posted(kept: Stage) -> None:
    kept.ulazai.faults.add("GET", VIDEO, Fault(repeat_body_to=11 * MEBIBYTE), times=None)
    result = await kept.outcome(await kept.ask())
    assert result.attachments == []
    await kept.until(lambda: [path.stat().st_size for path in copies(kept)] == [11 * MEBIBYTE])
    kept.ulazai.faults.clear()
    kill_link(kept)
    message = await again(kept)
    assert_is_link(kept, message)
    assert "My copy of this video has 11 MB" in message.content
    kept.discord.admin.edit_guild(kept.discord.guild_id, premium_tier=2)
    await kept.until(lambda: kept.guild.premium_tier == 2)
    message = await again(kept)
    assert len(file_of(kept, message)) == 11 * MEBIBYTE


async def test_stop_does_not_wait_for_a_copy_and_leaves_no_partial_one(tmp_path: Path) -> None:
    async with servers(tmp_path, archive_dir=tmp_path / "archive") as stage:
        slow = stage.ulazai.faults.add("GET", VIDEO, Fault(repeat_body_to=11 * MEBIBYTE, drip_seconds=0.05))
        async with running_bot(stage):
            await stage.ask()
            await stage.delivered()
            await stage.until(lambda: slow.hits == 1)
            began = time.monotonic()
        assert time.monotonic() - began < 5
        assert copies(stage) == []


async def test_video_that_could_not_be_fetched_at_first_is_copied_later(kept: Stage) -> None:
    # The three tries of the post, and one more.
    kept.ulazai.faults.add("GET", VIDEO, Fault(status=503), times=4)
    result = await kept.outcome(await kept.ask())
    assert result.attachments == []
    await kept.until(lambda: len(copies(kept)) == 1)
    kill_link(kept)
    assert_plays(file_of(kept, await again(kept)))


async def test_copy_that_is_missing_is_made_after_a_restart(tmp_path: Path) -> None:
    async with servers(tmp_path, archive_dir=tmp_path / "archive") as stage:
        kill_link(stage)
        async with running_bot(stage):
            await stage.ask()
            await stage.delivered()
        stage.ulazai.faults.clear()
        assert copies(stage) == []
        async with running_bot(stage):
            await stage.until(lambda: len(copies(stage)) == 1)


async def test_file_names_disclose_nothing(kept: Stage) -> None:
    await kept.ask("a secret wish")
    await kept.delivered()
    (copy,) = copies(kept)
    (task_id,) = kept.ulazai.tasks
    assert not any(word in copy.name for word in ("secret", "wish", task_id, str(kept.member.id)))


async def test_without_an_archive_it_is_the_link(stage: Stage) -> None:
    await stage.ask()
    await stage.delivered()
    message = await again(stage)
    assert_is_link(stage, message)
    assert "no copy" in message.content


async def test_archive_that_cannot_be_written_costs_nothing_but_the_copy(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    async with staged(tmp_path, archive_dir=tmp_path / "file") as stage:
        result = await stage.outcome(await stage.ask())
        await stage.delivered()
        assert_plays(file_of(stage, result))
        assert_is_link(stage, await again(stage))


async def test_file_that_discord_does_not_take_becomes_the_link(kept: Stage) -> None:
    await kept.ask()
    await kept.delivered()
    kept.discord.faults.add("PATCH", ANSWER, Fault(status=400, body={"code": 40005, "message": "Too large"}))
    assert_is_link(kept, await again(kept))


async def test_only_finished_videos_of_ones_own_are_given(kept: Stage) -> None:
    kept.ulazai.fail_next("no")
    await kept.ask("one that fails")
    await kept.delivered()
    await kept.ask("one that is made")
    await kept.delivered(2)
    other = kept.discord.person("member-two")
    for person, job_id in ((kept.member, 1), (kept.member, 99), (other, 2)):
        record = await person.slash(kept.videos, "history", video=job_id)
        await record.finished()
        assert "no finished video" in refusal_of(record)


async def test_videos_to_choose_from_are_ones_own_finished_ones_the_newest_first(kept: Stage) -> None:
    kept.ulazai.fail_next("no")
    for count, prompt in enumerate(("a failed cat", "A CAT", "100% dog", "the last cat"), 1):
        await kept.ask(prompt)
        await kept.delivered(count)

    async def choices(typed: str, name: str = "member-one") -> list[int]:
        record = await kept.discord.person(name).autocomplete(kept.videos, "history", "video", typed)
        await record.answered()
        return [choice["value"] for choice in record.choices]

    assert await choices("") == [4, 3, 2]
    assert await choices("cat") == [4, 2]
    assert await choices("%") == [3]
    assert await choices("3: 100") == [3]
    assert await choices("fish") == []
    assert await choices("", "member-two") == []


@asynccontextmanager
async def neighbour() -> AsyncIterator[tuple[int, list[str]]]:
    """Another service on this machine, on a port of its own; notes who asks for what."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(body=b"\0\0\0\x18ftypmp42 secret of the machine")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1], asked
    finally:
        await runner.cleanup()


async def test_link_to_the_local_machine_is_not_followed_but_shown(kept: Stage) -> None:
    async with neighbour() as (port, asked):
        for count, host in enumerate(("localhost", "127.0.0.1", "2130706433", "[::ffff:127.0.0.1]"), 1):
            link = f"http://{host}:{port}/video.mp4"
            kept.ulazai.faults.clear()
            kept.ulazai.faults.add("GET", STATUS, Fault(body=completed(link)), times=None)
            result = await kept.outcome(await kept.ask())
            await kept.delivered(count)
            assert result.attachments == []
            assert link in result.content
        assert asked == []
        assert copies(kept) == []


def completed(link: str) -> dict[str, object]:
    return {"success": True, "data": {"status": "completed", "video_url": link}}


async def test_redirect_to_the_local_machine_is_not_followed(kept: Stage) -> None:
    async with neighbour() as (port, asked):
        moved = Fault(status=302, headers={"Location": f"http://127.0.0.1:{port}/video.mp4"})
        kept.ulazai.faults.add("GET", VIDEO, moved, times=None)
        result = await kept.outcome(await kept.ask())
        assert result.attachments == []
        assert link_of(kept) in result.content
        assert asked == []


async def test_redirect_on_the_providers_own_host_is_followed(kept: Stage) -> None:
    kept.ulazai.faults.add("GET", VIDEO, Fault(status=302, headers={"Location": "?moved"}))
    result = await kept.outcome(await kept.ask())
    assert_plays(file_of(kept, result))
