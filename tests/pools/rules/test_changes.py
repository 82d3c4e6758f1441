"""What moderators may change of the rules, and why changes are refused."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.codes import Refusal
from bot.pools.policy import Allowance, Block, LowBalanceLimits, Policy, document_of, policy_of
from bot.pools.rules import changes
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
from bot.pools.rules.input_checks import MAX_CREDITS, MAX_REASON, Unit
from tests.properties import PROPERTY
from tests.refusals import refused

NOW = datetime(2026, 8, 1, 12, 0, tzinfo=UTC)
NONE = Policy()
EVERYONE = Target(TargetKind.EVERYONE, 1)
ROLE = Target(TargetKind.ROLE, 2)
SOMEONE = Target(TargetKind.MEMBER, 3)
TARGETS = pytest.mark.parametrize("target", [EVERYONE, ROLE, SOMEONE])


def test_manager_roles_are_added_and_removed() -> None:
    policy = changes.add_manager_role(changes.add_manager_role(NONE, 5), 6)
    assert policy.manager_roles == {5, 6}
    assert changes.remove_manager_role(policy, 5).manager_roles == {6}
    with refused(Refusal.MANAGES_ALREADY, role_id=5):
        changes.add_manager_role(policy, 5)
    with refused(Refusal.MANAGES_NOT, role_id=7):
        changes.remove_manager_role(policy, 7)


def test_channels_are_added_and_removed() -> None:
    policy = changes.add_channel(changes.add_channel(NONE, 5), 6)
    assert policy.channels == {5, 6}
    assert changes.remove_channel(policy, 5).channels == {6}
    with refused(Refusal.CHANNEL_NAMED_ALREADY, channel_id=5):
        changes.add_channel(policy, 5)
    with refused(Refusal.CHANNEL_NOT_NAMED, channel_id=7):
        changes.remove_channel(policy, 7)


def test_roles_and_channels_have_a_maximum() -> None:
    policy = Policy(
        manager_roles=frozenset(range(1, MAX_MANAGER_ROLES + 1)), channels=frozenset(range(1, MAX_CHANNELS + 1))
    )
    with refused(Refusal.MANAGER_ROLES_FULL, most=MAX_MANAGER_ROLES):
        changes.add_manager_role(policy, 999)
    with refused(Refusal.CHANNELS_FULL, most=MAX_CHANNELS):
        changes.add_channel(policy, 999)


def test_a_pause_begins_and_ends_once() -> None:
    paused = changes.pause(NONE, "  out of\ncredits ")
    assert paused.paused == "out of credits"
    assert changes.resume(paused) == NONE
    with refused(Refusal.PAUSED_ALREADY, reason="out of credits"):
        changes.pause(paused, "again")
    with refused(Refusal.PAUSED_NOT):
        changes.resume(NONE)


@pytest.mark.parametrize("reason", ["", "   ", "\u200b\u200d"])
def test_a_pause_needs_a_reason_that_can_be_read(reason: str) -> None:
    with refused(Refusal.REASON_MISSING):
        changes.pause(NONE, reason)
    with refused(Refusal.REASON_TOO_LONG, length=MAX_REASON + 1, most=MAX_REASON):
        changes.pause(NONE, "x" * (MAX_REASON + 1))


def test_a_block_may_have_an_end_and_a_reason() -> None:
    assert changes.block(NONE, 5, None, "", NOW).blocks == {5: Block()}
    blocked = changes.block(NONE, 5, 24, " spam ", NOW)
    assert blocked.blocks == {5: Block("spam", NOW + timedelta(hours=24))}
    assert changes.unblock(blocked, 5, NOW) == NONE
    # A second block is how its end and reason are changed.
    assert changes.block(blocked, 5, None, "for good", NOW).blocks == {5: Block("for good")}


@pytest.mark.parametrize("hours", [0, -1, MAX_BLOCK_HOURS + 1, 10**30, 1.5])
def test_invalid_hours_block_nobody(hours: int) -> None:
    with refused(Refusal.NOT_A_NUMBER, least=1, most=MAX_BLOCK_HOURS, unit=Unit.HOURS):
        changes.block(NONE, 5, hours, "", NOW)


def test_unblocking_needs_a_block() -> None:
    over = changes.block(NONE, 5, 1, "", NOW)
    for policy, now in ((NONE, NOW), (over, NOW + timedelta(hours=1))):
        with refused(Refusal.BLOCKED_NOT, member_id=5):
            changes.unblock(policy, 5, now)


def test_expired_blocks_free_their_place() -> None:
    full = replace(NONE, blocks={number: Block("", NOW + timedelta(hours=1)) for number in range(MAX_BLOCKS)})
    with refused(Refusal.BLOCKS_FULL, most=MAX_BLOCKS):
        changes.block(full, 9_999, None, "", NOW)
    assert changes.block(full, 1, None, "", NOW).blocks[1] == Block()
    assert changes.block(full, 9_999, None, "", NOW + timedelta(hours=1)).blocks == {9_999: Block()}


@TARGETS
def test_a_rule_is_put_together_number_by_number(target: Target) -> None:
    policy = changes.allow(NONE, target, Allowance(window_credits=100))
    policy = changes.allow(policy, target, Allowance(active_jobs=0))
    assert changes.rule_of(policy, target) == Allowance(window_credits=100, active_jobs=0)
    assert changes.forget(policy, target) == NONE
    with refused(Refusal.NO_SUCH_RULE):
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
        Allowance(window_credits=-2),
        Allowance(window_credits=MAX_CREDITS + 1),
        Allowance(active_jobs=-2),
        Allowance(active_jobs=MAX_OPEN_JOBS + 1),
        Allowance(max_price=10**30),
        Allowance(max_price=1.5),  # type: ignore[arg-type]  # what a client of its own making might send
    ],
)
def test_invalid_numbers_make_no_rule(target: Target, numbers: Allowance) -> None:
    with refused(Refusal.NOT_A_NUMBER, least=0):
        changes.allow(NONE, target, numbers)


@pytest.mark.parametrize("kind", [TargetKind.ROLE, TargetKind.MEMBER])
def test_rules_have_a_maximum(kind: TargetKind) -> None:
    rules = {number: Allowance(1) for number in range(MAX_RULES)}
    full = Policy(roles=rules, members=rules)
    with refused(Refusal.RULES_FULL, most=MAX_RULES):
        changes.allow(full, Target(kind, 9_999), Allowance(2))
    assert changes.rule_of(changes.allow(full, Target(kind, 1), Allowance(2)), Target(kind, 1)) == Allowance(2)


def test_low_balance_limits_are_set_and_switched_off() -> None:
    assert changes.set_low_balance_limits(NONE, 50, 20).low_balance == LowBalanceLimits(50, 20)
    off = changes.set_low_balance_limits(NONE, 0, 0)
    assert off.low_balance == LowBalanceLimits(0, 0)
    assert changes.set_low_balance_limits(NONE, 0, 100).low_balance == LowBalanceLimits(0, 100)


@pytest.mark.parametrize(("cheapest", "approval"), [(-1, 0), (0, 101), (10**30, 0), (2.5, 0)])
def test_low_balance_limits_are_per_cent(cheapest: int, approval: int) -> None:
    with refused(Refusal.NOT_A_NUMBER, least=0, most=100, unit=Unit.PERCENT):
        changes.set_low_balance_limits(NONE, cheapest, approval)


@pytest.mark.parametrize(("cheapest", "approval"), [(10, 25), (25, 25)])
def test_a_low_balance_limit_that_would_never_count_is_refused(cheapest: int, approval: int) -> None:
    with refused(Refusal.LOW_BALANCE_ORDER, cheapest=cheapest, approval=approval):
        changes.set_low_balance_limits(NONE, cheapest, approval)


def test_words_are_listed_once_and_taken_off_in_any_spelling() -> None:
    policy = changes.list_words(NONE, ("Dragon", "green goblin"))
    assert policy.words == ("Dragon", "green goblin")
    with refused(Refusal.WORDS_LISTED_ALREADY):
        changes.list_words(policy, ("DRAGON",))
    assert changes.unlist_words(policy, ("dragón",)).words == ("green goblin",)
    with refused(Refusal.WORDS_NOT_LISTED):
        changes.unlist_words(policy, ("unicorn",))


@PROPERTY
@given(
    everyone=st.builds(Allowance, st.none() | st.integers(0, MAX_CREDITS)),
    hours=st.none() | st.integers(1, MAX_BLOCK_HOURS),
    reason=st.text(max_size=MAX_REASON),
)
def test_changes_survive_serialization(everyone: Allowance, hours: int | None, reason: str) -> None:
    policy = changes.allow(changes.block(NONE, 5, hours, reason, NOW), EVERYONE, everyone)
    assert policy_of(document_of(policy)) == policy


def test_listed_words_get_endings_when_they_are_added_with_them() -> None:
    policy = changes.list_words(Policy(), ("one", "two"))
    policy = changes.list_words(policy, ("two", "three"), with_endings=True)
    assert (policy.words, policy.words_with_endings) == (("one", "two", "three"), ("two", "three"))
    with refused(Refusal.WORDS_LISTED_ALREADY):
        changes.list_words(policy, ("two",), with_endings=True)
    assert changes.unlist_words(policy, ("two",)).words_with_endings == ("three",)
    assert policy_of('{"words": ["one"]}').words_with_endings == ()
