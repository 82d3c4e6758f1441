"""Sessions in words: whatever they hold, Discord takes it, and nothing of it is left out."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.jobs.models import Job, JobState, Requester
from bot.pools.models import Session, SessionEnd
from bot.provider.models import GenerationMode, GenerationRequest
from bot.sessions.models import EndedSession, SessionStatus, Summary
from cogs.rendering import sessions as _session_render
from tests.properties import PROPERTY

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def session(
    budget: int = 300,
    spent: int = 0,
    held: int = 0,
    available: int = 0,
    *,
    title: str = "Night",
    role_id: int | None = None,
    end: SessionEnd | None = SessionEnd.COMMAND,
) -> Session:
    return Session(
        id=7,
        guild_id=100,
        interaction_id=1,
        channel_id=200,
        title=title,
        budget=budget,
        started_by=900,
        started_at=NOW,
        thread_id=201,
        role_id=role_id,
        available=available,
        held=held,
        spent=spent,
        ended_at=LATER if end else None,
        end_cause=end,
    )


def job(
    number: int,
    state: JobState = JobState.SUCCEEDED,
    *,
    prompt: str = "a cat",
    url: str = "https://cdn/v.mp4",
    charged: int | None = 55,
    member_id: int = 300,
) -> Job:
    return Job(
        id=number,
        requester=Requester(number, 100, 201, member_id, in_thread=True),
        request=GenerationRequest(GenerationMode.TEXT, prompt),
        state=state,
        held_credits=55,
        created_at=NOW,
        charged_credits=charged,
        video_url=url if state is JobState.SUCCEEDED else None,
        result_channel_id=201,
        result_message_id=9_000 + number,
    )


@PROPERTY
@given(
    st.lists(
        st.builds(
            job,
            st.integers(1, 10**9),
            st.sampled_from(JobState),
            prompt=st.text(min_size=1, max_size=300),
            url=st.integers(1, 5000).map(lambda length: f"https://cdn/{'v' * length}"),
            member_id=st.integers(1, 2**63),
        ),
        unique_by=lambda each: each.id,
        max_size=80,
    ),
    st.text(min_size=1, max_size=100).filter(str.strip),
)
def test_every_job_is_on_a_page_and_every_page_fits(its_jobs: list[Job], title: str) -> None:
    pages = _session_render.pages(Summary(session(title=title), tuple(its_jobs)))
    for number, page in enumerate(pages, 1):
        assert page.footer.text == f"{_session_render.page_mark(session(), number)}{len(pages)}"
        assert 0 < len(page.description or "") <= 4096
        assert len(page.title or "") <= 256
        assert len(page) <= 6000
    text = "\n".join(page.description or "" for page in pages)
    listed = [int(found) for found in re.findall(r"(?m)^#(\d+) ", text)]
    assert listed == [each.id for each in its_jobs]
    for each in its_jobs:
        assert each.state is not JobState.SUCCEEDED or f"/{each.result_message_id})" in text


@PROPERTY
@given(*(st.integers(0, 2000) for _ in range(3)), st.integers(1, 2000))
def test_bar_is_always_as_long(spent: int, held: int, available: int, budget: int) -> None:
    bar = _session_render.bar(session(budget, spent, held, available))
    assert re.fullmatch(r"`█*▒*░*` of \d+ credits", bar)
    assert sum(map(bar.count, "█▒░")) == 20


@pytest.mark.parametrize(
    ("spent", "held", "available", "cells"),
    [(0, 0, 300, "░" * 20), (300, 0, 0, "█" * 20), (0, 300, 0, "▒" * 20), (75, 75, 150, "█" * 5 + "▒" * 5 + "░" * 10)],
)
def test_bar_shows_what_is_spent_held_and_left(spent: int, held: int, available: int, cells: str) -> None:
    assert _session_render.bar(session(300, spent, held, available)) == f"`{cells}` of 300 credits"


@pytest.mark.parametrize(
    ("state", "charged", "words"),
    [
        (JobState.SUCCEEDED, 55, "[video](https://cdn/v.mp4) · [post](https://discord.com/channels/100/201/9001) · 55"),
        (JobState.FAILED, None, "failed · 0 credits"),
        (JobState.FAILED, 55, "failed · 55 credits"),
        (JobState.CANCELLED, None, "cancelled · 0 credits"),
        (JobState.DENIED, None, "denied by a moderator · 0 credits"),
        (JobState.EXPIRED, None, "expired, as no moderator decided · 0 credits"),
        (JobState.UNCONFIRMED, None, "unconfirmed: a moderator decides whether it was charged · 0 credits"),
    ],
)
def test_summary_has_the_result_of_each_job(state: JobState, charged: int | None, words: str) -> None:
    (page,) = _session_render.pages(Summary(session(), (job(1, state, charged=charged),)))
    assert f"#1 {words}" in (page.description or "")


def test_summary_has_the_cost_and_what_was_returned() -> None:
    (page,) = _session_render.pages(Summary(session(300, spent=110, held=55), (job(1), job(2))))
    assert (page.description or "").startswith(
        "A moderator ended it. 2 videos for **110 credits**. 135 of 300 credits went back to the pool.\n"
        "55 credits stay held for unconfirmed videos."
    )
    (costlier,) = _session_render.pages(Summary(session(55, spent=80), (job(1, charged=80),)))
    assert "the pool paid the other 25 credits" in (costlier.description or "")


def test_titles_and_prompts_are_shown_and_do_nothing() -> None:
    card = _session_render.card(SessionStatus(session(title="**@everyone**")), role_is_gone=False)
    assert card.title == "\\*\\*@\u200beveryone\\*\\*"
    (page,) = _session_render.pages(Summary(session(), (job(1, prompt="<@1> [x](https://evil)"),)))
    assert "\\[x\\](https\\://evil)" in (page.description or "")


@pytest.mark.parametrize(
    ("role_id", "role_is_gone", "words"),
    [(None, False, "Everyone"), (5, False, "<@&5>"), (5, True, "Nobody: its role was deleted.")],
)
def test_card_says_for_whom_it_is(role_id: int | None, role_is_gone: bool, words: str) -> None:
    card = _session_render.card(SessionStatus(session(role_id=role_id, end=None)), role_is_gone=role_is_gone)
    assert words in str(card.to_dict())


def test_manager_who_ends_it_sees_which_jobs_continue_and_which_expired() -> None:
    status = SessionStatus(session(300, spent=55, held=55), ready=1, open_jobs=1)
    text = _session_render.ended(EndedSession(status, (job(2, JobState.EXPIRED),))).description or ""
    assert "190 of 300 credits went back to the pool." in text
    assert "1 video still generating, paid by this session. The summary follows in <#201>." in text
    assert "1 request expired, as no moderator had decided." in text
