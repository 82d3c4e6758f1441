"""Moderators change rules and move credits: each with its audit entry, none lost, nothing twice."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest

from bot.codes import AuditAction, Reason, Refusal
from bot.errors import RefusedError
from bot.pools.models import Funds
from bot.pools.policy import Policy
from bot.pools.queries import PolicyChange
from bot.pools.rules import changes
from bot.pools.rules.input_checks import MAX_CREDITS, MAX_REASON
from tests.builders import GUILD
from tests.pools.treasury import MODERATOR, START_CREDITS, Treasury, treasury_at
from tests.refusals import refused

ENTRIES = "SELECT kind, credits, actor_id, reason FROM ledger_entries ORDER BY id"
AUDIT = "SELECT guild_id, actor_id, action, detail FROM audit_entries ORDER BY id"


@pytest.fixture
async def treasury(tmp_path: Path) -> AsyncIterator[Treasury]:
    async with treasury_at(tmp_path / "a.db") as opened:
        yield opened


async def add_channel(treasury: Treasury, channel_id: int, guild_id: int = GUILD) -> Policy:
    return await treasury.pools.change(
        guild_id,
        MODERATOR,
        PolicyChange(AuditAction.CHANNELS, lambda policy: changes.add_channel(policy, channel_id)),
    )


async def test_a_change_is_stored_and_audited_before_and_after(treasury: Treasury) -> None:
    assert (await add_channel(treasury, 5)).channels == {5}
    await add_channel(treasury, 6)
    assert (await treasury.pools.pool(GUILD)).policy.channels == {5, 6}
    common = {"guild_id": GUILD, "actor_id": MODERATOR, "action": "channels"}
    assert await treasury.rows(AUDIT) == [
        {**common, "detail": '{"code": "channels", "before": {}, "after": {"channels": [5]}}'},
        {**common, "detail": '{"code": "channels", "before": {"channels": [5]}, "after": {"channels": [5, 6]}}'},
    ]


async def test_servers_are_independent(treasury: Treasury) -> None:
    await add_channel(treasury, 5)
    assert (await treasury.pools.pool(GUILD + 1)).policy == Policy()


async def test_no_change_of_two_moderators_at_once_is_lost(treasury: Treasury) -> None:
    await asyncio.gather(*(add_channel(treasury, number) for number in range(1, 21)))
    assert (await treasury.pools.pool(GUILD)).policy.channels == set(range(1, 21))
    assert len(await treasury.rows(AUDIT)) == 20


async def test_of_two_who_pause_at_once_one_wins_and_the_other_is_refused(treasury: Treasury) -> None:
    async def pause(actor_id: int) -> Policy:
        return await treasury.pools.change(
            GUILD,
            actor_id,
            PolicyChange(AuditAction.PAUSE, lambda policy: changes.pause(policy, f"by {actor_id}")),
        )

    found = await asyncio.gather(pause(1), pause(2), return_exceptions=True)
    (refusal,) = [each for each in found if isinstance(each, RefusedError)]
    (policy,) = [each for each in found if isinstance(each, Policy)]
    assert (refusal.reason.code, refusal.reason.data) == (Refusal.PAUSED_ALREADY, {"reason": policy.paused})
    assert len(await treasury.rows(AUDIT)) == 1


async def test_a_refused_change_changes_nothing(treasury: Treasury) -> None:
    before = await treasury.pools.pool(GUILD)

    def refuse(_: Policy) -> Policy:
        raise RefusedError(Refusal.RULES_FULL, most=1)

    with refused(Refusal.RULES_FULL):
        await treasury.pools.change(GUILD, MODERATOR, PolicyChange(AuditAction.ALLOW, refuse))
    assert await treasury.pools.pool(GUILD) == before
    assert await treasury.rows(AUDIT) == []


async def test_no_change_leaves_no_audit_entry(treasury: Treasury) -> None:
    policy = await treasury.pools.change(GUILD, MODERATOR, PolicyChange(AuditAction.ALLOW, replace))
    assert policy == Policy()
    assert await treasury.rows(AUDIT) == []


# Money


async def test_deposit_and_withdrawal_are_booked_with_who_and_why(treasury: Treasury) -> None:
    assert (await treasury.pools.deposit(GUILD, 7, 500, " for\n the  party ")).funds == Funds(available=1500)
    pool = await treasury.pools.withdraw(GUILD, 8, 200, "over")
    assert pool.funds == Funds(available=1300)
    assert pool.last_deposit == 500
    assert [tuple(row.values()) for row in await treasury.rows(ENTRIES)] == [
        ("deposit", START_CREDITS, None, '{"code": "starting_credits"}'),
        ("deposit", 500, 7, "for the party"),
        ("withdrawal", 200, 8, "over"),
    ]
    found = [(row["actor_id"], row["action"], Reason.from_json(row["detail"])) for row in await treasury.rows(AUDIT)]
    deposit = {"amount": 500, "free_before": 1000, "free_after": 1500, "reason": "for the party"}
    withdrawal = {"amount": 200, "free_before": 1500, "free_after": 1300, "reason": "over"}
    assert found == [
        (7, "deposit", Reason("deposit", deposit)),
        (8, "withdraw", Reason("withdraw", withdrawal)),
    ]


@pytest.mark.parametrize("amount", [0, -1, -(10**30), MAX_CREDITS + 1, 10**30, 1.5])
async def test_invalid_amounts_move_nothing(treasury: Treasury, amount: int) -> None:
    before = await treasury.pools.pool(GUILD)
    for move in (treasury.pools.deposit, treasury.pools.withdraw):
        with refused(Refusal.NOT_A_NUMBER, least=1, most=MAX_CREDITS, unit="credits"):
            await move(GUILD, MODERATOR, amount, "why")
    assert await treasury.pools.pool(GUILD) == before
    assert await treasury.rows(AUDIT) == []


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("", Refusal.REASON_MISSING),
        (" \n\t\u200b ", Refusal.REASON_MISSING),
        ("x" * (MAX_REASON + 1), Refusal.REASON_TOO_LONG),
    ],
)
async def test_invalid_reasons_move_nothing(treasury: Treasury, reason: str, code: Refusal) -> None:
    for move in (treasury.pools.deposit, treasury.pools.withdraw):
        with refused(code):
            await move(GUILD, MODERATOR, 5, reason)
    assert await treasury.rows(ENTRIES) == []


async def test_held_credits_cannot_be_withdrawn(treasury: Treasury) -> None:
    await treasury.job(price=100)
    with refused(Refusal.WITHDRAWAL_TOO_LARGE, amount=901, available=900):
        await treasury.pools.withdraw(GUILD, MODERATOR, 901, "all of it")
    assert (await treasury.pools.withdraw(GUILD, MODERATOR, 900, "all of it")).funds == Funds(held=100)


async def test_two_who_withdraw_at_once_never_overdraw(treasury: Treasury) -> None:
    moves = (treasury.pools.withdraw(GUILD, MODERATOR, 600, "mine") for _ in range(4))
    found = await asyncio.gather(*moves, return_exceptions=True)
    assert sum(isinstance(each, RefusedError) for each in found) == 3
    assert (await treasury.pools.pool(GUILD)).funds == Funds(available=400)


# Starting credits


async def test_the_starting_credits_come_once_however_often_a_server_is_seen(treasury: Treasury) -> None:
    seen = (treasury.pools.open_all([1, 2, GUILD]) for _ in range(3))
    lazily = (treasury.pools.pool(GUILD) for _ in range(3))
    await asyncio.gather(*seen, *lazily, treasury.job())
    assert await treasury.pools.open_all([1, 2, GUILD]) == 0
    query = "SELECT guild_id, count(*) AS deposits, sum(credits) AS credits FROM ledger_entries"
    found = await treasury.rows(f"{query} WHERE kind = 'deposit' GROUP BY guild_id ORDER BY guild_id")
    assert [tuple(row.values()) for row in found] == [(each, 1, START_CREDITS) for each in (1, 2, GUILD)]


async def test_many_servers_are_opened_in_one_transaction(treasury: Treasury, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = Mock(wraps=treasury.database.transaction)
    monkeypatch.setattr(treasury.database, "transaction", begun)
    assert await treasury.pools.open_all(range(1, 301)) == 300
    begun.assert_called_once()


async def test_a_crash_while_servers_are_opened_leaves_none_half_open(
    treasury: Treasury, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(*_: object, **__: object) -> None:
        raise OSError("the machine is gone")

    with monkeypatch.context() as patched:
        patched.setattr("bot.pools.queries.ledger.deposit_everywhere", crash)
        with pytest.raises(OSError, match="gone"):
            await treasury.pools.open_all([1, 2])
    assert await treasury.rows("SELECT * FROM pools") == []
    assert await treasury.pools.open_all([1, 2]) == 2
    assert (await treasury.pools.pool(1)).funds == Funds(available=START_CREDITS)


async def test_a_pool_without_starting_credits_is_open_all_the_same(tmp_path: Path) -> None:
    async with treasury_at(tmp_path / "b.db", starting_credits=0) as treasury:
        assert await treasury.pools.open_all([1]) == 1
        assert await treasury.pools.open_all([1]) == 0
        assert (await treasury.pools.pool(1)).funds == Funds()
