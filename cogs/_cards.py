"""The status cards: brought up to date often enough to be alive, seldom enough for Discord.

For 15 minutes a card is edited through the interaction's token, which counts towards no limit of the bot's;
after that with the bot's own token, and less often. Interaction tokens are kept in memory only.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import discord
import structlog

from bot.client import NETWORK_ERRORS, VideoBot
from bot.clock import Clock
from bot.jobs.delivery import Standing
from bot.jobs.models import Job
from cogs import _render

_log = structlog.get_logger(__name__)

# Discord's documentation: an interaction's token is valid for 15 minutes. The last of them is left alone.
_TOKEN_LIFETIME = timedelta(minutes=14)
_BETWEEN_EDITS = timedelta(seconds=3)
_BETWEEN_COUNTED_EDITS = timedelta(minutes=1)
_MAX_FAILURES = 5
_EDITS_AT_ONCE = 5
_EDITS_PER_ROUND = 20


@dataclass(slots=True)
class _Card:
    """A card that is being kept up to date.

    Attributes:
        webhook: the interaction's own way to its message, while its token lives.
        due: when the next edit may be.
    """

    standing: Standing
    due: datetime
    webhook: discord.Webhook | None = None
    webhook_until: datetime | None = None
    credits_left: int | None = None
    shown: str = ""
    failures: int = 0


class CardBoard:
    """Every card of an open job."""

    def __init__(self, bot: VideoBot, clock: Clock) -> None:
        self._bot = bot
        self._clock = clock
        self._cards: dict[int, _Card] = {}

    def __len__(self) -> int:
        return len(self._cards)

    def begin(self, job: Job, interaction: discord.Interaction[VideoBot], credits_left: int | None) -> discord.Embed:
        """Begin a card, to be sent as the answer to this interaction."""
        now = self._clock.now()
        card = _Card(Standing(job), now + _BETWEEN_EDITS, interaction.followup, now + _TOKEN_LIFETIME, credits_left)
        self._cards[job.id] = card
        return self._render(card, now)

    def show(self, standing: Standing) -> None:
        """Take a job's new standing; the card shows it at the next edit that is due."""
        card = self._cards.get(standing.job.id)
        if card is None:
            self._cards[standing.job.id] = _Card(standing, self._clock.now())
        else:
            card.standing = standing

    def located(self, job: Job) -> None:
        """Tell which message and thread belong to a job."""
        if card := self._cards.get(job.id):
            placed = replace(card.standing.job, card_message_id=job.card_message_id, thread_id=job.thread_id)
            card.standing = replace(card.standing, job=placed)

    async def refresh(self) -> None:
        """Edit the cards that are due, the longest waiting first. Never raises."""
        now = self._clock.now()
        due = sorted((card for card in self._cards.values() if card.due <= now), key=lambda card: card.due)
        for start in range(0, min(len(due), _EDITS_PER_ROUND), _EDITS_AT_ONCE):
            await asyncio.gather(*(self._edit(card) for card in due[start : start + _EDITS_AT_ONCE]))

    async def _edit(self, card: _Card) -> None:
        now, job = self._clock.now(), card.standing.job
        card.due = now + (_BETWEEN_EDITS if self._is_free(card, now) else _BETWEEN_COUNTED_EDITS)
        embed = self._render(card, now)
        picture = str(embed.to_dict())
        if picture != card.shown and job.card_message_id and not await self._send(card, embed, now):
            card.failures += 1
        else:
            card.shown, card.failures = picture, 0
        is_over = not card.standing.job.is_open and card.standing.job is job
        if is_over and not 0 < card.failures < _MAX_FAILURES:
            self._cards.pop(job.id, None)

    async def _send(self, card: _Card, embed: discord.Embed, now: datetime) -> bool:
        job = card.standing.job
        message_id = job.card_message_id or 0
        try:
            if card.webhook and self._is_free(card, now):
                await card.webhook.edit_message(message_id, embed=embed)
            else:
                channel = self._bot.get_partial_messageable(job.asker.channel_id, guild_id=job.asker.guild_id)
                await channel.get_partial_message(message_id).edit(embed=embed)
        except (discord.HTTPException, *NETWORK_ERRORS) as error:
            _log.info("card not edited", job_id=job.id, error=str(error))
            return False
        return True

    def _is_free(self, card: _Card, now: datetime) -> bool:
        return card.webhook_until is not None and now < card.webhook_until

    def _render(self, card: _Card, now: datetime) -> discord.Embed:
        return _render.card(card.standing, now, card.credits_left)
