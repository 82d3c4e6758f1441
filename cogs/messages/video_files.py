"""The files of finished videos: downloaded in the background, archived, and attached to the posts of their jobs.

A post never waits for its file longer than a moment: then the link is posted, and the file follows by an edit.
"""

import asyncio
import itertools
import os
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from io import BufferedRandom, BufferedReader

import discord
import structlog

from bot.backoff import Backoff
from bot.client import VideoBot
from bot.clock import Clock
from bot.errors import DeliveryDelayedError, DownloadError, DownloadRefusedError, PlaceRefusedError
from bot.jobs.models import Job, JobState
from bot.media.archive import Archive
from bot.media.downloads import Downloader

VideoFile = BufferedRandom | BufferedReader
"""An open video: a temporary file, or a copy from the archive."""

_log = structlog.get_logger(__name__)

_MEBIBYTE = 1024 * 1024
_AT_ONCE_SECONDS = 2.0
# What is larger is attached by an edit, even if it is here at once: its upload takes a while.
_AT_ONCE_BYTES = 25 * _MEBIBYTE
# Discord's documentation, "Uploading Files": no server takes more.
_MAX_ATTACHED_BYTES = 100 * _MEBIBYTE
_MAX_ARCHIVED_BYTES = 200 * _MEBIBYTE
_DOWNLOAD_SECONDS = 600.0
_CONCURRENT_DOWNLOADS = 64
# A provider's link may need minutes until it works. A copy for the archive is tried for as long as a link may live.
_FILE_WANTED_SECONDS = 900.0
_COPY_WANTED_SECONDS = 86400.0
_DOWNLOAD_BACKOFF = Backoff(3.0)
_ATTACH_BACKOFF = Backoff(5.0)
_ATTACH_TRIES = 6
_REFUSAL_COUNTS_SECONDS = 86400.0
# Discord's error code for a request that is too large.
_TOO_LARGE = 40005


@dataclass(slots=True)
class _Download:
    """The download of a job's video; `file` returns it open, or None if it can't be had.

    Attributes:
        began_at: by the monotonic clock.
        attaching: attaches the file to a post that was made without it.
    """

    file: asyncio.Task[VideoFile | None]
    began_at: float
    attaching: asyncio.Task[None] | None = None


@dataclass(frozen=True, slots=True)
class _SizeRefusal:
    """A file that a server did not take for its size.

    Attributes:
        boost_level: of the server at that time, which its limit depends on; None: not known.
        refused_at: by the monotonic clock.
    """

    size_bytes: int
    boost_level: int | None
    refused_at: float


class UploadLimits:
    """What Discord takes in each server, learned by trying: it publishes no number that holds, and changes them."""

    def __init__(self, bot: VideoBot, clock: Clock) -> None:
        self._bot = bot
        self._clock = clock
        self._refusals: dict[int, _SizeRefusal] = {}

    def may_fit(self, guild_id: int, size_bytes: int) -> bool:
        """Return whether a file of this size is worth a try: no smaller one was refused there in the last day.

        A server that gets more boosts takes larger files: what was refused before does not count any more.

        Args:
            guild_id: of the server.
            size_bytes: of the file.
        """
        refusal = self._refusals.get(guild_id)
        if size_bytes > _MAX_ATTACHED_BYTES or refusal is None:
            return size_bytes <= _MAX_ATTACHED_BYTES
        is_old = self._clock.monotonic() - refusal.refused_at > _REFUSAL_COUNTS_SECONDS
        if is_old or refusal.boost_level != self._boost_level(guild_id):
            del self._refusals[guild_id]
            return True
        return size_bytes < refusal.size_bytes

    def record_refusal(self, guild_id: int, size_bytes: int) -> None:
        """Remember that a file was too large."""
        _log.info("server takes no file of this size", guild_id=guild_id, size_bytes=size_bytes)
        self._refusals[guild_id] = _SizeRefusal(size_bytes, self._boost_level(guild_id), self._clock.monotonic())

    def _boost_level(self, guild_id: int) -> int | None:
        guild = self._bot.get_guild(guild_id)
        return None if guild is None or guild.unavailable else guild.premium_tier


class VideoFiles:
    """Downloads, archives and opens the files of finished videos."""

    def __init__(self, downloader: Downloader, archive: Archive, limits: UploadLimits, clock: Clock) -> None:
        """Make one without downloads.

        Args:
            downloader: fetches the files.
            archive: keeps copies of them.
            limits: what fits into which server.
            clock: the time.
        """
        self.limits = limits
        self._downloader = downloader
        # None: videos are not archived.
        self._archive = archive if archive.folder is not None else None
        self._clock = clock
        self._downloads: dict[int, _Download] = {}
        # Downloads for the archive alone: no post needs the file any more.
        self._archiving: set[asyncio.Task[VideoFile | None]] = set()
        self._semaphore = asyncio.Semaphore(_CONCURRENT_DOWNLOADS)

    async def prepare(self, job: Job) -> None:
        """Begin to download a job's video, and wait a moment for it. Never raises."""
        if not _has_video(job):
            return
        download = self._begin(job)
        left = download.began_at + _AT_ONCE_SECONDS - self._clock.monotonic()
        if left > 0:
            await asyncio.wait({download.file}, timeout=left)

    def ready(self, job: Job) -> VideoFile | None:
        """Return a job's video, at its start, if it is here and may be attached to a post at once; else None."""
        download = self._downloads.get(job.id)
        file = download.file.result() if download and download.file.done() else None
        if file is None or size_of(file) > _AT_ONCE_BYTES:
            return None
        if not self.limits.may_fit(job.requester.guild_id, size_of(file)):
            return None
        file.seek(0)
        return file

    def attach_later(self, job: Job, attach: Callable[[VideoFile], Awaitable[None]], *, failures: int = 0) -> None:
        """Attach a job's video, once it is here, to the post that was made without it. Never raises or waits.

        Args:
            job: with a video.
            attach: edits the post; it may be called again, until it does not raise `DeliveryDelayedError`.
            failures: how many tries to post it with its file have failed.
        """
        download = self._begin(job)
        if download.attaching is None:
            work = self._attach(job, download, attach, failures)
            download.attaching = asyncio.create_task(work, name=f"file of job {job.id}")

    def release(self, job: Job) -> None:
        """Close a job's file, unless it is still to be attached: its post is made. Its archive copy may follow."""
        download = self._downloads.get(job.id)
        if download is None or download.attaching is not None:
            return
        del self._downloads[job.id]
        if self._archive is None:
            download.file.cancel()
        else:
            self._archiving.add(download.file)
        download.file.add_done_callback(self._close)

    async def archive_missing(self, job: Job) -> None:
        """Download a job's video for the archive if that has no copy. Never raises."""
        if self._archive is None or not _has_video(job):
            return
        if copy := await self.copy(job):
            copy.close()
            return
        self._begin(job)
        self.release(job)

    async def copy(self, job: Job) -> VideoFile | None:
        """Return the archived copy of a job's video, which the caller closes; None: there is none."""
        return await self._archive.find(_key(job)) if self._archive else None

    async def stop(self) -> None:
        """Cancel what is under way, and close the files."""
        downloads = list(self._downloads.values())
        files = [*(download.file for download in downloads), *self._archiving]
        attaching = [download.attaching for download in downloads if download.attaching]
        for task in (*files, *attaching):
            task.cancel()
        await asyncio.gather(*files, *attaching, return_exceptions=True)
        for file in files:
            self._close(file)

    def _begin(self, job: Job) -> _Download:
        if job.id not in self._downloads:
            task = asyncio.create_task(self._download(job), name=f"video of job {job.id}")
            self._downloads[job.id] = _Download(task, self._clock.monotonic())
        return self._downloads[job.id]

    def _close(self, file: asyncio.Task[VideoFile | None]) -> None:
        self._archiving.discard(file)
        if not file.cancelled() and not file.exception() and (video := file.result()):
            video.close()

    async def _download(self, job: Job) -> VideoFile | None:
        """Return the video's file, from the archive or else from the provider's link; None: it can't be had."""
        archive, key, began_at = self._archive, _key(job), self._clock.monotonic()
        wanted_seconds = _COPY_WANTED_SECONDS if archive else _FILE_WANTED_SECONDS
        for failures in itertools.count(1):
            if archive and (copy := await archive.find(key)):
                return copy
            try:
                file = await self._fetch(job)
            except DownloadError as error:
                pause = _DOWNLOAD_BACKOFF.pause(failures)
                age = self._clock.monotonic() - began_at
                if isinstance(error, DownloadRefusedError) or age + pause > wanted_seconds:
                    _log.info("video can't be downloaded; its link is posted", job_id=job.id, reason=str(error))
                    return None
                if failures == 1:
                    _log.info("video is not downloaded yet; trying again", job_id=job.id, reason=str(error))
                await asyncio.sleep(pause)
            else:
                with ExitStack() as undo:
                    undo.enter_context(file)
                    if archive:
                        await archive.store(key, file)
                    undo.pop_all()
                return file
        return None

    async def _fetch(self, job: Job) -> BufferedRandom:
        folder = self._archive.folder if self._archive else None
        async with self._semaphore:
            return await self._downloader.video(
                job.video_url or "",
                _MAX_ARCHIVED_BYTES if self._archive else _MAX_ATTACHED_BYTES,
                max_seconds=_DOWNLOAD_SECONDS,
                folder=folder if folder and folder.is_dir() else None,
            )

    async def _attach(
        self, job: Job, download: _Download, attach: Callable[[VideoFile], Awaitable[None]], failures: int
    ) -> None:
        try:
            # Not cancelled with this: the archive may still need it.
            if file := await asyncio.shield(download.file):
                await self._attach_file(job, file, attach, failures)
        except Exception:  # noqa: BLE001 - the link is posted, and no later file may be lost with this one
            _log.exception("file not attached", job_id=job.id)
        finally:
            download.attaching = None
            self.release(job)

    async def _attach_file(
        self, job: Job, file: VideoFile, attach: Callable[[VideoFile], Awaitable[None]], failures: int
    ) -> None:
        size = size_of(file)
        for tries in range(failures, _ATTACH_TRIES):
            await asyncio.sleep(_ATTACH_BACKOFF.pause(tries))
            if not self.limits.may_fit(job.requester.guild_id, size):
                break
            file.seek(0)
            try:
                await attach(file)
            except DeliveryDelayedError as error:
                _log.info("file not attached yet", job_id=job.id, error=str(error))
            except PlaceRefusedError as error:
                if is_too_large(error):
                    self.limits.record_refusal(job.requester.guild_id, size)
                _log.info("file not attached: Discord refused it", job_id=job.id, error=str(error))
                return
            else:
                _log.info("file attached", job_id=job.id)
                return
        _log.info("file not attached: the link alone stays", job_id=job.id, size_bytes=size)


def size_of(file: VideoFile) -> int:
    """Return the size of an open file, in bytes."""
    return os.fstat(file.fileno()).st_size


def upload_limit(interaction: discord.Interaction[VideoBot]) -> int:
    """Return how large the files of an answer may be, in bytes, as Discord says; it may refuse them all the same."""
    return interaction.filesize_limit


def attachment(job: Job, file: VideoFile) -> discord.File:
    """Return a job's video as a file to send."""
    return discord.File(file, f"video-{job.id}.mp4")


def is_too_large(error: Exception) -> bool:
    """Return whether Discord refused a message for the size of its file; of ours, the cause counts."""
    cause = error.__cause__ if isinstance(error, PlaceRefusedError) else error
    return isinstance(cause, discord.HTTPException) and (cause.status == 413 or cause.code == _TOO_LARGE)


def _has_video(job: Job) -> bool:
    return job.state is JobState.SUCCEEDED and bool(job.video_url)


def _key(job: Job) -> str:
    """Return a video's name in the archive; the time tells jobs of different databases apart."""
    return f"{job.id}-{int(job.created_at.timestamp() * 1000):x}"
