"""The rules of a server: who manages its pool, where videos are made, when not, by whom, and for how much."""

from collections.abc import AsyncIterator
from pathlib import Path

import discord
import pytest
import pytest_asyncio

from sandbox.discord.world import seed
from sandbox.discord.world.errors import ClientError
from tests.e2e.pool import MEMBER, MODERATOR, OPERATOR, OTHER, audit, id_of, mention, shown, use, used
from tests.e2e.stage import Stage, staged

CREATORS = seed.CREATORS_ROLE_ID
NOT_A_MODERATOR = "Only moderators can do this"


@pytest_asyncio.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path, pool_starting_credits=1000) as ready:
        yield ready


async def test_members_change_nothing(stage: Stage) -> None:
    member = id_of(stage, MEMBER)
    for command, options in (
        ("pool managers", {"add": CREATORS}),
        ("pool channels", {"add": stage.videos}),
        ("pool pause", {"reason": "no"}),
        ("pool resume", {}),
        ("pool allow", {"target": member, "credits": 0}),
        ("pool block", {"member": id_of(stage, OTHER)}),
        ("pool unblock", {"member": member}),
        ("pool words add", {"words": "cat"}),
        ("pool words remove", {"words": "cat"}),
        ("pool words list", {}),
        ("pool low-balance", {"cheapest": 0}),
        ("pool why", {"member": id_of(stage, OTHER)}),
        ("pool prioritize", {"job": 1}),
    ):
        assert NOT_A_MODERATOR in await use(stage, command, MEMBER, **options), command
    assert audit(stage) == []


async def test_a_role_can_manage_the_pool(stage: Stage) -> None:
    role = stage.discord.admin.add_role(stage.discord.guild_id, "Keepers")
    stage.discord.admin.give_role(stage.discord.guild_id, id_of(stage, OTHER), role.id)
    assert NOT_A_MODERATOR in await use(stage, "pool pause", OTHER, reason="no")
    answer = await use(stage, "pool managers", add=role.id)
    assert f"with **Manage Server**, and with <@&{role.id}>." in answer
    assert "until `/pool resume`" in await use(stage, "pool pause", OTHER, reason="no")
    # One who holds the role may take it away, also from themselves.
    assert answer.replace(f", and with <@&{role.id}>", "") in await use(
        stage, "pool managers", OTHER, remove=str(role.id)
    )
    assert NOT_A_MODERATOR in await use(stage, "pool resume", OTHER)
    assert [entry[1:] for entry in audit(stage)] == [
        ("managers", f"no role → <@&{role.id}>"),
        ("pause", "not paused → paused: no"),
        ("managers", f"<@&{role.id}> → no role"),
    ]


async def test_roles_that_can_not_manage_the_pool(stage: Stage) -> None:
    assert "@everyone can't manage the pool" in await use(stage, "pool managers", add=stage.discord.guild_id)
    await use(stage, "pool managers", add=CREATORS)
    assert "already" in await use(stage, "pool managers", add=CREATORS)
    assert "Choose what to remove from the list" in await use(stage, "pool managers", remove="the keepers")
    assert "does not manage the pool" in await use(stage, "pool managers", remove="12345")
    assert len(audit(stage)) == 1


async def test_a_deleted_role_or_channel_is_taken_off_the_list(stage: Stage) -> None:
    admin, guild_id = stage.discord.admin, stage.discord.guild_id
    role, channel = admin.add_role(guild_id, "Keepers"), admin.add_channel(guild_id, "clips")
    await stage.until(lambda: stage.guild.get_channel(channel.id) and stage.guild.get_role(role.id))
    await use(stage, "pool managers", add=role.id)
    await use(stage, "pool channels", add=channel.id)
    admin.delete_role(guild_id, role.id)
    admin.delete_channel(channel.id)
    await stage.until(lambda: not stage.guild.get_channel(channel.id) and not stage.guild.get_role(role.id))
    moderator = stage.discord.person(MODERATOR)
    for command, gone in (("pool managers", role.id), ("pool channels", channel.id)):
        typed = await moderator.autocomplete(stage.videos, command, "remove", "del")
        await typed.answered()
        assert typed.choices == [{"name": f"deleted ({gone})", "value": str(gone)}]
        assert str(gone) not in await use(stage, command, remove=str(gone))
    assert "a cat" in await shown(stage)


async def test_a_role_or_channel_deleted_a_moment_ago_is_refused(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discord.Guild, "get_role", lambda *_: None)
    monkeypatch.setattr(discord.Guild, "get_channel", lambda *_: None)
    assert "is gone, so nothing" in await use(stage, "pool managers", add=CREATORS)
    assert "is gone, so nothing" in await use(stage, "pool allow", target=CREATORS, credits=5)
    assert "it may have been deleted" in await use(stage, "pool channels", add=stage.videos)
    assert audit(stage) == []


async def test_only_moderators_see_what_can_be_removed(stage: Stage) -> None:
    await use(stage, "pool managers", add=seed.POOL_MANAGER_ROLE_ID)
    await use(stage, "pool words add", words="dragon")
    for command, option in (("pool managers", "remove"), ("pool words remove", "words")):
        for who, count in ((MODERATOR, 1), (MEMBER, 0)):
            typed = await stage.discord.person(who).autocomplete(stage.videos, command, option, "")
            await typed.answered()
            assert len(typed.choices) == count


async def test_videos_are_made_in_the_named_channels_and_their_threads(stage: Stage) -> None:
    general = stage.discord.channel("general").id
    assert "every channel" in await use(stage, "pool channels")
    answer = await use(stage, "pool channels", add=stage.videos)
    assert f"Videos can be made in <#{stage.videos}> and its threads." in answer
    assert f"Videos can only be made in <#{stage.videos}>." in await shown(stage, general)
    card = await stage.ask()
    thread = await stage.thread(card)
    assert "a dog" in await shown(stage, thread.id, prompt="a dog")
    assert "already" in await use(stage, "pool channels", add=stage.videos)
    await use(stage, "pool channels", add=general)
    await use(stage, "pool channels", remove=str(stage.videos))
    assert f"Videos can only be made in <#{general}>." in await shown(stage)
    assert "every channel" in await use(stage, "pool channels", remove=str(general))
    assert "a bird" in await shown(stage, prompt="a bird")


async def test_a_pause_is_shown_to_members_and_ends(stage: Stage) -> None:
    assert "not paused, so nothing has changed" in await use(stage, "pool resume")
    answer = await use(stage, "pool pause", reason="we are *saving* for the party")
    assert r"Members see: we are \*saving\* for the party" in answer
    assert r"paused videos here: we are \*saving\* for the party" in await shown(stage)
    assert r"already paused: we are \*saving\*" in await use(stage, "pool pause", reason="again")
    assert "made again" in await use(stage, "pool resume")
    assert "a cat" in await shown(stage)
    assert [action for _, action, _ in audit(stage)] == ["pause", "resume"]


async def test_a_member_is_blocked_and_unblocked(stage: Stage) -> None:
    someone = id_of(stage, MEMBER)
    assert "is not blocked" in await use(stage, "pool unblock", member=someone)
    answer = await use(stage, "pool block", member=someone, hours=2, reason="spam")
    assert f"{mention(stage, MEMBER)} is blocked until <t:" in answer
    assert ": spam." in answer
    refusal = await shown(stage)
    assert "blocked you from making videos here until <t:" in refusal
    assert ": spam" in refusal
    assert "a cat" in await shown(stage, who=OTHER)
    # A second one changes the first.
    assert f"{mention(stage, MEMBER)} is blocked." in await use(stage, "pool block", member=someone)
    assert "can make videos again" in await use(stage, "pool unblock", member=someone)
    assert "a cat" in await shown(stage)
    with pytest.raises(ClientError):
        await use(stage, "pool block", member=someone, hours=0)


async def test_a_member_who_left_can_be_blocked(stage: Stage) -> None:
    someone = id_of(stage, OTHER)
    stage.discord.admin.remove_member(stage.discord.guild_id, someone)
    assert "is blocked" in await use(stage, "pool block", member=someone)
    assert "Blocked." in await use(stage, "pool why", member=someone)


async def test_rules_for_everyone_roles_and_members(stage: Stage) -> None:
    guild_id, member = stage.discord.guild_id, id_of(stage, MEMBER)
    assert "everyone: no rule" in await use(stage, "pool allow")
    answer = await use(stage, "pool allow", target=guild_id, credits=55, open_jobs=2)
    assert "For everyone: 55 credits per 24 hours, 2 open videos at once." in answer
    await use(stage, "pool allow", target=CREATORS, credits=110, max_cost=55)
    answer = await use(stage, "pool allow", target=member, no_limit="max_price")
    assert f"For <@{member}>: any price for one video." in answer
    rules = await use(stage, "pool allow")
    for line in (
        "everyone: 55 credits per 24 hours, 2 open videos at once",
        f"<@&{CREATORS}>: 110 credits per 24 hours, 55 credits for one video",
        f"<@{member}>: any price for one video",
    ):
        assert line in rules
    # The role's 110 credits, and the member's own rule for prices.
    assert "so 220 is too much" in await shown(stage, duration=10, sound=True)
    assert "Left for you: 0 credits" in await shown(stage, duration=10)
    assert f"For <@{member}>: no rule." in await use(stage, "pool allow", target=member, remove=True)
    assert "your limit is 55 for one video" in await shown(stage, duration=10)
    assert audit(stage)[-1][1:] == ("allow", f"<@{member}>: any price for one video → no rule")


async def test_0_allows_nothing_and_no_limit_is_a_separate_option(stage: Stage) -> None:
    member = id_of(stage, MEMBER)
    answer = await use(stage, "pool allow", target=member, credits=0)
    assert f"For <@{member}>: 0 credits per 24 hours." in answer
    assert "You can't spend credits here; `/why` shows" in await shown(stage)
    await use(stage, "pool allow", target=member, remove=True)
    await use(stage, "pool allow", target=member, open_jobs=0)
    assert "You can't make videos here; `/why` shows" in await shown(stage)
    everything = "any number of credits, any number of open videos, any price for one video"
    assert everything in await use(stage, "pool allow", target=member, no_limit="everything")
    assert "a cat" in await shown(stage)
    assert "not both" in await use(stage, "pool allow", target=member, credits=5, no_limit="window_credits")
    assert everything in await use(stage, "pool allow")


async def test_invalid_rules_are_refused(stage: Stage) -> None:
    member = id_of(stage, MEMBER)
    assert "no such rule" in await use(stage, "pool allow", target=member, remove=True)
    assert "not both" in await use(stage, "pool allow", target=member, credits=5, remove=True)
    assert "Choose with `target`" in await use(stage, "pool allow", credits=5)
    assert "Choose with `target`" in await use(stage, "pool allow", remove=True)
    assert f"For <@{member}>: no rule." in await use(stage, "pool allow", target=member)
    for options in ({"credits": -1}, {"open_jobs": 1001}, {"max_cost": 1.5}, {"credits": 10**12}):
        with pytest.raises(ClientError):
            await use(stage, "pool allow", target=member, **options)
    assert audit(stage) == []


async def test_words_are_listed_found_and_taken_off(stage: Stage) -> None:
    answer = await use(stage, "pool words add", words="Dragon, green goblin\nDRAGON")
    assert "2 of 500 words and phrases are blocked" in answer
    assert "Dragon, green goblin" in await use(stage, "pool words list")
    refusal = await shown(stage, prompt="a drag\u200bon flies")
    assert "may not fit this server's rules" in refusal
    assert "ragon" not in refusal
    assert "already on the list" in await use(stage, "pool words add", words="dragon")
    assert "not on the list" in await use(stage, "pool words remove", words="unicorn")
    assert "1 of 500" in await use(stage, "pool words remove", words="dragon")
    assert "a dragon flies" in await shown(stage, prompt="a dragon flies")
    assert [entry[1:] for entry in audit(stage)] == [
        ("words", "added: Dragon, green goblin"),
        ("words", "removed: Dragon"),
    ]


async def test_invalid_words_are_refused(stage: Stage) -> None:
    for words, told in (
        ("x", "single letter"),
        ("   ", "There is no word"),
        (" , \n,", "There is no word"),
        ("!!!", "no letters"),
        ("w" * 101, "101 characters"),
        (", ".join(f"w{number}" for number in range(900)), "900 words"),
    ):
        assert told in await use(stage, "pool words add", words=words)
    assert audit(stage) == []


async def test_low_balance_limits_are_set_and_hold(stage: Stage) -> None:
    assert "only 5-second silent videos below 25 % of the last deposit" in await use(stage, "pool low-balance")
    assert "would never apply" in await use(stage, "pool low-balance", approval=50)
    answer = await use(stage, "pool low-balance", cheapest=100, approval=0)
    assert "below 100 % of the last deposit, approval for every video never." in answer
    await use(stage, "pool withdraw", OPERATOR, credits=1, reason="a test")
    assert "only 5-second silent videos are made now" in await shown(stage, duration=10)
    assert "a cat" in await shown(stage)
    with pytest.raises(ClientError):
        await use(stage, "pool low-balance", cheapest=101)


async def test_why_lists_every_rule_and_where_it_comes_from(stage: Stage) -> None:
    member = id_of(stage, MEMBER)
    await use(stage, "pool allow", target=stage.discord.guild_id, credits=55)
    await use(stage, "pool allow", target=CREATORS, credits=110, max_cost=55)
    await use(stage, "pool allow", target=member, open_jobs=7)
    await use(stage, "pool channels", add=stage.discord.channel("general").id)
    await use(stage, "pool block", member=member, reason="spam *again*")
    await use(stage, "pool pause", reason="tea")
    await use(stage, "pool withdraw", OPERATOR, credits=800, reason="a test")
    mine, theirs = await use(stage, "why", MEMBER), await use(stage, "pool why", member=member)
    assert mine == theirs
    for words in (
        f"Credits: **110 credits per 24 hours**, from the rule for <@&{CREATORS}>. Used: 0.",
        "-# overrides 55 credits per 24 hours from the rule for everyone",
        "-# overrides 550 credits per 24 hours from the bot's settings",
        "Open videos: **7 at once**, from a rule for this member. Now: 0.",
        f"Max cost of a video: **55 credits**, from the rule for <@&{CREATORS}>.",
        "Pause: Paused: tea.",
        r"Block: Blocked: spam \*again\*.",
        "**not here**",
        "200 credits are available; **only 5-second silent videos are made now**",
        "below 25 % of the last deposit",
        "No price needs approval.",
    ):
        assert words in mine, words


async def test_why_in_a_session_names_the_session(stage: Stage) -> None:
    started = await stage.discord.person(MODERATOR).slash(stage.videos, "session start", budget=300, role=CREATORS)
    await started.finished()
    thread_id = started.message.id
    await stage.until(lambda: stage.rows("SELECT thread_id FROM sessions")[0]["thread_id"])
    assert "It has 300 of 300 credits left" in await use(stage, "why", MEMBER, thread_id)
    answer = await use(stage, "why", OPERATOR, thread_id)
    assert f"is for <@&{CREATORS}>: **this member can't take part**" in answer
    assert "Session" not in await use(stage, "why", MEMBER)


async def test_a_private_answer_is_the_only_trace_in_the_channel(stage: Stage) -> None:
    before = len(stage.public_messages())
    for command in (
        "pool show",
        "pool history",
        "pool audit",
        "pool managers",
        "pool allow",
        "pool low-balance",
        "why",
    ):
        await used(stage, command)
    assert len(stage.public_messages()) == before
