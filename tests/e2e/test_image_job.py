"""A video from a picture: by /animate, and by the context menu with its form."""

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sandbox.discord.world.models import Message
from tests.e2e.stage import Stage, picture, refusal_of, running_bot, servers, text_of
from tests.local.people import InteractionRecord, Value

MENU = "Animate image"


async def animate(stage: Stage, content: bytes | None = None, **options: Value) -> InteractionRecord:
    files = {"image": ("cat.png", content or picture())}
    record = await stage.member.slash(stage.videos, "animate", files=files, prompt="it blinks", **options)
    await record.finished()
    return record


async def say_with_picture(stage: Stage, name: str = "cat.png", content: bytes | None = None) -> Message:
    return await stage.member.say(stage.videos, "look", [(name, content or picture())])


def untouched(modal: dict[str, Any]) -> dict[str, Any]:
    """What a form holds before anybody touches it: the choices that are preset."""
    selects = (label["component"] for label in modal["components"] if "options" in label["component"])
    return {
        select["custom_id"]: [option["value"] for option in select["options"] if option.get("default")]
        for select in selects
    }


async def only_request(stage: Stage, card: InteractionRecord) -> dict[str, Any]:
    await stage.outcome(card)
    (task,) = stage.ulazai.tasks.values()
    return dict(task.request)


async def test_animate_sends_the_pictures_address(stage: Stage) -> None:
    content = picture()
    request = await only_request(stage, await animate(stage, content))
    (url,) = request.pop("imageUrls")
    assert request == {
        "prompt": "it blinks",
        "generationMode": "image_to_video",
        "duration": "5",
        "sound": False,
        "prompt_directory_optin": False,
    }
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert await response.read() == content


async def test_animate_sends_every_option(stage: Stage) -> None:
    card = await animate(stage, picture(kind="JPEG"), duration=10, sound=True, publish=True)
    shown = text_of(card.message)
    assert "Video from a picture" in shown
    assert "210 held" in shown
    request = await only_request(stage, card)
    assert (request["duration"], request["sound"], request["prompt_directory_optin"]) == ("10", True, True)
    assert "aspectRatio" not in request


async def test_card_shows_the_picture(stage: Stage) -> None:
    card = await animate(stage)
    (job,) = stage.jobs
    assert card.message.embeds[0]["thumbnail"]["url"] == job["image_url"]


async def test_context_menu_asks_with_a_form_and_takes_what_is_preset(stage: Stage) -> None:
    message = await say_with_picture(stage)
    opener = await (await stage.member.menu(message.id, MENU)).answered()
    assert opener.modal is not None
    values = untouched(opener.modal)
    card = await stage.member.submit(opener.id, {"prompt": "it purrs"} | values)
    await card.finished()
    request = await only_request(stage, card)
    assert request["prompt"] == "it purrs"
    assert (request["duration"], request["sound"], request["prompt_directory_optin"]) == ("5", False, False)
    assert str(message.attachments[0].id) in request["imageUrls"][0]


async def test_context_menu_takes_every_option_of_its_form(stage: Stage) -> None:
    message = await say_with_picture(stage)
    opener = await (await stage.member.menu(message.id, MENU)).answered()
    values: dict[str, Any] = {"prompt": "it purrs", "duration": ["10"], "sound": ["yes"], "publish": ["yes"]}
    card = await stage.member.submit(opener.id, values)
    await card.finished()
    request = await only_request(stage, card)
    assert (request["duration"], request["sound"], request["prompt_directory_optin"]) == ("10", True, True)


async def test_context_menu_takes_the_picture_among_other_files(stage: Stage) -> None:
    files = [("notes.txt", b"words"), ("cat.png", picture())]
    message = await stage.member.say(stage.videos, "look", files)
    opener = await (await stage.member.menu(message.id, MENU)).answered()
    assert opener.modal is not None
    card = await stage.member.submit(opener.id, {"prompt": "it purrs"} | untouched(opener.modal))
    await card.finished()
    request = await only_request(stage, card)
    assert str(message.attachments[1].id) in request["imageUrls"][0]


async def test_blank_prompt_in_the_form_is_refused(stage: Stage) -> None:
    message = await say_with_picture(stage)
    opener = await (await stage.member.menu(message.id, MENU)).answered()
    assert opener.modal is not None
    answer = await stage.member.submit(opener.id, {"prompt": " \u200b "} | untouched(opener.modal))
    await answer.answered()
    assert "prompt is empty" in refusal_of(answer)
    stage.assert_nothing_came_of_it()


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], "image"),
        ([("notes.txt", b"words")], "image"),
        ([("cat.gif", picture(kind="GIF"))], "GIF"),
    ],
)
async def test_message_without_a_usable_picture_is_refused(
    stage: Stage, files: list[tuple[str, bytes]], words: str
) -> None:
    message = await stage.member.say(stage.videos, "look", files)
    record = await (await stage.member.menu(message.id, MENU)).answered()
    assert record.modal is None
    assert words in refusal_of(record)
    stage.assert_nothing_came_of_it()


async def test_form_sent_after_a_restart_of_the_bot_gets_an_answer(tmp_path: Path) -> None:
    async with servers(tmp_path) as stage:
        async with running_bot(stage):
            message = await say_with_picture(stage)
            opener = await (await stage.member.menu(message.id, MENU)).answered()
        assert opener.modal is not None
        async with running_bot(stage):
            answer = await stage.member.submit(opener.id, {"prompt": "it purrs"} | untouched(opener.modal))
            await answer.answered()
            assert "again" in refusal_of(answer)
        stage.assert_nothing_came_of_it()
