"""The gateway's connection: dropped, resumed, invalid. Commands come through, and no other gateway is asked."""

import pytest
from discord.gateway import DiscordWebSocket

from tests.e2e.stage import WAIT_SECONDS, PlannedHold, Stage, hold_finish, text_of
from tests.local.people import InteractionRecord


async def back_online(stage: Stage) -> None:
    """Wait until the bot is connected again."""
    await stage.discord.wait_online(WAIT_SECONDS)


async def ask_meanwhile(stage: Stage) -> InteractionRecord:
    """Use a command while the bot may be away."""
    return await stage.member.slash(stage.videos, "video", prompt="while you were away")


async def test_command_used_during_a_drop_is_answered_after_the_resume(stage: Stage) -> None:
    sessions = stage.discord.services.sessions
    stage.discord.drop_gateway(4000)
    await stage.discord.wait_for(lambda: not stage.discord.bot_online)
    record = await ask_meanwhile(stage)
    await record.finished()
    await stage.outcome(record)
    assert sessions.identified == 1


async def test_bot_asked_to_reconnect_resumes(stage: Stage) -> None:
    sessions = stage.discord.services.sessions
    stage.discord.services.gateway.request_reconnect()
    await stage.discord.wait_for(lambda: not stage.discord.bot_online)
    await back_online(stage)
    await stage.outcome(await stage.ask())
    assert sessions.identified == 1


@pytest.mark.parametrize("how", ["invalid session", "session forgotten"])
async def test_session_that_is_over_is_begun_anew_at_the_same_gateway(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    sessions = stage.discord.services.sessions
    addresses = watched_addresses(monkeypatch)
    if how == "invalid session":
        stage.discord.services.gateway.invalidate()
    else:
        stage.discord.drop_gateway(4000, resumable=False)
    await stage.discord.wait_for(lambda: sessions.identified == 2, WAIT_SECONDS)
    await back_online(stage)
    await stage.outcome(await stage.ask())
    own = stage.discord.origin.replace("http", "ws")
    assert addresses
    assert all(address.startswith(own) for address in addresses)


def watched_addresses(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note every address at which discord.py opens a gateway."""
    found: list[str] = []
    original = DiscordWebSocket.from_client.__func__  # type: ignore[attr-defined]  # a class method

    async def noted(cls: type[DiscordWebSocket], /, *args: object, **kwargs: object) -> object:
        socket = await original(cls, *args, **kwargs)
        found.append(str(socket.gateway))
        return socket

    monkeypatch.setattr(DiscordWebSocket, "from_client", classmethod(noted))
    return found


async def test_jobs_go_on_while_the_gateway_is_away(stage: Stage) -> None:
    hold: PlannedHold = hold_finish(stage)
    card = await stage.ask()
    stage.discord.drop_gateway(4000)
    hold.release()
    result = await stage.outcome(card)
    assert "ready" in result.content
    await stage.card_says(card, "Ready")


async def test_replayed_command_is_not_taken_twice(stage: Stage) -> None:
    record = await stage.ask()
    interaction = stage.discord.services.registry.get(record.id)
    assert interaction is not None
    body = stage.discord.services.user_actions._writer.write(interaction)
    stage.discord.services.sessions.dispatch("INTERACTION_CREATE", body, stage.discord.guild_id)
    await stage.outcome(record)
    await stage.delivered()
    told = await stage.discord.wait_for(lambda: [m for m in record.messages if m.ephemeral], WAIT_SECONDS)
    assert "have this request already" in text_of(told[0])
    assert len(stage.jobs) == len(stage.ulazai.tasks) == 1


async def test_discord_that_is_away_for_a_while_gets_the_results_afterwards(stage: Stage) -> None:
    hold = hold_finish(stage)
    card = await stage.ask()
    await stage.thread(card)
    port = int(stage.discord.origin.rsplit(":", 1)[1])
    await stage.discord.stop()
    hold.release()
    await stage.until(lambda: stage.states == ["succeeded"])
    await stage.discord.start(port=port)
    result = await stage.outcome(card)
    assert result.pinged_user_ids == [stage.member.id]
    await stage.delivered()
    await stage.card_says(card, "Ready")
    await back_online(stage)
    await stage.outcome(await stage.ask("and on it goes"))
