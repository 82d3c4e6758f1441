"""Values of the local UlazAI: requests, tasks, charges and refusals."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal

JsonObject = dict[str, Any]

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class RefusalError(Exception):
    """A refused request.

    Attributes:
        status: the HTTP status.
        error: the message.
        details: further fields of the body.
        headers: further headers of the response.
    """

    def __init__(
        self,
        status: int,
        error: str,
        *,
        details: Mapping[str, Any] = _NOTHING,
        headers: Mapping[str, str] = _NOTHING,
    ) -> None:
        super().__init__(f"{status}: {error}")
        self.status = status
        self.error = error
        self.details = details
        self.headers = headers


class TaskState(StrEnum):
    """A task's state, as status responses name it."""

    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Generation:
    """A validated generate request; `image_url` is None for a video from text."""

    prompt: str
    duration_seconds: int
    aspect_ratio: str
    sound: bool
    in_directory: bool
    image_url: str | None

    @property
    def price(self) -> int:
        """Its list price in credits."""
        per_five_seconds = 110 if self.sound else 55
        return per_five_seconds * (self.duration_seconds // 5) - (10 if self.in_directory else 0)


@dataclass(slots=True, kw_only=True)
class Task:
    """One video being made.

    Attributes:
        task_id: a UUID.
        request: the body of the generate request.
        generation: the same, validated and with its defaults.
        credits: what was charged.
        created_at: when it was accepted, in seconds of the server's clock.
        ends_at: when it ends; later if its clip is still being rendered.
        finished_at: when its end was recorded.
        state: its state.
        failure: why it failed, or will fail at its end.
        refunded: whether a failure returns the credits.
        clip_ready: whether its video can be fetched.
        picture: the picture the clip is made from, while it is needed.
    """

    task_id: str
    request: JsonObject
    generation: Generation
    credits: int
    created_at: float
    ends_at: float
    finished_at: float | None = None
    state: TaskState = TaskState.PROCESSING
    failure: str | None = None
    refunded: bool = False
    clip_ready: bool = False
    picture: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Charge:
    """A charge or refund of the account; `credits` is positive for both kinds, `at` is the server's time."""

    task_id: str
    credits: int
    at: float
    kind: Literal["charge", "refund"]


ProgressPolicy = Callable[[Task, float], int | None]
"""Computes a task's progress in percent from the time; None for a response without progress."""
