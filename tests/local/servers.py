"""The sandbox's servers with what a test needs: people to act as, faults to inject, requests to check."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

import sandbox.discord
import sandbox.ulazai
from tests.local.admin import Admin
from tests.local.faults import FaultPlan
from tests.local.people import Person
from tests.local.recording import RequestLog

if TYPE_CHECKING:
    from pathlib import Path

    from aiohttp.typedefs import Handler


class LocalDiscord(sandbox.discord.LocalDiscord):
    """A local Discord for tests.

    Args:
        data_dir: folder of its state; None keeps it in memory.
        interaction_deadline_seconds: how long the bot has for the first answer to an interaction.
        interaction_token_seconds: how long an interaction's token is valid afterwards.
        rate_limits: whether the bot's requests are limited.

    Attributes:
        faults: the faults of the next requests; another plan may be assigned at any time.
        requests: the bot's last requests.
        admin: adds servers, channels, people and roles, and changes their permissions.
    """

    def __init__(
        self,
        *,
        data_dir: Path | None = None,
        interaction_deadline_seconds: float = 3.0,
        interaction_token_seconds: float = 900.0,
        rate_limits: bool = True,
    ) -> None:
        self.faults = FaultPlan()
        self.requests = RequestLog()
        super().__init__(
            data_dir=data_dir,
            interaction_deadline_seconds=interaction_deadline_seconds,
            interaction_token_seconds=interaction_token_seconds,
            rate_limits=rate_limits,
            middlewares=(self._inject_fault,),
            observer=self.requests.record,
        )
        self.admin = Admin(self.services)

    def person(self, username: str) -> Person:
        """Return a person to act as.

        Raises:
            KeyError: there is no such user.
        """
        for user in self.world.users.values():
            if user.username == username and not user.bot:
                return Person(self.services, user)
        raise KeyError(username)

    @web.middleware
    async def _inject_fault(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        return await self.faults.middleware(request, handler)


@dataclass(eq=False, kw_only=True)
class LocalUlazAI(sandbox.ulazai.LocalUlazAI):
    """A local UlazAI for tests.

    Attributes:
        faults: the faults of the next requests; another plan may be assigned at any time.
    """

    faults: FaultPlan = field(default_factory=FaultPlan, init=False)

    def __post_init__(self, seed: int | None) -> None:
        """Inject the planned faults before every request is handled."""
        super().__post_init__(seed)
        self.middlewares = (*self.middlewares, self._inject_fault)

    @web.middleware
    async def _inject_fault(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        return await self.faults.middleware(request, handler)
