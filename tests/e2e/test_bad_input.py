"""Prompts that are refused, and prompts that are shown and never acted on."""

import pytest

from bot.codes import Refusal
from tests.e2e.stage import COMMANDS, GENERATE, Stage, refusal_of, text_of
from tests.local.faults import Fault
from tests.local.people import Person, Value
from tests.refusals import sentence

NASTY = "**bold** @everyone @here <@{other}> <@&{role}> <#{channel}> [link](http://x.test) # head\n> quote `code`"


def nasty(stage: Stage) -> str:
    """A prompt that would mention, format and link, if it were let."""
    other = stage.discord.person("member-two").id
    role = next(role.id for role in stage.discord.world.guild(stage.discord.guild_id).roles.values())
    return NASTY.format(other=other, role=role, channel=stage.videos)


@pytest.mark.parametrize(
    "prompt",
    [" ", "\u200b\u200d\ufeff", " \n\t ", "\u2800", "\u3164\u115f\uffa0", "\u00ad", "\x00\x1b"],
    ids=ascii,
)
async def test_blank_prompt_is_refused(stage: Stage, prompt: str) -> None:
    assert "prompt is empty" in refusal_of(await stage.ask(prompt))
    stage.assert_nothing_came_of_it()


async def test_prompt_over_2000_characters_is_refused_also_past_discords_own_check(stage: Stage) -> None:
    for command in stage.discord.commands:
        for option in command.body.get("options", []):
            option.pop("max_length", None)
    answer = refusal_of(await stage.ask("a" * 2001))
    assert "2001" in answer
    assert "2000" in answer
    stage.assert_nothing_came_of_it()
    assert len(stage.discord.commands) == COMMANDS


@pytest.mark.parametrize(
    "options",
    [{"duration": 0}, {"duration": -5}, {"duration": 7}, {"duration": 2**53}, {"aspect_ratio": "2:1"}],
    ids=str,
)
async def test_values_that_discord_does_not_offer_are_refused_by_the_bot(
    stage: Stage, options: dict[str, Value]
) -> None:
    for command in stage.discord.commands:
        for option in command.body.get("options", []):
            option.pop("choices", None)
    assert refusal_of(await stage.ask("a cat", **options)) == sentence(Refusal.NOT_OFFERED, option=next(iter(options)))
    stage.assert_nothing_came_of_it()


async def test_prompt_of_2000_characters_is_sent_whole(stage: Stage) -> None:
    prompt = "*a\n" * 666 + "zz"
    await stage.outcome(await stage.ask(prompt))
    (task,) = stage.ulazai.tasks.values()
    assert task.request["prompt"] == prompt


async def test_prompt_reaches_the_provider_as_it_was_typed(stage: Stage) -> None:
    prompt = nasty(stage)
    await stage.outcome(await stage.ask(prompt))
    (task,) = stage.ulazai.tasks.values()
    assert task.request["prompt"] == prompt


async def test_invisible_characters_are_removed_before_a_prompt_is_shown_checked_or_sent(stage: Stage) -> None:
    card = await stage.ask("a calm\u202e lake\u200b \U0001f468\u200d\U0001f469\u200d\U0001f467\U000e0041\ufeff")
    await stage.outcome(card)
    (task,) = stage.ulazai.tasks.values()
    assert task.request["prompt"] == "a calm lake \U0001f468\u200d\U0001f469\u200d\U0001f467"
    assert f"> {task.request['prompt']}" in text_of(card.message)
    assert (await stage.thread(card)).name == task.request["prompt"]


async def test_mentions_and_markdown_on_the_card_are_shown_as_text(stage: Stage) -> None:
    card = await stage.ask(nasty(stage))
    assert_harmless(stage, text_of(card.message))
    result = await stage.outcome(card)
    await stage.card_says(card, "Ready")
    assert card.message.pinged_user_ids == []
    assert result.pinged_user_ids == [stage.member.id]
    assert not any(message.mention_everyone for message in stage.public_messages())
    thread = await stage.thread(card)
    assert thread.name.startswith("**bold** @everyone @here @Member Two @")
    assert f"#{stage.discord.world.channel(stage.videos).name}" in thread.name
    assert "<" not in thread.name
    assert "\n" not in thread.name


async def test_mentions_and_markdown_in_usage_history_and_cancel_are_shown(stage: Stage) -> None:
    stage.ulazai.faults.add("POST", GENERATE, Fault(status=429, headers={"Retry-After": "600"}), times=None)
    await stage.card_says(await stage.ask(nasty(stage)), "UlazAI is busy")
    for command in ("usage", "history", "cancel"):
        record = await stage.member.slash(stage.videos, command)
        assert_harmless(stage, text_of(await record.finished()))
        assert record.message.pinged_user_ids == []


async def test_mentions_and_markdown_in_the_providers_words_are_shown(stage: Stage) -> None:
    stage.ulazai.fail_next(nasty(stage))
    card = await stage.ask()
    result = await stage.outcome(card)
    assert_harmless(stage, result.content.removeprefix(f"<@{stage.member.id}>"))
    assert result.pinged_user_ids == [stage.member.id]
    assert_harmless(stage, await stage.card_says(card, "Failed"))


async def test_mentions_in_a_refusal_by_the_provider_reach_nobody(stage: Stage) -> None:
    body = {"success": False, "error": nasty(stage)}
    stage.ulazai.faults.add("POST", GENERATE, Fault(status=400, body=body))
    result = await stage.outcome(await stage.ask())
    assert_harmless(stage, result.content.removeprefix(f"<@{stage.member.id}>"))
    assert result.pinged_user_ids == [stage.member.id]


def assert_harmless(stage: Stage, text: str) -> None:
    """The nasty text is there, and nothing in it does what it says."""
    other: Person = stage.discord.person("member-two")
    assert "bold" in text
    for live in (f"<@{other.id}>", "<@&", "@everyone", "@here", " **bold**", " [link](", " `code`"):
        assert live not in text
