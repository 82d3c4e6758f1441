"""UlazAI's Kling 2.6 endpoints on loopback, as its documentation and error pages describe them."""

import asyncio
import json
import random
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import InitVar, dataclass
from pathlib import Path

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from yarl import URL

from sandbox.ulazai.answers import (
    TYPICAL_SECONDS,
    data_answer,
    file_answer,
    refusal_answer,
    submission,
    task_status,
)
from sandbox.ulazai.clip_store import ClipStore, sample_clip
from sandbox.ulazai.jobs import Jobs
from sandbox.ulazai.pictures import fetch_picture
from sandbox.ulazai.progress import linear
from sandbox.ulazai.rules import read_generation
from sandbox.ulazai.store import Account, State, Store
from sandbox.ulazai.values import Charge, JsonObject, ProgressPolicy, RefusalError, Task, TaskState


@dataclass(eq=False, kw_only=True)
class LocalUlazAI:
    """A server that answers as UlazAI does and makes clips.

    It can be stopped and started again, and keeps its state.

    Attributes:
        speed: how many times faster its jobs run than real ones.
        api_key: the only key it accepts; if empty, the one in `data_dir`, or a new one.
        starting_credits: the balance of a new account.
        data_dir: where tasks, account and clips are kept; None keeps them in memory.
        seed: seed of the jobs' durations; None for random ones.
        max_posts_per_hour: generate requests per account and hour; more are answered with 429.
        durations: returns a job's duration in seconds at speed 1; by default 60 to 90.
        render: False serves one tiny clip for all jobs, for tests with many of them.
        now: the clock in seconds; with a `data_dir` it must continue across restarts.
        progress: computes the progress that a task reports.
        middlewares: run for every request, before it is handled.
    """

    speed: float = 1.0
    api_key: str = ""
    starting_credits: int = 5000
    data_dir: Path | None = None
    seed: InitVar[int | None] = None
    max_posts_per_hour: int | None = None
    durations: Callable[[], float] | None = None
    render: bool = True
    now: Callable[[], float] = time.time
    progress: ProgressPolicy = linear
    middlewares: Sequence[Middleware] = ()

    def __post_init__(self, seed: int | None) -> None:
        lengths = random.Random(seed)  # noqa: S311 - how long a job takes is no secret
        draw = self.durations or (lambda: lengths.uniform(*TYPICAL_SECONDS))
        self._key_is_given = bool(self.api_key)
        self.api_key = self.api_key or f"ulz_{secrets.token_urlsafe(24)}"
        clips_folder = None if self.data_dir is None else self.data_dir / "clips"
        self._jobs = Jobs(
            state=State(Account(self.api_key, self.starting_credits)),
            clips=ClipStore(clips_folder) if self.render else None,
            now=self._time,
            draw_duration=lambda: draw() / self.speed,
            max_posts_per_hour=self.max_posts_per_hour,
        )
        self._base_url = ""
        self._open = AsyncExitStack()
        self._session: aiohttp.ClientSession | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Load the saved state and listen; port 0 picks a free one, see `base_url`.

        Raises:
            OSError: the port is taken, or `data_dir` cannot be written.
            RuntimeError: it is running already.
        """
        if self._base_url:
            raise RuntimeError("the local UlazAI is running already")
        async with AsyncExitStack() as stack:
            self._open_store(stack)
            self._session = await stack.enter_async_context(aiohttp.ClientSession())
            await self._start_jobs(stack)
            self._base_url = await self._listen(stack, host, port)
            self._open = stack.pop_all()

    async def stop(self) -> None:
        """Close the connections and finish the clips in progress; does nothing if it is not running."""
        self._base_url = ""
        await self._open.aclose()

    @property
    def base_url(self) -> str:
        """The server's URL, without a trailing slash.

        Raises:
            RuntimeError: it is not running.
        """
        if not self._base_url:
            raise RuntimeError("the local UlazAI is not running")
        return self._base_url

    @property
    def tasks(self) -> dict[str, Task]:
        """Every task by its id, oldest first, as of now."""
        self._jobs.end_due()
        return self._jobs.state.tasks

    @property
    def charges(self) -> list[Charge]:
        """The account's charges and refunds, oldest first, as of now."""
        self._jobs.end_due()
        return self._jobs.state.charges

    @property
    def credits(self) -> int:
        """The balance as of now."""
        self._jobs.end_due()
        return self._jobs.state.account.credits

    def set_credits(self, balance: int) -> None:
        """Set the balance, as a purchase or another program of the same account does."""
        self._jobs.set_credits(balance)

    def fail_next(self, message: str, *, refunded: bool = True) -> None:
        """Make the next job fail at its end; each call is for one more job.

        Args:
            message: the error shown.
            refunded: whether the credits are returned.
        """
        self._jobs.plan_failure(message, refunded=refunded)

    def finish(self, task_id: str) -> None:
        """End a task now, or as soon as its clip is rendered.

        Raises:
            KeyError: there is no such task.
        """
        self._jobs.finish(self.tasks[task_id])

    def fail(self, task_id: str, message: str, *, refunded: bool = True) -> None:
        """Fail an open task now; does nothing if it has ended.

        Args:
            task_id: the task.
            message: the error shown.
            refunded: whether the credits are returned.

        Raises:
            KeyError: there is no such task.
        """
        self._jobs.fail(self.tasks[task_id], message, refunded=refunded)

    def set_clock(self, now: Callable[[], float]) -> None:
        """Use another clock from now on."""
        self.now = now

    def revoke_key(self) -> None:
        """Answer every request with 401 until `restore_key`."""
        self._jobs.set_key_valid(valid=False)

    def restore_key(self) -> None:
        """Accept the key again."""
        self._jobs.set_key_valid(valid=True)

    def _time(self) -> float:
        return self.now()

    def _open_store(self, stack: AsyncExitStack) -> None:
        if self.data_dir is None:
            return
        self.data_dir.mkdir(parents=True, exist_ok=True)
        store = Store(self.data_dir / "ulazai.db")
        stack.callback(store.close)
        state = store.load() or self._jobs.state
        if self._key_is_given:
            state.account.api_key = self.api_key
        self.api_key = state.account.api_key
        store.save(state.account)
        self._jobs.state = state
        self._jobs.store = store

    async def _start_jobs(self, stack: AsyncExitStack) -> None:
        if self._jobs.clips is None:
            for sound in (False, True):
                await asyncio.to_thread(sample_clip, sound=sound)
        else:
            self._jobs.clips.open()
            stack.push_async_callback(self._jobs.clips.close)
        self._jobs.resume()

    async def _listen(self, stack: AsyncExitStack, host: str, port: int) -> str:
        app = web.Application(middlewares=[*self.middlewares, _answer_refusals])
        app.router.add_post("/kling26/api/generate/", self._generate)
        app.router.add_get("/kling26/api/status/{task_id}/", self._status)
        app.router.add_get("/kling/videos/{task_id}.mp4", self._video)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, host, port).start()
        bound_host, bound_port = runner.addresses[0][:2]
        return str(URL.build(scheme="http", host=bound_host, port=bound_port))

    async def _generate(self, request: web.Request) -> web.Response:
        self._jobs.authorize(request.headers.get("Authorization"))
        self._jobs.count_post()
        body = await _read_json(request)
        generation = read_generation(body)
        self._jobs.check_balance(generation)
        picture = await self._picture(generation.image_url)
        task = self._jobs.submit(generation, body, picture)
        return data_answer(201, submission(task, self.credits, self.speed))

    async def _picture(self, url: str | None) -> bytes | None:
        if url is None or self._session is None:
            return None
        return await fetch_picture(self._session, url)

    async def _status(self, request: web.Request) -> web.Response:
        self._jobs.authorize(request.headers.get("Authorization"))
        task = self._jobs.find(request.match_info["task_id"])
        if task is None:
            raise RefusalError(404, "Task not found")
        return data_answer(200, task_status(task, self.now(), self.base_url, self.progress))

    async def _video(self, request: web.Request) -> web.Response:
        task = self._jobs.find(request.match_info["task_id"])
        if task is None or task.state is not TaskState.COMPLETED:
            raise RefusalError(404, "Video not found")
        if self._jobs.clips is None:
            return file_answer(request, sample_clip(sound=task.generation.sound), "video/mp4")
        return file_answer(request, await self._jobs.clips.read(task.task_id), "video/mp4")


@web.middleware
async def _answer_refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except RefusalError as refusal:
        return refusal_answer(refusal)
    except web.HTTPException as error:
        return refusal_answer(RefusalError(error.status, error.reason))


async def _read_json(request: web.Request) -> JsonObject:
    if request.content_type != "application/json":
        raise RefusalError(400, "Content-Type must be application/json")
    try:
        body = json.loads(await request.read())
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise RefusalError(400, "The request body must be a JSON object")
    return body
