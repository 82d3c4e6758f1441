"""Decide whether a job is accepted, and whether it needs approval. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from bot.codes import Reason, Refusal
from bot.errors import PromptRefusedError, RefusedError
from bot.pools.models import Limits, Pool, PricedKind, Session, Usage
from bot.pools.policy import ApprovalCause, LowBalanceLevel, low_balance_level
from bot.pools.rules.limits import limit_refusal
from bot.wordlist.matcher import first_match

_MONEY = (
    Refusal.POOL_EMPTY,
    Refusal.SESSION_EMPTY,
    Refusal.LOW_BALANCE,
    Refusal.MAX_PRICE,
    Refusal.LIMIT_CREDITS,
)
"""Refusals that a cheaper kind of video may avoid."""


@dataclass(frozen=True, slots=True)
class AdmissionRequest:
    """What a member asks for, as far as the rules go.

    Attributes:
        channel_ids: of the channel, and of the one that it is a thread of.
        kind: of the video.
        cheaper: the other kinds that cost less, in the order in which they are suggested.
        is_asked: the member wants a moderator to check a prompt that was refused.
    """

    member_id: int
    role_ids: Collection[int]
    channel_ids: Collection[int]
    prompt: str
    kind: PricedKind
    cheaper: tuple[PricedKind, ...] = ()
    is_asked: bool = False


@dataclass(frozen=True, slots=True)
class Admission:
    """Everything that decides about a request.

    Attributes:
        pool: the server's.
        session: the open session whose thread it was made in; None: the pool pays.
        limits: the member's; a session's jobs do not count against them.
        usage: what the member uses of them.
    """

    pool: Pool
    session: Session | None
    limits: Limits
    usage: Usage
    now: datetime


def admit(found: Admission, request: AdmissionRequest) -> ApprovalCause | None:
    """Accept a request, or refuse it for the first rule that it breaks.

    Returns:
        Why it needs approval; None: it needs none.

    Raises:
        PromptRefusedError: the prompt contains a listed word; a moderator can be asked.
        RefusedError: another rule or limit forbids it, or there are too few credits. Where a cheaper kind would be
            accepted, its `fits_` data name it.
    """
    refusal, policy = _rule_refusal(found, request), found.pool.policy
    is_judged = refusal is None and not request.is_asked and policy.words
    if is_judged and first_match(policy.words, request.prompt, with_endings=policy.words_with_endings):
        raise PromptRefusedError
    refusal = refusal or _credit_refusal(found, request.kind)
    if refusal is None:
        return _approval_cause(found, request)
    data = dict(refusal.data)
    if refusal.code in _MONEY:
        fitting = (kind for kind in request.cheaper if _credit_refusal(found, kind) is None)
        if kind := next(fitting, None):
            data |= _suggestion(request.kind, kind)
    raise RefusedError(Refusal(refusal.code), **data)


def _rule_refusal(found: Admission, request: AdmissionRequest) -> Reason | None:
    policy, session = found.pool.policy, found.session
    if policy.paused is not None:
        return Reason(Refusal.PAUSED, {"reason": policy.paused})
    block = policy.blocks.get(request.member_id)
    if block is not None and block.holds(found.now):
        return Reason(Refusal.BLOCKED, {"reason": block.reason, "until": block.until})
    if session is None and policy.channels and policy.channels.isdisjoint(request.channel_ids):
        return Reason(Refusal.WRONG_CHANNEL, {"channel_ids": sorted(policy.channels)})
    # @everyone is a role whose id is the server's.
    if session is not None and session.role_id not in (None, session.guild_id, *request.role_ids):
        return Reason(Refusal.SESSION_FOR_ROLE, {"role_id": session.role_id})
    return None


def _credit_refusal(found: Admission, kind: PricedKind) -> Reason | None:
    if found.session is not None:
        available = found.session.available
        return Reason(Refusal.SESSION_EMPTY, _numbers(kind, available)) if kind.price > available else None
    available = found.pool.funds.available
    if kind.price > available:
        return Reason(Refusal.POOL_EMPTY, _numbers(kind, available))
    if _level(found.pool) is LowBalanceLevel.CHEAPEST and not kind.is_cheapest:
        return Reason(Refusal.LOW_BALANCE, _numbers(kind, available))
    return limit_refusal(found.limits, found.usage, kind.price, found.now)


def _numbers(kind: PricedKind, available: int) -> dict[str, int]:
    return {"price": kind.price, "available": available}


def _suggestion(wanted: PricedKind, kind: PricedKind) -> dict[str, int | bool]:
    return {
        "fits_price": kind.price,
        "fits_seconds": kind.duration_seconds,
        "fits_sound": kind.sound,
        "fits_publish": kind.publish,
        # All that is different is that it is published.
        "fits_if_published": (wanted.duration_seconds, wanted.sound) == (kind.duration_seconds, kind.sound),
    }


def _approval_cause(found: Admission, request: AdmissionRequest) -> ApprovalCause | None:
    if request.is_asked:
        return ApprovalCause.WORDS
    if found.session is not None:
        return None
    if _level(found.pool) is LowBalanceLevel.APPROVAL:
        return ApprovalCause.LOW_BALANCE
    threshold = found.pool.policy.approval_price
    return ApprovalCause.PRICE if threshold is not None and request.kind.price >= threshold else None


def _level(pool: Pool) -> LowBalanceLevel:
    return low_balance_level(pool.funds.available, pool.last_deposit, pool.policy.low_balance)
