"""The gateway's connection: dropped, resumed, invalid. Commands come through, and no other gateway is asked."""

from pathlib import Path
from typing import Any

import pytest
from discord.gateway import DiscordWebSocket

from tests.e2e.moderation import approval_card, ask_expensive, press, set_up
from tests.e2e.pool import MEMBER, MODERATOR, OPERATOR, funds, used
from tests.e2e.stage import WAIT_SECONDS, PlannedHold, Stage, hold_finish, running_bot, servers, text_of
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
async def test_an_invalid_session_is_replaced_at_the_same_gateway(
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


async def test_jobs_continue_while_the_gateway_is_away(stage: Stage) -> None:
    hold: PlannedHold = hold_finish(stage)
    card = await stage.ask()
    stage.discord.drop_gateway(4000)
    hold.release()
    result = await stage.outcome(card)
    assert "ready" in result.content
    await stage.card_says(card, "Ready")


@pytest.mark.parametrize(
    ("command", "who", "options", "counted"),
    [
        ("video", MEMBER, {"prompt": "a cat"}, "SELECT id FROM jobs"),
        ("pool deposit", OPERATOR, {"credits": 50, "reason": "more"}, "SELECT id FROM ledger_entries WHERE actor_id"),
        ("pool withdraw", OPERATOR, {"credits": 50, "reason": "less"}, "SELECT id FROM ledger_entries WHERE actor_id"),
        ("pool words add", MODERATOR, {"words": "weapon"}, "SELECT id FROM audit_entries"),
        ("session start", MODERATOR, {"budget": 300}, "SELECT id FROM sessions"),
    ],
)
async def test_command_delivered_twice_takes_effect_once(
    stage: Stage, command: str, who: str, options: dict[str, Any], counted: str
) -> None:
    record = await stage.discord.person(who).slash(stage.videos, command, files=None, **options)
    await deliver_again(stage, record)
    await record.finished(WAIT_SECONDS)
    await deliver_again(stage, record)
    # The answer to a later command: all that was delivered before it is handled.
    await (await stage.member.slash(stage.videos, "usage", files=None)).finished(WAIT_SECONDS)
    assert len(stage.rows(counted)) == 1
    assert len([message for message in record.messages if message.ephemeral]) <= 1


async def test_button_and_form_delivered_twice_decide_once(stage: Stage) -> None:
    await set_up(stage)
    await ask_expensive(stage)
    pressed = await press(stage, await approval_card(stage), "Approve")
    await deliver_again(stage, pressed)
    await stage.delivered()
    assert [row["action"] for row in stage.rows("SELECT action FROM audit_entries ORDER BY id")][1:] == ["approve"]
    assert len(stage.ulazai.tasks) == 1
    assert len(pressed.messages) <= 1


async def test_deposit_delivered_to_the_next_process_is_booked_once(tmp_path: Path) -> None:
    async with servers(tmp_path, pool_starting_credits=1000) as stage:
        async with running_bot(stage):
            record = await used(stage, "pool deposit", OPERATOR, credits=50, reason="more")
        async with running_bot(stage):
            await deliver_again(stage, record)
            answers = await stage.seen(lambda: record.messages[1:])
        assert "already done" in text_of(answers[0])
        assert funds(stage) == {"available": 1050}


async def deliver_again(stage: Stage, record: InteractionRecord) -> None:
    """Deliver an interaction once more, as Discord does after a connection was resumed."""
    interaction = stage.discord.services.registry.get(record.id)
    assert interaction is not None
    body = stage.discord.services.user_actions._writer.write(interaction)
    stage.discord.services.sessions.dispatch("INTERACTION_CREATE", body, stage.discord.guild_id)


async def test_results_are_posted_after_a_discord_outage(stage: Stage) -> None:
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
