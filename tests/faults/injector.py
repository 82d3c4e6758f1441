"""Spoils the requests of each case, and of no other: finds out whose a request is."""

import json
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum, auto

from aiohttp import web
from aiohttp.typedefs import Handler

from tests.faults.spoils import Edit, Spoil
from tests.faults.table import Row, Step
from tests.local.faults import Fault, FaultPlan
from tests.local.people import InteractionRecord, Person
from tests.local.servers import LocalDiscord, LocalUlazAI


class Key(Enum):
    """What in a request tells whose it is."""

    INTERACTION = auto()
    TOKEN = auto()
    CHANNEL = auto()
    TASK = auto()
    BODY = auto()


_STEPS = (
    (Step.CALLBACK, "POST", re.compile(r"/api/v10/interactions/(\d+)/.*/callback"), Key.INTERACTION),
    (Step.CARD, "PATCH", re.compile(r"/api/v10/webhooks/\d+/([\w-]+)/messages/.*"), Key.TOKEN),
    (Step.CARD, "PATCH", re.compile(r"/api/v10/channels/(\d+)/messages/.*"), Key.CHANNEL),
    (Step.THREAD, "POST", re.compile(r"/api/v10/channels/(\d+)/messages/\d+/threads"), Key.CHANNEL),
    (Step.DELIVERY, "POST", re.compile(r"/api/v10/channels/(\d+)/messages"), Key.CHANNEL),
    (Step.SUBMISSION, "POST", re.compile(r"/kling26/api/generate(/)"), Key.BODY),
    (Step.LOOK, "GET", re.compile(r"/kling26/api/status/([\w-]+)/"), Key.TASK),
    (Step.VIDEO, "GET", re.compile(r"/kling/videos/([\w-]+)\.mp4"), Key.TASK),
)


@dataclass(slots=True)
class Case:
    """One row on stage: a member of its own asks for one video in a channel of its own.

    Attributes:
        met: how many requests were spoilt.
    """

    row: Row
    prompt: str
    person: Person
    channel_id: int
    record: InteractionRecord | None = None
    met: int = 0
    looked_at: bool = field(default=False, init=False)

    @property
    def has_card(self) -> bool:
        """Whether the member sees the card: what comes now is an edit of it, and not the late answer."""
        card = self.record.original if self.record else None
        return card is not None and not card.thinking

    def next_spoil(self, step: Step) -> Spoil | None:
        """Return what happens to the next request of a step."""
        spoils = self.row.spoils
        if step is not self.row.step or not spoils or (self.met >= len(spoils) and not self.row.forever):
            return None
        self.met += 1
        return spoils[min(self.met, len(spoils)) - 1]


class Injector(FaultPlan):
    """The fault plan of both servers."""

    def __init__(self, local_discord: LocalDiscord, ulazai: LocalUlazAI) -> None:
        super().__init__()
        self._discord = local_discord
        self._ulazai = ulazai
        self._cases: list[Case] = []

    def take(self, cases: Iterable[Case]) -> None:
        """Direct these cases from now on."""
        self._cases = list(cases)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let the request through, or spoil it as its case wants."""
        step, case = await self._whose(request)
        if case is None or step is None:
            return await handler(request)
        self._act(case, step)
        spoil = case.next_spoil(step)
        if isinstance(spoil, Edit):
            return await _changed(spoil, request, handler)
        if isinstance(spoil, Fault):
            plan = FaultPlan()
            plan.add("*", ".*", spoil)
            return await _unless_gone(plan.middleware(request, handler))
        return await handler(request)

    def _act(self, case: Case, step: Step) -> None:
        """Let happen at Discord what the row wants, once the provider is at work."""
        if step is Step.LOOK and case.row.event and not case.looked_at:
            case.looked_at = True
            case.row.event(self._discord, case.channel_id, case.person)

    async def _whose(self, request: web.Request) -> tuple[Step | None, Case | None]:
        for step, method, path, key in _STEPS:
            if request.method == method and (found := path.fullmatch(request.path)):
                return step, await self._case(key, found[1], request)
        return None, None

    async def _case(self, key: Key, word: str, request: web.Request) -> Case | None:
        match key:
            case Key.INTERACTION:
                return self._find(lambda case: case.record is not None and case.record.id == int(word))
            case Key.TOKEN:
                return self._find(lambda case: case.record is not None and case.has_card and case.record.token == word)
            case Key.CHANNEL:
                return self._of_channel(int(word))
            case Key.BODY:
                return self._of_prompt(_prompt(await request.read()))
            case Key.TASK:
                task = self._ulazai.tasks.get(word)
                return self._of_prompt(task.generation.prompt) if task else None

    def _of_channel(self, channel_id: int) -> Case | None:
        channel = self._discord.world.channels.get(channel_id)
        if channel is None:
            return None
        places = {channel.id, channel.parent_id}
        return self._find(lambda case: case.channel_id in places or case.person.id in channel.recipient_ids)

    def _of_prompt(self, prompt: str) -> Case | None:
        return self._find(lambda case: case.prompt == prompt)

    def _find(self, fits: Callable[[Case], bool]) -> Case | None:
        return next((case for case in self._cases if fits(case)), None)


def _prompt(body: bytes) -> str:
    try:
        return str(json.loads(body)["prompt"])
    except (ValueError, KeyError, TypeError):
        return ""


async def _unless_gone(answering: Awaitable[web.StreamResponse]) -> web.StreamResponse:
    """The bot may hang up on an answer that is too long or too slow, as it should."""
    try:
        return await answering
    except ConnectionError:
        return web.Response()


async def _changed(edit: Edit, request: web.Request, handler: Handler) -> web.StreamResponse:
    answer = await handler(request)
    if not isinstance(answer, web.Response) or not isinstance(answer.body, bytes):
        return answer
    return web.json_response(edit.change(json.loads(answer.body)), status=answer.status)
