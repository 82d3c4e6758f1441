"""Whatever comes: no traceback for anybody, no exception that nobody expected, no ping but the requester's."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.discord.world.errors import ClientError
from tests.e2e.stage import GENERATE, STATUS, picture
from tests.fuzz.nonsense import JSON, TAMPERINGS, TEXT, Tampering, tampered
from tests.fuzz.portal import FUZZ, Portal
from tests.local.faults import Fault

_PICTURE = picture()


async def _alive(bot: Portal) -> None:
    """The bot answers an ordinary question."""
    record = await bot.stage.member.slash(bot.stage.videos, "usage")
    await record.finished()


@FUZZ
@given(prompt=TEXT)
def test_prompts(bot: Portal, prompt: str) -> None:
    async def ask() -> None:
        try:
            record = await bot.stage.member.slash(bot.stage.videos, "video", prompt=prompt)
        except (ClientError, UnicodeEncodeError):
            return  # Discord's own app lets nobody type this
        await record.finished()

    bot.run(ask())
    bot.check_calm()


@FUZZ
@given(name=TEXT.map(lambda text: f"{text[:80]}.png"), content=st.just(_PICTURE) | st.binary(max_size=200))
def test_files(bot: Portal, name: str, content: bytes) -> None:
    async def ask() -> None:
        try:
            files = {"image": (name, content)}
            record = await bot.stage.member.slash(bot.stage.videos, "animate", files=files, prompt="a fox")
        except (ClientError, UnicodeEncodeError):
            return
        await record.finished()

    bot.run(ask())
    bot.check_calm()


@FUZZ
@given(
    body=JSON | st.builds(lambda data: {"success": True, "data": data}, JSON), status=st.sampled_from([200, 201, 500])
)
@pytest.mark.parametrize(("method", "route"), [("POST", GENERATE), ("GET", STATUS)])
def test_provider_bodies(bot: Portal, method: str, route: str, body: object, status: int) -> None:
    async def ask() -> None:
        planned = bot.stage.ulazai.faults.add(method, route, Fault(status=status, body=body, answer_after_effect=True))
        await bot.stage.ask("a fox")
        await bot.stage.until(lambda: planned.hits)

    bot.run(ask())
    bot.check_calm()


@FUZZ
@given(tamperings=TAMPERINGS)
@pytest.mark.parametrize("command", ["video", "animate", "usage", "history", "cancel"])
def test_interaction_payloads(bot: Portal, command: str, tamperings: list[Tampering]) -> None:
    async def send() -> None:
        stage = bot.stage
        sessions = stage.discord.services.sessions
        body: dict[str, Any] = {}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sessions, "dispatch", lambda _name, data, _guild_id: body.update(data))
            options: dict[str, Any] = {"prompt": "a fox"} if command in ("video", "animate") else {}
            files = {"image": ("fox.png", _PICTURE)} if command == "animate" else None
            await stage.member.slash(stage.videos, command, files=files, **options)
        body["data"] = tampered(body["data"], tamperings)
        sessions.dispatch("INTERACTION_CREATE", body, stage.discord.guild_id)
        await _alive(bot)

    bot.run(send())
    bot.check_calm(tolerated="interaction failed")


def test_the_bot_keeps_working(bot: Portal) -> None:
    bot.run(_alive(bot))
    assert bot.stage.discord.services.sessions.identified == 1
