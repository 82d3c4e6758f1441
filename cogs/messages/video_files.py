"""The files of finished videos: fetched once, kept where there is an archive, and given again from there."""

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

# What is too large to be attached is kept all the same, up to here, and as long as nobody has to wait for it.
_MAX_KEPT_BYTES = 200 * 1024 * 1024
_KEEP_SECONDS = 600.0
_KEPT_AT_ONCE = 2
_TOO_LARGE = 40005


class VideoFiles:
    """Gives out the files of finished videos."""

    def __init__(self, downloader: Downloader, archive: Archive) -> None:
        self._downloader = downloader
        # None: copies are not kept.
        self._archive = archive if archive.folder is not None else None
        self._keeping: dict[int, asyncio.Task[None]] = {}
        self._at_once = asyncio.Semaphore(_KEPT_AT_ONCE)

    async def fetch(self, job: Job, max_bytes: int) -> BufferedIOBase | None:
        """Return a job's video for a post; the caller closes it.

        It is the archived copy, or comes from the provider's link and is archived on the way.

        Returns:
            None if there is none that can be had and has at most `max_bytes`.
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

    async def kept(self, job: Job, max_bytes: int) -> BufferedIOBase | None:
        """Return the archived copy of a job's video if it has at most `max_bytes`; the caller closes it."""
        copy = await self._archive.find(_key(job)) if self._archive else None
        return _fitting(copy, max_bytes) if copy else None

    def keep_later(self, job: Job) -> None:
        """See to it in the background that the archive has a job's video. Never fails and never waits."""
        archive = self._archive
        if archive and job.state is JobState.SUCCEEDED and job.video_url and job.id not in self._keeping:
            task = asyncio.create_task(self._keep(archive, job), name=f"copy of job {job.id}")
            self._keeping[job.id] = task
            task.add_done_callback(lambda _: self._keeping.pop(job.id, None))

    async def stop(self) -> None:
        """Give up the copies that are being made."""
        tasks = list(self._keeping.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep(self, archive: Archive, job: Job) -> None:
        key = _key(job)
        async with self._at_once:
            if copy := await archive.find(key):
                copy.close()
                return
            try:
                file = await self._downloader.video(
                    job.video_url or "",
                    min(_MAX_KEPT_BYTES, archive.max_bytes),
                    max_seconds=_KEEP_SECONDS,
                    folder=archive.folder,
                )
            except DownloadError as error:
                _log.info("video has no copy in the archive", job_id=job.id, reason=str(error))
                return
            with file:
                await archive.store(key, file)


def upload_limit(bot: VideoBot, guild_id: int) -> int:
    """Return how many bytes a file may have in a server, as Discord says it now."""
    guild = bot.get_guild(guild_id)
    return guild.filesize_limit if guild else discord.utils.DEFAULT_FILE_SIZE_LIMIT_BYTES


def attachment(job: Job, file: BufferedIOBase) -> discord.File:
    """Return a job's video as a file to send."""
    return discord.File(file, f"video-{job.id}.mp4")


def is_too_large(error: discord.HTTPException) -> bool:
    """Tell whether Discord refused a message for the size of its file."""
    return error.status == 413 or error.code == _TOO_LARGE


def _key(job: Job) -> str:
    """Name the copy: the time keeps the jobs of a new database apart from those of an older one."""
    return f"{job.id}-{int(job.created_at.timestamp() * 1000):x}"


def _fitting(file: BufferedIOBase, max_bytes: int) -> BufferedIOBase | None:
    if os.fstat(file.fileno()).st_size <= max_bytes:
        return file
    file.close()
    return None
