"""What the local UlazAI keeps across a restart."""

from pathlib import Path

from sandbox.ulazai import TaskState
from tests.local.servers import LocalUlazAI
from tests.sandbox.ulazai.client import Clock, picture, running, serving
from tests.sandbox.ulazai.test_videos import fetch, finished


async def test_it_continues_where_it_stopped(tmp_path: Path) -> None:
    clock = Clock()
    first = LocalUlazAI(render=False, now=clock, data_dir=tmp_path / "new", durations=lambda: 80.0)
    async with running(first) as client:
        first.fail_next("No")
        failed, done, still_open = [await client.submit(prompt=f"Dog {number} \ud800") for number in range(3)]
        first.finish(failed)
        first.finish(done)
    again = LocalUlazAI(render=False, now=clock, data_dir=tmp_path / "new")
    async with running(again) as client:
        assert again.api_key == first.api_key
        assert again.credits == first.credits == 5000 - 110
        assert again.charges == first.charges
        assert again.tasks == first.tasks
        assert again.tasks[failed].state is TaskState.FAILED
        assert (await client.status(still_open))["status"] == "processing"
        clock.seconds += 80
        assert (await client.status(still_open))["status"] == "completed"


async def test_a_given_key_replaces_the_stored_one(tmp_path: Path) -> None:
    async with running(LocalUlazAI(render=False, data_dir=tmp_path)):
        pass
    async with running(LocalUlazAI(render=False, data_dir=tmp_path, api_key="mine")) as client:
        await client.submit()
        client.ulazai.revoke_key()
    again = LocalUlazAI(render=False, data_dir=tmp_path)
    async with running(again) as client:
        assert again.api_key == "mine"
        assert (await client.get("/kling26/api/status/any/")).status == 401


async def test_clips_are_kept_and_missing_ones_drawn_again(tmp_path: Path) -> None:
    ulazai = LocalUlazAI(speed=1000, data_dir=tmp_path)
    async with running(ulazai) as client:
        kept = await client.submit()
        before = await fetch(client, (await finished(client, kept))["video_url"])
        ulazai.speed = 1
        async with serving({"/dog.png": picture()}) as address:
            fields = {"generationMode": "image_to_video", "imageUrls": [f"{address}/dog.png"]}
            later = [await client.submit(**fields) for _ in range(3)]
    async with running(LocalUlazAI(data_dir=tmp_path)) as client:
        data = await client.status(kept)
        assert await fetch(client, data["video_url"]) == before
        for task_id in later:
            client.ulazai.finish(task_id)
            assert (await finished(client, task_id))["status"] == "completed"


async def test_without_a_folder_it_can_still_be_stopped_and_started() -> None:
    ulazai = LocalUlazAI(speed=1000)
    async with running(ulazai) as client:
        task_id = await client.submit()
    async with running(ulazai) as client:
        data = await finished(client, task_id)
        assert (await fetch(client, data["video_url"]))[0] == 200
