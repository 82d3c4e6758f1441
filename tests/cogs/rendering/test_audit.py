"""Audit entries and ledger reasons in words: every code, what each changed, and what earlier versions wrote."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.codes import AuditAction, LedgerReason, Reason
from bot.pools.policy import NO_LIMIT, Allowance, Policy, difference
from bot.pools.rules import changes
from bot.pools.rules.changes import Target, TargetKind
from cogs.rendering import audit

NOW = datetime(2026, 8, 1, 12, 0, tzinfo=UTC)
SET = Policy(
    manager_roles=frozenset({5}),
    channels=frozenset({6}),
    paused="tired",
    roles={7: Allowance(window_credits=100)},
    members={8: Allowance(active_jobs=2)},
    words=("dragon",),
    approval_price=110,
)


def changed(before: Policy, make: Callable[[Policy], Policy]) -> str:
    """A change as the audit trail shows it, after it was written to a row and read again."""
    old, new = difference(before, make(before))
    row = Reason(AuditAction.ALLOW, {"before": old, "after": new}).to_json()
    return audit.detail(Reason.from_json(row))


def test_every_code_has_words() -> None:
    assert set(audit._ACTIONS) == set(AuditAction)
    assert set(audit._LEDGER_REASONS) == set(LedgerReason)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda policy: changes.add_manager_role(policy, 9), "<@&5> → <@&5>, <@&9>"),
        (lambda policy: changes.remove_channel(policy, 6), "<#6> → every channel"),
        (changes.resume, "paused: tired → not paused"),
        (lambda policy: changes.set_low_balance_limits(policy, 50, 0), "below 50 % of the last deposit, approval"),
        (lambda policy: changes.set_approval_price(policy, None), "110 credits or more need approval → no price needs"),
        (
            lambda policy: changes.set_moderators_channel(policy, 4),
            "where they were made → requests posted in <#4>",
        ),
        (lambda policy: changes.list_words(policy, ("a_b_c",)), "added: a_b_c"),
        (lambda policy: changes.unlist_words(policy, ("dragon",)), "removed: dragon"),
        (lambda policy: changes.block(policy, 3, None, "spam", NOW), "<@3>: not blocked → blocked: spam"),
        (
            lambda policy: changes.block(policy, 3, 1, "", NOW),
            f"<@3>: not blocked → blocked until <t:{int((NOW + timedelta(hours=1)).timestamp())}:R>",
        ),
        (
            lambda policy: changes.allow(policy, Target(TargetKind.ROLE, 7), Allowance(max_price=NO_LIMIT)),
            "<@&7>: 100 credits → 100 credits, any price for one video",
        ),
        (
            lambda policy: changes.allow(policy, Target(TargetKind.ROLE, 7), Allowance(window_credits=0)),
            "<@&7>: 100 credits → 0 credits",
        ),
        (
            lambda policy: changes.forget(policy, Target(TargetKind.MEMBER, 8)),
            "<@8>: 2 open videos at once → no rule",
        ),
        (
            lambda policy: changes.allow(policy, Target(TargetKind.EVERYONE, 1), Allowance(active_jobs=1)),
            "everyone: no rule → 1 open videos at once",
        ),
    ],
)
def test_a_change_shows_what_was_before_and_after(make: Callable[[Policy], Policy], text: str) -> None:
    assert text in changed(SET, make)


def test_a_change_keeps_the_rest_of_the_rules_out_of_its_entry() -> None:
    old, new = difference(SET, changes.allow(SET, Target(TargetKind.ROLE, 9), Allowance(5)))
    assert (old, new) == ({"roles": {}}, {"roles": {"9": {"window_credits": 5}}})
    old, new = difference(SET, changes.list_words(SET, ("goblin",)))
    assert (old, new) == ({"words": []}, {"words": ["goblin"]})


@pytest.mark.parametrize(
    ("action", "data", "text"),
    [
        (
            AuditAction.DEPOSIT,
            {"amount": 5, "free_before": 1, "free_after": 6, "reason": "*more*"},
            "5 credits, available 1 → 6: \\*more\\*",
        ),
        (AuditAction.PRIORITIZE, {"job_id": 7, "member_id": 8}, "#7 of <@8>"),
        (
            AuditAction.DENY,
            {"job_id": 7, "member_id": 8, "credits": 55, "reason": "no"},
            "#7 of <@8>, 55 credits: no",
        ),
        (AuditAction.APPROVE, {"job_id": 7, "member_id": 8, "credits": 55, "reason": None}, "#7 of <@8>, 55 credits"),
        (AuditAction.SESSION_START, {"session_id": 1, "title": "Night", "budget": 300}, "1: Night, 300 credits"),
        (
            AuditAction.SESSION_END,
            {"session_id": 1, "title": "Night", "cause": "time", "returned": 45, "budget": 300},
            "1: Night, time limit reached: 45 of 300 credits went back",
        ),
    ],
)
def test_what_moderators_did_is_shown(action: AuditAction, data: dict[str, Any], text: str) -> None:
    assert audit.detail(Reason.from_json(Reason(action, data).to_json())) == text


def test_what_an_earlier_version_wrote_is_shown_as_it_is() -> None:
    assert audit.action("brakes") == "brakes"
    assert audit.detail(Reason.from_json("<#5> → <#5>, <#6>")) == "<#5> → <#5>, <#6>"
    assert audit.ledger_reason(Reason.from_json("starting credits")) == "starting credits"
    assert audit.ledger_reason(None) == ""


@pytest.mark.parametrize(
    ("code", "data", "text"),
    [
        (LedgerReason.STARTING_CREDITS, {}, "starting credits"),
        (LedgerReason.BEFORE_POOL, {}, "held and spent before the pool existed"),
        (LedgerReason.SESSION, {"session_id": 3, "title": "A night"}, "session 3: A night"),
        (LedgerReason.PRICE_ABOVE_HOLD, {}, "UlazAI charged more than its list price"),
    ],
)
def test_reasons_of_the_bots_own_are_shown(code: LedgerReason, data: dict[str, Any], text: str) -> None:
    assert audit.ledger_reason(Reason.from_json(Reason(code, data).to_json())) == text


def test_a_typed_reason_is_never_taken_for_a_code() -> None:
    typed = Reason.typed('{"code": "starting_credits"}')
    assert Reason.from_json(typed.to_json()) == typed
    assert audit.reason_text(Reason.from_json(typed.to_json())) == '{"code": "starting_credits"}'
    assert Reason.typed("for the party").to_json() == "for the party"
