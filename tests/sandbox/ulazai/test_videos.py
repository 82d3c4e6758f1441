"""The local UlazAI's videos and the pictures they are made from, over real sockets."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import suppress

import av
import pytest

from sandbox.ulazai.pictures import check_picture
from sandbox.ulazai.values import RefusalError
from tests.local.faults import Fault
from tests.local.servers import LocalUlazAI
from tests.sandbox.ulazai.client import Client, Clock, picture, running, serving

IMAGE = {"generationMode": "image_to_video"}


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with running(LocalUlazAI(speed=1000)) as started:
        yield started


async def finished(client: Client, task_id: str) -> dict[str, object]:
    for _ in range(3000):
        data = await client.status(task_id)
        if data["status"] != "processing":
            return data
        await asyncio.sleep(0.02)
    pytest.fail("the job did not end")


async def fetch(client: Client, url: object, wanted: str | None = None) -> tuple[int, str | None, bytes]:
    headers = {} if wanted is None else {"Range": wanted}
    async with client.session.get(str(url), headers=headers) as response:
        return response.status, response.headers.get("Content-Range"), await response.read()


def shape(clip: bytes) -> tuple[int, int, int, bool]:
    with av.open(io.BytesIO(clip), "r") as container:
        video = container.streams.video[0]
        assert container.duration is not None
        return video.width, video.height, round(container.duration / av.time_base), bool(container.streams.audio)


async def test_a_video_has_the_length_and_sound_that_were_paid_for(client: Client) -> None:
    task_id = await client.submit(aspectRatio="9:16", sound=True)
    data = await finished(client, task_id)
    status, _, clip = await fetch(client, data["video_url"])
    assert status == 200
    assert shape(clip) == (360, 640, 5, True)


async def test_a_video_supports_range_requests(client: Client) -> None:
    url = (await finished(client, await client.submit()))["video_url"]
    _, _, whole = await fetch(client, url)
    size = len(whole)
    assert await fetch(client, url, "bytes=0-99") == (206, f"bytes 0-99/{size}", whole[:100])
    assert await fetch(client, url, "bytes=100-") == (206, f"bytes 100-{size - 1}/{size}", whole[100:])
    assert await fetch(client, url, "bytes=-50") == (206, f"bytes {size - 50}-{size - 1}/{size}", whole[-50:])
    assert await fetch(client, url, f"bytes={size}-") == (416, f"bytes */{size}", b"")
    assert await fetch(client, url, "lines=1-2") == (200, None, whole)


async def test_a_video_is_not_there_before_the_job_is_done(client: Client) -> None:
    client.ulazai.speed = 1
    task_id = await client.submit()
    assert (await client.get(f"/kling/videos/{task_id}.mp4")).status == 404
    assert (await client.get("/kling/videos/unknown.mp4")).status == 404


async def test_a_job_is_not_done_before_its_video_is(client: Client) -> None:
    task_id = await client.submit()
    client.ulazai.finish(task_id)
    assert await client.status(task_id) == {"task_id": task_id, "status": "processing", "progress": 99}
    assert (await finished(client, task_id))["status"] == "completed"


async def test_a_truncated_video_is_cut_short(client: Client) -> None:
    url = (await finished(client, await client.submit()))["video_url"]
    client.ulazai.faults.add("GET", "/kling/videos/.*", Fault(truncate_to=1000))
    async with client.session.get(str(url)) as response:
        assert response.content_length is not None
        assert len(await response.content.readexactly(1000)) == 1000 < response.content_length


async def test_the_event_loop_is_not_blocked_while_clips_are_drawn(client: Client) -> None:
    task_ids = [await client.submit(prompt=f"Dog {number}", sound=True) for number in range(3)]
    drawing = asyncio.gather(*(finished(client, task_id) for task_id in task_ids))
    turns = 0
    while not drawing.done():
        await asyncio.sleep(0.001)
        turns += 1
    await drawing
    # Were the clips drawn in the loop, it would turn a few times between them.
    assert turns > 100


async def test_a_picture_becomes_a_video_of_its_shape(client: Client) -> None:
    async with serving({"/dog.jpg": picture((600, 300), "JPEG")}) as address:
        task_id = await client.submit(**IMAGE, imageUrls=[f"{address}/dog.jpg?ex=1"])
        data = await finished(client, task_id)
    assert shape((await fetch(client, data["video_url"]))[2]) == (640, 320, 5, False)
    assert client.ulazai.tasks[task_id].picture is None


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/missing.png", "could not be fetched (status 404)"),
        ("/text.png", "must be a sound JPEG or PNG file"),
        ("/webp.png", "must be a sound JPEG or PNG file"),
        ("/cut.png", "must be a sound JPEG or PNG file"),
        ("/small.png", "at least 300 pixels"),
        ("/wide.png", "aspect ratio must be between 1:2.5 and 2.5:1"),
        ("/huge.png", "larger than 10 MB"),
    ],
)
async def test_an_unsuitable_picture_is_refused_and_costs_nothing(client: Client, path: str, error: str) -> None:
    files = {
        "/text.png": b"hello",
        "/webp.png": picture(kind="WEBP"),
        "/cut.png": picture()[:-100],
        "/small.png": picture((299, 400)),
        "/wide.png": picture((1000, 399)),
        "/huge.png": bytes(10 * 1024 * 1024 + 1),
    }
    async with serving(files) as address:
        answer = await client.post({"prompt": "Go", **IMAGE, "imageUrls": [address + path]})
    assert answer.status == 400
    assert error in answer.body["error"]
    assert client.ulazai.charges == []


async def test_a_picture_nobody_serves_is_refused(client: Client) -> None:
    async with serving({}) as address:
        pass
    answer = await client.post({"prompt": "Go", **IMAGE, "imageUrls": [f"{address}/a.png"]})
    assert answer.status == 400
    assert "could not be fetched" in answer.body["error"]


@pytest.mark.parametrize("size", [(300, 300), (750, 300), (300, 750)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_pictures_at_the_limits_are_taken(size: tuple[int, int], kind: str) -> None:
    check_picture(picture(size, kind))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_damaged_picture_is_accepted_or_refused_and_nothing_else(kind: str) -> None:
    sound = picture((300, 300), kind)
    for position in range(0, len(sound), max(1, len(sound) // 150)):
        damaged = sound[:position] + bytes([sound[position] ^ 0xFF]) + sound[position + 1 :]
        with suppress(RefusalError):
            check_picture(damaged)


async def test_samples_are_real_clips_and_ready_at_once() -> None:
    clock = Clock()
    async with running(LocalUlazAI(render=False, now=clock)) as client:
        silent, loud = await client.submit(), await client.submit(sound=True)
        clock.seconds += 90
        for task_id, sound in ((silent, False), (loud, True)):
            data = await client.status(task_id)
            clip = (await fetch(client, data["video_url"]))[2]
            assert shape(clip) == (640, 360, 1, sound)
