"""Many servers, channels and members at the local Discord, so that no limit of a single channel is the bound."""

import asyncio
import itertools
import random
import time
from dataclasses import dataclass, field

from sandbox.discord.world.models import User
from tests.local.people import Person
from tests.local.servers import LocalDiscord

_CHANNELS_PER_GUILD = 5
_JOBS_PER_MEMBER = 3
_JOBS_PER_GUILD = 200
_FEWEST_GUILDS = 30


@dataclass(frozen=True, slots=True)
class Place:
    """One member in one channel."""

    guild_id: int
    channel_id: int
    person: Person


@dataclass(slots=True)
class Guilds:
    """Where the members are, and who asks next.

    Attributes:
        places: every member, each in one channel of their server.
        asked_at: Unix seconds at which each command was used, by its interaction's id.
    """

    places: list[Place]
    asked_at: dict[int, float] = field(default_factory=dict)
    _next_places: "itertools.cycle[Place]" = field(init=False)

    def __post_init__(self) -> None:
        self._next_places = itertools.cycle(self.places)

    def next_place(self) -> Place:
        """Return the next member, one after the other."""
        return next(self._next_places)

    async def ask(self) -> None:
        """Let the next member use `/video`."""
        place = self.next_place()
        prompt = f"a lighthouse at dusk, number {len(self.asked_at)}"
        record = await place.person.slash(place.channel_id, "video", prompt=prompt)
        self.asked_at[record.id] = time.time()

    async def ask_steadily(self, count: int, per_second: float) -> None:
        """Let members ask at an even rate, whether the bot keeps up or not."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        for number in range(count):
            await asyncio.sleep(max(0.0, start + number / per_second - loop.time()))
            await self.ask()


def found_town(local_discord: LocalDiscord, in_flight: int) -> Guilds:
    """Add servers, channels and members for so many jobs in flight: three a member, as the default limit allows."""
    guild_count = max(_FEWEST_GUILDS, -(-in_flight // _JOBS_PER_GUILD))
    members = max(_CHANNELS_PER_GUILD, -(-in_flight // (guild_count * _JOBS_PER_MEMBER)))
    places = [place for number in range(guild_count) for place in _found_guild(local_discord, number, members)]
    # In a row, members of one channel would ask one after the other.
    random.Random(1).shuffle(places)  # noqa: S311 - must be repeatable
    return Guilds(places)


def _found_guild(local_discord: LocalDiscord, number: int, members: int) -> list[Place]:
    admin = local_discord.admin
    guild = admin.add_guild(f"Server {number}")
    channels = [admin.add_channel(guild.id, f"videos-{n}").id for n in range(_CHANNELS_PER_GUILD)]
    users: list[User] = [admin.add_person(f"member-{number}-{n}", guild.id) for n in range(members)]
    services = local_discord.services
    return [
        Place(guild.id, channel_id, Person(services, user))
        for user, channel_id in zip(users, itertools.cycle(channels), strict=False)
    ]
