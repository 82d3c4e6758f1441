"""Delivery of jobs on Discord: threads, outcomes, status cards."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import discord
import structlog

from bot.client import VideoBot
from bot.clock import Clock
from bot.errors import DeliveryDelayedError, DeliveryError, PlaceRefusedError, StorageError
from bot.jobs.models import Approval, ChargeHint, Job, JobState, MemberUsage
from bot.jobs.moderation.decisions import DecisionRepository
from bot.jobs.moderation.outbox import ModerationOutbox
from bot.jobs.ports import DeliveryTarget, JobStatus, Posted
from bot.jobs.service import JobService
from bot.jobs.worker.deliver import delivery_targets
from cogs.messages.api_errors import THREAD_ARCHIVED, code_of, discord_errors, make_thread, unarchive
from cogs.messages.approval_cards import ApprovalCards
from cogs.messages.status_cards import StatusCards
from cogs.messages.video_files import VideoFile, VideoFiles, attachment, is_too_large, size_of
from cogs.moderation.decisions import unconfirmed_buttons
from cogs.rendering import approvals as _approval_render
from cogs.rendering import jobs as _render
from cogs.rendering.text import mentioned_members

_log = structlog.get_logger(__name__)

# Discord dates messages by its own clock.
_CLOCK_MARGIN = timedelta(minutes=5)
_MEMBERS_NAMED = 3
# After a restart: which videos may still lack their file, or their copy in the archive.
_FILE_SOUGHT = timedelta(minutes=15)
_COPY_SOUGHT = timedelta(hours=24)


class Delivery:
    """The worker's `JobNotifier`: posts outcomes, creates threads, and shows statuses."""

    def __init__(
        self,
        bot: VideoBot,
        jobs: JobService,
        decisions: DecisionRepository,
        outbox: ModerationOutbox,
        clock: Clock,
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
            clock: the time.
            cards: the status cards.
            videos: the files of finished videos.
            approvals: the approval cards.
        """
        self._bot = bot
        self._jobs = jobs
        self._decisions = decisions
        self._outbox = outbox
        self._clock = clock
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
        if not status.job.is_open and not status.job.awaits_delivery:
            self._videos.release(status.job)

    async def prepare_outcome(self, job: Job) -> None:
        """See `JobNotifier.prepare_outcome`."""
        await self._bot.wait_for_guild(job.requester.guild_id)
        await self._videos.prepare(job)

    async def resume_files(self) -> None:
        """Attach the files, and archive the copies, that an earlier process did not get to. Never raises."""
        try:
            jobs = await self._jobs.recent_videos(self._clock.now() - _COPY_SOUGHT)
            for job in jobs:
                if self._clock.now() - (job.delivered_at or job.created_at) < _FILE_SOUGHT:
                    await self._attach_missing(job)
                else:
                    await self._videos.archive_missing(job)
        except (StorageError, DeliveryError) as error:
            _log.warning("missing files are not attached", error=str(error))

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
        posted = await self._post(job, await self._target(job, place))
        if place is DeliveryTarget.THREAD:
            posted = replace(posted, thread_id=posted.channel_id)
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
                            posted = Posted(message.channel.id, message.id)
                            if not message.attachments:
                                await self._attach_later(job, posted)
                            return posted
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

    async def _attach_missing(self, job: Job) -> None:
        if not job.result_channel_id or not job.result_message_id:
            return
        with suppress(PlaceRefusedError):
            async with discord_errors():
                message = await self._bot.http.get_message(job.result_channel_id, job.result_message_id)
            if not message.get("attachments"):
                await self._attach_later(job, Posted(job.result_channel_id, job.result_message_id))

    async def _post(self, job: Job, target: discord.abc.Messageable) -> Posted:
        try:
            return await self._post_video_or_link(job, target)
        except PlaceRefusedError as error:
            if code_of(error) != THREAD_ARCHIVED:
                raise
            await unarchive(self._bot, job.thread_id or job.card_message_id or 0)
        return await self._post_video_or_link(job, target)

    async def _post_video_or_link(self, job: Job, target: discord.abc.Messageable) -> Posted:
        overview, failures = await self._jobs.overview_after(job), 0
        if file := self._videos.ready(job):
            try:
                return await self._send(job, target, overview, file)
            except PlaceRefusedError as error:
                if code_of(error) == THREAD_ARCHIVED:
                    raise
                # Where it is not the file's fault, the link is refused as well.
                if is_too_large(error):
                    self._videos.limits.record_refusal(job.requester.guild_id, size_of(file))
                _log.info("posting the link alone", job_id=job.id, error=str(error))
            except DeliveryDelayedError as error:
                if not isinstance(error.__cause__, discord.DiscordServerError):
                    raise
                # Where Discord is not away but fails for the file, the link must not wait for it.
                failures = 1
                _log.warning("posting the link alone, the file follows", job_id=job.id, error=str(error))
        posted = await self._send(job, target, overview, None)
        await self._attach_later(job, posted, overview, failures=failures)
        return posted

    async def _attach_later(
        self, job: Job, posted: Posted, overview: MemberUsage | None = None, *, failures: int = 0
    ) -> None:
        """Attach a job's video, once it is here, to the post that has its link alone."""
        if job.state is not JobState.SUCCEEDED:
            return
        text = _render.outcome(job, overview or await self._jobs.overview_after(job), attached=True)
        channel = self._bot.get_partial_messageable(posted.channel_id)

        async def attach(file: VideoFile) -> None:
            async with discord_errors():
                self._cards.reserve_request()
                message = channel.get_partial_message(posted.message_id)
                await message.edit(content=text, attachments=[attachment(job, file)])

        self._videos.attach_later(job, attach, failures=failures)

    async def _target(self, job: Job, place: DeliveryTarget) -> discord.abc.Messageable:
        requester = job.requester
        async with discord_errors():
            if place is DeliveryTarget.DIRECT:
                return await self._bot.create_dm(discord.Object(requester.member_id))
            if place is DeliveryTarget.CHANNEL:
                return self._bot.get_partial_messageable(requester.channel_id, guild_id=requester.guild_id)
        thread_id = await self.open_thread(job)
        return self._bot.get_partial_messageable(thread_id, guild_id=requester.guild_id)

    async def _send(
        self, job: Job, target: discord.abc.Messageable, overview: MemberUsage, video: VideoFile | None
    ) -> Posted:
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
