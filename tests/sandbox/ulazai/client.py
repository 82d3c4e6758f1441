"""A client for the tests of the local UlazAI: sends requests as given, checks nothing."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web
from PIL import Image

from tests.local.servers import LocalUlazAI

TEXT = {"prompt": "A dog in a field", "generationMode": "text_to_video", "prompt_directory_optin": False}


class Clock:
    """A clock that advances only when set."""

    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Answer:
    """An answer, read whole."""

    status: int
    headers: Any
    body: Any


class Client:
    """Talks to one local UlazAI with its key."""

    def __init__(self, ulazai: LocalUlazAI, session: aiohttp.ClientSession) -> None:
        self.ulazai = ulazai
        self.session = session

    async def post(self, body: object, **headers: str) -> Answer:
        authorization = {"Authorization": f"Bearer {self.ulazai.api_key}", **headers}
        url = f"{self.ulazai.base_url}/kling26/api/generate/"
        async with self.session.post(url, json=body, headers=authorization) as response:
            return Answer(response.status, response.headers, await response.json())

    async def submit(self, **changes: object) -> str:
        answer = await self.post({**TEXT, **changes})
        assert answer.status == 201, answer.body
        task_id = answer.body["data"]["task_id"]
        assert isinstance(task_id, str)
        return task_id

    async def status(self, task_id: str) -> dict[str, Any]:
        answer = await self.get(f"/kling26/api/status/{task_id}/")
        assert answer.status == 200, answer.body
        data = answer.body["data"]
        assert isinstance(data, dict)
        return data

    async def get(self, path: str) -> Answer:
        headers = {"Authorization": f"Bearer {self.ulazai.api_key}"}
        async with self.session.get(self.ulazai.base_url + path, headers=headers) as response:
            return Answer(response.status, response.headers, await response.json())


@asynccontextmanager
async def running(ulazai: LocalUlazAI) -> AsyncIterator[Client]:
    """Start a server, hand out a client, stop it."""
    await ulazai.start()
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
            yield Client(ulazai, session)
    finally:
        await ulazai.stop()


@asynccontextmanager
async def serving(files: dict[str, bytes]) -> AsyncIterator[str]:
    """Serve files by their path, on a port of their own; yields the address."""

    async def handle(request: web.Request) -> web.Response:
        if request.path not in files:
            raise web.HTTPNotFound
        return web.Response(body=files[request.path])

    app = web.Application()
    app.router.add_get("/{tail:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def picture(size: tuple[int, int] = (400, 300), kind: str = "PNG") -> bytes:
    target = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(target, kind)
    return target.getvalue()
