"""Delivery of jobs on Discord: threads, outcomes, status cards."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from io import BufferedIOBase
from typing import Any

import discord
import structlog

from bot.client import VideoBot
from bot.errors import DeliveryError, PlaceRefusedError, StorageError
from bot.jobs.models import Approval, ChargeHint, Job, JobState
from bot.jobs.moderation.decisions import DecisionRepository
from bot.jobs.moderation.outbox import ModerationOutbox
from bot.jobs.ports import DeliveryTarget, JobStatus, Posted
from bot.jobs.service import JobService
from bot.jobs.worker.deliver import delivery_targets
from cogs.messages.api_errors import THREAD_ARCHIVED, code_of, discord_errors, make_thread, unarchive
from cogs.messages.approval_cards import ApprovalCards
from cogs.messages.status_cards import StatusCards
from cogs.messages.video_files import VideoFiles, attachment, is_too_large, upload_limit
from cogs.moderation.decisions import unconfirmed_buttons
from cogs.rendering import approvals as _approval_render
from cogs.rendering import jobs as _render
from cogs.rendering.text import mentioned_members

_log = structlog.get_logger(__name__)

# Discord dates messages by its own clock.
_CLOCK_MARGIN = timedelta(minutes=5)
_MEMBERS_NAMED = 3


class Delivery:
    """The worker's `JobNotifier`: posts outcomes, creates threads, and shows statuses."""

    def __init__(
        self,
        bot: VideoBot,
        jobs: JobService,
        decisions: DecisionRepository,
        outbox: ModerationOutbox,
        *,
        cards: StatusCards,
        videos: VideoFiles,
        approvals: ApprovalCards,
    ) -> None:
        """Make the notifier.

        Args:
            bot: the client.
            jobs: for members' limits and usage.
            decisions: for hints on unconfirmed jobs.
            outbox: closes moderators' cards, and announces low balances.
            cards: the status cards.
            videos: the files of finished videos.
            approvals: the approval cards.
        """
        self._bot = bot
        self._jobs = jobs
        self._decisions = decisions
        self._outbox = outbox
        self._cards = cards
        self._videos = videos
        self._approvals = approvals

    async def post_card(self, job: Job) -> int:
        """See `JobNotifier.post_card`."""
        channel = self._bot.get_partial_messageable(job.requester.channel_id, guild_id=job.requester.guild_id)
        async with discord_errors():
            self._cards.reserve_request()
            message = await channel.send(embed=self._cards.embed(job), nonce=job.status_nonce)
        await self._cards.publish(replace(job, card_message_id=message.id))
        return message.id

    async def open_thread(self, job: Job) -> int:
        """See `JobNotifier.open_thread`.

        Raises:
            PlaceRefusedError: Discord allows no thread here.
            DeliveryDelayedError: not possible now.
        """
        if job.thread_id:
            return job.thread_id
        if not job.card_message_id:
            raise PlaceRefusedError("there is no card to make a thread from")
        guild = self._bot.get_guild(job.requester.guild_id)
        name = _render.thread_name(job.request, guild, await _names(guild, mentioned_members(job.request.prompt)))
        self._cards.reserve_request()
        thread_id = await make_thread(
            self._bot, job.requester.channel_id, job.card_message_id, name, _render.NEUTRAL_THREAD_NAME
        )
        self._cards.set_location(replace(job, thread_id=thread_id))
        return thread_id

    async def post_approval_card(self, job: Job, approval: Approval, channel_id: int) -> Posted:
        """See `JobNotifier.post_approval_card`."""
        return await self._approvals.post(job, approval, channel_id)

    async def find_approval_card(self, job: Job, channel_id: int) -> Posted | None:
        """See `JobNotifier.find_approval_card`."""
        return await self._approvals.find(job, channel_id)

    def close_case(self, job_id: int) -> None:
        """See `JobNotifier.close_case`."""
        self._outbox.close(job_id)

    def show(self, status: JobStatus) -> None:
        """See `JobNotifier.show`."""
        self._cards.show(status)

    async def fresh_picture(self, job: Job) -> str:
        """See `JobNotifier.fresh_picture`. Source: Discord's documentation, "Refresh Attachment URLs".

        Raises:
            PlaceRefusedError: Discord does not have the picture any more.
        """
        route = discord.http.Route("POST", "/attachments/refresh-urls")
        async with discord_errors():
            answer: dict[str, Any] = await self._bot.http.request(
                route, json={"attachment_urls": [job.request.image_url]}
            )
        try:
            return str(answer["refreshed_urls"][0]["refreshed"])
        except (KeyError, IndexError, TypeError) as error:
            raise PlaceRefusedError("Discord gave no fresh address") from error

    async def post_outcome(self, job: Job, place: DeliveryTarget) -> Posted:
        """See `JobNotifier.post_outcome`."""
        # Moderators' cards of jobs that expired are closed as well.
        if job.state is not JobState.SUCCEEDED:
            self.close_case(job.id)
        try:
            posted = await self._post(job, await self._target(job, place))
            if place is DeliveryTarget.THREAD:
                posted = replace(posted, thread_id=posted.channel_id)
        finally:
            # Also what was too large to attach, or could not be downloaded just now.
            self._videos.archive_later(job)
        if job.state is JobState.UNCONFIRMED:
            # Optional: `/unconfirmed` lists it in any case.
            with suppress(DeliveryError, StorageError):
                await self._approvals.notify_of_unconfirmed(job, posted)
        return posted

    async def find_outcome(self, job: Job) -> Posted | None:
        """See `JobNotifier.find_outcome`."""
        since = (job.delivery_began_at or job.created_at) - _CLOCK_MARGIN
        for place in delivery_targets(job):
            with suppress(PlaceRefusedError):
                target = await self._target(job, place)
                async with discord_errors():
                    async for message in target.history(limit=100, after=since, oldest_first=True):
                        if self._is_outcome(message, job):
                            return Posted(message.channel.id, message.id)
        return None

    async def show_hint(self, job: Job) -> None:
        """See `JobNotifier.show_hint`."""
        if not job.result_channel_id or not job.result_message_id:
            return
        hint = await self._decisions.hint(job)
        if hint is ChargeHint.UNCLEAR:
            return
        overview = await self._jobs.overview_after(job)
        channel = self._bot.get_partial_messageable(job.result_channel_id, guild_id=job.requester.guild_id)
        async with discord_errors():
            await channel.get_partial_message(job.result_message_id).edit(
                content=_render.outcome(job, overview, attached=False, hint=_approval_render.charge_hint(hint, job))
            )

    def _is_outcome(self, message: discord.Message, job: Job) -> bool:
        own = self._bot.user is not None and message.author.id == self._bot.user.id
        return own and _render.has_job_mark(message.content, job)

    async def _post(self, job: Job, target: discord.abc.Messageable) -> Posted:
        try:
            return await self._post_video_or_link(job, target)
        except PlaceRefusedError as error:
            if code_of(error) != THREAD_ARCHIVED:
                raise
            await unarchive(self._bot, job.thread_id or job.card_message_id or 0)
        return await self._post_video_or_link(job, target)

    async def _post_video_or_link(self, job: Job, target: discord.abc.Messageable) -> Posted:
        video = await self._videos.fetch(job, upload_limit(self._bot, job.requester.guild_id))
        if video is None:
            return await self._send(job, target, None)
        with video:
            try:
                return await self._send(job, target, video)
            except PlaceRefusedError as error:
                # The upload limit may have changed: then the link alone, in the same place.
                if not _is_too_large(error):
                    raise
        return await self._send(job, target, None)

    async def _target(self, job: Job, place: DeliveryTarget) -> discord.abc.Messageable:
        requester = job.requester
        async with discord_errors():
            if place is DeliveryTarget.DIRECT:
                return await self._bot.create_dm(discord.Object(requester.member_id))
            if place is DeliveryTarget.CHANNEL:
                return self._bot.get_partial_messageable(requester.channel_id, guild_id=requester.guild_id)
        thread_id = await self.open_thread(job)
        return self._bot.get_partial_messageable(thread_id, guild_id=requester.guild_id)

    async def _send(self, job: Job, target: discord.abc.Messageable, video: BufferedIOBase | None) -> Posted:
        overview = await self._jobs.overview_after(job)
        text = _render.outcome(job, overview, attached=video is not None)
        member = discord.Object(job.requester.member_id)
        async with discord_errors():
            self._cards.reserve_request()
            message = await target.send(
                text,
                nonce=job.nonce,
                allowed_mentions=discord.AllowedMentions(everyone=False, roles=False, users=[member]),
                files=[attachment(job, video)] if video else [],
                view=unconfirmed_buttons([job]) if job.state is JobState.UNCONFIRMED else discord.utils.MISSING,
            )
        return Posted(message.channel.id, message.id)


async def _names(guild: discord.Guild | None, member_ids: Iterable[int]) -> dict[int, str]:
    """Return the names of a few members, as far as Discord gives them now: the bot keeps none in memory."""
    names: dict[int, str] = {}
    if guild is None:
        return names
    for member_id in sorted(member_ids)[:_MEMBERS_NAMED]:
        with suppress(DeliveryError):
            async with discord_errors():
                names[member_id] = (await guild.fetch_member(member_id)).display_name
    return names


def _is_too_large(error: PlaceRefusedError) -> bool:
    cause = error.__cause__
    return isinstance(cause, discord.HTTPException) and is_too_large(cause)
