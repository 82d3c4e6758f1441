"""The points at which the bot is killed: what a server sees of it, what its file says, or no point at all."""

import random
import re
from dataclasses import dataclass

_API = r"/api/v10"
_CARD = _API + r"/webhooks/\d+/[\w-]+/messages/.*"
_CALLBACK = _API + r"/interactions/\d+/[\w-]+/callback"
_POSTS = _API + r"/channels/\d+/messages"
_THREADS = _POSTS + r"/\d+/threads"
_GENERATE = r"/kling26/api/generate/"
_STATUS = r"/kling26/api/status/[\w-]+/"
_VIDEO = r"/kling/videos/.*"


@dataclass(frozen=True, slots=True)
class RequestPoint:
    """A request of the bot's has come to a server.

    Attributes:
        name: what has happened, in words.
        method: the HTTP method.
        path: the whole path.
        after_effect: the request has been carried out, and its answer is never sent; else it is not carried out.
    """

    name: str
    method: str
    path: re.Pattern[str]
    after_effect: bool


@dataclass(frozen=True, slots=True)
class CommitPoint:
    """A transaction is in the file: one more row of the jobs table fulfils `condition`."""

    name: str
    condition: str


@dataclass(frozen=True, slots=True)
class Moment:
    """So many seconds after the start of the process, whatever it does then."""

    seconds: float

    @property
    def name(self) -> str:
        """What has happened, in words."""
        return RANDOM


RANDOM = "at a random moment"
"""The name of every point without a name."""

Point = RequestPoint | CommitPoint | Moment


def _before(name: str, method: str, path: str) -> RequestPoint:
    return RequestPoint(name, method, re.compile(path), after_effect=False)


def _after(name: str, method: str, path: str) -> RequestPoint:
    return RequestPoint(name, method, re.compile(path), after_effect=True)


STARTING = (
    _before("logging in", "GET", _API + r"/users/@me"),
    _after("asking for the gateway", "GET", _API + r"/gateway/bot"),
)
"""Points of every start, which a process comes past once."""

POINTS: tuple[RequestPoint | CommitPoint, ...] = (
    CommitPoint("taken, before the answer", "1"),
    _before("the answer sent, without effect", "POST", _CALLBACK),
    _after("the answer given, before that is known", "POST", _CALLBACK),
    CommitPoint("card noted", "card_message_id IS NOT NULL"),
    _before("the thread asked for, without effect", "POST", _THREADS),
    _after("the thread made, before that is known", "POST", _THREADS),
    CommitPoint("thread noted", "thread_id IS NOT NULL"),
    CommitPoint("submitting, before the request", "submitted_at IS NOT NULL"),
    _before("the request sent, without effect", "POST", _GENERATE),
    _after("the request carried out, before the answer is read", "POST", _GENERATE),
    CommitPoint("accepted and charged", "charged_credits IS NOT NULL"),
    _before("a look asked for", "GET", _STATUS),
    _after("a look answered, before that is read", "GET", _STATUS),
    CommitPoint("the outcome written, before the post", "finished_at IS NOT NULL"),
    CommitPoint("delivery begun", "delivery_began_at IS NOT NULL"),
    _before("the video asked for", "GET", _VIDEO),
    _before("the outcome sent, without effect", "POST", _POSTS),
    _after("the outcome posted, before it is marked", "POST", _POSTS),
    CommitPoint("delivered", "delivered_at IS NOT NULL"),
    _after("the card edited", "PATCH", _CARD),
    *STARTING,
)
"""The named points, in the order of a job's life."""

_NAMED_SHARE = 0.75
_SKIPPED = (0, 0, 0, 1, 2)
_LONGEST_LIFE_SECONDS = 2.5
_LONGEST_PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Death:
    """One kill that is planned.

    Attributes:
        point: where.
        skipped: so many times the bot comes past the point unharmed.
        pause_seconds: how long the bot is down afterwards.
    """

    point: Point
    skipped: int
    pause_seconds: float


def drawn_from(seed: int, purpose: str) -> random.Random:
    """Random numbers of their own for each purpose, so that one's use does not change the other's."""
    return random.Random(f"{seed} {purpose}")  # noqa: S311 - a run must be repeatable


def plan_deaths(count: int, seed: int, where: str = "") -> list[Death]:
    """Plan the kills of a run; every named point comes up before one comes up again.

    Args:
        count: how many.
        seed: of the random numbers.
        where: only points with this in their name; empty: all, and random moments.
    """
    draw = drawn_from(seed, "deaths")
    points = [point for point in POINTS if where in point.name]
    names: list[RequestPoint | CommitPoint] = []
    deaths = []
    for _ in range(count):
        if where or draw.random() < _NAMED_SHARE:
            names = names or draw.sample(points, len(points))
            point: Point = names.pop()
        else:
            point = Moment(draw.uniform(0, _LONGEST_LIFE_SECONDS))
        skipped = 0 if where or point in STARTING else draw.choice(_SKIPPED)
        deaths.append(Death(point, skipped, draw.uniform(0, _LONGEST_PAUSE_SECONDS)))
    return deaths
