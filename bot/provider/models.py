"""What is asked of a provider, and what it answers."""

from dataclasses import dataclass
from enum import StrEnum


class GenerationMode(StrEnum):
    """What a video is made from. The values are the provider's own."""

    TEXT = "text_to_video"
    IMAGE = "image_to_video"


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One video, as asked for.

    Attributes:
        mode: from text, or from a picture.
        prompt: 1 to 2000 characters.
        duration_seconds: 5 or 10.
        sound: with native audio, at twice the price.
        publish: publish it in the provider's public directory, a little cheaper.
        aspect_ratio: of a video from text; a video from a picture has the picture's.
        image_url: of the picture; only for a video from a picture.
    """

    mode: GenerationMode
    prompt: str
    duration_seconds: int = 5
    sound: bool = False
    publish: bool = False
    aspect_ratio: str | None = None
    image_url: str | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long the provider expects to take, in seconds from the submission."""

    low_seconds: float
    high_seconds: float


@dataclass(frozen=True, slots=True)
class Submission:
    """The provider has taken a request and its price.

    Attributes:
        task_id: the provider's name for it, the only way to find it again.
        credits_used: what it cost; None if the answer did not say it in a way that can be read.
        credits_remaining: the account's balance afterwards, where it was said.
        estimate: how long it may take, where that could be read.
    """

    task_id: str
    credits_used: int | None
    credits_remaining: int | None = None
    estimate: Estimate | None = None


class TaskState(StrEnum):
    """How far a task is; `REFUSED` is an error without a final state, which may pass."""

    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """The result of one poll of a task.

    Attributes:
        progress: 0 to 1, where it was said.
        video_url: of a completed task; None if the answer had no usable one.
        error_message: of a failed task, where it was said.
        unknown_word: of a task that counts as processing though the provider has an undocumented word for it.
        credits_refunded: whether the provider said that it gave the price back; None if it said nothing.
    """

    state: TaskState
    progress: float | None = None
    video_url: str | None = None
    error_message: str | None = None
    credits_refunded: bool | None = None
    unknown_word: str | None = None
