"""How many of the bot's files a request enters on its way, which is what somebody has to read who follows it.

`python -m pytest -q -s tests/e2e/test_hops.py` prints the files, with the functions that were called in each.
"""

import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType

import pytest

from tests.e2e.moderation import approval_card, ask_expensive, closed, press, set_up
from tests.e2e.stage import Stage, staged

# The aim for both is 40. Lower these with every file that a request no longer enters; never raise them.
MOST_FOR_A_VIDEO = 40
MOST_FOR_AN_APPROVAL = 40

_ROOT = Path(__file__).parents[2]
_OURS = tuple(f"{_ROOT / package}/" for package in ("bot", "cogs"))
_TESTS = f"{_ROOT / 'tests'}/"


@dataclass(slots=True)
class CallTracer:
    """Records which functions of the bot are called or resumed, in this thread and in those that start after it.

    Code that runs on import is not counted, nor is generated code, such as the `__init__` of a dataclass.
    """

    is_recording: bool = False
    called: set[CodeType] = field(default_factory=set)

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        if not self.is_recording or event != "call":
            return
        # What a test asks of the bot's code (where is the database?) is not part of the request.
        if not (frame.f_back and frame.f_back.f_code.co_filename.startswith(_TESTS)):
            self.called.add(frame.f_code)

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record for as long as the context lasts."""
        self.is_recording = True
        try:
            yield
        finally:
            self.is_recording = False

    def files(self) -> dict[str, list[str]]:
        """Return the bot's files that were entered, and the functions that were called in each."""
        found = defaultdict(set)
        for code in self.called:
            if code.co_filename.startswith(_OURS) and code.co_name != "<module>":
                found[str(Path(code.co_filename).relative_to(_ROOT))].add(code.co_qualname)
        return {path: sorted(found[path]) for path in sorted(found)}


def forget_results() -> None:
    """Empty the bot's caches, so that it does not depend on earlier tests which files are entered."""
    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] in ("bot", "cogs")]
    for value in [value for module in modules for value in vars(module).values()]:
        if callable(clear := getattr(value, "cache_clear", None)):
            clear()


@pytest.fixture
def tracer() -> Iterator[CallTracer]:
    """Trace calls in this thread and in those to come; coverage is not disturbed, it does not use the profiler."""
    forget_results()
    found = CallTracer()
    sys.setprofile(found)
    threading.setprofile(found)
    try:
        yield found
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


async def settle(stage: Stage) -> None:
    """Wait until the start is over, so that it is not counted: a command goes through after the pools were opened.

    It is one of the file that `/video` enters anyway, for its last lines run after its answer has come.
    """
    assert stage.bot
    await stage.bot.wait_until_ready()
    await stage.until(lambda: stage.rows("SELECT 1 FROM pools WHERE opened_at IS NOT NULL"))
    await (await stage.member.slash(stage.videos, "history", files=None)).answered()


def show(capsys: pytest.CaptureFixture[str], subject: str, files: dict[str, list[str]]) -> None:
    lines = (f"{path}: {', '.join(functions)}" for path, functions in files.items())
    with capsys.disabled():
        sys.stdout.write("\n  ".join((f"\n{subject}: {len(files)} files", *lines)))


async def test_a_video_from_command_to_post(
    tracer: CallTracer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with staged(tmp_path) as stage:
        await settle(stage)
        with tracer.recording():
            await stage.outcome(await stage.ask())
            await stage.delivered()
    files = tracer.files()
    show(capsys, "/video, from command to post", files)
    assert {"cogs/video.py", "bot/storage/database.py", "bot/jobs/worker/deliver.py"} <= files.keys()
    assert len(files) <= MOST_FOR_A_VIDEO


async def test_an_approval_from_button_to_post(
    tracer: CallTracer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with staged(tmp_path) as stage:
        await settle(stage)
        await set_up(stage)
        status = await ask_expensive(stage)
        card = await approval_card(stage)
        # The step that posted the card ends after the card is recorded.
        assert stage.bot
        await stage.bot.services.worker.idle()
        with tracer.recording():
            await press(stage, card, "Approve")
            await stage.outcome(status)
            await closed(stage, card, "Approved")
            await stage.delivered()
    files = tracer.files()
    show(capsys, "approval, from button to post", files)
    assert {"cogs/moderation/decisions.py", "bot/jobs/worker/deliver.py"} <= files.keys()
    assert len(files) <= MOST_FOR_AN_APPROVAL
