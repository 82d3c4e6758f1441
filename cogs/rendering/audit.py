"""Words of the audit trail and the ledger: one for each code of `AuditAction` and `LedgerReason`.

Sentences that an earlier version stored are shown as they are.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bot.codes import TEXT, AuditAction, LedgerReason, Reason
from bot.pools.models import SessionEnd
from bot.pools.policy import Policy, policy_from
from bot.pools.rules.changes import Target, TargetKind, rule_of
from cogs.rendering import policy as wording
from cogs.rendering.text import plain

Data = Mapping[str, Any]

_ACTIONS = {
    AuditAction.DEPOSIT: "deposit",
    AuditAction.WITHDRAW: "withdraw",
    AuditAction.MANAGERS: "managers",
    AuditAction.CHANNELS: "channels",
    AuditAction.PAUSE: "pause",
    AuditAction.RESUME: "resume",
    AuditAction.ALLOW: "allow",
    AuditAction.BLOCK: "block",
    AuditAction.UNBLOCK: "unblock",
    AuditAction.WORDS: "words",
    AuditAction.APPROVALS: "approvals",
    AuditAction.LOW_BALANCE: "low-balance limits",
    AuditAction.PRIORITIZE: "prioritize",
    AuditAction.APPROVE: "approve",
    AuditAction.APPROVE_CHEAPER: "approve cheaper",
    AuditAction.DENY: "deny",
    AuditAction.CANCEL: "cancel",
    AuditAction.CHARGED: "charged",
    AuditAction.NOT_CHARGED: "not charged",
    AuditAction.TRY_AGAIN: "try again",
    AuditAction.SESSION_START: "session start",
    AuditAction.SESSION_END: "session end",
}
_SESSION_ENDS = {
    SessionEnd.COMMAND: "ended",
    SessionEnd.TIME: "time limit reached",
    SessionEnd.BUDGET: "budget used up",
    SessionEnd.FAILURE: "could not be opened",
}


def action(code: str) -> str:
    """Return what a moderator did, in a word or two."""
    return _ACTIONS[AuditAction(code)] if code in list(AuditAction) else plain(code)


def detail(reason: Reason) -> str:
    """Return the details of what a moderator did."""
    if reason.code == TEXT:
        return _of_an_earlier_version(str(reason.data["text"]))
    return _DETAILS.get(AuditAction(reason.code), _change)(reason.data)


def ledger_reason(reason: Reason | None) -> str:
    """Return an entry's reason, escaped; empty: it has none."""
    if reason is None:
        return ""
    return plain(reason_text(reason))


def reason_text(reason: Reason) -> str:
    """Return an entry's reason as plain text, for a file."""
    if reason.code == TEXT:
        return str(reason.data["text"])
    return _LEDGER_REASONS[LedgerReason(reason.code)].format_map(reason.data)


_LEDGER_REASONS = {
    LedgerReason.STARTING_CREDITS: "starting credits",
    LedgerReason.BEFORE_POOL: "held and spent before the pool existed",
    LedgerReason.SESSION: "session {session_id}: {title}",
    LedgerReason.PRICE_ABOVE_HOLD: "UlazAI charged more than its list price",
}


def _of_an_earlier_version(sentence: str) -> str:
    """Return an earlier version's sentence, escaped except for its mentions and times."""
    parts = re.split(r"(<(?:@&?|#|t:)\d+(?::\w)?>)", sentence)
    return "".join(part if number % 2 else plain(part) for number, part in enumerate(parts))


def _booked(data: Data) -> str:
    return f"{data['amount']} credits, available {data['free_before']} → {data['free_after']}: {plain(data['reason'])}"


def _job(data: Data) -> str:
    return f"#{data['job_id']} of <@{data['member_id']}>"


def _decision(data: Data) -> str:
    reason = f": {plain(data['reason'])}" if data["reason"] else ""
    return f"{_job(data)}, {data['credits']} credits{reason}"


def _session_start(data: Data) -> str:
    return f"{data['session_id']}: {plain(data['title'])}, {data['budget']} credits"


def _session_end(data: Data) -> str:
    cause = _SESSION_ENDS[SessionEnd(data["cause"])]
    session = f"{data['session_id']}: {plain(data['title'])}"
    return f"{session}, {cause}: {data['returned']} of {data['budget']} credits went back"


def _change(data: Data) -> str:
    return "; ".join(_changes(data["before"], data["after"]))


def _changes(before: Data, after: Data) -> Iterator[str]:
    old, new = policy_from(before), policy_from(after)
    changed = before.keys() | after.keys()
    for name, describe in _PARTS.items():
        if name in changed:
            yield f"{describe(old)} → {describe(new)}"
    targets = [Target(TargetKind.EVERYONE, 0)] if "everyone" in changed else []
    targets += [Target(TargetKind.ROLE, role_id) for role_id in sorted({*old.roles, *new.roles})]
    targets += [Target(TargetKind.MEMBER, member_id) for member_id in sorted({*old.members, *new.members})]
    for each in targets:
        rules = (wording.allowance(rule_of(policy, each)) for policy in (old, new))
        yield f"{wording.target(each)}: {' → '.join(rules)}"
    for member_id in sorted({*old.blocks, *new.blocks}):
        blocks = (wording.block(policy.blocks.get(member_id)) for policy in (old, new))
        yield f"<@{member_id}>: {' → '.join(blocks)}"
    if new.words:
        yield f"added: {plain(', '.join(new.words))}"
    if old.words:
        yield f"removed: {plain(', '.join(old.words))}"
    if new.words_with_endings:
        yield f"with endings: {plain(', '.join(new.words_with_endings))}"


_PARTS: dict[str, Callable[[Policy], str]] = {
    "manager_roles": wording.manager_roles,
    "channels": wording.channels,
    "paused": wording.pause,
    "approval_price": wording.approval_price,
    "moderators_channel": wording.moderators_channel,
    "low_balance": lambda policy: wording.low_balance(policy.low_balance),
}
_DETAILS: dict[AuditAction, Callable[[Data], str]] = {
    AuditAction.DEPOSIT: _booked,
    AuditAction.WITHDRAW: _booked,
    AuditAction.PRIORITIZE: _job,
    AuditAction.APPROVE: _decision,
    AuditAction.APPROVE_CHEAPER: _decision,
    AuditAction.DENY: _decision,
    AuditAction.CANCEL: _decision,
    AuditAction.CHARGED: _decision,
    AuditAction.NOT_CHARGED: _decision,
    AuditAction.TRY_AGAIN: _decision,
    AuditAction.SESSION_START: _session_start,
    AuditAction.SESSION_END: _session_end,
}
