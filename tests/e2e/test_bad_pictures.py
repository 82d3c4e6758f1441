"""Files that can't be animated: each is refused in words, before anything is held or asked for."""

import pytest

from tests.e2e.stage import Stage, picture, refusal_of
from tests.local.faults import Fault
from tests.local.people import Value

FILES = r"/attachments/.*"
TOO_LARGE = picture() + b"\0" * (10 * 1024 * 1024)
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 200

CASES = {
    "text called a picture": (("cat.png", b"only words\n" * 50), "an image"),
    "nothing in it": (("cat.png", b""), "an image"),
    "cut off in its header": (("cat.png", picture()[:20]), "an image"),
    "text": (("cat.txt", b"only words"), "an image"),
    "program": (("cat.exe", b"MZ" + b"\0" * 100), "an image"),
    "GIF": (("cat.gif", picture(kind="GIF")), "GIF"),
    "GIF called PNG": (("cat.png", picture(kind="GIF")), "GIF"),
    "WebP": (("cat.webp", picture(kind="WEBP")), "WebP"),
    "WebP called JPEG": (("cat.jpg", picture(kind="WEBP")), "WebP"),
    "HEIC": (("cat.heic", HEIC), "HEIC"),
    "HEIC called JPEG": (("cat.jpg", HEIC), "an image"),
    "SVG": (("cat.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"), "SVG"),
    "too large": (("cat.png", TOO_LARGE), "10 MB"),
    "too narrow": (("cat.png", picture(299, 400)), "300"),
    "too low": (("cat.png", picture(400, 299)), "300"),
    "too wide": (("cat.png", picture(1001, 400)), "2.5"),
    "too tall": (("cat.png", picture(400, 1001)), "2.5"),
}


async def refused(stage: Stage, file: tuple[str, bytes]) -> str:
    record = await stage.member.slash(stage.videos, "animate", files={"image": file}, prompt="it blinks")
    await record.finished()
    text = refusal_of(record)
    stage.assert_nothing_came_of_it()
    return text


@pytest.mark.parametrize("case", CASES)
async def test_file_that_cannot_be_animated_is_refused(stage: Stage, case: str) -> None:
    stage.discord.admin.edit_guild(stage.discord.guild_id, upload_limit_bytes=50 * 1024 * 1024)
    file, words = CASES[case]
    assert words in await refused(stage, file)


@pytest.mark.parametrize(("width", "height"), [(300, 300), (300, 750), (750, 300)])
async def test_picture_at_the_very_limits_is_taken(stage: Stage, width: int, height: int) -> None:
    files = {"image": ("cat.png", picture(width, height))}
    card = await stage.member.slash(stage.videos, "animate", files=files, prompt="it blinks")
    await card.finished()
    result = await stage.outcome(card)
    assert "ready" in result.content


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=404),
        Fault(status=500),
        Fault(status=302, headers={"Location": "http://127.0.0.1:1/secret"}),
        Fault(cut="before"),
    ],
    ids=["gone", "trouble", "redirect", "cut"],
)
async def test_picture_that_discord_does_not_hand_out_is_refused(stage: Stage, fault: Fault) -> None:
    stage.discord.faults.add("GET", FILES, fault, times=None)
    assert "load that image" in await refused(stage, ("cat.png", picture()))


async def test_picture_is_refused_in_the_form_too(stage: Stage) -> None:
    message = await stage.member.say(stage.videos, "look", [("cat.png", b"only words")])
    opener = await (await stage.member.menu(message.id, "Animate image")).answered()
    values: dict[str, Value | None] = {"prompt": "it purrs", "duration": ["5"], "sound": ["no"], "publish": ["no"]}
    answer = await stage.member.submit(opener.id, values)
    await answer.finished()
    assert "an image" in refusal_of(answer)
    stage.assert_nothing_came_of_it()
