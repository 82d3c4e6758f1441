"""Time that goes faster, so that minutes of patience take seconds; the bot's rules stay as they are."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import ClientTimeout

from bot.client import VideoBot
from bot.clock import SteadyClock
from bot.media.downloads import Downloader
from bot.storage.database import _PRAGMAS

FACTOR = 60.0
"""A minute of the bot's takes a second."""

_PROVIDER_TIMEOUT = ClientTimeout(total=1.5, sock_connect=1)
_FILE_TIMEOUT = ClientTimeout(total=None, sock_connect=1, sock_read=1)
_FILE_SECONDS = 1.5
_LONGEST_SLEEP_SECONDS = 0.02
_LONGEST_GATE_SECONDS = 3.0


class FastClock(SteadyClock):
    """A clock that is right when it is made, and goes faster from then on."""

    def __init__(self) -> None:
        start, began = datetime.now(UTC), time.monotonic()
        super().__init__(
            lambda: start + timedelta(seconds=FACTOR * (time.monotonic() - began)),
            lambda: FACTOR * (time.monotonic() - began),
        )

    def seconds(self) -> float:
        """Return the time as Unix seconds."""
        return self.now().timestamp()


async def _no_pause(_bot: VideoBot, _shard_id: int | None, *, initial: bool = False) -> None:
    """Identify at once: discord.py waits five seconds before each time but the first."""
    del initial


@contextmanager
def hurried_bot(clock: FastClock) -> Iterator[None]:
    """Give the bot this clock, and less patience with servers that say nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bot.app.SystemClock", lambda: clock)
        # Plans are made by the clock, and slept for in real seconds.
        patch.setattr("bot.jobs.worker.tracking._LONGEST_SLEEP_SECONDS", _LONGEST_SLEEP_SECONDS)
        patch.setattr(VideoBot, "before_identify_hook", _no_pause)
        # Refusals close the provider's gate for all, ever longer: here nearly every job is refused.
        patch.setattr("bot.jobs.queueing.flow_control._LONGEST_PAUSE_SECONDS", _LONGEST_GATE_SECONDS)
        # No power cut is played here, and waiting for the disk takes most of the time.
        patch.setattr("bot.storage.database._PRAGMAS", (*_PRAGMAS, "PRAGMA synchronous = OFF"))
        patch.setattr("bot.provider.ulazai._SUBMIT_TIMEOUT", _PROVIDER_TIMEOUT)
        patch.setattr("bot.provider.ulazai._STATUS_TIMEOUT", _PROVIDER_TIMEOUT)
        patch.setattr("bot.media.downloads._TIMEOUT", _FILE_TIMEOUT)
        patch.setattr(Downloader.video, "__kwdefaults__", {"max_seconds": _FILE_SECONDS, "folder": None})
        yield
