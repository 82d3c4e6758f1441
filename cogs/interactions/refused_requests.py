"""Requests whose prompt contains a listed word, kept for 15 minutes so that their members can ask a moderator."""

from collections import OrderedDict
from dataclasses import dataclass

import discord

from bot.client import VideoBot
from bot.clock import Clock
from bot.codes import Refusal
from bot.errors import RefusedError
from bot.provider.models import GenerationRequest

KEPT_FOR_SECONDS = 900.0
"""For how long a member can ask: as long as an interaction's token is valid, by Discord's documentation."""

_MAX_REQUESTS = 1000


@dataclass(slots=True)
class RefusedRequest:
    """A request that was refused.

    Attributes:
        interaction: of the command or form.
        refused_at: by the monotonic clock.
        is_used: a moderator is being asked.
    """

    interaction: discord.Interaction[VideoBot]
    request: GenerationRequest
    refused_at: float
    is_used: bool = False


class RefusedRequests:
    """The newest refused requests, in memory only: there is no job yet."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._requests: OrderedDict[int, RefusedRequest] = OrderedDict()

    def add(self, interaction: discord.Interaction[VideoBot], request: GenerationRequest) -> None:
        """Add a refused request; beyond the limit the oldest are dropped."""
        self._requests[interaction.id] = RefusedRequest(interaction, request, self._clock.monotonic())
        while len(self._requests) > _MAX_REQUESTS:
            self._requests.popitem(last=False)

    def use(self, interaction_id: int, member_id: int) -> RefusedRequest:
        """Return a refused request, and mark it as used.

        Args:
            interaction_id: of the interaction that was refused.
            member_id: of the member who pressed the button.

        Raises:
            RefusedError: REQUEST_FORGOTTEN, REQUEST_OF_ANOTHER, ASKED_ALREADY.
        """
        found = self._requests.get(interaction_id)
        if found is None or self._clock.monotonic() - found.refused_at > KEPT_FOR_SECONDS:
            self._requests.pop(interaction_id, None)
            raise RefusedError(Refusal.REQUEST_FORGOTTEN)
        if found.interaction.user.id != member_id:
            raise RefusedError(Refusal.REQUEST_OF_ANOTHER)
        if found.is_used:
            raise RefusedError(Refusal.ASKED_ALREADY)
        found.is_used = True
        return found
