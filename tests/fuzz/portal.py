"""The real bot on its stage, in a thread of its own, for tests that are no coroutines because Hypothesis runs them."""

import asyncio
import io
import json
import os
import threading
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings

from sandbox.discord.world.models import Message
from tests.e2e.stage import Stage, staged
from tests.faults.hurry import FastClock, hurried_bot
from tests.faults.logs import caught_logs

T = TypeVar("T")

_EXAMPLES = {"ci": 30, "nightly": 10_000}
_CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large]

FUZZ = settings(
    max_examples=_EXAMPLES[os.environ.get("HYPOTHESIS_PROFILE", "ci")], deadline=None, suppress_health_check=_CHECKS
)
"""`HYPOTHESIS_PROFILE=nightly` tries 10,000 examples of each."""

_SECONDS = 30.0
_SETTINGS = {"limit_active_jobs": 0, "limit_window_credits": 0, "poll_min_interval_seconds": 6}


class Portal:
    """A way into the loop in which the bot runs.

    Attributes:
        stage: the stage there.
        log: what the bot has logged since the last example, as JSON lines.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, stage: Stage, log: io.StringIO) -> None:
        self._loop = loop
        self.stage = stage
        self.log = log
        self._checked = 0

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something there and return what comes of it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_SECONDS)

    def check_calm(self, *, tolerated: str = "nothing") -> None:
        """Nothing unexpected was logged, nobody but requesters was pinged, and nobody was shown a traceback.

        Args:
            tolerated: the event that may be logged with its traceback: one that was answered.
        """
        lines = [json.loads(line) for line in self.log.getvalue().splitlines()]
        self.log.seek(0)
        self.log.truncate()
        alarms = [line for line in lines if "exception" in line or line["level"] == "critical"]
        assert not [line for line in alarms if line["event"] != tolerated]
        for message in list(self.stage.discord.world.messages.values()):
            if message.author_id == self.stage.discord.bot_id and message.id > self._checked:
                self._check_message(message)
        self._checked = max(self.stage.discord.world.messages)

    def _check_message(self, message: Message) -> None:
        assert "Traceback" not in message.content
        assert set(message.pinged_user_ids) <= {self.stage.member.id}, message
        assert not message.mention_everyone
        assert not message.mention_role_ids


@contextmanager
def portal(folder: Path) -> Iterator[Portal]:
    """Run the stage and its bot in a thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="stage")
    thread.start()
    stack = AsyncExitStack()
    stack.enter_context(hurried_bot(FastClock()))
    _, log = stack.enter_context(caught_logs(()))
    opening = stack.enter_async_context(staged(folder, rate_limits=False, **_SETTINGS))
    try:
        stage = asyncio.run_coroutine_threadsafe(opening, loop).result(_SECONDS)
        stage.ulazai.set_credits(10**9)
        yield Portal(loop, stage, log)
    finally:
        asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result(_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
