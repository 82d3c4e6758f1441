"""The files of finished videos: downloaded once, archived, and served from the archive."""

import asyncio
import os
from io import BufferedIOBase

import discord
import structlog

from bot.client import VideoBot
from bot.errors import DownloadError
from bot.jobs.models import Job, JobState
from bot.media.archive import Archive
from bot.media.downloads import Downloader

_log = structlog.get_logger(__name__)

# Videos too large to attach are archived in the background, up to this size.
_MAX_ARCHIVED_BYTES = 200 * 1024 * 1024
_ARCHIVING_SECONDS = 600.0
_CONCURRENT_DOWNLOADS = 2
# Discord's error code for a request that is too large.
_TOO_LARGE = 40005


class VideoFiles:
    """Downloads, archives and opens the files of finished videos."""

    def __init__(self, downloader: Downloader, archive: Archive) -> None:
        self._downloader = downloader
        # None: videos are not archived.
        self._archive = archive if archive.folder is not None else None
        self._archiving: dict[int, asyncio.Task[None]] = {}
        self._semaphore = asyncio.Semaphore(_CONCURRENT_DOWNLOADS)

    async def fetch(self, job: Job, max_bytes: int) -> BufferedIOBase | None:
        """Return a job's video, from the archive or else from the provider's link; the caller closes it.

        What comes from the link is archived.

        Returns:
            None: it can't be downloaded, or has more than `max_bytes`.
        """
        if job.state is not JobState.SUCCEEDED or not job.video_url:
            return None
        archive, key = self._archive, _key(job)
        if archive and (copy := await archive.find(key)):
            return _fitting(copy, max_bytes)
        try:
            file = await self._downloader.video(job.video_url, max_bytes)
        except DownloadError as error:
            _log.info("video is posted as a link", job_id=job.id, reason=str(error))
            return None
        if archive:
            await archive.store(key, file)
        return file

    async def archived(self, job: Job, max_bytes: int) -> BufferedIOBase | None:
        """Return the archived copy of a job's video if it has at most `max_bytes`; the caller closes it."""
        copy = await self._archive.find(_key(job)) if self._archive else None
        return _fitting(copy, max_bytes) if copy else None

    def archive_later(self, job: Job) -> None:
        """Archive a job's video in the background. Never raises or waits."""
        archive = self._archive
        if archive and job.state is JobState.SUCCEEDED and job.video_url and job.id not in self._archiving:
            task = asyncio.create_task(self._archive_video(archive, job), name=f"copy of job {job.id}")
            self._archiving[job.id] = task
            task.add_done_callback(lambda _: self._archiving.pop(job.id, None))

    async def stop(self) -> None:
        """Cancel the downloads in the background."""
        tasks = list(self._archiving.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _archive_video(self, archive: Archive, job: Job) -> None:
        key = _key(job)
        async with self._semaphore:
            if copy := await archive.find(key):
                copy.close()
                return
            try:
                file = await self._downloader.video(
                    job.video_url or "",
                    min(_MAX_ARCHIVED_BYTES, archive.max_bytes),
                    max_seconds=_ARCHIVING_SECONDS,
                    folder=archive.folder,
                )
            except DownloadError as error:
                _log.info("video could not be archived", job_id=job.id, reason=str(error))
                return
            with file:
                await archive.store(key, file)


def upload_limit(bot: VideoBot, guild_id: int) -> int:
    """Return a server's current upload limit, in bytes."""
    guild = bot.get_guild(guild_id)
    return guild.filesize_limit if guild else discord.utils.DEFAULT_FILE_SIZE_LIMIT_BYTES


def attachment(job: Job, file: BufferedIOBase) -> discord.File:
    """Return a job's video as a file to send."""
    return discord.File(file, f"video-{job.id}.mp4")


def is_too_large(error: discord.HTTPException) -> bool:
    """Return whether Discord refused a message for the size of its file."""
    return error.status == 413 or error.code == _TOO_LARGE


def _key(job: Job) -> str:
    """Return a video's name in the archive; by the time jobs of different databases differ."""
    return f"{job.id}-{int(job.created_at.timestamp() * 1000):x}"


def _fitting(file: BufferedIOBase, max_bytes: int) -> BufferedIOBase | None:
    if os.fstat(file.fileno()).st_size <= max_bytes:
        return file
    file.close()
    return None
