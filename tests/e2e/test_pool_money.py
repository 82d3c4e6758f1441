"""The pool's money: what is shown of it, putting in and taking out, the ledger, its file and the audit trail."""

import csv
import io
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from sandbox.discord.world.errors import ClientError
from tests.e2e.pool import MEMBER, MODERATOR, OPERATOR, OTHER, audit, buttons, funds, id_of, mention, use, used
from tests.e2e.stage import Stage, hold_finish, running_bot, servers, staged
from tests.local.people import InteractionRecord

START = 1000


async def test_members_moderators_and_the_operator_see_different_parts_of_the_pool(tmp_path: Path) -> None:
    async with staged(tmp_path, pool_starting_credits=START) as stage:
        await stage.ask()
        await stage.delivered()
        held = hold_finish(stage)
        await stage.ask("it stays in the making", duration=10)
        await stage.until(lambda: stage.balance == (0, 165))
        for who, parts in SHOWN.items():
            answer = await use(stage, "pool show", who)
            for words in parts:
                assert words.format(member=mention(stage, MEMBER)) in answer, (who, words)
        # What everybody spent is not for everybody.
        assert mention(stage, MEMBER) not in await use(stage, "pool show", OTHER)
        assert "UlazAI" not in await use(stage, "pool show", OTHER)
        # The operator's account is for the operator alone.
        assert "4835" not in await use(stage, "pool show")
        assert "Left to spend" not in await use(stage, "pool show")
        held.release()
        await stage.delivered(2)


SHOWN = {
    MEMBER: ("Left in the pool: 835 credits", "You have 385 of 550 credits left", "You spent: 165 credits today"),
    OTHER: ("Left in the pool: 835 credits", "You have 550 of 550 credits left", "You spent: 0 credits today"),
    MODERATOR: (
        "Available: **835** credits",
        "Held for videos: 0 credits",
        "165 credits today, 165 this week, 165 this month",
        "{member}: 165 credits",
        "At this pace, empty <t:",
        "Last deposit: 1000 credits",
    ),
    OPERATOR: (
        "Available: **835** credits",
        "All servers (1): Left to spend: **835** credits",
        "UlazAI's balance: **4835**, updated <t:",
        "The ledger agrees with UlazAI's balance.",
    ),
}


async def test_only_the_operator_deposits_and_withdraws_unless_the_operator_says_otherwise(tmp_path: Path) -> None:
    async with servers(tmp_path, pool_starting_credits=START) as stage:
        async with running_bot(stage):
            for who in (MEMBER, MODERATOR):
                for command in ("pool deposit", "pool withdraw"):
                    answer = await use(stage, command, who, credits=5, reason="for me")
                    assert answer.strip() == "Only the bot's operator, who pays for the credits, can do this."
            assert audit(stage) == []
            answer = await use(stage, "pool deposit", OPERATOR, credits=500, reason="a *gift*")
            assert "500 credits were deposited." in answer
            assert "**1500** credits available" in answer
        stage.settings = stage.settings.model_copy(update={"pool_managers_may_deposit": True})
        async with running_bot(stage):
            assert "Only moderators" in await use(stage, "pool withdraw", MEMBER, credits=5, reason="for me")
            answer = await use(stage, "pool withdraw", credits=200, reason="back to the till")
            assert "200 credits were withdrawn." in answer
            assert "**1300** credits available" in answer
        assert funds(stage) == {"available": 1300}
        assert audit(stage) == [
            (id_of(stage, OPERATOR), "deposit", "500 credits, available 1000 → 1500: a \\*gift\\*"),
            (id_of(stage, MODERATOR), "withdraw", "200 credits, available 1500 → 1300: back to the till"),
        ]


async def test_invalid_deposits_and_withdrawals_are_refused(tmp_path: Path) -> None:
    async with staged(tmp_path, pool_starting_credits=START) as stage:
        await use(stage, "pool show")
        for amount in (0, -5, 10**12, 1.5):
            for command in ("pool deposit", "pool withdraw"):
                with pytest.raises(ClientError):
                    await use(stage, command, OPERATOR, credits=amount, reason="why")
        answer = await use(stage, "pool withdraw", OPERATOR, credits=1001, reason="all of it")
        assert "Only 1000 credits are available" in answer
        assert "give a reason" in await use(stage, "pool deposit", OPERATOR, credits=5, reason=" \u200b ")
        with pytest.raises(ClientError):
            await use(stage, "pool deposit", OPERATOR, credits=5, reason="x" * 301)
        assert funds(stage) == {"available": START}
        assert audit(stage) == []


async def turn(stage: Stage, record: InteractionRecord, label: str, who: str = MODERATOR) -> InteractionRecord:
    """Press a button of the pages; they change in their place."""
    pressed = await stage.discord.person(who).click(record.message.id, buttons(record)[label]["custom_id"])
    return await pressed.answered()


def lines(record: InteractionRecord) -> list[str]:
    (embed,) = record.message.embeds
    return list(embed["description"].splitlines())


async def test_the_ledger_can_be_paged_through_also_after_a_restart(tmp_path: Path) -> None:
    async with servers(tmp_path, pool_starting_credits=START) as stage:
        async with running_bot(stage):
            for number in range(1, 25):
                await use(stage, "pool deposit", OPERATOR, credits=number, reason=f"number *{number}*")
            first = await used(stage, "pool history")
            assert len(lines(first)) == 10
            assert "**24** deposit" in lines(first)[0]
            assert f"by {mention(stage, OPERATOR)}" in lines(first)[0]
            assert r"number \*24\*" in lines(first)[0]
            assert list(buttons(first)) == ["Next"]
            await turn(stage, first, "Next")
            assert "**14** deposit" in lines(first)[0]
        async with running_bot(stage):
            await turn(stage, first, "Next")
            assert len(lines(first)) == 5
            assert "**1000** deposit · starting credits" in lines(first)[-1]
            assert list(buttons(first)) == ["Previous"]
            await turn(stage, first, "Previous")
            assert "**14** deposit" in lines(first)[0]
            await turn(stage, first, "Previous")
            assert "**24** deposit" in lines(first)[0]


async def test_only_a_moderator_can_change_pages(tmp_path: Path) -> None:
    async with staged(tmp_path, pool_starting_credits=START) as stage:
        for number in range(1, 12):
            await use(stage, "pool deposit", OPERATOR, credits=number, reason="more")
        record = await used(stage, "pool audit")
        before = lines(record)
        stage.discord.admin.take_role(stage.discord.guild_id, id_of(stage, MODERATOR), _moderators_role(stage))
        refused = await turn(stage, record, "Next")
        assert refused.message.visible_to == id_of(stage, MODERATOR)
        assert "Only moderators" in refused.message.content
        assert lines(record) == before


def _moderators_role(stage: Stage) -> int:
    return stage.discord.world.guilds[stage.discord.guild_id].members[id_of(stage, MODERATOR)].role_ids[0]


async def test_nobody_changes_the_pages_of_another_moderator(tmp_path: Path) -> None:
    async with staged(tmp_path, pool_starting_credits=START) as stage:
        for number in range(1, 12):
            await use(stage, "pool deposit", OPERATOR, credits=number, reason="more")
        record = await used(stage, "pool history")
        before = lines(record)
        # As if Discord had let somebody else see it.
        record.message.visible_to = None
        refused = await turn(stage, record, "Next", OPERATOR)
        assert "another moderator's pages" in refused.message.content
        assert lines(record) == before


async def test_the_ledger_of_one_member(tmp_path: Path) -> None:
    async with staged(tmp_path, pool_starting_credits=START) as stage:
        await stage.ask()
        await stage.delivered()
        await use(stage, "pool deposit", OPERATOR, credits=7, reason="more")
        about, *found = lines(await used(stage, "pool history", member=id_of(stage, MEMBER)))
        assert about == f"About {mention(stage, MEMBER)}."
        assert [line.split(" · ")[1:] for line in found] == [
            ["**55** charged", f"#1 of {mention(stage, MEMBER)}"],
            ["**55** held", f"#1 of {mention(stage, MEMBER)}"],
        ]
        assert "No entries." in await use(stage, "pool history", member=id_of(stage, OTHER))


async def test_only_moderators_read_the_ledger(tmp_path: Path) -> None:
    async with staged(tmp_path, pool_starting_credits=START) as stage:
        for command in ("pool history", "pool export", "pool audit"):
            assert "Only moderators" in await use(stage, command, MEMBER)


async def test_the_audit_trail_shows_who_changed_what(tmp_path: Path) -> None:
    async with staged(tmp_path, pool_starting_credits=START) as stage:
        assert "Nothing has been changed yet." in await use(stage, "pool audit")
        await use(stage, "pool pause", reason="the till is *empty*")
        (line,) = lines(await used(stage, "pool audit"))
        assert line.endswith(rf"{mention(stage, MODERATOR)} · **pause** · not paused → paused: the till is \*empty\*")


# The file


def table_of(stage: Stage, record: InteractionRecord) -> list[dict[str, str]]:
    (attachment,) = record.message.attachments
    content = stage.discord.file(attachment.id)
    if attachment.filename.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            content = packed.read("ledger.csv")
    else:
        assert attachment.filename == f"ledger-{stage.discord.guild_id}.csv"
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


async def test_the_ledger_is_exported_as_a_table(tmp_path: Path) -> None:
    async with staged(tmp_path, pool_starting_credits=START) as stage:
        await stage.ask()
        await stage.delivered()
        await use(stage, "pool deposit", OPERATOR, credits=7, reason='=HYPERLINK("https://x")')
        record = await used(stage, "pool export")
        assert "4 ledger entries" in record.message.content
        rows = table_of(stage, record)
        assert [(row["kind"], row["credits"], row["job"], row["reason"]) for row in rows] == [
            ("deposit", "1000", "", "starting credits"),
            ("hold", "55", "1", ""),
            ("charge", "55", "1", ""),
            ("deposit", "7", "", """'=HYPERLINK("https://x")"""),
        ]
        assert rows[-1]["by"] == str(id_of(stage, OPERATOR))
        assert len(table_of(stage, await used(stage, "pool export", days=1))) == 4


async def test_a_large_ledger_is_compressed_and_a_larger_one_needs_fewer_days(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with staged(tmp_path, pool_starting_credits=START) as stage:
        for _ in range(30):
            await use(stage, "pool deposit", OPERATOR, credits=7, reason="the same again and again")
        limit: dict[str, Any] = {"bytes": 1500}
        monkeypatch.setattr(sys.modules["cogs.pool.credits"], "upload_limit", lambda *_: limit["bytes"])
        packed = await used(stage, "pool export")
        assert packed.message.attachments[0].filename.endswith(".zip")
        assert len(table_of(stage, packed)) == 31
        limit["bytes"] = 100
        refused = await stage.discord.person(MODERATOR).slash(stage.videos, "pool export")
        await refused.settled()
        text = await stage.seen(lambda: next((m.content for m in refused.messages if m.content), None))
        assert "The file of the ledger's 31 entries is too large" in text
        assert "Choose a number of `days`" in text
