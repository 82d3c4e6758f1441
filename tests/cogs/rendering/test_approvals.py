"""Cards for moderators: all of a prompt that fits, and refused requests that are kept for a while."""

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import discord
import pytest

from bot.client import VideoBot
from bot.codes import Refusal
from bot.jobs.models import Approval, ApprovalCase, ApprovalDecision, Job, JobState, MemberUsage, Requester
from bot.pools.models import Funds, Limits, Pool, Usage
from bot.pools.policy import ApprovalCause
from cogs.interactions.refused_requests import RefusedRequests
from cogs.rendering import approvals as _approval_render
from tests.builders import CHANNEL, GUILD, MEMBER, TEXT_REQUEST, picture_request
from tests.clock import START, FakeClock
from tests.refusals import refused

ASKED = Approval(7, ApprovalCause.PRICE)
DENIED = replace(ASKED, decision=ApprovalDecision.DENIED, decided_by=1, decided_at=START)
OVERVIEW = MemberUsage(Limits(3, 550, 24), Usage((START,), ()))
POOL = Pool(GUILD, Funds(available=890, held=110), last_deposit=1000)


def case(prompt: str = TEXT_REQUEST.prompt, approval: Approval = ASKED) -> ApprovalCase:
    """A job that waits, or is decided."""
    request = replace(picture_request(), prompt=prompt)
    job = Job(7, Requester(1, GUILD, CHANNEL, MEMBER), request, JobState.AWAITING_APPROVAL, 55, START)
    return ApprovalCase(job, approval)


@pytest.mark.parametrize("letter", ["a", "*", "@everyone ", "\n*", "a\n\n", "😀"])
def test_every_prompt_has_room_on_a_card(letter: str) -> None:
    prompt = (letter * 2000)[:2000].strip()
    embed = _approval_render.open_card(case(prompt), POOL, OVERVIEW, START)
    assert 0 < len(embed.description or "") <= 4096
    assert len(embed) <= 6000
    closed = _approval_render.closed_card(case(prompt, DENIED))
    assert len(closed) <= 6000


def test_an_ordinary_prompt_is_shown_whole() -> None:
    prompt = "a very long story " * 111
    embed = _approval_render.open_card(case(prompt), POOL, OVERVIEW, START)
    assert prompt.strip() in (embed.description or "")


def test_markdown_and_mentions_of_members_are_harmless_on_both_cards() -> None:
    prompt = "**big** <@1> @everyone [click](https://example.com)"
    embed = _approval_render.open_card(case(prompt), POOL, OVERVIEW, START)
    closed = _approval_render.closed_card(case(prompt, replace(DENIED, reason=prompt)))
    for text in (embed.description, closed.description, closed.fields[-1].value):
        assert "\\*\\*big" in (text or "")
        assert "@everyone" not in (text or "")
        assert "\\[click\\](" in (text or "")


# Refused requests


def interaction(number: int, member_id: int = MEMBER) -> discord.Interaction[VideoBot]:
    return cast("discord.Interaction[VideoBot]", SimpleNamespace(id=number, user=SimpleNamespace(id=member_id)))


def test_a_refused_request_is_used_once_by_its_member() -> None:
    kept = RefusedRequests(FakeClock())
    kept.add(interaction(1), TEXT_REQUEST)
    with refused(Refusal.REQUEST_OF_ANOTHER):
        kept.use(1, MEMBER + 1)
    assert kept.use(1, MEMBER).request == TEXT_REQUEST
    with refused(Refusal.ASKED_ALREADY):
        kept.use(1, MEMBER)
    with refused(Refusal.REQUEST_FORGOTTEN):
        kept.use(2, MEMBER)


def test_a_refused_request_is_kept_for_a_quarter_of_an_hour() -> None:
    clock = FakeClock()
    kept = RefusedRequests(clock)
    kept.add(interaction(1), TEXT_REQUEST)
    clock.advance(15 * 60 + 1)
    with refused(Refusal.REQUEST_FORGOTTEN):
        kept.use(1, MEMBER)


def test_only_so_many_are_kept_and_the_newest_stay() -> None:
    kept = RefusedRequests(FakeClock())
    for number in range(1500):
        kept.add(interaction(number), TEXT_REQUEST)
    with refused(Refusal.REQUEST_FORGOTTEN):
        kept.use(400, MEMBER)
    assert kept.use(1499, MEMBER).request == TEXT_REQUEST
