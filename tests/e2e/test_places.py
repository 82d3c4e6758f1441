"""Where the result goes: a thread named after the prompt, or the thread in which the command was used."""

import pytest

from sandbox.discord.world.constants import ChannelType
from tests.e2e.stage import Stage


async def test_thread_is_public_and_made_from_the_card(stage: Stage) -> None:
    card = await stage.ask("a cat on the moon")
    thread = await stage.thread(card)
    assert thread.type == ChannelType.PUBLIC_THREAD
    assert (thread.id, thread.parent_id, thread.name) == (card.message.id, stage.videos, "a cat on the moon")


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("a cat\n\n  on the\tmoon ", "a cat on the moon"),
        ("long " * 300, "long " * 17 + "long…"),
        ("👩‍🚀🐈‍⬛ " * 3, "👩‍🚀🐈‍⬛ 👩‍🚀🐈‍⬛ 👩‍🚀🐈‍⬛"),
        ("🐈" * 400, "🐈" * 89 + "…"),
        ("@everyone **look**", "@everyone **look**"),
        ("?", "?"),
    ],
    ids=["lines", "long", "joined emoji", "many emoji", "mention and markdown", "one sign"],
)
async def test_thread_is_named_after_the_prompt_in_one_line(stage: Stage, prompt: str, name: str) -> None:
    thread = await stage.thread(await stage.ask(prompt))
    assert thread.name == name


async def test_command_inside_a_thread_uses_that_thread(stage: Stage) -> None:
    parent = await stage.thread(await stage.ask("the first"))
    await stage.delivered()
    card = await stage.member.slash(parent.id, "video", prompt="the second")
    await card.finished()
    assert card.message.channel_id == parent.id
    result = await stage.message_in(parent.id, str(list(stage.ulazai.tasks)[-1]))
    assert result.pinged_user_ids == [stage.member.id]
    await stage.delivered(2)
    assert stage.discord.threads(stage.videos) == [parent]
    assert stage.jobs[-1]["thread_id"] == parent.id
    assert stage.jobs[-1]["in_thread"] == 1


async def test_jobs_of_one_channel_keep_apart(stage: Stage) -> None:
    cards = [await stage.ask(prompt) for prompt in ("one", "two", "three")]
    results = [await stage.outcome(card) for card in cards]
    await stage.delivered(3)
    by_prompt = {task.request["prompt"]: task.task_id for task in stage.ulazai.tasks.values()}
    for prompt, result in zip(("one", "two", "three"), results, strict=True):
        assert by_prompt[prompt] in result.content
