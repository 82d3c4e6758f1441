"""The members' commands: `/video`, `/animate`, `/usage`, `/history`, `/cancel`."""

import re
from contextlib import suppress
from dataclasses import replace
from typing import Any, Self

import discord
import stamina
import structlog
from discord import app_commands
from discord.ext import commands

from bot.client import NETWORK_ERRORS, VideoBot
from bot.clock import SystemClock
from bot.codes import Refusal
from bot.errors import AnsweredElsewhereError, DownloadError, PromptRefusedError, RefusedError, StorageError
from bot.jobs.models import Job, JobState, MemberUsage, Requester
from bot.jobs.ports import JobStatus
from bot.jobs.validation import (
    ASPECT_RATIOS,
    DURATIONS_SECONDS,
    MAX_PROMPT,
    PICTURE_HEADER_BYTES,
    PUBLISH_DISCOUNT,
    check_picture,
    check_picture_header,
    clean_prompt,
)
from bot.provider.models import GenerationMode, GenerationRequest
from cogs.delivery import Delivery
from cogs.interactions.attachments import first_picture, picture_of
from cogs.interactions.modals import AnimateModal, FormValues
from cogs.interactions.permissions import check_place, require_guild, role_ids
from cogs.interactions.refused_requests import RefusedRequests
from cogs.interactions.responses import answer_privately, deferred_when_slow, report_error, send_or_edit
from cogs.messages.status_cards import StatusCards
from cogs.messages.video_files import VideoFile, VideoFiles, attachment, is_too_large, size_of
from cogs.rendering import jobs as _render
from cogs.rendering import labels
from cogs.rendering.refusals import sentence_of

_log = structlog.get_logger(__name__)

_Interaction = discord.Interaction[VideoBot]
_DURATIONS = [app_commands.Choice(name=labels.duration(seconds), value=seconds) for seconds in DURATIONS_SECONDS]
_RATIOS = [app_commands.Choice(name=labels.ASPECT_RATIO_NAMES[ratio], value=ratio) for ratio in ASPECT_RATIOS]
_HELP = {
    "prompt": f"What the video shows, up to {MAX_PROMPT} characters",
    "duration": "How long it is (default: 5 seconds)",
    "aspect_ratio": "Its shape (default: 16:9)",
    "sound": "With sound (default: no); the durations have the prices",
    "publish": f"Publish it in UlazAI's public directory, {PUBLISH_DISCOUNT} credits less (default: no)",
    "image": "The picture to animate: JPEG or PNG, at most 10 MB",
}

_CANCELLABLE = (JobState.AWAITING_APPROVAL, JobState.QUEUED)

_Prompt = app_commands.Range[str, 1, MAX_PROMPT]


class Video(commands.Cog):
    """Commands to create videos, and to list and cancel one's own."""

    def __init__(self, bot: VideoBot, delivery: Delivery, cards: StatusCards, videos: VideoFiles) -> None:
        """Make the cog.

        Args:
            bot: the client.
            delivery: shows statuses.
            cards: the status cards.
            videos: the files of finished videos.
        """
        self.bot = bot
        self.delivery = delivery
        self.cards = cards
        self.videos = videos
        self.refused = RefusedRequests(SystemClock())
        self.menu = app_commands.ContextMenu(name="Animate image", callback=self.animate_image)

    async def cog_load(self) -> None:
        """Register the context menu, and the buttons of messages from before a restart."""
        self.bot.tree.add_command(self.menu)
        self.bot.add_dynamic_items(AskButton)

    async def cog_unload(self) -> None:
        """Unregister them."""
        self.bot.tree.remove_command(self.menu.name, type=self.menu.type)
        self.bot.remove_dynamic_items(AskButton)

    @app_commands.command(description="Make a video from a description")
    @app_commands.describe(**{name: _HELP[name] for name in ("prompt", "duration", "aspect_ratio", "sound", "publish")})
    @app_commands.choices(duration=_DURATIONS)
    @app_commands.choices(aspect_ratio=_RATIOS)
    async def video(
        self,
        interaction: _Interaction,
        prompt: _Prompt,
        duration: int = 5,
        aspect_ratio: str = "16:9",
        sound: bool = False,
        publish: bool = False,
    ) -> None:
        """Create a video from text."""
        request = GenerationRequest(
            GenerationMode.TEXT, clean_prompt(prompt), duration, sound, publish, aspect_ratio=aspect_ratio
        )
        await self.create_job(interaction, request)

    @app_commands.command(description="Make a video from a picture")
    @app_commands.describe(**{name: _HELP[name] for name in ("image", "prompt", "duration", "sound", "publish")})
    @app_commands.choices(duration=_DURATIONS)
    async def animate(
        self,
        interaction: _Interaction,
        image: discord.Attachment,
        prompt: _Prompt,
        duration: int = 5,
        sound: bool = False,
        publish: bool = False,
    ) -> None:
        """Create a video from a picture."""
        check_picture(picture_of(image))
        request = GenerationRequest(
            GenerationMode.IMAGE, clean_prompt(prompt), duration, sound, publish, image_url=image.url
        )
        await self.create_job(interaction, request)

    async def animate_image(self, interaction: _Interaction, message: discord.Message) -> None:
        """Open a form for a picture in a message."""
        check_place(interaction)
        image = first_picture(message)
        check_picture(picture_of(image))

        async def submit(answer: _Interaction, values: FormValues) -> None:
            request = GenerationRequest(
                GenerationMode.IMAGE,
                clean_prompt(values.prompt),
                values.duration_seconds,
                values.sound,
                values.publish,
                image_url=image.url,
            )
            await self.create_job(answer, request)

        await interaction.response.send_modal(AnimateModal(interaction, submit))

    @commands.Cog.listener()
    async def on_app_command_completion(self, interaction: _Interaction, _command: object) -> None:
        """Notify a member, once, of outcomes that could not be posted anywhere."""
        jobs = await self.bot.services.jobs.undeliverable(require_guild(interaction), interaction.user.id)
        if not jobs or interaction.response.type is discord.InteractionResponseType.modal:
            return
        with suppress(discord.HTTPException, *NETWORK_ERRORS):
            await interaction.followup.send(_render.undeliverable(jobs), ephemeral=True)
            await self.bot.services.jobs.record_notified(jobs)

    @app_commands.command(description="Your open videos, your credits, and your limits")
    async def usage(self, interaction: _Interaction) -> None:
        """Show the member's usage and limits."""
        async with deferred_when_slow(interaction, ephemeral=True):
            overview = await self.bot.services.jobs.overview(
                require_guild(interaction), interaction.user.id, role_ids(interaction)
            )
        await send_or_edit(interaction, _render.usage(overview), ephemeral=True)

    @app_commands.command(description="Your last videos here, with their links")
    @app_commands.describe(video="Get this one again, as a file if I have a copy")
    async def history(self, interaction: _Interaction, video: int | None = None) -> None:
        """List the member's last jobs, or send one of their videos again."""
        if video is not None:
            await self._send_again(interaction, video)
            return
        async with deferred_when_slow(interaction, ephemeral=True):
            jobs = await self.bot.services.jobs.history(require_guild(interaction), interaction.user.id)
        await send_or_edit(interaction, _render.history(jobs), ephemeral=True)

    @history.autocomplete("video")
    async def _finished_videos(self, interaction: _Interaction, current: str) -> list[app_commands.Choice[int]]:
        try:
            jobs = await self.bot.services.jobs.videos(
                require_guild(interaction), interaction.user.id, str(current).strip()
            )
        except StorageError as error:
            _log.error("videos for autocompletion can't be read", error=str(error))
            return []
        return [app_commands.Choice(name=_render.choice(job), value=job.id) for job in jobs]

    async def _send_again(self, interaction: _Interaction, job_id: int) -> None:
        # An upload may take longer than Discord waits for a first answer.
        await interaction.response.defer(ephemeral=True, thinking=True)
        guild_id = require_guild(interaction)
        job = await self.bot.services.jobs.video(job_id, guild_id, interaction.user.id)
        copy_bytes = None
        if file := await self.videos.copy(job):
            with file:
                copy_bytes = size_of(file)
                if self.videos.limits.may_fit(guild_id, copy_bytes):
                    if await _answer_with_file(interaction, job, file):
                        return
                    self.videos.limits.record_refusal(guild_id, copy_bytes)
        text = _render.video_link(job, copy_bytes)
        await interaction.edit_original_response(content=text, embed=_render.video(job))

    @app_commands.command(description="Cancel a video of yours that UlazAI has not started yet")
    @app_commands.describe(job="Which one, if there are several")
    async def cancel(self, interaction: _Interaction, job: int | None = None) -> None:
        """Cancel a job of the member's that is queued or awaits approval."""
        async with deferred_when_slow(interaction, ephemeral=True):
            job_id = job if job is not None else await self._only_cancellable_job(interaction)
            cancelled = await self.bot.services.jobs.cancel(job_id, require_guild(interaction), interaction.user.id)
            self.bot.services.worker.untrack(cancelled)
            self.delivery.show(JobStatus(cancelled))
            self.delivery.close_case(cancelled.id)
        await send_or_edit(interaction, _render.cancelled(cancelled), ephemeral=True)

    @cancel.autocomplete("job")
    async def _cancellable_choices(self, interaction: _Interaction, current: str) -> list[app_commands.Choice[int]]:
        choices = [
            app_commands.Choice(name=_render.choice(job), value=job.id)
            for job in await self._cancellable_jobs(interaction)
        ]
        return [choice for choice in choices if current.lower() in choice.name.lower()][:25]

    async def _only_cancellable_job(self, interaction: _Interaction) -> int:
        jobs = await self._cancellable_jobs(interaction)
        if not jobs:
            raise RefusedError(Refusal.NOTHING_TO_CANCEL)
        if len(jobs) > 1:
            raise RefusedError(Refusal.SEVERAL_TO_CANCEL, count=len(jobs))
        return jobs[0].id

    async def _cancellable_jobs(self, interaction: _Interaction) -> list[Job]:
        overview = await self.bot.services.jobs.overview(require_guild(interaction), interaction.user.id, ())
        return [job for job in overview.open_jobs if job.state in _CANCELLABLE]

    async def create_job(
        self, interaction: _Interaction, request: GenerationRequest, *, is_asked: bool = False
    ) -> None:
        """Create a job, answer with its status card, and have the worker drive it.

        Args:
            interaction: of the command, form or button; not answered yet.
            request: for what; checked here.
            is_asked: the member asks a moderator to decide about a prompt with a listed word.

        Raises:
            RefusedError: it is not accepted, or the answer did not arrive.
            AnsweredElsewhereError: another process with this token has answered; the job is cancelled.
            StorageError: the database can't be written.
        """
        try:
            job, overview = await self._insert_job(interaction, request, is_asked=is_asked)
        except PromptRefusedError as refusal:
            await self._offer_to_ask(interaction, request, refusal)
            return
        _log.info(
            "job created",
            job_id=job.id,
            guild_id=job.requester.guild_id,
            member_id=job.requester.member_id,
            held=job.held_credits,
        )
        try:
            shown = await self._show_card(interaction, job, overview.credits_left)
        except AnsweredElsewhereError:
            self.cards.forget(job.id)
            # A job that stayed queued would be submitted after the next start.
            async for attempt in stamina.retry_context(on=StorageError, attempts=10, timeout=60):
                with attempt:
                    await self.bot.services.jobs.cancel(job.id, job.requester.guild_id, job.requester.member_id)
            raise
        except Exception:
            # Whatever it is: the credits of a job that the worker does not drive would stay held for good.
            if job.id not in self.bot.services.worker:
                await self._cancel_unanswered(interaction, job)
            raise
        self.bot.services.worker.track(shown)

    async def _insert_job(
        self, interaction: _Interaction, request: GenerationRequest, *, is_asked: bool
    ) -> tuple[Job, MemberUsage]:
        in_thread = check_place(interaction)
        requester = Requester(
            interaction_id=interaction.id,
            guild_id=require_guild(interaction),
            channel_id=interaction.channel_id or 0,
            member_id=interaction.user.id,
            in_thread=in_thread,
            parent_id=getattr(interaction.channel, "parent_id", None),
            role_ids=role_ids(interaction),
        )
        async with deferred_when_slow(interaction):
            if request.image_url:
                await self._check_header(request.image_url)
            return await self.bot.services.jobs.create(requester, request, is_asked=is_asked)

    async def _offer_to_ask(
        self, interaction: _Interaction, request: GenerationRequest, refusal: PromptRefusedError
    ) -> None:
        self.refused.add(interaction, request)
        view = discord.ui.View(timeout=None)
        view.add_item(AskButton(interaction.id))
        await answer_privately(interaction, sentence_of(refusal), view)

    async def ask_moderators(self, interaction: _Interaction, refused_id: int) -> None:
        """Create a job whose prompt was refused, for a moderator to decide.

        Raises:
            RefusedError: REQUEST_FORGOTTEN, REQUEST_OF_ANOTHER, ASKED_ALREADY, or it is not accepted.
            StorageError: the database can't be written.
        """
        refused = self.refused.use(refused_id, interaction.user.id)
        try:
            await self.create_job(interaction, refused.request, is_asked=True)
        except Exception:
            # No job was created: the button may be used again.
            refused.is_used = False
            raise
        with suppress(discord.HTTPException, *NETWORK_ERRORS):
            await refused.interaction.edit_original_response(view=None)

    async def _show_card(self, interaction: _Interaction, job: Job, credits_left: int | None) -> Job:
        embed = self.cards.begin(job, interaction, credits_left)
        try:
            if job.state is JobState.AWAITING_APPROVAL:
                # Until moderators approve it, only the member and they see the prompt.
                self.cards.set_private(job.id, await answer_privately(interaction, embed=embed))
                return job
            message_id = await send_or_edit(interaction, embed)
        except (discord.HTTPException, *NETWORK_ERRORS) as error:
            # The member saw an error and may try again: this job must not be charged as well.
            _log.warning("the answer did not arrive: cancelling the job", job_id=job.id, error=str(error))
            raise RefusedError(Refusal.ANSWER_LOST_CANCELLED) from error
        return await self._record_card(job, message_id)

    async def _cancel_unanswered(self, interaction: _Interaction, job: Job) -> None:
        try:
            cancelled = await self.bot.services.jobs.cancel(job.id, job.requester.guild_id, job.requester.member_id)
        except StorageError as error:
            # It can't be cancelled, so it is made: held credits for no video would be worse.
            self.bot.services.worker.track(job)
            raise RefusedError(Refusal.ANSWER_LOST) from error
        self.delivery.show(JobStatus(cancelled))
        self.delivery.close_case(cancelled.id)
        # The answer may have arrived after all: then its card shows that the job is cancelled.
        with suppress(discord.HTTPException, *NETWORK_ERRORS):
            if job.state is JobState.AWAITING_APPROVAL:
                await interaction.delete_original_response()
            else:
                await interaction.edit_original_response(embed=_render.card(JobStatus(cancelled), 0.0, None))

    async def _record_card(self, job: Job, message_id: int) -> Job:
        try:
            recorded = await self.bot.services.jobs.record_card(job, message_id)
        except StorageError as error:
            # The job goes on, at worst without its card after a restart.
            _log.error("card not recorded", job_id=job.id, error=str(error))
            recorded = replace(job, card_message_id=message_id)
        self.cards.set_location(recorded)
        return recorded

    async def _check_header(self, url: str) -> None:
        try:
            await self.bot.services.downloader.picture(
                url,
                lambda data, size: check_picture_header(data, complete=size is not None and len(data) >= size),
                PICTURE_HEADER_BYTES,
            )
        except DownloadError as error:
            _log.info("picture header can't be read", reason=str(error))
            raise RefusedError(Refusal.IMAGE_NOT_FETCHED) from error


class AskButton(discord.ui.DynamicItem[discord.ui.Button[Any]], template=r"ask:(?P<refused_id>\d{1,20})"):
    """Asks a moderator to decide about a refused prompt; its id names the refused interaction."""

    def __init__(self, refused_id: int) -> None:
        super().__init__(discord.ui.Button(label="Ask a moderator", custom_id=f"ask:{refused_id}"))
        self._refused_id = refused_id

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Return the button that was pressed."""
        del interaction, item
        return cls(int(match["refused_id"]))

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Create the job, or answer with what went wrong."""
        try:
            interaction.client.begin(interaction.id)
            cog = interaction.client.get_cog("Video")
            if isinstance(cog, Video):
                await cog.ask_moderators(interaction, self._refused_id)
        except Exception as error:  # noqa: BLE001 - discord.py would only log it, and not answer
            await report_error(interaction, error)


async def _answer_with_file(interaction: _Interaction, job: Job, file: VideoFile) -> bool:
    """Fill in the answer with a video; return whether Discord accepts its size.

    Raises:
        HTTPException: Discord refused the answer for another reason than its size.
    """
    try:
        await interaction.edit_original_response(embed=_render.video(job), attachments=[attachment(job, file)])
    except discord.HTTPException as error:
        if not is_too_large(error):
            raise
        return False
    return True
