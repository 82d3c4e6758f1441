"""The loop that drives the worker, and the Discord side of telling members."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from io import BufferedIOBase
from typing import Any

import discord
import structlog
from discord.ext import commands, tasks

from bot.client import VideoBot
from bot.errors import DeliveryError, PlaceRefusedError, StorageError
from bot.jobs.models import Approval, Job, JobState
from bot.jobs.ports import DeliveryTarget, JobStatus, Posted, delivery_targets, nonce
from cogs.messages.api_errors import THREAD_ARCHIVED, code_of, discord_errors, make_thread, unarchive
from cogs.messages.approval_cards import ApprovalCards
from cogs.messages.status_cards import ROUND_SECONDS, StatusCards
from cogs.messages.video_files import VideoFiles, attachment, is_too_large, upload_limit
from cogs.moderation.approval_buttons import DECISION_EVENT
from cogs.moderation.unconfirmed import decision_buttons
from cogs.rendering import jobs as _render

_log = structlog.get_logger(__name__)

# Discord dates messages by its own clock.
_CLOCK_MARGIN = timedelta(minutes=5)


class Delivery(commands.Cog):
    """Posts outcomes, opens threads, keeps the cards; the worker's `Notifier`."""

    def __init__(self, bot: VideoBot) -> None:
        self.bot = bot
        self.services = bot.services
        self.cards = StatusCards(bot, bot.services.clock)
        self.videos = VideoFiles(bot.services)
        self.approvals = ApprovalCards(bot)

    async def cog_load(self) -> None:
        """Start the loops."""
        self.services.worker.attach(self)
        self.work.start()
        self.refresh_cards.start()

    async def cog_unload(self) -> None:
        """Stop the loops."""
        self.work.cancel()
        self.refresh_cards.cancel()
        await self.videos.stop()

    @tasks.loop()
    async def work(self) -> None:
        """Start whatever is due, as soon as it is."""
        await self.services.worker.wait_until_due()
        await self.services.worker.run_once()

    @tasks.loop(seconds=ROUND_SECONDS)
    async def refresh_cards(self) -> None:
        """Bring the cards up to date."""
        await self.cards.refresh()

    @work.error
    @refresh_cards.error
    async def _loop_broke(self, error: BaseException) -> None:
        # Neither body raises; if one does after all, its loop would be over for good.
        _log.critical("a loop broke and is started again", exc_info=error)
        for loop in (self.work, self.refresh_cards):
            if not loop.is_running() or loop.failed():
                loop.restart()

    async def open_thread(self, job: Job) -> int:
        """Make the job's thread from its card and return its id; the thread of a message has the message's id.

        Raises:
            PlaceRefusedError: Discord allows no thread here.
            DeliveryDelayedError: not possible now.
        """
        if job.thread_id:
            return job.thread_id
        if not job.card_message_id:
            raise PlaceRefusedError("there is no card to make a thread from")
        name = _render.thread_name(job.request)
        self.cards.make_way()
        thread_id = await make_thread(self.bot, job.requester.channel_id, job.card_message_id, name)
        return await self._note_thread(job, thread_id)

    async def offer_thread(self, job: Job) -> None:
        """Open a job's thread if that is possible now; the result finds its way without one."""
        try:
            await self.open_thread(job)
        except (DeliveryError, StorageError) as error:
            _log.warning("thread not made", job_id=job.id, error=str(error))

    @commands.Cog.listener(f"on_{DECISION_EVENT}")
    async def after_decision(self, job: Job) -> None:
        """Show what moderators decided about a job; one that is made gets its thread now."""
        self.show(JobStatus(job))
        if job.state is JobState.QUEUED:
            await self.offer_thread(job)

    async def post_approval_card(self, job: Job, approval: Approval, channel_id: int) -> Posted:
        """See `Notifier.post_approval_card`."""
        return await self.approvals.post(job, approval, channel_id)

    async def find_approval_card(self, job: Job, channel_id: int) -> Posted | None:
        """See `Notifier.find_approval_card`."""
        return await self.approvals.find(job, channel_id)

    def close_approval_card(self, job_id: int) -> None:
        """See `Notifier.close_approval_card`."""
        self.services.outbox.close_card(job_id)

    def show(self, status: JobStatus) -> None:
        """See `Notifier.show`."""
        self.cards.show(status)

    async def fresh_picture(self, job: Job) -> str:
        """See `Notifier.fresh_picture`. Source: Discord's documentation, "Refresh Attachment URLs"."""
        route = discord.http.Route("POST", "/attachments/refresh-urls")
        async with discord_errors():
            answer: dict[str, Any] = await self.bot.http.request(
                route, json={"attachment_urls": [job.request.image_url]}
            )
        try:
            return str(answer["refreshed_urls"][0]["refreshed"])
        except (KeyError, IndexError, TypeError) as error:
            raise PlaceRefusedError("Discord gave no fresh address") from error

    async def post_outcome(self, job: Job, place: DeliveryTarget) -> Posted:
        """See `Notifier.post_outcome`."""
        if job.state in (JobState.DENIED, JobState.EXPIRED):
            self.close_approval_card(job.id)
        try:
            posted = await self._post(job, await self._target(job, place))
        finally:
            # What was too large to attach, or not to be had just now, is worth a copy all the same.
            self.videos.keep_later(job)
        if job.state is JobState.UNCONFIRMED:
            # A courtesy: `/unconfirmed` has it in any case.
            with suppress(DeliveryError, StorageError):
                await self.approvals.tell_of_unconfirmed(job, posted)
        return posted

    async def find_outcome(self, job: Job) -> Posted | None:
        """See `Notifier.find_outcome`."""
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
        """See `Notifier.show_hint`."""
        if not job.result_channel_id or not job.result_message_id:
            return
        hint = await self.services.unconfirmed.hint(job)
        overview = await self.services.jobs.overview_after(job)
        channel = self.bot.get_partial_messageable(job.result_channel_id, guild_id=job.requester.guild_id)
        async with discord_errors():
            await channel.get_partial_message(job.result_message_id).edit(
                content=_render.outcome(job, overview, attached=False, hint=hint)
            )

    def _is_outcome(self, message: discord.Message, job: Job) -> bool:
        own = self.bot.user is not None and message.author.id == self.bot.user.id
        return own and _render.job_mark(job) in message.content

    async def _post(self, job: Job, target: discord.abc.Messageable) -> Posted:
        try:
            return await self._post_video_or_link(job, target)
        except PlaceRefusedError as error:
            if code_of(error) != THREAD_ARCHIVED:
                raise
            await unarchive(self.bot, job.thread_id or job.card_message_id or 0)
        return await self._post_video_or_link(job, target)

    async def _post_video_or_link(self, job: Job, target: discord.abc.Messageable) -> Posted:
        video = await self.videos.fetch(job, upload_limit(self.bot, job.requester.guild_id))
        if video is None:
            return await self._send(job, target, None)
        with video:
            try:
                return await self._send(job, target, video)
            except PlaceRefusedError as error:
                # The limit that was read may be wrong for this post: then the link alone, in the same place.
                if not _is_too_large(error):
                    raise
        return await self._send(job, target, None)

    async def _target(self, job: Job, place: DeliveryTarget) -> discord.abc.Messageable:
        requester = job.requester
        async with discord_errors():
            if place is DeliveryTarget.DIRECT:
                return await self.bot.create_dm(discord.Object(requester.member_id))
            if place is DeliveryTarget.CHANNEL:
                return self.bot.get_partial_messageable(requester.channel_id, guild_id=requester.guild_id)
        thread_id = await self.open_thread(job)
        return self.bot.get_partial_messageable(thread_id, guild_id=requester.guild_id)

    async def _send(self, job: Job, target: discord.abc.Messageable, video: BufferedIOBase | None) -> Posted:
        overview = await self.services.jobs.overview_after(job)
        text = _render.outcome(job, overview, attached=video is not None)
        member = discord.Object(job.requester.member_id)
        async with discord_errors():
            self.cards.make_way()
            message = await target.send(
                text,
                nonce=nonce(job),
                allowed_mentions=discord.AllowedMentions(everyone=False, roles=False, users=[member]),
                files=[attachment(job, video)] if video else [],
                # An empty view is none at all.
                view=decision_buttons([job] if job.state is JobState.UNCONFIRMED else []),
            )
        return Posted(message.channel.id, message.id)

    async def _note_thread(self, job: Job, thread_id: int) -> int:
        noted = replace(job, thread_id=thread_id)
        self.cards.located(noted)
        if not self.services.worker.refresh(noted):
            await self.services.jobs.record_thread(job, thread_id)
        return thread_id


def _is_too_large(error: PlaceRefusedError) -> bool:
    cause = error.__cause__
    return isinstance(cause, discord.HTTPException) and is_too_large(cause)


async def setup(bot: VideoBot) -> None:
    """Load the cog."""
    await bot.add_cog(Delivery(bot))
