"""The local UlazAI over real sockets: its rules, its prices, its pace."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import aiohttp
import pytest

from sandbox.ulazai import TaskState
from sandbox.ulazai.progress import absent, constant, jumping
from tests.local.faults import Fault
from tests.local.servers import LocalUlazAI
from tests.sandbox.ulazai.client import TEXT, Client, Clock, running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def client(clock: Clock) -> AsyncIterator[Client]:
    ulazai = LocalUlazAI(render=False, now=clock, durations=lambda: 80.0, starting_credits=1000)
    async with running(ulazai) as started:
        yield started


async def test_a_job_is_answered_as_documented(client: Client) -> None:
    answer = await client.post({**TEXT, "duration": "5", "aspectRatio": "16:9", "sound": False})
    assert answer.status == 201
    data = answer.body["data"]
    task_id = data.pop("task_id")
    assert str(uuid.UUID(task_id)) == task_id
    assert answer.body == {
        "success": True,
        "data": {
            "status": "processing",
            "credits_used": 55,
            "credits_remaining": 945,
            "estimated_time": "60-90 seconds",
            "message": "KLING 2.6 video generation started",
        },
    }


@pytest.mark.parametrize(
    ("fields", "price"),
    [
        ({}, 55),
        ({"duration": "10"}, 110),
        ({"sound": True}, 110),
        ({"duration": "10", "sound": True}, 220),
        ({"prompt_directory_optin": True}, 45),
        ({"duration": "10", "sound": True, "prompt_directory_optin": True}, 210),
    ],
)
async def test_list_prices(client: Client, fields: dict[str, object], price: int) -> None:
    task_id = await client.submit(**fields)
    assert client.ulazai.tasks[task_id].credits == price
    assert [(line.task_id, line.credits, line.kind) for line in client.ulazai.charges] == [(task_id, price, "charge")]
    assert client.ulazai.credits == 1000 - price


async def test_the_directory_is_joined_unless_it_is_refused(client: Client) -> None:
    answer = await client.post({"prompt": "A dog", "generationMode": "text_to_video"})
    task = client.ulazai.tasks[answer.body["data"]["task_id"]]
    assert task.generation.in_directory
    assert task.credits == 45
    assert (task.generation.duration_seconds, task.generation.aspect_ratio) == (5, "16:9")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"prompt": None}, "prompt is required"),
        ({"prompt": "  \n"}, "prompt is required"),
        ({"prompt": "x" * 2001}, "prompt must be at most 2000 characters, not 2001"),
        ({"generationMode": "video"}, "generationMode must be one of"),
        ({"duration": "7"}, 'duration must be one of "5", "10"'),
        ({"duration": 5}, "duration must be one of"),
        ({"aspectRatio": "4:3"}, "aspectRatio must be one of"),
        ({"sound": "true"}, "sound must be true or false"),
        ({"prompt_directory_optin": 0}, "prompt_directory_optin must be true or false"),
        ({"generationMode": "image_to_video"}, "imageUrls must be an array with exactly one URL"),
        ({"generationMode": "image_to_video", "imageUrls": []}, "imageUrls must be an array"),
        ({"generationMode": "image_to_video", "imageUrls": ["a", "b"]}, "imageUrls must be an array"),
        ({"generationMode": "image_to_video", "imageUrls": ["ftp://host/a.png"]}, "http or https"),
        ({"generationMode": "image_to_video", "imageUrls": ["http://[/"]}, "http or https"),
    ],
)
async def test_invalid_requests_are_refused_and_cost_nothing(
    client: Client, changes: dict[str, object], error: str
) -> None:
    answer = await client.post({**TEXT, **changes})
    assert answer.status == 400
    assert answer.body["success"] is False
    assert error in answer.body["error"]
    assert client.ulazai.charges == []


async def test_the_mode_is_required(client: Client) -> None:
    answer = await client.post({"prompt": "A dog"})
    assert (answer.status, answer.body["error"]) == (400, "generationMode is required")


async def test_the_longest_prompt_is_taken(client: Client) -> None:
    assert await client.submit(prompt="\N{DOG FACE}" * 2000)


@pytest.mark.parametrize("body", ["{", "[]", '"text"', "", "[" * 100_000, "\xff"])
async def test_a_body_that_is_no_json_object_is_refused(client: Client, body: str) -> None:
    url = f"{client.ulazai.base_url}/kling26/api/generate/"
    headers = {"Authorization": f"Bearer {client.ulazai.api_key}", "Content-Type": "application/json"}
    async with client.session.post(url, data=body.encode("latin-1"), headers=headers) as response:
        assert response.status == 400
        assert (await response.json())["error"] == "The request body must be a JSON object"


async def test_another_content_type_is_refused(client: Client) -> None:
    answer = await client.post(TEXT, **{"Content-Type": "text/plain"})
    assert (answer.status, answer.body["error"]) == (400, "Content-Type must be application/json")


@pytest.mark.parametrize("header", ["", "Bearer wrong", "Bearer caf\u00e9", "Basic abc"])
async def test_a_wrong_key_is_refused(client: Client, header: str) -> None:
    answer = await client.post(TEXT, Authorization=header)
    assert answer.status == 401
    assert answer.body == {"success": False, "error": "Invalid or missing API key"}


async def test_a_revoked_key_is_refused_until_it_is_restored(client: Client) -> None:
    task_id = await client.submit()
    client.ulazai.revoke_key()
    assert (await client.post(TEXT)).status == 401
    assert (await client.get(f"/kling26/api/status/{task_id}/")).status == 401
    client.ulazai.restore_key()
    assert (await client.post(TEXT)).status == 201


async def test_without_credits_nothing_is_started(client: Client) -> None:
    client.ulazai.set_credits(54)
    answer = await client.post(TEXT)
    assert answer.status == 402
    assert answer.body == {
        "success": False,
        "error": "Insufficient credits",
        "credits_needed": 55,
        "credits_balance": 54,
    }
    assert client.ulazai.tasks == {}


async def test_the_last_credits_are_spent_once(client: Client) -> None:
    client.ulazai.set_credits(100)
    answers = await asyncio.gather(*(client.post(TEXT) for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [201, 402, 402, 402, 402]
    assert client.ulazai.credits == 45


@pytest.mark.parametrize("path", ["/kling26/api/status/unknown/", "/kling26/api/generate", "/"])
async def test_unknown_paths_and_tasks_are_404_in_json(client: Client, path: str) -> None:
    answer = await client.get(path)
    assert answer.status == 404
    assert answer.body["success"] is False


async def test_the_wrong_method_is_405(client: Client) -> None:
    assert (await client.get("/kling26/api/generate/")).status == 405


async def test_too_many_posts_are_rate_limited(clock: Clock) -> None:
    async with running(LocalUlazAI(render=False, now=clock, max_posts_per_hour=2)) as client:
        await client.submit()
        clock.seconds += 600
        await client.submit()
        answer = await client.post(TEXT)
        assert (answer.status, answer.headers["Retry-After"]) == (429, "3000")
        clock.seconds += 3000
        await client.submit()
        assert (await client.post(TEXT)).status == 429


async def test_progress_grows_and_then_there_is_a_video(client: Client, clock: Clock) -> None:
    task_id = await client.submit(duration="10", sound=True)
    assert await client.status(task_id) == {"task_id": task_id, "status": "processing", "progress": 0}
    clock.seconds += 40
    assert (await client.status(task_id))["progress"] == 50
    clock.seconds += 39.9
    assert (await client.status(task_id))["progress"] == 99
    clock.seconds += 0.1
    assert await client.status(task_id) == {
        "task_id": task_id,
        "status": "completed",
        "video_url": f"{client.ulazai.base_url}/kling/videos/{task_id}.mp4",
        "duration": 10,
        "has_audio": True,
    }


async def test_progress_behaves_as_set(client: Client, clock: Clock) -> None:
    task_id = await client.submit()
    client.ulazai.progress = absent
    assert "progress" not in await client.status(task_id)
    client.ulazai.progress = constant(45)
    clock.seconds += 30
    assert (await client.status(task_id))["progress"] == 45
    client.ulazai.progress = jumping
    seen = []
    for _ in range(5):
        clock.seconds += 7
        seen.append((await client.status(task_id))["progress"])
    assert seen != sorted(seen)


async def test_a_failed_job_says_why_and_gives_the_credits_back(client: Client, clock: Clock) -> None:
    client.ulazai.fail_next("The prompt was rejected")
    task_id = await client.submit()
    assert (await client.status(task_id))["status"] == "processing"
    clock.seconds += 80
    assert client.ulazai.credits == 1000
    assert await client.status(task_id) == {
        "task_id": task_id,
        "status": "failed",
        "error_message": "The prompt was rejected",
        "credits_refunded": True,
    }
    assert [(line.kind, line.credits, line.at) for line in client.ulazai.charges] == [
        ("charge", 55, 1_000_000.0),
        ("refund", 55, 1_000_080.0),
    ]


async def test_a_failure_can_keep_the_credits(client: Client) -> None:
    client.ulazai.fail_next("No", refunded=False)
    failing, fine = await client.submit(), await client.submit()
    client.ulazai.finish(failing)
    client.ulazai.finish(fine)
    assert (await client.status(failing))["credits_refunded"] is False
    assert (await client.status(fine))["status"] == "completed"
    assert client.ulazai.credits == 890


async def test_an_open_job_can_be_made_to_fail_and_an_ended_one_cannot(client: Client) -> None:
    task_id = await client.submit()
    client.ulazai.fail(task_id, "Out of order")
    client.ulazai.fail(task_id, "Again")
    assert (await client.status(task_id))["error_message"] == "Out of order"
    assert client.ulazai.credits == 1000


async def test_finishing_an_unknown_task_is_a_key_error(client: Client) -> None:
    with pytest.raises(KeyError):
        client.ulazai.finish("unknown")


async def test_the_records_have_request_state_and_times(client: Client, clock: Clock) -> None:
    task_id = await client.submit(prompt="A cat")
    task = client.ulazai.tasks[task_id]
    assert task.request == {**TEXT, "prompt": "A cat"}
    assert (task.created_at, task.ends_at, task.finished_at) == (1_000_000.0, 1_000_080.0, None)
    clock.seconds += 100
    assert client.ulazai.tasks[task_id].state is TaskState.COMPLETED
    assert task.finished_at == 1_000_100.0


@pytest.mark.parametrize(
    ("speed", "text"),
    [(1, "60-90 seconds"), (10, "6-9 seconds"), (100, "0.6-0.9 seconds"), (0.5, "120-180 seconds")],
)
async def test_speed_shortens_jobs_and_their_estimate(speed: float, text: str, clock: Clock) -> None:
    async with running(LocalUlazAI(render=False, now=clock, speed=speed, seed=7)) as client:
        answer = await client.post(TEXT)
        assert answer.body["data"]["estimated_time"] == text
        task = client.ulazai.tasks[answer.body["data"]["task_id"]]
        assert 60 <= (task.ends_at - task.created_at) * speed <= 90


async def test_the_seed_decides_the_lengths(clock: Clock) -> None:
    async def lengths(seed: int) -> list[float]:
        async with running(LocalUlazAI(render=False, now=clock, seed=seed)) as client:
            ids = [await client.submit() for _ in range(3)]
            return [client.ulazai.tasks[task_id].ends_at for task_id in ids]

    assert await lengths(1) == await lengths(1) != await lengths(2)


async def test_another_clock_can_be_set(client: Client) -> None:
    task_id = await client.submit()
    client.ulazai.set_clock(lambda: 2_000_000.0)
    assert (await client.status(task_id))["status"] == "completed"


async def test_a_cut_after_the_effect_was_charged(client: Client) -> None:
    client.ulazai.faults.add("POST", "/kling26/api/generate/", Fault(cut="after"))
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.post(TEXT)
    assert [line.credits for line in client.ulazai.charges] == [55]


async def test_it_can_only_be_started_once_and_has_no_address_when_stopped() -> None:
    ulazai = LocalUlazAI(render=False)
    with pytest.raises(RuntimeError, match="not running"):
        _ = ulazai.base_url
    async with running(ulazai):
        with pytest.raises(RuntimeError, match="running already"):
            await ulazai.start()
    await ulazai.stop()
