"""What members and services wrote is shown as it was written, and acts on nothing.

`MARKUP` is Discord's markdown as its clients read it: a backslash takes the meaning of the punctuation behind it.
"""

import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast
from urllib.parse import unquote

import discord
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.jobs.models import Job, JobState
from bot.jobs.ports import JobStatus
from bot.jobs.validation import MAX_PROMPT
from bot.provider.models import GenerationMode, GenerationRequest
from bot.wordlist.normalize import visible
from cogs.rendering import jobs as _render
from cogs.rendering import text as _text
from tests.builders import requester
from tests.properties import PROPERTY

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
ESCAPED = re.compile(r"\\([^0-9A-Za-z\s])")
MARKUP = {
    "link": re.compile(r"\[[^\]]*\]\("),
    "address": re.compile(r"(?:https?|steam|discord)://\S", re.IGNORECASE),
    "invite": re.compile(r"discord(?:app)?\.(?:gg|com)/", re.IGNORECASE),
    "reference": re.compile(r"<(?:@|#|/|:|a:|t:|id:|https?:|mailto:|tel:)"),
    "emoji": re.compile(r":[^\s:]+?:"),
    "style": re.compile(r"\*|~~|\|\||`|(?<!_)_(?=[^_]+_(?![0-9A-Za-z_]))|__.*__", re.DOTALL),
    "line": re.compile(r"^[ \t]*(?:[-*+]|\d+\.|#{1,3}|-#|>{1,3})[ \t]", re.MULTILINE),
    "everyone": re.compile(r"@(?:everyone|here)", re.IGNORECASE),
}
SHOWN = (
    "[a](https://x.example) [**Log in**](https://evil.example) [b](<https://evil.example>)",
    "[Claim\nNitro](https://evil.example)",
    "[[a](https://x.example)](https://evil.example)",
    "\\[a](https://x.example) \\\\[b](https://x.example)",
    "line\n\n- item one\n- item two\n  * nested\n\n+ three\n\n1. four\n2) five",
    "# not a heading\n## nor this\n> not a quote\n>>> nor this\n-# not small",
    "see <#123456789012345678> and </video:123456789012345678> at <t:1700000000:R>",
    "<@&123456789012345678> @everyone @here @EVERYONE <@123456789012345678> <@!1> <id:customize>",
    "||spoiler|| ~~gone~~ __under__ _slanted_ ***all*** `code` ```block``` ``two``",
    ":smile: <:blob:123456789012345678> <a:blob:123456789012345678>",
    "https://example.com/a_b_c_d HTTP://example.com <https://example.com> steam://run/1 <mailto:a@b.example>",
    "discord.gg/free and Discord.com/invite/free, discordapp.com/gifts/free",
    "snake_case_words and _one_ and a_b_ c, é_é_ é",
)


def rendered(text: str) -> tuple[str, str]:
    """Return what readers see, and the same with an X for each character whose meaning was taken."""
    return ESCAPED.sub(r"\1", text).replace("@\u200b", "@"), ESCAPED.sub("X", text)


def acting(text: str) -> list[str]:
    """Return the markup that would act in a text."""
    _, acts = rendered(text)
    return [name for name, pattern in MARKUP.items() if pattern.search(acts)]


@pytest.mark.parametrize("text", SHOWN)
def test_the_model_knows_markup_when_it_sees_it(text: str) -> None:
    assert acting(text)


@PROPERTY
@given(st.text(st.sampled_from("ab1 \n\t\\*_~|`[]()<>#@&!:/.-+?d\u00e9") | st.characters(), max_size=80))
@example("\n\n".join(SHOWN))
@example("a_" * 20)
@example("\\" * 9 + "[a](https://b)")
def test_any_text_is_shown_as_it_is_and_acts_on_nothing(text: str) -> None:
    shown = _text.plain(text)
    assert acting(shown) == []
    assert rendered(shown)[0] == visible(text)
    assert len(shown) <= 2 * len(text)


@pytest.mark.parametrize("text", SHOWN)
def test_no_line_of_a_list_acts_and_a_quotation_only_quotes(text: str) -> None:
    assert acting(_text.short(text)) == []
    for line in _text.quoted(text, MAX_PROMPT).splitlines():
        assert line.startswith("> ")
        assert acting(line[2:]) == []


def test_an_address_with_underscores_is_one_piece() -> None:
    shown = _text.plain("see https://example.com/a_b_c_d.")
    assert "example.com/a_b_c_d." in shown
    assert rendered(shown)[0] == "see https://example.com/a_b_c_d."


# Names of threads, and choices


@dataclass
class Named:
    name: str


GUILD = cast(
    "discord.Guild",
    SimpleNamespace(get_role={2: Named("Artists")}.get, get_channel_or_thread={3: Named("videos")}.get),
)
MEMBERS = {1: "Anna"}


@pytest.mark.parametrize(
    ("text", "known", "unknown"),
    [
        ("<@1> and <@!1> dance", "@Anna and @Anna dance", "@member and @member dance"),
        ("for <@&2>", "for @Artists", "for @role"),
        ("in <#3>,\n\n now", "in #videos, now", "in #channel, now"),
        ("rides <:blob_horse:123456789012345678>", "rides blob horse", None),
        ("a <a:dance:123456789012345678>", "a dance", None),
        ("</pool show:123456789012345678>", "/pool show", None),
        ("at <t:1700000000:R> <t:99999999999999>", "at 2023-11-14 22:13 UTC a time", None),
        ("<id:customize> *as* [it](is) \u202eis\u200b", "customize *as* [it](is) is", None),
    ],
)
def test_references_in_names_are_words(text: str, known: str, unknown: str | None) -> None:
    assert _text.unmarked(text, GUILD, MEMBERS) == known
    assert _text.unmarked(text) == (unknown or known)


@PROPERTY
@given(st.text(st.characters(), max_size=300))
@example("<:x:123456789012345678>" * 80)
@example("\u202e\u200b")
def test_a_threads_name_is_always_one_that_discord_takes(text: str) -> None:
    name = _render.thread_name(GenerationRequest(GenerationMode.TEXT, text), GUILD, MEMBERS)
    assert 1 <= len(name) <= 100
    assert name == name.strip()
    assert "\n" not in name
    assert not re.search(r"\d{17}", name) or re.search(r"\d{17}", re.sub(r"<[^>]*>", "", text))


# Links


@pytest.mark.parametrize(
    "address",
    [
        "https://cdn.example/v.mp4) [**Log in**](https://evil.example",
        "https://cdn.example/v.mp4> <@1> @everyone",
        "https://cdn.example/v.mp4\n# Claim\n[x](https://evil.example)",
        "https://cdn.example/a\"b'c`d|e||f\\g*h\u202e\u200b\u00fc",
        "https://cdn.example/v.mp4?a=1&b=%2F&c=x_y~z#t=1",
    ],
)
def test_no_address_of_the_provider_breaks_out_of_its_link(address: str) -> None:
    assert re.fullmatch(r"\[video\]\(https://[^\s()\[\]<>\"'`|*\\]+\)", _text.link(address, "video"))
    whole = _text.link(address)
    assert re.fullmatch(r"https://[^\s()\[\]<>\"'`|*\\]+", whole)
    assert unquote(whole) == unquote(visible(address))
    assert _text.link(whole) == whole


@pytest.mark.parametrize("address", ["", "javascript:alert(1)", "[a](https://evil.example)", "discord://x"])
def test_what_is_no_web_address_is_no_link(address: str) -> None:
    for shown in (_text.link(address), _text.link(address, "video")):
        assert acting(shown) == []


# What it costs


@pytest.mark.parametrize(
    "prompt",
    [
        "[](" * 667,
        "[" * 2000,
        "*" * 2000,
        "<" * 2000,
        "\\" * 2000,
        "`" * 2000,
        "_a" * 1000,
        " " * 1999 + "-",
        "1" * 2000,
    ],
)
def test_no_card_takes_long(prompt: str) -> None:
    job = Job(1, requester(), GenerationRequest(GenerationMode.TEXT, prompt), JobState.QUEUED, 55, NOW)
    _render.card(JobStatus(job), 0.0, None)
    begin = time.process_time()
    for _ in range(20):
        _render.card(JobStatus(job), 0.0, None)
        _render.choice(job)
    assert (time.process_time() - begin) / 20 < 0.005
