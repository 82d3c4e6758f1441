"""Renders clips in a worker thread and stores them in a folder or in memory."""

import asyncio
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

from sandbox.clips import ClipSpec, render_clip

_NICENESS = 10


@lru_cache(maxsize=2)
def sample_clip(*, sound: bool) -> bytes:
    """Return a playable clip of one second, rendered once per process: for tests that need many videos."""
    return render_clip(ClipSpec("A sample", seconds=1, sound=sound))


class ClipStore:
    """Rendered clips by their task's id."""

    def __init__(self, folder: Path | None) -> None:
        """Set up the store without touching the disk.

        Args:
            folder: folder of the clips, made by `open` if missing; None keeps them in memory.
        """
        self._folder = folder
        self._in_memory: dict[str, bytes] = {}
        self._workers: ThreadPoolExecutor | None = None

    def open(self) -> None:
        """Make the folder and start the worker thread."""
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
        workers = 2 if (os.cpu_count() or 1) > 2 else 1
        self._workers = ThreadPoolExecutor(workers, "reelpool-clips", initializer=_lower_priority)

    async def close(self) -> None:
        """Cancel the clips not yet begun and wait for the current one."""
        if self._workers is not None:
            await asyncio.to_thread(self._workers.shutdown, cancel_futures=True)
            self._workers = None

    def task_ids(self) -> set[str]:
        """Return the ids of the tasks whose clips are stored."""
        if self._folder is None:
            return set(self._in_memory)
        return {path.stem for path in self._folder.glob("*.mp4")}

    def draw(self, task_id: str, spec: ClipSpec) -> asyncio.Future[None]:
        """Queue a clip for rendering; the future is done once it can be read.

        Raises:
            RuntimeError: the store is not open.
        """
        if self._workers is None:
            raise RuntimeError("the clip clips is closed")
        return asyncio.get_running_loop().run_in_executor(self._workers, self._draw_now, task_id, spec)

    async def read(self, task_id: str) -> bytes:
        """Return a clip.

        Raises:
            KeyError: there is none.
        """
        if self._folder is None:
            return self._in_memory[task_id]
        try:
            return await asyncio.to_thread((self._folder / f"{task_id}.mp4").read_bytes)
        except FileNotFoundError as error:
            raise KeyError(task_id) from error

    def _draw_now(self, task_id: str, spec: ClipSpec) -> None:
        clip = render_clip(spec)
        if self._folder is None:
            self._in_memory[task_id] = clip
            return
        unfinished = self._folder / f"{task_id}.part"
        unfinished.write_bytes(clip)
        unfinished.replace(self._folder / f"{task_id}.mp4")


def _lower_priority() -> None:
    """Run this thread after the bot and the page: on Linux priorities are per thread."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
