"""Refusals of the pool's rules in sentences: what is the case, and what works now."""

from datetime import UTC, datetime
from typing import Any

import pytest

from bot.codes import Refusal
from tests.refusals import sentence

NOW = datetime(2026, 8, 1, 12, 0, 0, 1, tzinfo=UTC)
STAMP = int(NOW.timestamp()) + 1
PUBLISHED = {"fits_price": 45, "fits_seconds": 5, "fits_sound": False, "fits_publish": True, "fits_if_published": True}
SHORTER = {"fits_price": 55, "fits_seconds": 5, "fits_sound": False, "fits_publish": False, "fits_if_published": False}


@pytest.mark.parametrize(
    ("code", "data", "text"),
    [
        (Refusal.PAUSED, {"reason": ""}, "The moderators have paused videos here."),
        (Refusal.PAUSED, {"reason": "*tired*!"}, "The moderators have paused videos here: \\*tired\\*!"),
        (Refusal.BLOCKED, {"reason": "", "until": None}, "A moderator has blocked you from making videos here."),
        (
            Refusal.BLOCKED,
            {"reason": "spam", "until": NOW},
            f"A moderator has blocked you from making videos here until <t:{STAMP}:R>: spam.",
        ),
        (
            Refusal.WRONG_CHANNEL,
            {"channel_ids": [6, 7]},
            "Videos can only be made in <#6>, <#7>. Please use the command there.",
        ),
        (
            Refusal.POOL_EMPTY,
            {"price": 55, "available": 50, **PUBLISHED},
            "55 credits is too much for what is left in this server's pool (50). 45 works if it is published.",
        ),
        (
            Refusal.POOL_EMPTY,
            {"price": 55, "available": 5},
            (
                "55 credits is too much for what is left in this server's pool (5). "
                "Please ask a moderator for more credits."
            ),
        ),
        (
            Refusal.SESSION_EMPTY,
            {"price": 110, "available": 99, **SHORTER},
            (
                "110 credits is too much for what is left of this session's budget (99). "
                "55 works: 5 seconds without sound."
            ),
        ),
        (
            Refusal.LIMIT_CREDITS,
            {"price": 55, "used": 500, "allowed": 550, "hours": 24.0, "free_at": NOW, **PUBLISHED},
            (
                "You have used 500 of your 550 credits in the last 24 hours, so 55 is too much. "
                f"45 works if it is published, or wait until <t:{STAMP}:f>."
            ),
        ),
        (
            Refusal.LIMIT_CREDITS,
            {"price": 110, "used": 500, "allowed": 550, "hours": 0.5, "free_at": NOW},
            (
                "You have used 500 of your 550 credits in the last 0.5 hours, so 110 is too much. "
                f"Please wait until <t:{STAMP}:f>."
            ),
        ),
        (
            Refusal.LIMIT_CREDITS,
            {"price": 110, "used": 0, "allowed": 40, "hours": 24, "free_at": None},
            (
                "You have used 0 of your 40 credits in the last 24 hours, so 110 is too much. "
                "It is more than your whole allowance; `/why` shows where that comes from."
            ),
        ),
        (
            Refusal.BUDGET_TOO_LARGE,
            {"budget": 500, "available": 300, "least": 45},
            "500 credits is too much for what is left in this server's pool (300). Up to 300 works.",
        ),
        (
            Refusal.BUDGET_TOO_LARGE,
            {"budget": 500, "available": 30, "least": 45},
            (
                "500 credits is too much for what is left in this server's pool (30). "
                "A session needs 45 at least, so the pool needs a deposit first."
            ),
        ),
        (
            Refusal.NOT_A_NUMBER,
            {"least": 0, "most": 1_000_000_000, "unit": "credits"},
            "Please give a whole number of credits from 0 to 1,000,000,000; 0 means no limit.",
        ),
        (
            Refusal.NOT_A_NUMBER,
            {"least": 1, "most": 1440, "unit": "minutes"},
            "Please give a whole number of minutes from 1 to 1,440.",
        ),
        (
            Refusal.WORD_TOO_LONG,
            {"word": "y" * 101, "length": 101, "most": 100},
            f'"{"y" * 20}…" has 101 characters. A word or phrase can have 100 at most.',
        ),
        (
            Refusal.SESSION_ENDED_ALREADY,
            {"ended_by": 9, "ended_at": NOW},
            f"<@9> has ended this session <t:{STAMP}:R>; what was left of its budget is back in the pool.",
        ),
        (
            Refusal.EXPORT_TOO_LARGE,
            {"entries": 1234, "megabytes": 10},
            (
                "The file of the ledger's 1,234 entries is larger than the 10 MB that this server takes. "
                "Choose a number of `days`."
            ),
        ),
    ],
)
def test_a_refusal_says_what_is_the_case_and_what_works(code: Refusal, data: dict[str, Any], text: str) -> None:
    assert sentence(code, **data) == text
