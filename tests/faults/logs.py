"""What the bot logs, caught by the formatters that it is run with."""

import io
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from bot.logs import set_up_logging


def _is_the_bots(record: logging.LogRecord) -> bool:
    """The local servers of the same process complain of clients that were cut off; the bot has no server."""
    return record.name != "aiohttp.server"


@contextmanager
def caught_logs(secrets: Iterable[str]) -> Iterator[tuple[io.StringIO, io.StringIO]]:
    """Catch the log as text and as JSON, debugging lines included."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    text, lines = io.StringIO(), io.StringIO()
    handlers = []
    for form, stream in (("text", text), ("json", lines)):
        set_up_logging("DEBUG", "json" if form == "json" else "text", secrets)
        (handler,) = root.handlers
        handlers.append(logging.StreamHandler(stream))
        handlers[-1].setFormatter(handler.formatter)
        handlers[-1].addFilter(_is_the_bots)
    root.handlers[:] = handlers
    try:
        yield text, lines
    finally:
        root.handlers[:] = before
        root.setLevel(level)
