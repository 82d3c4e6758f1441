"""Status cards, edited within Discord's rate limits.

For 15 minutes a card is edited through its interaction's token, which does not count towards the bot's 50 requests a
second. After that, or after a restart, each edit counts: while there are many cards, only the final edit is made.
Interaction tokens are kept in memory only.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

import discord
import structlog

from bot.client import NETWORK_ERRORS, VideoBot
from bot.clock import Clock
from bot.jobs.models import Job, JobState
from bot.jobs.ports import JobStatus
from bot.jobs.queueing.flow_control import TokenBucket
from bot.jobs.worker.tracking import TimerQueue
from cogs.rendering import jobs as _render

_log = structlog.get_logger(__name__)

# Discord's documentation: an interaction's token is valid for 15 minutes. The last minute is not used.
_TOKEN_LIFETIME_SECONDS = 840.0
_BETWEEN_EDITS_SECONDS = 3.0
_BETWEEN_COUNTED_EDITS_SECONDS = 60.0
# All cards together get so many progress edits a second, evenly.
_PROGRESS_EDITS_PER_SECOND = 8
# From this many cards on, progress edits that count towards the bot's limit are not made.
_MANY_CARDS = 50
ROUND_SECONDS = 0.25
_EDITS_PER_ROUND = 12
# Of the bot's 50 requests a second: beyond them Discord refuses every request for the rest of the second.
_COUNTED_PER_SECOND = 45.0
_EDIT_SECONDS = 15.0
_MAX_FAILURES = 5
# A video that takes longer to be posted is shown as being posted.
_POSTING_SECONDS = 6.0


@dataclass(slots=True)
class _Card:
    """The card of a job, until its outcome is shown.

    `status` is what the worker last showed, not a reference to its tracked job: a card compares it with the next one,
    and still shows the outcome when the worker has stopped tracking the job.

    Attributes:
        not_before: when the next edit may be made, by the monotonic clock.
        webhook: of the interaction, to edit its message while the token is valid.
        webhook_until: when the token is no longer used, by the monotonic clock.
        private_message_id: of the interaction's message that only the member sees, while the job awaits approval.
        credits_left: what the member could still spend when the job was created; None: not known, or no limit.
        shown: what the last edit showed.
        failures: failed edits in a row.
    """

    status: JobStatus
    not_before: float
    webhook: discord.Webhook | None = None
    webhook_until: float | None = None
    private_message_id: int | None = None
    credits_left: int | None = None
    shown: str = ""
    failures: int = 0

    @property
    def message_id(self) -> int | None:
        """The message to edit."""
        return self.status.job.card_message_id or self.private_message_id

    def is_free(self, now: float) -> bool:
        """Return whether an edit does not count towards the bot's rate limit."""
        return self.webhook_until is not None and now < self.webhook_until


class StatusCards:
    """The cards of open jobs."""

    def __init__(self, bot: VideoBot, clock: Clock, approval_deadline: Callable[[Job], datetime]) -> None:
        """Make a board without cards.

        Args:
            bot: the client.
            clock: the time.
            approval_deadline: returns when a job's approval expires.
        """
        self._approval_deadline = approval_deadline
        self._bot = bot
        self._clock = clock
        self._cards: dict[int, _Card] = {}
        # In the milliseconds of its cards' times, which nobody sees: the cards of two processes differ by it.
        self._mark = random.randrange(1000) * 1000  # noqa: S311 - no secret
        self._timers = TimerQueue(clock)
        # A smaller bucket than a second's tokens: saved ones would exceed the limit in the next second.
        self._counted = TokenBucket(_COUNTED_PER_SECOND, clock.monotonic(), size=_EDITS_PER_ROUND)

    def __len__(self) -> int:
        return len(self._cards)

    def begin(self, job: Job, interaction: discord.Interaction[VideoBot], credits_left: int | None) -> discord.Embed:
        """Return a new job's card, to be sent as the answer to the interaction.

        Args:
            job: as it was created.
            interaction: of the command; its token edits the card.
            credits_left: what the member may still spend; None: no limit.
        """
        now = self._clock.monotonic()
        webhook, until = interaction.followup, now + _TOKEN_LIFETIME_SECONDS
        card = _Card(JobStatus(job), now + _BETWEEN_EDITS_SECONDS, webhook, until, credits_left=credits_left)
        self._cards[job.id] = card
        return self._render(card, now)

    def show(self, status: JobStatus) -> None:
        """Show a job's new status as soon as the rate limits allow. Never raises or waits."""
        job = status.job
        # The card of a finished job is complete already; where its outcome was posted does not change it.
        if job.id not in self._cards and job.result_message_id is not None:
            return
        card = self._cards.setdefault(job.id, _Card(status, self._clock.monotonic()))
        is_new_state = card.status.job.state is not job.state or card.status.waiting != status.waiting
        card.status = status
        now = self._clock.monotonic()
        if self._is_worth_it(card, now) and (is_new_state or not job.is_open or job.id not in self._timers):
            # The outcome is shown once, when it is posted, with the thread that may be created for it now.
            soonest = now
            if job.awaits_delivery:
                soonest += _POSTING_SECONDS if job.state is JobState.SUCCEEDED else _BETWEEN_EDITS_SECONDS / 3
            self._timers.put(job.id, max(card.not_before, soonest))

    def set_private(self, job_id: int, message_id: int) -> None:
        """Set the id of a card's message that only the member sees."""
        if card := self._cards.get(job_id):
            card.private_message_id = message_id

    def forget(self, job_id: int) -> None:
        """Drop a job's card: the message is not this process's."""
        self._cards.pop(job_id, None)

    def embed(self, job: Job) -> discord.Embed:
        """Return a job's card as it is now."""
        now = self._clock.monotonic()
        return self._render(self._cards.get(job.id) or _Card(JobStatus(job), now), now)

    async def publish(self, job: Job) -> None:
        """Go on with the card that everybody sees, and have the private one link to it."""
        card = self._cards.get(job.id)
        if card and card.webhook and card.private_message_id and card.is_free(self._clock.monotonic()):
            with suppress(discord.HTTPException, *NETWORK_ERRORS):
                await card.webhook.edit_message(card.private_message_id, content=_render.approved(job), embed=None)
        if card:
            # The interaction's token can't edit a message that the bot posted by itself.
            card.webhook = card.webhook_until = card.private_message_id = None
        self.set_location(job)

    def set_location(self, job: Job) -> None:
        """Set the ids of a card's message that everybody sees, and of its job's thread."""
        if card := self._cards.get(job.id):
            placed = replace(card.status.job, card_message_id=job.card_message_id, thread_id=job.thread_id)
            card.status = replace(card.status, job=placed)

    def reserve_request(self) -> None:
        """Count a request that counts towards the bot's rate limit, and goes before edits."""
        self._counted.available(self._clock.monotonic())
        self._counted.take(1)

    async def run_once(self) -> None:
        """Edit what is due, and pause until the next round."""
        await self.refresh()
        await asyncio.sleep(ROUND_SECONDS)

    async def refresh(self) -> None:
        """Edit the cards that are due, those of finished jobs first. Never raises."""
        now = self._clock.monotonic()
        due = [self._cards[job_id] for job_id in self._timers.pop_due() if job_id in self._cards]
        # The others get a timer again with their next status.
        due = [card for card in due if self._is_worth_it(card, now)]
        due.sort(key=lambda card: card.status.job.is_open)
        for card in due[_EDITS_PER_ROUND:]:
            self._timers.put(card.status.job.id, now)
        await asyncio.gather(*(self._edit(card, now) for card in due[:_EDITS_PER_ROUND]))

    async def _edit(self, card: _Card, now: float) -> None:
        status = card.status
        job = status.job
        embed = self._render(card, now)
        content = str(embed.to_dict())
        if content != card.shown and self._can_edit(card, now):
            if not self._has_room(card, now):
                self._timers.put(job.id, now + ROUND_SECONDS)
                return
            card.not_before = now + _BETWEEN_EDITS_SECONDS
            card.failures = 0 if await self._send(card, embed, now) else card.failures + 1
        card.shown = content if card.failures == 0 else ""
        is_final = not job.is_open and not (job.awaits_delivery and job.state is JobState.SUCCEEDED)
        if status is card.status and is_final and not 0 < card.failures < _MAX_FAILURES:
            self._cards.pop(job.id, None)
            return
        # While it awaits approval nothing changes on the card.
        if job.state is not JobState.AWAITING_APPROVAL or card.failures:
            self._timers.put(job.id, self._clock.monotonic() + self._pace(card, now))

    def _can_edit(self, card: _Card, now: float) -> bool:
        """Return whether there is a message; a private one can be edited by the interaction's token alone."""
        return card.status.job.card_message_id is not None or (
            card.private_message_id is not None and card.is_free(now)
        )

    def _has_room(self, card: _Card, now: float) -> bool:
        """Take a token for an edit that counts; return whether it may be made now."""
        if card.is_free(now):
            return True
        # Never None: this bucket has a limit.
        if (self._counted.available(now) or 0) < 1:
            return False
        self._counted.take(1)
        return True

    def _is_worth_it(self, card: _Card, now: float) -> bool:
        return card.is_free(now) or not card.status.job.is_open or len(self._cards) < _MANY_CARDS

    def _pace(self, card: _Card, now: float) -> float:
        """Return how long a card waits for its next edit, in seconds."""
        if not card.status.job.is_open:
            return _BETWEEN_EDITS_SECONDS
        least = _BETWEEN_EDITS_SECONDS if card.is_free(now) else _BETWEEN_COUNTED_EDITS_SECONDS
        return max(least, len(self._cards) / _PROGRESS_EDITS_PER_SECOND)

    async def _send(self, card: _Card, embed: discord.Embed, now: float) -> bool:
        job = card.status.job
        try:
            # An edit without an answer must not delay the other cards for minutes.
            async with asyncio.timeout(_EDIT_SECONDS):
                await self._edit_message(card, card.message_id or 0, embed, now)
        except (discord.HTTPException, *NETWORK_ERRORS) as error:
            _log.info("card not edited", job_id=job.id, error=str(error))
            return False
        return True

    async def _edit_message(self, card: _Card, message_id: int, embed: discord.Embed, now: float) -> None:
        if card.webhook and card.is_free(now):
            await card.webhook.edit_message(message_id, embed=embed)
            return
        requester = card.status.job.requester
        channel = self._bot.get_partial_messageable(requester.channel_id, guild_id=requester.guild_id)
        await channel.get_partial_message(message_id).edit(embed=embed)

    def _render(self, card: _Card, now: float) -> discord.Embed:
        status = card.status
        if status.job.state is JobState.AWAITING_APPROVAL:
            status = replace(status, expires_at=self._approval_deadline(status.job))
        embed = _render.card(status, now, card.credits_left)
        embed.timestamp = status.job.created_at.replace(microsecond=self._mark)
        return embed
