"""The local UlazAI without HTTP: accepts jobs, charges for them, and ends them in time."""

import asyncio
import functools
import heapq
import logging
import math
import secrets
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from sandbox.clips import ClipSpec
from sandbox.ulazai.clip_store import ClipStore
from sandbox.ulazai.store import State, Store
from sandbox.ulazai.values import Charge, Generation, JsonObject, RefusalError, Task, TaskState

_HOUR_SECONDS = 3600.0

logger = logging.getLogger(__name__)


@dataclass(eq=False, kw_only=True)
class Jobs:
    """The jobs and the account.

    Due tasks come from a heap, so that no request iterates over all tasks.

    Attributes:
        state: account, tasks and charges.
        clips: renders and stores clips; None serves a sample instead.
        store: where changes are saved; None keeps them in memory.
        now: the clock, in seconds.
        draw_duration: returns each job's duration in seconds of that clock.
        max_posts_per_hour: generate requests per hour; None for no limit.
    """

    state: State
    clips: ClipStore | None
    now: Callable[[], float]
    draw_duration: Callable[[], float]
    max_posts_per_hour: int | None = None
    store: Store | None = None
    _due: list[tuple[float, str]] = field(default_factory=list, init=False)
    _posts: deque[float] = field(default_factory=deque, init=False)
    _planned_failures: deque[tuple[str, bool]] = field(default_factory=deque, init=False)

    def resume(self) -> None:
        """Resume the open tasks, and render the clips that are missing."""
        drawn = set() if self.clips is None else self.clips.task_ids()
        self._due = []
        for task in self.state.tasks.values():
            if task.state is TaskState.PROCESSING:
                task.clip_ready = task.task_id in drawn
                self._begin(task)

    def authorize(self, header: str | None) -> None:
        """Check an Authorization header.

        Raises:
            RefusalError: 401.
        """
        expected = f"Bearer {self.state.account.api_key}".encode()
        given = (header or "").encode("utf-8", "replace")
        if not self.state.account.key_valid or not secrets.compare_digest(given, expected):
            raise RefusalError(401, "Invalid or missing API key")

    def count_post(self) -> None:
        """Count one generate request against the limit per hour.

        Raises:
            RefusalError: 429 with `Retry-After` in whole seconds.
        """
        if self.max_posts_per_hour is None:
            return
        now = self.now()
        while self._posts and self._posts[0] <= now - _HOUR_SECONDS:
            self._posts.popleft()
        if len(self._posts) >= self.max_posts_per_hour:
            wait = math.ceil(self._posts[0] + _HOUR_SECONDS - now)
            raise RefusalError(429, "Rate limit exceeded", headers={"Retry-After": str(max(1, wait))})
        self._posts.append(now)

    def check_balance(self, generation: Generation) -> None:
        """Check that the balance covers a job.

        Raises:
            RefusalError: 402.
        """
        balance = self.state.account.credits
        if balance < generation.price:
            details = {"credits_needed": generation.price, "credits_balance": balance}
            raise RefusalError(402, "Insufficient credits", details=details)

    def submit(self, generation: Generation, request: JsonObject, picture: bytes | None) -> Task:
        """Charge for a job and start it.

        Args:
            generation: the validated request.
            request: its body, as it came.
            picture: the picture to animate.

        Raises:
            RefusalError: 402 if there are not enough credits.
        """
        self.end_due()
        self.check_balance(generation)
        task = self._new_task(generation, request, picture)
        self.state.tasks[task.task_id] = task
        self.state.account.credits -= task.credits
        self._save([task], [Charge(task.task_id, task.credits, task.created_at, "charge")])
        self._begin(task)
        return task

    def find(self, task_id: str) -> Task | None:
        """Return a task as of now."""
        self.end_due()
        return self.state.tasks.get(task_id)

    def end_due(self) -> None:
        """End every task that is due."""
        now = self.now()
        self._end(self._pop_due(now), now)

    def plan_failure(self, message: str, *, refunded: bool) -> None:
        """Make the next submitted job fail at its end."""
        self._planned_failures.append((message, refunded))

    def finish(self, task: Task) -> None:
        """End a task now, or as soon as its clip is rendered."""
        task.ends_at = min(task.ends_at, self.now())
        self._end([task], self.now())

    def fail(self, task: Task, message: str, *, refunded: bool) -> None:
        """Fail an open task now.

        Args:
            task: the task.
            message: the error shown.
            refunded: whether the credits are returned.
        """
        if task.state is TaskState.PROCESSING:
            task.failure, task.refunded = message, refunded
            self.finish(task)

    def set_key_valid(self, *, valid: bool) -> None:
        """Revoke or restore the key."""
        self.state.account.key_valid = valid
        self._save([], [])

    def set_credits(self, balance: int) -> None:
        """Set the balance, as a purchase does."""
        self.end_due()
        self.state.account.credits = balance
        self._save([], [])

    def _new_task(self, generation: Generation, request: JsonObject, picture: bytes | None) -> Task:
        now = self.now()
        task = Task(
            task_id=str(uuid.uuid4()),
            request=request,
            generation=generation,
            credits=generation.price,
            created_at=now,
            ends_at=now + self.draw_duration(),
            picture=picture,
        )
        if self._planned_failures:
            task.failure, task.refunded = self._planned_failures.popleft()
        return task

    def _begin(self, task: Task) -> None:
        heapq.heappush(self._due, (task.ends_at, task.task_id))
        if task.failure is not None or task.clip_ready:
            return
        if self.clips is None:
            task.clip_ready = True
            return
        drawing = self.clips.draw(task.task_id, _clip_spec(task))
        drawing.add_done_callback(functools.partial(self._on_drawn, task))

    def _on_drawn(self, task: Task, drawing: asyncio.Future[None]) -> None:
        if drawing.cancelled():
            return  # the server is stopping; the clip is rendered after the next start
        error = drawing.exception()
        if error is not None:
            logger.error("the clip of task %s could not be rendered", task.task_id, exc_info=error)
            task.failure, task.refunded = "The video could not be made", True
        task.clip_ready = error is None
        self._end([task], self.now())

    def _pop_due(self, now: float) -> Iterator[Task]:
        while self._due and self._due[0][0] <= now:
            yield self.state.tasks[heapq.heappop(self._due)[1]]

    def _end(self, candidates: Iterable[Task], now: float) -> None:
        ended = [task for task in candidates if _can_end(task, now)]
        if not ended:
            return
        refunds = [Charge(task.task_id, task.credits, now, "refund") for task in ended if _is_refunded(task)]
        for task in ended:
            task.state = TaskState.COMPLETED if task.failure is None else TaskState.FAILED
            task.finished_at = now
            task.picture = None
        self.state.account.credits += sum(refund.credits for refund in refunds)
        self._save(ended, refunds)

    def _save(self, tasks: list[Task], charges: list[Charge]) -> None:
        self.state.charges.extend(charges)
        if self.store is not None:
            self.store.save(self.state.account, tasks, charges)


def _can_end(task: Task, now: float) -> bool:
    if task.state is not TaskState.PROCESSING or task.ends_at > now:
        return False
    return task.clip_ready or task.failure is not None


def _is_refunded(task: Task) -> bool:
    return task.failure is not None and task.refunded


def _clip_spec(task: Task) -> ClipSpec:
    wanted = task.generation
    return ClipSpec(wanted.prompt, wanted.duration_seconds, wanted.aspect_ratio, wanted.sound, task.picture)
