"""Every code of a failure has a sentence, with its numbers and with the words of people, which have no effect."""

import pytest

from bot.codes import TEXT, Failure, Reason, Value, WaitReason
from cogs.rendering import failures
from cogs.rendering.failures import failure, wait_reason

WITH_REASON = (Failure.REJECTED, Failure.FAILED_AT_PROVIDER, Failure.DENIED)
WITH_HOURS = (Failure.TOO_LATE, Failure.NOBODY_DECIDED, Failure.APPROVAL_EXPIRED)


def data_of(code: Failure) -> dict[str, Value]:
    """The data that rows of this code have."""
    return {"reason": None} if code in WITH_REASON else {"hours": 24.0} if code in WITH_HOURS else {}


def test_every_code_has_a_sentence() -> None:
    assert set(failures._FAILURES) == set(Failure)
    for code in Failure:
        text = failure(Reason(code, data_of(code)))
        assert text[0].isupper(), code
        assert text.endswith("."), code
        assert not set("{}") & set(text), code


@pytest.mark.parametrize("reason", WaitReason)
def test_every_reason_to_wait_has_words(reason: WaitReason) -> None:
    assert wait_reason(reason)


@pytest.mark.parametrize("code", WITH_HOURS)
def test_hours_are_named(code: Failure) -> None:
    assert " within 36.5 hours" in failure(Reason(code, {"hours": 36.5}))


@pytest.mark.parametrize("code", WITH_REASON)
def test_the_words_of_people_end_the_sentence_and_have_no_effect(code: Failure) -> None:
    assert failure(Reason(code, {"reason": "too **dark**"})).endswith(r": too \*\*dark\*\*.")
    assert failure(Reason(code, {"reason": "Too dark!"})).endswith(": Too dark!")
    assert failure(Reason(code, {"reason": " "})) == failure(Reason(code, {"reason": None})) == failure(Reason(code))


def test_what_another_version_wrote_is_shown() -> None:
    assert failure(Reason(TEXT, {"text": "too *dark*"})) == r"too \*dark\*"
    assert failure(Reason("code_of_tomorrow", {"hours": 5})) == "code_of_tomorrow"
    assert failure(None) == "No reason is known."
