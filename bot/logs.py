"""Logging: one line an event, as text or JSON, from our code and the libraries alike, without secrets."""

import json
import logging
import re
import sys
from collections.abc import Iterable
from typing import Literal

import structlog

_HIDDEN = "[hidden]"
# Tokens of interactions stand in the addresses that discord.py logs with each rate limit or failure.
_TOKEN_IN_URL = re.compile(r"(/(?:webhooks|interactions)/\d+/)[\w\-.]+")
# And in the gateway's events, which it logs whole when debugging; as Python writes them, or JSON, or both.
_TOKEN_IN_EVENT = re.compile(r"""(["']token\\?["']: ?\\?["'])[^"'\\]+""")


class Redactor:
    """Takes secrets out of text: the given words, and interaction tokens in addresses and events."""

    def __init__(self, secrets: Iterable[str]) -> None:
        # Python's notation, and JSON on top of it, write a quotation mark or backslash as two or more characters.
        forms = {form for word in secrets for form in (word, repr(word)[1:-1])}
        forms |= {json.dumps(form, ensure_ascii=False)[1:-1] for form in forms}
        words = sorted(filter(None, forms), key=len, reverse=True)
        self._words = re.compile("|".join(map(re.escape, words))) if words else None

    def __call__(self, text: str) -> str:
        """Return `text` with each secret replaced."""
        if self._words:
            text = self._words.sub(_HIDDEN, text)
        text = _TOKEN_IN_URL.sub(rf"\1{_HIDDEN}", text)
        return _TOKEN_IN_EVENT.sub(rf"\1{_HIDDEN}", text)


class RedactingFormatter(structlog.stdlib.ProcessorFormatter):
    """Renders a record, its traceback included, and then takes the secrets out."""

    redact: Redactor = Redactor(())

    def format(self, record: logging.LogRecord) -> str:
        """Render the record without secrets."""
        return self.redact(super().format(record))


def set_up_logging(level: str, form: Literal["text", "json"], secrets: Iterable[str]) -> None:
    """Send every log line to standard error.

    Args:
        level: the least level that is shown, such as "INFO".
        form: "text" for people, "json" for one object a line.
        secrets: words that must not appear.
    """
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler(sys.stderr)
    formatter = RedactingFormatter(foreign_pre_chain=shared, processors=_renderers(form))
    formatter.redact = Redactor(secrets)
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # alembic's and aiosqlite's running commentary belongs to nobody's day
    for name in ("alembic", "aiosqlite", "asyncio"):
        logging.getLogger(name).setLevel(max(logging.getLevelName(level), logging.WARNING))


def _renderers(form: Literal["text", "json"]) -> list[structlog.types.Processor]:
    strip = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if form == "json":
        return [
            strip,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    # Plain tracebacks: prettier ones show the variables, broken over lines where no secret is found again.
    plain = structlog.dev.plain_traceback
    return [strip, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
