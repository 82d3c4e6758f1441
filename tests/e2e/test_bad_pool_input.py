"""What moderators can get wrong, also past the checks of Discord's own apps: a clear sentence, and nothing changes."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bot.errors import ReelpoolError
from cogs.rendering.refusals import sentence_of
from tests.e2e.stage import WAIT_SECONDS, refusal_of, running_bot, text_of
from tests.e2e.two_servers import (
    BY_PERMISSION,
    DEPOSIT,
    MEMBER,
    OPERATOR,
    TwoServers,
    quiet_servers_at,
    servers_at,
    set_up,
)
from tests.local.people import Value

START = 1000
FREE = START + DEPOSIT
HUGE = 10**12
# The greatest that Discord takes.
MOST = 2**53 - 1
SORRY = sentence_of(ReelpoolError())
# What the apps check before they send anything.
_CHECKS = ("min_value", "max_value", "min_length", "max_length", "choices")
_NUMBER = 10

# Command, options, and words of the answer.
REFUSED: list[tuple[str, Mapping[str, Value], str]] = [
    *(
        (command, {"credits": amount, "reason": "why"}, "whole number of credits from 1 to 1,000,000,000")
        for command in ("pool deposit", "pool withdraw")
        for amount in (0, -5, HUGE, 1.5)
    ),
    ("pool withdraw", {"credits": FREE + 1, "reason": "why"}, f"Only {FREE} credits are available"),
    ("pool withdraw", {"credits": 5, "reason": " \u200b\n"}, "give a reason"),
    ("pool deposit", {"credits": 5, "reason": "x" * 301}, "has 301 characters; please shorten it to 300"),
    *(("session start", {"budget": amount}, "from 45 to") for amount in (0, -5, 44, HUGE, 99.5)),
    ("session start", {"budget": FREE + 1}, f"Up to {FREE} works"),
    *(("session start", {"budget": 100, "minutes": much}, "minutes from 1 to 1,440") for much in (0, -1, HUGE)),
    *(("pool allow", {"target": "member", "credits": amount}, "from 0 to") for amount in (-1, HUGE, 1.5)),
    *(("pool allow", {"target": "member", "max_cost": amount}, "from 0 to") for amount in (-1, HUGE, 1.5)),
    *(("pool allow", {"target": "member", "open_jobs": n}, "from 0 to") for n in (-1, HUGE, 1.5)),
    *(("pool block", {"member": "member", "hours": hours}, "from 1 to") for hours in (0, -1, HUGE, 1.5)),
    ("pool block", {"member": "member", "reason": "x" * 301}, "has 301 characters; please shorten it to 300"),
    ("pool unblock", {"member": "member"}, "is not blocked"),
    *(("pool low-balance", {"cheapest": percent}, "per cent from 0 to 100") for percent in (-1, 101, HUGE, 1.5)),
    *(("pool approvals", {"price": price}, "from 1 to") for price in (0, -5, HUGE, 1.5)),
    ("pool pause", {"reason": "\u200b"}, "give a reason"),
    ("pool resume", {}, "not paused"),
    ("pool words add", {"words": "x"}, "single letter"),
    ("pool words add", {"words": " \t\n, ,\u200b"}, "There is no word"),
    # Discord itself lets no text through that is longer.
    ("pool words add", {"words": ",".join(f"w{n:03}" for n in range(1000))}, "would have 1001 words"),
    ("pool words add", {"words": "w" * 6000}, "6000 characters"),
    ("pool words remove", {"words": "unicorns"}, "not on the list"),
    ("pool managers", {"remove": "nonsense"}, ""),
    ("pool managers", {"remove": "9" * 40}, ""),
    ("pool channels", {"remove": "nonsense"}, ""),
    *(("pool export", {"days": days}, "from 1 to") for days in (0, -1, HUGE, 1.5)),
    *(("pool prioritize", {"job": job}, "") for job in (0, -1, 999, MOST)),
    *(("session end", {"session": number}, "no such session") for number in (0, -1, 999, MOST)),
    *(("cancel", {"job": job}, "can't be cancelled") for job in (0, -1, 999, MOST)),
    *(("history", {"video": job}, "no finished video") for job in (0, -1, 999, MOST)),
]


@pytest_asyncio.fixture
async def both(tmp_path: Path) -> AsyncIterator[TwoServers]:
    async with servers_at(tmp_path, pool_starting_credits=START) as ready:
        yield ready


def unchecked(options: list[dict[str, Any]], fractional: set[str]) -> list[dict[str, Any]]:
    """The options of a command as an app would have them that lets everything through, fractions as well."""
    found = []
    for option in options:
        kept = {name: value for name, value in option.items() if name not in _CHECKS}
        if option["name"] in fractional:
            kept["type"] = _NUMBER
        found.append({**kept, "options": unchecked(option.get("options") or [], fractional)})
    return found


async def answer_to(both: TwoServers, command: str, options: Mapping[str, Value], actor: str) -> str:
    """Use a command without the apps' own checks, and return what it was refused with."""
    fractional = {name for name, value in options.items() if isinstance(value, float)}
    member_id = both.person(MEMBER).id
    given: dict[str, Value] = {name: member_id if value == "member" else value for name, value in options.items()}
    (registered,) = (each for each in both.stage.discord.commands if each.body["name"] == command.split(maxsplit=1)[0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registered.body, "options", unchecked(registered.body["options"], fractional))
        record = await both.person(actor).slash(both.stage.videos, command, files=None, **given)
    await record.finished(WAIT_SECONDS)
    return refusal_of(record)


async def test_every_invalid_number_and_text_is_refused_with_a_sentence(both: TwoServers) -> None:
    before = both.books()
    for command, options, words in REFUSED:
        actor = OPERATOR if command in ("pool deposit", "pool withdraw") else BY_PERMISSION
        told = await answer_to(both, command, options, actor)
        shown = {name: str(value)[:40] for name, value in options.items()}
        assert words in told, (command, shown, told)
        assert told != SORRY, (command, shown)
        assert both.books() == before, (command, shown)


# Clicks

DECISIONS = ("approval:approve:{}", "approval:cheaper:{}", "approval:deny:{}")
JUDGEMENTS = ("unconfirmed:nothing:{}", "unconfirmed:again:{}")


async def ended_jobs(both: TwoServers) -> dict[str, int]:
    """One job for each way in which a job that moderators were asked about can end."""
    manager, stage = both.person(BY_PERMISSION), both.stage
    approved = await both.waiting_job()
    await both.press(manager, f"approval:approve:{approved}")
    await stage.delivered(1)
    cancelled = await both.waiting_job()
    record = await both.person(MEMBER).slash(stage.videos, "cancel", job=cancelled)
    await record.finished(WAIT_SECONDS)
    denied = await both.waiting_job()
    form = await both.press(manager, f"approval:deny:{denied}")
    await (await manager.submit(form.id, {"reason": "no"})).answered(WAIT_SECONDS)
    lost = await both.unconfirmed_job()
    await both.press(manager, f"unconfirmed:nothing:{lost}")
    await stage.until(lambda: all(job["delivered_at"] for job in stage.jobs))
    return {"succeeded": approved, "cancelled": cancelled, "denied": denied, "failed": lost}


async def test_cards_of_ended_jobs_decide_nothing_not_even_after_a_restart(tmp_path: Path) -> None:
    async with quiet_servers_at(tmp_path) as both:
        async with running_bot(both.stage):
            await set_up(both)
            ended = await ended_jobs(both)
            assert [both.stage.states[job_id - 1] for job_id in ended.values()] == list(ended)
            await clicks_change_nothing(both, ended)
        async with running_bot(both.stage):
            await clicks_change_nothing(both, ended)


async def clicks_change_nothing(both: TwoServers, ended: dict[str, int]) -> None:
    """Press every button about every ended job."""
    before = both.books()
    for state, job_id in ended.items():
        for custom_id in (*DECISIONS, *JUDGEMENTS):
            record = await both.press(both.person(BY_PERMISSION), custom_id.format(job_id))
            assert record.modal is None, (state, custom_id)
            told = refusal_of(record)
            assert told != SORRY, (state, custom_id)
            assert "already" in told or "no such request" in told or "nothing to decide" in told, (state, told)
            assert both.books() == before, (state, custom_id)


@pytest.mark.parametrize("task_id", [" ", "\n\t", "two\nlines", "x" * 200, "../../admin", "a b"])
async def test_an_invalid_task_id_is_refused_with_a_sentence(both: TwoServers, task_id: str) -> None:
    opened = await both.press(both.person(BY_PERMISSION), f"unconfirmed:made:{await both.unconfirmed_job()}")
    before = both.books()
    sent = await (await both.person(BY_PERMISSION).submit(opened.id, {"task_id": task_id})).answered(WAIT_SECONDS)
    assert text_of(sent.message).strip() in (
        "That is no task id. Copy it from UlazAI's list of generations.",
        "UlazAI knows no task with this id. Nothing has changed.",
    )
    assert both.books() == before
