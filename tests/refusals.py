"""What tests expect of a refusal: its code and its data."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bot.codes import Reason, Refusal, Value
from bot.errors import RefusedError
from cogs.rendering.refusals import refusal


@contextmanager
def refused(code: Refusal, **data: Value) -> Iterator[None]:
    """Expect a refusal with this code, and with these data among its own."""
    with pytest.raises(RefusedError) as caught:
        yield
    reason = caught.value.reason
    assert (reason.code, dict(reason.data)) == (code, {**reason.data, **data})


def is_refused(result: object, *codes: Refusal) -> bool:
    """Return whether what a call returned or raised is a refusal with one of these codes."""
    return isinstance(result, RefusedError) and result.reason.code in codes


def sentence(code: Refusal, **data: Value) -> str:
    """What a member is shown of a refusal."""
    return refusal(Reason(code, data))
