"""The members: they ask for videos at random moments in several channels, whether the bot is there or not."""

import asyncio
import random
from collections.abc import Callable
from io import BytesIO

from PIL import Image

from sandbox.discord.world.errors import ClientError
from tests.local.people import InteractionRecord, Person
from tests.local.servers import LocalDiscord, LocalUlazAI

_CHANNELS = 6
_MEMBERS = ("member-one", "member-two", "moderator")
_WORDS = ("a fox in the rain", "a lighthouse at dusk", "paper boats", "**two** _cats_", "@everyone dances", "snow 🌨️")
_PICTURE_SHARE = 0.15
_FAILURE_SHARE = 0.1
_MEAN_PAUSE_SECONDS = 0.15


class Crowd:
    """Everybody who asks.

    Attributes:
        asked: every command that was used, with its prompt; no two prompts are the same.
        allowed: how many jobs may have been taken by now.
    """

    def __init__(
        self, local_discord: LocalDiscord, ulazai: LocalUlazAI, draw: random.Random, taken: Callable[[], int]
    ) -> None:
        self.asked: list[tuple[str, InteractionRecord]] = []
        self.allowed = 0
        self._discord = local_discord
        self._ulazai = ulazai
        self._draw = draw
        self._taken = taken
        self._people = [local_discord.person(name) for name in _MEMBERS]
        names = [f"videos-{number}" for number in range(_CHANNELS)]
        self._channels = [local_discord.admin.add_channel(local_discord.guild_id, name).id for name in names]
        self._picture = _picture()
        # Asked of the bot that is there now; what a dead one did not answer never will be.
        self._hopeful: list[InteractionRecord] = []

    def bot_died(self) -> None:
        """Expect no more answers to what was asked so far."""
        self._hopeful.clear()

    async def run(self) -> None:
        """Ask, at random moments, until cancelled."""
        while True:
            await asyncio.sleep(self._draw.expovariate(1 / _MEAN_PAUSE_SECONDS))
            if self._taken() + self._waiting < self.allowed:
                await self._ask()

    @property
    def _waiting(self) -> int:
        self._hopeful = [record for record in self._hopeful if record.state == "pending"]
        return len(self._hopeful)

    async def _ask(self) -> None:
        draw = self._draw
        person, channel = draw.choice(self._people), draw.choice(self._channels)
        prompt = f"{draw.choice(_WORDS)}, number {len(self.asked) + 1}"
        if draw.random() < _FAILURE_SHARE and self._discord.bot_online:
            self._ulazai.fail_next("The model was overloaded.")
        try:
            record = await self._use_command(person, channel, prompt)
        except ClientError:
            return  # the apps know no command before the bot's first start
        self.asked.append((prompt, record))
        if self._discord.bot_online:
            self._hopeful.append(record)

    async def _use_command(self, person: Person, channel: int, prompt: str) -> InteractionRecord:
        draw = self._draw
        duration, sound, publish = draw.choice((5, 10)), draw.random() < 0.3, draw.random() < 0.2
        if draw.random() < _PICTURE_SHARE:
            picture = {"image": ("fox.png", self._picture)}
            return await person.slash(
                channel, "animate", files=picture, prompt=prompt, duration=duration, sound=sound, publish=publish
            )
        return await person.slash(channel, "video", prompt=prompt, duration=duration, sound=sound, publish=publish)


def _picture() -> bytes:
    file = BytesIO()
    Image.new("RGB", (320, 320), "#cc6633").save(file, "PNG")
    return file.getvalue()
