"""Requests that were refused for their words, kept for a while in case their members ask a moderator."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

import discord

from bot.client import VideoBot
from bot.clock import Clock
from bot.errors import RefusedError
from bot.provider.models import GenerationRequest

KEPT_FOR = timedelta(minutes=15)
"""For how long a member can ask; Discord's documentation: an interaction's token lives as long."""

_MOST = 1000


@dataclass(slots=True)
class RefusedRequest:
    """A request that was refused.

    Attributes:
        interaction: by which it was asked for.
        is_used: a moderator is being asked.
    """

    interaction: discord.Interaction[VideoBot]
    request: GenerationRequest
    refused_at: datetime
    is_used: bool = False


class RefusedRequests:
    """The newest refused requests. They live in memory only: nothing was taken of them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: OrderedDict[int, RefusedRequest] = OrderedDict()

    def keep(self, interaction: discord.Interaction[VideoBot], request: GenerationRequest) -> None:
        """Keep what was refused; the oldest make room."""
        self._kept[interaction.id] = RefusedRequest(interaction, request, self._clock.now())
        while len(self._kept) > _MOST:
            self._kept.popitem(last=False)

    def use(self, interaction_id: int, member_id: int) -> RefusedRequest:
        """Take what was refused, once.

        Raises:
            RefusedError: it was used already, is not kept any more, or is another member's.
        """
        found = self._kept.get(interaction_id)
        if found is None or self._clock.now() - found.refused_at > KEPT_FOR:
            self._kept.pop(interaction_id, None)
            raise RefusedError("I don't have this request any more. Please send it again, and ask then.")
        if found.interaction.user.id != member_id:
            raise RefusedError("This is another member's request.")
        if found.is_used:
            raise RefusedError("You have asked already; `/usage` shows your request.")
        found.is_used = True
        return found
