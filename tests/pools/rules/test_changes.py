"""What moderators may change of the rules, and what they are told when they may not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import ChangeRefusedError, WordsError
from bot.pools.policy import Allowance, Block, LowBalanceLimits, Policy, document_of, policy_of
from bot.pools.rules import changes
from bot.pools.rules import describe as wording
from bot.pools.rules.changes import (
    MAX_BLOCK_HOURS,
    MAX_BLOCKS,
    MAX_CHANNELS,
    MAX_MANAGER_ROLES,
    MAX_OPEN_JOBS,
    MAX_RULES,
    Target,
    TargetKind,
)
from bot.pools.rules.input_checks import MAX_CREDITS, MAX_REASON
from tests.properties import PROPERTY

NOW = datetime(2026, 8, 1, 12, 0, tzinfo=UTC)
NONE = Policy()
EVERYONE = Target(TargetKind.EVERYONE, 1)
ROLE = Target(TargetKind.ROLE, 2)
SOMEONE = Target(TargetKind.MEMBER, 3)
TARGETS = pytest.mark.parametrize("target", [EVERYONE, ROLE, SOMEONE])


def test_manager_roles_come_and_go() -> None:
    policy = changes.add_manager_role(changes.add_manager_role(NONE, 5), 6)
    assert policy.manager_roles == {5, 6}
    assert wording.manager_roles(policy) == "<@&5>, <@&6>"
    assert changes.remove_manager_role(policy, 5).manager_roles == {6}
    with pytest.raises(ChangeRefusedError, match="<@&5> manages the pool already"):
        changes.add_manager_role(policy, 5)
    with pytest.raises(ChangeRefusedError, match="does not manage"):
        changes.remove_manager_role(policy, 7)


def test_channels_come_and_go() -> None:
    policy = changes.add_channel(changes.add_channel(NONE, 5), 6)
    assert policy.channels == {5, 6}
    assert changes.remove_channel(policy, 5).channels == {6}
    assert wording.channels(changes.remove_channel(changes.remove_channel(policy, 5), 6)) == "every channel"
    with pytest.raises(ChangeRefusedError, match="<#5> already"):
        changes.add_channel(policy, 5)
    with pytest.raises(ChangeRefusedError, match="not one of those"):
        changes.remove_channel(policy, 7)


def test_there_is_a_most_of_roles_and_channels() -> None:
    policy = Policy(
        manager_roles=frozenset(range(1, MAX_MANAGER_ROLES + 1)), channels=frozenset(range(1, MAX_CHANNELS + 1))
    )
    with pytest.raises(ChangeRefusedError, match="the most"):
        changes.add_manager_role(policy, 999)
    with pytest.raises(ChangeRefusedError, match="the most"):
        changes.add_channel(policy, 999)


def test_a_pause_begins_and_ends_once() -> None:
    paused = changes.pause(NONE, "  out of\ncredits ")
    assert paused.paused == "out of credits"
    assert wording.pause(paused) == "paused: out of credits"
    assert changes.resume(paused) == NONE
    with pytest.raises(ChangeRefusedError, match="already: out of credits"):
        changes.pause(paused, "again")
    with pytest.raises(ChangeRefusedError, match="not paused"):
        changes.resume(NONE)


@pytest.mark.parametrize("reason", ["", "   ", "\u200b\u200d", "x" * (MAX_REASON + 1)])
def test_a_pause_needs_a_reason_that_can_be_read(reason: str) -> None:
    with pytest.raises(ChangeRefusedError):
        changes.pause(NONE, reason)


def test_a_block_may_have_an_end_and_a_reason() -> None:
    assert changes.block(NONE, 5, None, "", NOW).blocks == {5: Block()}
    blocked = changes.block(NONE, 5, 24, " spam ", NOW)
    assert blocked.blocks == {5: Block("spam", NOW + timedelta(hours=24))}
    assert wording.block(blocked.blocks[5]).startswith("blocked until <t:")
    assert changes.unblock(blocked, 5, NOW) == NONE
    # A second block is how its end and reason are changed.
    assert changes.block(blocked, 5, None, "for good", NOW).blocks == {5: Block("for good")}


@pytest.mark.parametrize("hours", [0, -1, MAX_BLOCK_HOURS + 1, 10**30, 1.5])
def test_hours_that_are_none_block_nobody(hours: int) -> None:
    with pytest.raises(ChangeRefusedError, match="of hours"):
        changes.block(NONE, 5, hours, "", NOW)


def test_nobody_is_unblocked_who_is_not_blocked() -> None:
    over = changes.block(NONE, 5, 1, "", NOW)
    for policy, now in ((NONE, NOW), (over, NOW + timedelta(hours=1))):
        with pytest.raises(ChangeRefusedError, match="<@5> is not blocked"):
            changes.unblock(policy, 5, now)


def test_blocks_that_are_over_make_room() -> None:
    full = replace(NONE, blocks={number: Block("", NOW + timedelta(hours=1)) for number in range(MAX_BLOCKS)})
    with pytest.raises(ChangeRefusedError, match="the most"):
        changes.block(full, 9_999, None, "", NOW)
    assert changes.block(full, 1, None, "", NOW).blocks[1] == Block()
    assert changes.block(full, 9_999, None, "", NOW + timedelta(hours=1)).blocks == {9_999: Block()}


@TARGETS
def test_a_rule_is_put_together_number_by_number(target: Target) -> None:
    policy = changes.allow(NONE, target, Allowance(window_credits=100))
    policy = changes.allow(policy, target, Allowance(active_jobs=0))
    assert changes.rule_of(policy, target) == Allowance(window_credits=100, active_jobs=0)
    assert wording.allowance(changes.rule_of(policy, target)) == "100 credits per window, any number of open jobs"
    assert changes.forget(policy, target) == NONE
    with pytest.raises(ChangeRefusedError, match="no such rule"):
        changes.forget(NONE, target)


@TARGETS
def test_without_a_number_nothing_is_set(target: Target) -> None:
    assert changes.allow(NONE, target, Allowance()) == NONE


def test_rules_of_targets_do_not_mix() -> None:
    role = changes.allow(NONE, Target(TargetKind.ROLE, 7), Allowance(max_price=55))
    assert changes.rule_of(role, Target(TargetKind.MEMBER, 7)).is_empty
    assert changes.rule_of(role, EVERYONE).is_empty


@TARGETS
@pytest.mark.parametrize(
    "numbers",
    [
        Allowance(window_credits=-1),
        Allowance(window_credits=MAX_CREDITS + 1),
        Allowance(active_jobs=-1),
        Allowance(active_jobs=MAX_OPEN_JOBS + 1),
        Allowance(max_price=10**30),
        Allowance(max_price=1.5),  # type: ignore[arg-type]  # what a client of its own making might send
    ],
)
def test_numbers_that_are_none_make_no_rule(target: Target, numbers: Allowance) -> None:
    with pytest.raises(ChangeRefusedError, match="Please give a whole number from 0"):
        changes.allow(NONE, target, numbers)


@pytest.mark.parametrize("kind", [TargetKind.ROLE, TargetKind.MEMBER])
def test_there_is_a_most_of_rules(kind: TargetKind) -> None:
    rules = {number: Allowance(1) for number in range(MAX_RULES)}
    full = Policy(roles=rules, members=rules)
    with pytest.raises(ChangeRefusedError, match="the most"):
        changes.allow(full, Target(kind, 9_999), Allowance(2))
    assert changes.rule_of(changes.allow(full, Target(kind, 1), Allowance(2)), Target(kind, 1)) == Allowance(2)


def test_brakes_are_set_and_switched_off() -> None:
    assert changes.set_low_balance_limits(NONE, 50, 20).low_balance == LowBalanceLimits(50, 20)
    off = changes.set_low_balance_limits(NONE, 0, 0)
    assert off.low_balance == LowBalanceLimits(0, 0)
    assert wording.brakes(off.low_balance) == "only 5-second silent videos never, approval never"
    assert changes.set_low_balance_limits(NONE, 0, 100).low_balance == LowBalanceLimits(0, 100)


@pytest.mark.parametrize(("cheapest", "approval"), [(-1, 0), (0, 101), (10**30, 0), (2.5, 0)])
def test_brakes_are_per_cent(cheapest: int, approval: int) -> None:
    with pytest.raises(ChangeRefusedError, match="from 0 to 100 per cent"):
        changes.set_low_balance_limits(NONE, cheapest, approval)


@pytest.mark.parametrize(("cheapest", "approval"), [(10, 25), (25, 25)])
def test_a_brake_that_would_never_count_is_refused(cheapest: int, approval: int) -> None:
    with pytest.raises(ChangeRefusedError, match="would never count"):
        changes.set_low_balance_limits(NONE, cheapest, approval)


def test_words_are_listed_once_and_taken_off_in_any_spelling() -> None:
    policy = changes.list_words(NONE, ("Dragon", "green goblin"))
    assert policy.words == ("Dragon", "green goblin")
    with pytest.raises(WordsError, match="listed already"):
        changes.list_words(policy, ("DRAGON",))
    assert changes.unlist_words(policy, ("dragón",)).words == ("green goblin",)
    with pytest.raises(WordsError, match="not listed"):
        changes.unlist_words(policy, ("unicorn",))


@PROPERTY
@given(
    everyone=st.builds(Allowance, st.none() | st.integers(0, MAX_CREDITS)),
    hours=st.none() | st.integers(1, MAX_BLOCK_HOURS),
    reason=st.text(max_size=MAX_REASON),
)
def test_what_was_changed_outlives_the_database(everyone: Allowance, hours: int | None, reason: str) -> None:
    policy = changes.allow(changes.block(NONE, 5, hours, reason, NOW), EVERYONE, everyone)
    assert policy_of(document_of(policy)) == policy
