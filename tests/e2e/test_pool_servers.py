"""Every server has a pool with its starting credits, which come once, whatever happens; and the line in it."""

from pathlib import Path

from tests.e2e.pool import MEMBER, MODERATOR, OTHER, audit, id_of, mention, use
from tests.e2e.stage import Stage, hold_finish, running_bot, servers, staged


def deposits(stage: Stage) -> dict[int, list[int]]:
    """The deposits of each server."""
    found: dict[int, list[int]] = {}
    for row in stage.rows("SELECT guild_id, credits FROM ledger_entries WHERE kind = 'deposit'"):
        found.setdefault(row["guild_id"], []).append(row["credits"])
    return found


async def test_starting_credits_come_once_at_start_on_joining_and_lazily(tmp_path: Path) -> None:
    async with servers(tmp_path, pool_starting_credits=300) as stage:
        first, second = stage.discord.guild_id, stage.discord.workshop.add_guild("Second").id
        async with running_bot(stage) as bot:
            # Before the bot has even looked at its servers.
            await stage.ask()
            await stage.until(lambda: deposits(stage) == {first: [300], second: [300]})
            third = stage.discord.workshop.add_guild("Third").id
            await stage.until(lambda: deposits(stage).get(third) == [300])
            # Discord may tell of the same server again.
            guild = bot.get_guild(third)
            for _ in range(3):
                bot.dispatch("guild_join", guild)
                bot.dispatch("guild_available", guild)
                bot.dispatch("ready")
            await stage.delivered()
        fourth = stage.discord.workshop.add_guild("Fourth").id
        async with running_bot(stage):
            await stage.until(lambda: fourth in deposits(stage))
            assert deposits(stage) == {each: [300] for each in (first, second, third, fourth)}


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
        assert [choice["name"] for choice in typed.choices] == ["3: third", "4: fourth"]
        nothing = await stage.discord.person(OTHER).autocomplete(stage.videos, "pool prioritize", "job", "")
        assert (await nothing.answered()).choices == []
        answer = await use(stage, "pool prioritize", job=4)
        assert f"#4 of {mention(stage, MEMBER)} is next in this server's queue." in answer
        assert audit(stage) == [(id_of(stage, MODERATOR), "prioritize", f"#4 of {mention(stage, MEMBER)}")]
        hold.release()
        await stage.delivered(4)
        sent = [task.generation.prompt for task in stage.ulazai.tasks.values()]
        assert sent == ["first", "fourth", "second", "third"]
