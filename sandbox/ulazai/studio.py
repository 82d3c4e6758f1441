"""The local UlazAI without its HTTP: takes jobs, charges for them, and has them done in their time."""

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
from sandbox.ulazai.shelf import ClipShelf
from sandbox.ulazai.store import Books, Store
from sandbox.ulazai.values import Charge, Generation, JsonObject, RefusalError, Task, TaskState

_HOUR_SECONDS = 3600.0

logger = logging.getLogger(__name__)


@dataclass(eq=False, kw_only=True)
class Studio:
    """The jobs and the money.

    No request looks at more than its own task: those whose time has come are taken from a heap.

    Attributes:
        books: account, tasks and charges.
        shelf: where the clips are drawn; None serves samples instead.
        store: where changes are saved; None keeps them in memory.
        now: the clock, in seconds.
        draw_duration: gives each job its length in seconds of that clock.
        max_posts_per_hour: of the account; None for no limit.
    """

    books: Books
    shelf: ClipShelf | None
    now: Callable[[], float]
    draw_duration: Callable[[], float]
    max_posts_per_hour: int | None = None
    store: Store | None = None
    _due: list[tuple[float, str]] = field(default_factory=list, init=False)
    _posts: deque[float] = field(default_factory=deque, init=False)
    _planned_failures: deque[tuple[str, bool]] = field(default_factory=deque, init=False)

    def resume(self) -> None:
        """Take up the tasks that are open, drawing again the clips that are not there."""
        drawn = set() if self.shelf is None else self.shelf.task_ids()
        self._due = []
        for task in self.books.tasks.values():
            if task.state is TaskState.PROCESSING:
                task.clip_ready = task.task_id in drawn
                self._begin(task)

    def authorize(self, header: str | None) -> None:
        """Check an Authorization header.

        Raises:
            RefusalError: with status 401.
        """
        expected = f"Bearer {self.books.account.api_key}".encode()
        given = (header or "").encode("utf-8", "replace")
        if not self.books.account.key_valid or not secrets.compare_digest(given, expected):
            raise RefusalError(401, "Invalid or missing API key")

    def count_post(self) -> None:
        """Count one generate request against the limit per hour.

        Raises:
            RefusalError: with status 429 and `Retry-After` in whole seconds.
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
        """Check that there are credits for a job.

        Raises:
            RefusalError: with status 402.
        """
        balance = self.books.account.credits
        if balance < generation.price:
            details = {"credits_needed": generation.price, "credits_balance": balance}
            raise RefusalError(402, "Insufficient credits", details=details)

    def submit(self, generation: Generation, request: JsonObject, picture: bytes | None) -> Task:
        """Charge for a job and begin it.

        Raises:
            RefusalError: with status 402 if there are not enough credits.
        """
        self.settle()
        self.check_balance(generation)
        task = self._new_task(generation, request, picture)
        self.books.tasks[task.task_id] = task
        self.books.account.credits -= task.credits
        self._save([task], [Charge(task.task_id, task.credits, task.created_at, "charge")])
        self._begin(task)
        return task

    def find(self, task_id: str) -> Task | None:
        """Return a task as it is now."""
        self.settle()
        return self.books.tasks.get(task_id)

    def settle(self) -> None:
        """End every task whose time has come."""
        now = self.now()
        self._end(self._pop_due(now), now)

    def plan_failure(self, message: str, *, refunded: bool) -> None:
        """Have the next job that is submitted fail when its time has come."""
        self._planned_failures.append((message, refunded))

    def hasten(self, task: Task) -> None:
        """Let a task's time come now."""
        task.ends_at = min(task.ends_at, self.now())
        self._end([task], self.now())

    def fail(self, task: Task, message: str, *, refunded: bool) -> None:
        """Let an open task fail now."""
        if task.state is TaskState.PROCESSING:
            task.failure, task.refunded = message, refunded
            self.hasten(task)

    def set_key_valid(self, *, valid: bool) -> None:
        """Revoke or restore the key."""
        self.books.account.key_valid = valid
        self._save([], [])

    def set_credits(self, balance: int) -> None:
        """Set the balance, as a purchase does."""
        self.settle()
        self.books.account.credits = balance
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
        if self.shelf is None:
            task.clip_ready = True
            return
        drawing = self.shelf.draw(task.task_id, _clip_spec(task))
        drawing.add_done_callback(functools.partial(self._on_drawn, task))

    def _on_drawn(self, task: Task, drawing: asyncio.Future[None]) -> None:
        if drawing.cancelled():
            return  # the server is stopping; the clip is drawn after the next start
        error = drawing.exception()
        if error is not None:
            logger.error("the clip of task %s could not be drawn", task.task_id, exc_info=error)
            task.failure, task.refunded = "The video could not be made", True
        task.clip_ready = error is None
        self._end([task], self.now())

    def _pop_due(self, now: float) -> Iterator[Task]:
        while self._due and self._due[0][0] <= now:
            yield self.books.tasks[heapq.heappop(self._due)[1]]

    def _end(self, candidates: Iterable[Task], now: float) -> None:
        ended = [task for task in candidates if _can_end(task, now)]
        if not ended:
            return
        refunds = [Charge(task.task_id, task.credits, now, "refund") for task in ended if _is_refunded(task)]
        for task in ended:
            task.state = TaskState.COMPLETED if task.failure is None else TaskState.FAILED
            task.finished_at = now
            task.picture = None
        self.books.account.credits += sum(refund.credits for refund in refunds)
        self._save(ended, refunds)

    def _save(self, tasks: list[Task], charges: list[Charge]) -> None:
        self.books.charges.extend(charges)
        if self.store is not None:
            self.store.save(self.books.account, tasks, charges)


def _can_end(task: Task, now: float) -> bool:
    if task.state is not TaskState.PROCESSING or task.ends_at > now:
        return False
    return task.clip_ready or task.failure is not None


def _is_refunded(task: Task) -> bool:
    return task.failure is not None and task.refunded


def _clip_spec(task: Task) -> ClipSpec:
    wanted = task.generation
    return ClipSpec(wanted.prompt, wanted.duration_seconds, wanted.aspect_ratio, wanted.sound, task.picture)
