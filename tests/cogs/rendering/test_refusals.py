"""Every code has a sentence, and a sentence of an earlier version is shown as it is."""

import pytest

from bot.codes import TEXT, Reason, Refusal
from bot.errors import RefusedError
from cogs.rendering import refusals


def test_every_code_has_a_sentence() -> None:
    assert set(refusals._SENTENCES) == set(Refusal)


def test_an_error_is_shown_by_its_code_and_logged_without_a_sentence() -> None:
    error = RefusedError(Refusal.STOPPING)
    assert "restarted" in refusals.sentence_of(error)
    assert str(error) == "stopping"


@pytest.mark.parametrize("old", ["UlazAI made nothing of it.", '["a", "list"]', "12", '{"no": "code"}', ""])
def test_what_an_earlier_version_wrote_is_kept_whole(old: str) -> None:
    assert Reason.from_json(old) == Reason(TEXT, {"text": old})


def test_a_reason_survives_its_row() -> None:
    reason = Reason("too_late", {"hours": 24.0, "text": 'with "quotes" and ✓', "job_id": 7})
    assert Reason.from_json(reason.to_json()) == reason
