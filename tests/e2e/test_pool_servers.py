"""Which servers have a pool with starting credits, which come once, whatever happens; and the queue in it."""

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.pool import MEMBER, MODERATOR, OPERATOR, OTHER, audit, funds, id_of, mention, shown, use
from tests.e2e.stage import Stage, hold_finish, running_bot, servers, staged


def deposits(stage: Stage) -> dict[int, list[int]]:
    """The deposits of each server."""
    found: dict[int, list[int]] = {}
    for row in stage.rows("SELECT guild_id, credits FROM ledger_entries WHERE kind = 'deposit'"):
        found.setdefault(row["guild_id"], []).append(row["credits"])
    return found


async def test_starting_credits_come_once_at_start_on_joining_and_lazily(tmp_path: Path) -> None:
    async with servers(tmp_path, pool_starting_credits=300) as stage:
        first, second = stage.discord.guild_id, stage.discord.admin.add_guild("Second").id
        async with running_bot(stage) as bot:
            # Before the bot has even looked at its servers.
            await stage.ask()
            await stage.until(lambda: deposits(stage) == {first: [300], second: [300]})
            third = stage.discord.admin.add_guild("Third").id
            await stage.until(lambda: deposits(stage).get(third) == [300])
            # Discord may tell of the same server again.
            guild = bot.get_guild(third)
            for _ in range(3):
                bot.dispatch("guild_join", guild)
                bot.dispatch("guild_available", guild)
                bot.dispatch("ready")
            await stage.delivered()
        fourth = stage.discord.admin.add_guild("Fourth").id
        async with running_bot(stage):
            await stage.until(lambda: fourth in deposits(stage))
            assert deposits(stage) == {each: [300] for each in (first, second, third, fourth)}


def give_away(stage: Stage) -> None:
    """Have the server belong to somebody else than the bot's operator, who is a plain member of it."""
    stage.discord.world.guild(stage.discord.guild_id).owner_id = id_of(stage, OTHER)


async def test_an_unapproved_server_spends_nothing_and_everybody_there_learns_whom_to_ask(tmp_path: Path) -> None:
    async with servers(tmp_path, pool_managers_may_deposit=True) as stage:
        give_away(stage)
        async with running_bot(stage) as bot:
            stranger = stage.discord.admin.add_guild("Another", owner_id=id_of(stage, OTHER))
            await stage.until(lambda: bot.get_guild(stranger.id))
            tries = [
                await shown(stage),
                await use(stage, "pool show", MEMBER),
                await use(stage, "pool show"),
                await use(stage, "pool deposit", credits=500, reason="for us"),
                await use(stage, "pool words add", words="weapon"),
                await use(stage, "session start", budget=300),
            ]
            for answer in tries:
                assert f"{mention(stage, OPERATOR)} (operator), who runs this bot" in answer
            assert deposits(stage) == {}
            assert (stage.jobs, audit(stage)) == ([], [])


async def test_the_operator_approves_a_server_with_a_deposit(tmp_path: Path) -> None:
    async with servers(tmp_path, pool_starting_credits=300) as stage:
        give_away(stage)
        async with running_bot(stage):
            # The operator sees how it is, and as a plain member lets nothing in by that.
            assert "Available: **0** credits" in await use(stage, "pool show", OPERATOR)
            await use(stage, "pool deposit", OPERATOR, credits=100, reason="welcome")
            await stage.ask()
            await stage.delivered()
            assert deposits(stage) == {stage.discord.guild_id: [100]}
            assert funds(stage) == {"available": 45, "spent": 55}


async def test_a_command_by_the_operator_with_manage_server_approves_a_server(tmp_path: Path) -> None:
    async with servers(tmp_path, pool_starting_credits=300) as stage:
        give_away(stage)
        world, admin = stage.discord.world, stage.discord.admin
        async with running_bot(stage):
            assert "who runs this bot" in await shown(stage)
            role = next(role for role in world.guild(stage.discord.guild_id).roles.values() if role.name == "Moderator")
            admin.give_role(stage.discord.guild_id, id_of(stage, OPERATOR), role.id)
            await use(stage, "usage", OPERATOR)
            await stage.ask()
            await stage.delivered()
            assert deposits(stage) == {stage.discord.guild_id: [300]}


@pytest.mark.parametrize("is_open", [False, True])
async def test_every_server_is_approved_only_by_the_setting(tmp_path: Path, is_open: bool) -> None:
    async with servers(tmp_path, pool_starting_credits=300, pool_open_for_all_servers=is_open) as stage:
        give_away(stage)
        async with running_bot(stage):
            own = stage.discord.admin.add_guild("The operator's own", owner_id=id_of(stage, OPERATOR)).id
            await stage.until(lambda: own in deposits(stage))
            assert ("who runs this bot" in await shown(stage)) is not is_open
            assert (stage.discord.guild_id in deposits(stage)) is is_open


@pytest.mark.parametrize(
    ("hold", "end", "words"),
    [
        (("pool pause", {"reason": "a break"}), ("pool resume", {}), "paused videos here"),
        (("pool block", {"member": MEMBER}), ("pool unblock", {"member": MEMBER}), "blocked"),
    ],
    ids=["pause", "block"],
)
@pytest.mark.parametrize("is_restarted", [False, True])
async def test_a_pause_or_a_block_holds_what_is_queued_until_it_ends(
    tmp_path: Path,
    hold: tuple[str, dict[str, Any]],
    end: tuple[str, dict[str, Any]],
    words: str,
    is_restarted: bool,
) -> None:
    async with servers(tmp_path, provider_max_active_jobs=1) as stage:
        finish = hold_finish(stage)

        def options(given: dict[str, Any]) -> dict[str, Any]:
            return {name: id_of(stage, value) if name == "member" else value for name, value in given.items()}

        async with running_bot(stage):
            await stage.ask("first")
            await stage.until(lambda: len(stage.ulazai.tasks) == 1)
            queued = await stage.ask("second")
            await use(stage, hold[0], **options(hold[1]))
            if not is_restarted:
                finish.release()
                await stage.delivered()
                await stage.card_says(queued, words)
        async with running_bot(stage):
            finish.release()
            await stage.delivered()
            await stage.card_says(queued, words)
            assert stage.states == ["succeeded", "queued"]
            assert len(stage.ulazai.tasks) == 1
            await use(stage, end[0], **options(end[1]))
            await stage.delivered(2)
            assert stage.states == ["succeeded", "succeeded"]


async def test_a_moderator_cancels_what_is_not_submitted_yet(tmp_path: Path) -> None:
    async with staged(tmp_path, provider_max_active_jobs=1) as stage:
        moderator = stage.discord.person(MODERATOR)
        finish = hold_finish(stage)
        await stage.ask("first")
        await stage.until(lambda: len(stage.ulazai.tasks) == 1)
        queued = await stage.ask("second")
        typed = await (await moderator.autocomplete(stage.videos, "pool cancel", "job", "")).answered()
        assert [choice["name"] for choice in typed.choices] == ["#2: second"]
        assert "can't be cancelled" in await use(stage, "pool cancel", job=1, reason="too late")
        assert "Only moderators" in await use(stage, "pool cancel", MEMBER, job=2, reason="mine")
        answer = await use(stage, "pool cancel", job=2, reason="not *here*")
        assert f"#2 of {mention(stage, MEMBER)} is cancelled, and 55 credits came back." in answer
        assert r"not \*here\*" in (await stage.outcome(queued)).content
        assert "Cancelled" in await stage.card_says(queued, "Cancelled")
        assert [action for _, action, _ in audit(stage)] == ["cancel"]
        assert "can't be cancelled" in await use(stage, "pool cancel", job=2, reason="again")
        finish.release()
        await stage.delivered(2)
        assert len(stage.ulazai.tasks) == 1


async def test_a_moderator_prioritizes_a_queued_video(tmp_path: Path) -> None:
    async with staged(tmp_path, provider_max_active_jobs=1, limit_active_jobs=0) as stage:
        moderator = stage.discord.person(MODERATOR)
        hold = hold_finish(stage)
        await stage.ask("first")
        await stage.until(lambda: len(stage.ulazai.tasks) == 1)
        for prompt in ("second", "third", "fourth"):
            await stage.ask(prompt)
        assert "is not queued here" in await use(stage, "pool prioritize", job=1)
        assert "is not queued here" in await use(stage, "pool prioritize", job=999)
        assert "Only moderators" in await use(stage, "pool prioritize", MEMBER, job=4)
        typed = await (await moderator.autocomplete(stage.videos, "pool prioritize", "job", "th")).answered()
        assert [choice["name"] for choice in typed.choices] == ["#3: third", "#4: fourth"]
        nothing = await stage.discord.person(OTHER).autocomplete(stage.videos, "pool prioritize", "job", "")
        assert (await nothing.answered()).choices == []
        answer = await use(stage, "pool prioritize", job=4)
        assert f"#4 of {mention(stage, MEMBER)} is next in this server's queue." in answer
        assert audit(stage) == [(id_of(stage, MODERATOR), "prioritize", f"#4 of {mention(stage, MEMBER)}")]
        hold.release()
        await stage.delivered(4)
        sent = [task.generation.prompt for task in stage.ulazai.tasks.values()]
        assert sent == ["first", "fourth", "second", "third"]
