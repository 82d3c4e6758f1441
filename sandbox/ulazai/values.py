"""What the local UlazAI knows: requests, tasks, charges and refusals."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal

JsonObject = dict[str, Any]

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class RefusalError(Exception):
    """A request that is answered with an error.

    Attributes:
        status: the HTTP status.
        error: what is wrong, for people.
        details: further fields of the body.
        headers: further headers of the answer.
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
    """The states a status answer names."""

    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Generation:
    """A generate request that keeps the rules; `image_url` is None for a video from text."""

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
        request: the body of the generate request, as it came.
        generation: the same, read and with its defaults.
        credits: what was charged.
        created_at: when it was accepted, in seconds of the server's clock.
        ends_at: when it is done at the earliest; a clip still being drawn holds it up.
        finished_at: when it was found done.
        state: as in the status answers.
        failure: why it failed, or will fail when its time has come.
        refunded: whether a failure gives the credits back.
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
    """One line of the account's book; `credits` is positive for both kinds, `at` is the server's time."""

    task_id: str
    credits: int
    at: float
    kind: Literal["charge", "refund"]


ProgressPolicy = Callable[[Task, float], int | None]
"""From a task and the time to its progress in percent, or None for an answer without one."""
