"""The log: no secret in it, whatever is logged, and one JSON object a line where that is wished for."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any, Literal

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from bot.logs import Redactor, set_up_logging
from tests.properties import PROPERTY

TOKEN, KEY = "a.discord-token", 'ulz_key"with\\odd characters'
INTERACTION_TOKEN = "aW50ZXJhY3Rpb246_with-dots.and_more"
WEBHOOK = f"https://discord.com/api/v10/webhooks/123/{INTERACTION_TOKEN}/messages/@original"
CALLBACK = f"https://discord.com/api/v10/interactions/456/{INTERACTION_TOKEN}/callback"
SECRETS = (TOKEN, KEY, INTERACTION_TOKEN)
_EMPTY: dict[str, str] = {}
FORMS: tuple[Literal["text", "json"], ...] = ("text", "json")


def forms_of(secret: str) -> set[str]:
    """How a secret may be written in a log: as it is, as Python writes it, and each of them in JSON."""
    forms = {secret, repr(secret)[1:-1]}
    return forms | {json.dumps(form, ensure_ascii=False)[1:-1] for form in forms}


class Log:
    """What is logged by one form of logging."""

    def __init__(self, form: Literal["text", "json"], stream: io.StringIO) -> None:
        self.form = form
        self._stream = stream

    def text(self) -> str:
        """Return everything so far, which must not show a secret."""
        text = self._stream.getvalue()
        for secret in SECRETS:
            for form in forms_of(secret):
                assert form not in text
        return text

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines as objects."""
        return [json.loads(line) for line in self.text().splitlines()]


@pytest.fixture(params=FORMS)
def log(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    set_up_logging("INFO", request.param, (TOKEN, KEY))
    yield Log(request.param, stream)
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in ("alembic", "aiosqlite", "asyncio"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def fail_with(text: str) -> None:
    """Raise an error out of another one, with a secret among the variables."""
    key_in_a_variable = KEY
    try:
        _EMPTY[key_in_a_variable]
    except KeyError as error:
        raise RuntimeError(text) from error


def test_secrets_are_hidden_wherever_they_stand(log: Log) -> None:
    ours, theirs = structlog.get_logger("bot.app"), logging.getLogger("discord.http")
    ours.info(f"the token is {TOKEN}", key=KEY, nested={"keys": [KEY], TOKEN: 1}, address=WEBHOOK, job_id=7)
    theirs.warning("rate limited on %s with %r and %s", CALLBACK, KEY, {"Authorization": f"Bearer {KEY}"})
    theirs.error("failed", extra={"token": TOKEN})
    text = log.text()
    assert text.count("[hidden]") >= 6
    assert "/webhooks/123/[hidden]/messages/@original" in text
    assert "/interactions/456/[hidden]/callback" in text
    assert "job_id" in text


def test_secrets_are_hidden_in_tracebacks(log: Log) -> None:
    try:
        fail_with(f"{WEBHOOK} refused {TOKEN}")
    except RuntimeError:
        structlog.get_logger("bot.app").exception("ours failed")
        logging.getLogger("discord.client").exception("theirs failed")
    text = log.text()
    assert text.count("Traceback (most recent call last)") >= 2
    assert text.count("RuntimeError: ") >= 2
    assert "key_in_a_variable = KEY" not in text  # of each frame its one line of code, and no variables
    assert "key_in_a_variable = '" not in text


def test_lines_have_time_logger_and_level(log: Log) -> None:
    structlog.get_logger("bot.jobs.worker.worker").warning("job failed", job_id=3, reason="ein Grund: ü 猫")
    logging.getLogger("discord.gateway").info("connected to %s", "somewhere")
    logging.getLogger("discord.gateway").debug("not shown")
    text = log.text()
    assert "not shown" not in text
    if log.form == "text":
        assert len(text.splitlines()) == 2
        assert "ein Grund: ü 猫" in text
        return
    ours, theirs = log.lines()
    assert ours.pop("timestamp").endswith("Z")
    assert ours == {
        "event": "job failed",
        "level": "warning",
        "logger": "bot.jobs.worker.worker",
        "job_id": 3,
        "reason": "ein Grund: ü 猫",
    }
    assert (theirs["event"], theirs["logger"]) == ("connected to somewhere", "discord.gateway")


def test_a_log_entry_is_one_line(log: Log) -> None:
    structlog.get_logger("bot").info("two\nlines", data=object(), odd={1: {2, 3}}, raw=b"\xff", number=float("nan"))
    try:
        fail_with("broken")
    except RuntimeError:
        logging.getLogger("x").exception("with a traceback")
    if log.form == "json":
        first, second = log.lines()
        assert first["event"] == "two\nlines"
        assert "RuntimeError: broken" in second["exception"]


def test_debug_output_of_libraries_is_left_out(log: Log) -> None:
    for name in ("alembic.runtime.migration", "aiosqlite", "asyncio"):
        logging.getLogger(name).info("chatter")
        logging.getLogger(name).error("trouble")
    text = log.text()
    assert "chatter" not in text
    assert text.count("trouble") == 3


words = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=4, max_size=20)


@PROPERTY
@given(st.lists(words, max_size=3), st.text(), st.text())
def test_no_secret_gets_through(secrets: list[str], before: str, after: str) -> None:
    redact = Redactor(secrets)
    for secret in secrets:
        for form in forms_of(secret):
            assert redact(f"{before}{form}{after}").count("[hidden]") >= 1


def test_the_longer_of_two_secrets_is_hidden_whole() -> None:
    assert Redactor(("abcd", "abcdefgh"))("x abcdefgh y") == "x [hidden] y"


@pytest.mark.parametrize("secrets", [(), ("",)])
def test_without_secrets_the_text_stays(secrets: tuple[str, ...]) -> None:
    assert Redactor(secrets)("nothing to hide") == "nothing to hide"
