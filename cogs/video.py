"""The members' commands."""

import re
from contextlib import suppress
from dataclasses import replace
from io import BufferedIOBase
from typing import Any, Self

import discord
import structlog
from discord import app_commands
from discord.ext import commands

from bot.client import NETWORK_ERRORS, VideoBot
from bot.clock import SystemClock
from bot.codes import Refusal
from bot.errors import DownloadError, PromptRefusedError, RefusedError, StorageError
from bot.jobs.models import Job, JobState, MemberUsage, Requester
from bot.jobs.ports import JobStatus
from bot.jobs.validation import (
    ASPECT_RATIOS,
    MAX_PROMPT,
    PICTURE_HEADER_BYTES,
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
from cogs.messages.video_files import VideoFiles, attachment, is_too_large, upload_limit
from cogs.rendering import jobs as _render
from cogs.rendering.refusals import sentence_of
from cogs.rendering.text import quoted

_log = structlog.get_logger(__name__)

_Interaction = discord.Interaction[VideoBot]
_DURATIONS = [
    app_commands.Choice(name="5 seconds: 55 credits, 110 with sound", value=5),
    app_commands.Choice(name="10 seconds: 110 credits, 220 with sound", value=10),
]
_RATIOS = [
    app_commands.Choice(name=name, value=ratio)
    for name, ratio in zip(("16:9 wide", "9:16 tall", "1:1 square"), ASPECT_RATIOS, strict=True)
]
_HELP = {
    "prompt": "What the video shows, up to 2000 characters",
    "duration": "How long it is (default: 5 seconds)",
    "aspect_ratio": "Its shape (default: 16:9)",
    "sound": "With sound, at twice the price (default: no)",
    "publish": "Publish it in UlazAI's public directory, 10 credits less (default: no)",
    "image": "The picture to animate: JPEG or PNG, at most 10 MB",
}

_CANCELLABLE = (JobState.AWAITING_APPROVAL, JobState.QUEUED)

_Prompt = app_commands.Range[str, 1, MAX_PROMPT]


class Video(commands.Cog):
    """Asking for videos, and looking after one's own."""

    def __init__(self, bot: VideoBot, delivery: Delivery, cards: StatusCards, videos: VideoFiles) -> None:
        """Make the cog.

        Args:
            bot: the client.
            delivery: the Discord side of jobs.
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
        """Add the context menu, which a cog does not by itself, and know the buttons of earlier messages."""
        self.bot.tree.add_command(self.menu)
        self.bot.add_dynamic_items(AskButton)

    async def cog_unload(self) -> None:
        """Take them away again."""
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
        """Take a request for a video from text."""
        request = GenerationRequest(
            GenerationMode.TEXT, clean_prompt(prompt), duration, sound, publish, aspect_ratio=aspect_ratio
        )
        await self.take(interaction, request)

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
        """Take a request for a video from a picture."""
        check_picture(picture_of(image))
        request = GenerationRequest(
            GenerationMode.IMAGE, clean_prompt(prompt), duration, sound, publish, image_url=image.url
        )
        await self.take(interaction, request)

    async def animate_image(self, interaction: _Interaction, message: discord.Message) -> None:
        """Ask for the prompt and options for a picture in a message."""
        check_place(interaction)
        image = first_picture(message)
        check_picture(picture_of(image))

        async def submit(answer: _Interaction, wishes: FormValues) -> None:
            request = GenerationRequest(
                GenerationMode.IMAGE,
                clean_prompt(wishes.prompt),
                wishes.duration_seconds,
                wishes.sound,
                wishes.publish,
                image_url=image.url,
            )
            await self.take(answer, request)

        await interaction.response.send_modal(AnimateModal(interaction, submit))

    @commands.Cog.listener()
    async def on_app_command_completion(self, interaction: _Interaction, _command: object) -> None:
        """Tell a member who uses the bot again of what could not be posted anywhere, once."""
        jobs = await self.bot.services.jobs.undeliverable(require_guild(interaction), interaction.user.id)
        if not jobs or interaction.response.type is discord.InteractionResponseType.modal:
            return
        with suppress(discord.HTTPException, *NETWORK_ERRORS):
            await interaction.followup.send(_render.kept(jobs), ephemeral=True)
            await self.bot.services.jobs.record_notified(jobs)

    @app_commands.command(description="Your videos in the making, your credits, and your limits")
    async def usage(self, interaction: _Interaction) -> None:
        """Show what the member uses."""
        async with deferred_when_slow(interaction, ephemeral=True):
            overview = await self.bot.services.jobs.overview(
                require_guild(interaction), interaction.user.id, role_ids(interaction)
            )
        await send_or_edit(interaction, _render.usage(overview), ephemeral=True)

    @app_commands.command(description="Your last videos here, with their links")
    @app_commands.describe(video="Get this one once more: as a file where I kept a copy")
    async def history(self, interaction: _Interaction, video: int | None = None) -> None:
        """Show the member's last jobs, or give one of their videos once more."""
        if video is not None:
            await self._give_again(interaction, video)
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
            _log.error("no videos to choose from", error=str(error))
            return []
        return [app_commands.Choice(name=_render.choice(job), value=job.id) for job in jobs]

    async def _give_again(self, interaction: _Interaction, job_id: int) -> None:
        # A file takes its time to be sent: longer than Discord waits for a first answer.
        await interaction.response.defer(ephemeral=True, thinking=True)
        guild_id = require_guild(interaction)
        job = await self.bot.services.jobs.video(job_id, guild_id, interaction.user.id)
        file = await self.videos.kept(job, upload_limit(self.bot, guild_id))
        if file is None or not await _answer_with_file(interaction, job, file):
            await interaction.edit_original_response(content=_render.link_again(job), embed=_render.video_again(job))

    @app_commands.command(description="Take back a request of yours that has not been sent yet")
    @app_commands.describe(job="Which one; not needed if there is only one")
    async def cancel(self, interaction: _Interaction, job: int | None = None) -> None:
        """Cancel a job of the member's that waits."""
        async with deferred_when_slow(interaction, ephemeral=True):
            job_id = job if job is not None else await self._only_waiting_job(interaction)
            cancelled = await self.bot.services.jobs.cancel(job_id, require_guild(interaction), interaction.user.id)
            self.bot.services.worker.untrack(cancelled)
            self.delivery.show(JobStatus(cancelled))
            self.delivery.close_case(cancelled.id)
        embed = discord.Embed(
            description=f"Cancelled. Your {cancelled.held_credits} credits came back.\n"
            + quoted(cancelled.request.prompt, 200)
        )
        await send_or_edit(interaction, embed, ephemeral=True)

    @cancel.autocomplete("job")
    async def _waiting_jobs(self, interaction: _Interaction, current: str) -> list[app_commands.Choice[int]]:
        choices = [
            app_commands.Choice(name=_render.choice(job), value=job.id) for job in await self._waiting(interaction)
        ]
        return [choice for choice in choices if current.lower() in choice.name.lower()][:25]

    async def _only_waiting_job(self, interaction: _Interaction) -> int:
        jobs = await self._waiting(interaction)
        if not jobs:
            raise RefusedError(Refusal.NOTHING_TO_CANCEL)
        if len(jobs) > 1:
            raise RefusedError(Refusal.SEVERAL_TO_CANCEL, count=len(jobs))
        return jobs[0].id

    async def _waiting(self, interaction: _Interaction) -> list[Job]:
        overview = await self.bot.services.jobs.overview(require_guild(interaction), interaction.user.id, ())
        return [job for job in overview.open_jobs if job.state in _CANCELLABLE]

    async def take(self, interaction: _Interaction, request: GenerationRequest, *, is_asked: bool = False) -> None:
        """Take a request, answer with its card, and open its thread; without the thread while moderators decide.

        Args:
            interaction: of the requester; not answered yet.
            request: what to make; checked here.
            is_asked: whether the requester asked moderators about a listed word.
        """
        try:
            job, overview = await self._submit(interaction, request, is_asked=is_asked)
        except PromptRefusedError as refusal:
            await self._offer_to_ask(interaction, request, refusal)
            return
        _log.info(
            "job taken",
            job_id=job.id,
            guild_id=job.requester.guild_id,
            member_id=job.requester.member_id,
            held=job.held_credits,
        )
        try:
            message_id = await self._show_card(interaction, job, overview.credits_left)
        except Exception:
            # Whatever it is, an error of our own too: a job that nobody drives would be held for good.
            if job.id not in self.bot.services.worker:
                await self._take_back(interaction, job)
            raise
        self.bot.services.worker.track(await self._note_card(job, message_id))

    async def _submit(
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
        self.refused.keep(interaction, request)
        view = discord.ui.View(timeout=None)
        view.add_item(AskButton(interaction.id))
        await answer_privately(interaction, sentence_of(refusal), view)

    async def ask_moderators(self, interaction: _Interaction, refused_id: int) -> None:
        """Take a request that was refused for its words, for moderators to decide."""
        refused = self.refused.use(refused_id, interaction.user.id)
        try:
            await self.take(interaction, refused.request, is_asked=True)
        except Exception:
            # Nothing was taken: it may be tried again.
            refused.is_used = False
            raise
        with suppress(discord.HTTPException, *NETWORK_ERRORS):
            await refused.interaction.edit_original_response(view=None)

    async def _show_card(self, interaction: _Interaction, job: Job, credits_left: int | None) -> int:
        embed = self.cards.begin(job, interaction, credits_left)
        try:
            return await send_or_edit(interaction, embed)
        except (discord.HTTPException, *NETWORK_ERRORS) as error:
            # The member saw a failure and may ask again: this one must not be sent and paid as well.
            _log.warning("the answer did not arrive: the job is cancelled", job_id=job.id, error=str(error))
            raise RefusedError(Refusal.ANSWER_LOST_CANCELLED) from error

    async def _take_back(self, interaction: _Interaction, job: Job) -> None:
        try:
            cancelled = await self.bot.services.jobs.cancel(job.id, job.requester.guild_id, job.requester.member_id)
        except StorageError as error:
            # Held for good and never made would be worse: then it goes on.
            self.bot.services.worker.track(job)
            raise RefusedError(Refusal.ANSWER_LOST) from error
        self.delivery.show(JobStatus(cancelled))
        self.delivery.close_case(cancelled.id)
        # The answer may have arrived after all: then its card has to tell what became of it.
        with suppress(discord.HTTPException, *NETWORK_ERRORS):
            await interaction.edit_original_response(embed=_render.card(JobStatus(cancelled), 0.0, None))

    async def _note_card(self, job: Job, message_id: int) -> Job:
        try:
            noted = await self.bot.services.jobs.record_card(job, message_id)
        except StorageError as error:
            # The job is taken and answered; it goes on, at worst without its card after a restart.
            _log.error("card not noted", job_id=job.id, error=str(error))
            noted = replace(job, card_message_id=message_id)
        self.cards.located(noted)
        return noted

    async def _check_header(self, url: str) -> None:
        try:
            await self.bot.services.downloader.picture_header(
                url, lambda header, complete: check_picture_header(header, complete=complete), PICTURE_HEADER_BYTES
            )
        except DownloadError as error:
            _log.info("picture not read", reason=str(error))
            raise RefusedError(Refusal.IMAGE_NOT_FETCHED) from error


class AskButton(discord.ui.DynamicItem[discord.ui.Button[Any]], template=r"ask:(?P<refused_id>\d{1,20})"):
    """Asks a moderator to look at a prompt that was refused; it names the interaction that was refused."""

    def __init__(self, refused_id: int) -> None:
        super().__init__(discord.ui.Button(label="Ask a moderator", custom_id=f"ask:{refused_id}"))
        self._refused_id = refused_id

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Make the button anew from what was pressed."""
        del interaction, item
        return cls(int(match["refused_id"]))

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Ask."""
        try:
            interaction.client.begin(interaction.id)
            cog = interaction.client.get_cog("Video")
            if isinstance(cog, Video):
                await cog.ask_moderators(interaction, self._refused_id)
        except Exception as error:  # noqa: BLE001 - discord.py would only log it: the member is told, whatever it is
            await report_error(interaction, error)


async def _answer_with_file(interaction: _Interaction, job: Job, file: BufferedIOBase) -> bool:
    """Fill in the answer with a video, and close it; returns whether Discord took a file of that size.

    Raises:
        HTTPException: Discord refused the answer for another reason than its size.
    """
    with file:
        try:
            await interaction.edit_original_response(
                embed=_render.video_again(job), attachments=[attachment(job, file)]
            )
        except discord.HTTPException as error:
            if not is_too_large(error):
                raise
            return False
    return True
