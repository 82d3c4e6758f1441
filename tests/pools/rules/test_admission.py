"""Why a request is refused, in which order, and what needs approval."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.codes import Reason, Refusal
from bot.errors import PromptRefusedError, RefusedError
from bot.jobs.validation import cheaper_kinds, priced_kind
from bot.pools.models import Funds, Limits, Pool, PricedKind, Session, Spend, Usage
from bot.pools.policy import Allowance, ApprovalCause, Block, LowBalanceLimits, Policy
from bot.pools.rules.admission import Admission, AdmissionRequest, admit
from bot.provider.models import GenerationMode, GenerationRequest
from tests.builders import CHANNEL, GUILD, MEMBER
from tests.clock import START
from tests.properties import PROPERTY
from tests.refusals import refused

ROLE = 11
NOW = START
POOL = Pool(GUILD, Funds(available=1000), last_deposit=1000)
SESSION = Session(1, GUILD, 2, CHANNEL, "A morning", 500, 3, NOW, thread_id=CHANNEL + 1, available=500)
NO_LIMITS, NO_USAGE = Limits(None, None, 0), Usage()


def asks(seconds: int = 10, *, sound: bool = False, publish: bool = False) -> AdmissionRequest:
    """A request for a kind of video."""
    request = GenerationRequest(GenerationMode.TEXT, "a cat on the moon", seconds, sound, publish)
    kind = priced_kind(request)
    return AdmissionRequest(MEMBER, frozenset(), (CHANNEL, CHANNEL), request.prompt, kind, cheaper_kinds(request))


# 110 credits.
REQUEST = asks()
CHEAP = asks(5)


def ruled(**changes: object) -> Pool:
    """The pool under these rules."""
    return rule(POOL, **changes)


def rule(pool: Pool, **changes: object) -> Pool:
    """A pool with more rules."""
    values: dict[str, Any] = changes
    return replace(pool, policy=replace(pool.policy, **values))


def with_available(available: int, pool: Pool = POOL) -> Pool:
    """The pool with so much in it."""
    return replace(pool, funds=Funds(available=available))


def decide(
    pool: Pool,
    session: Session | None = None,
    request: AdmissionRequest = REQUEST,
    limits: Limits = NO_LIMITS,
    usage: Usage = NO_USAGE,
) -> ApprovalCause | None:
    """What becomes of a request."""
    return admit(Admission(pool, session, limits, usage, NOW), request)


def refusal(
    pool: Pool,
    session: Session | None = None,
    request: AdmissionRequest = REQUEST,
    limits: Limits = NO_LIMITS,
    usage: Usage = NO_USAGE,
) -> Reason:
    """Why a request is refused."""
    with pytest.raises(RefusedError) as caught:
        decide(pool, session, request, limits, usage)
    return caught.value.reason


def test_without_rules_everything_is_accepted() -> None:
    assert decide(POOL) is None
    assert decide(POOL, SESSION) is None


# Each makes one more rule refuse the same request; the first one counts.
HINDRANCES: list[tuple[Refusal, dict[str, object], Callable[[Pool], Pool]]] = [
    (Refusal.PAUSED, {"reason": "we clean up"}, lambda pool: rule(pool, paused="we clean up")),
    (
        Refusal.BLOCKED,
        {"reason": "spam", "until": NOW + timedelta(hours=1)},
        lambda pool: rule(pool, blocks={MEMBER: Block("spam", NOW + timedelta(hours=1))}),
    ),
    (Refusal.WRONG_CHANNEL, {"channel_ids": [66, 77]}, lambda pool: rule(pool, channels=frozenset({77, 66}))),
    (Refusal.PROMPT_NOT_ALLOWED, {}, lambda pool: rule(pool, words=("moon",))),
    (Refusal.POOL_EMPTY, {"price": 110, "available": 44}, lambda pool: with_available(44, pool)),
]


@pytest.mark.parametrize("number", range(len(HINDRANCES)), ids=[code for code, *_ in HINDRANCES])
def test_of_all_refusals_the_first_counts(number: int) -> None:
    pool = POOL
    for _, _, hinder in HINDRANCES[number:]:
        pool = hinder(pool)
    code, data, _ = HINDRANCES[number]
    assert refusal(pool) == Reason(code, data)


def test_an_expired_block_or_somebody_elses_refuses_nobody() -> None:
    assert decide(ruled(blocks={MEMBER: Block(until=NOW)})) is None
    assert decide(ruled(blocks={MEMBER + 1: Block()})) is None


def test_a_thread_of_a_named_channel_is_as_good_as_the_channel() -> None:
    pool = ruled(channels=frozenset({CHANNEL}))
    assert decide(pool, request=replace(REQUEST, channel_ids=(CHANNEL + 9, CHANNEL))) is None
    with refused(Refusal.WRONG_CHANNEL):
        decide(pool, request=replace(REQUEST, channel_ids=(CHANNEL + 9, CHANNEL + 8)))


def test_a_refused_prompt_names_no_word() -> None:
    with pytest.raises(PromptRefusedError) as caught:
        decide(ruled(words=("moon", "sun")))
    assert caught.value.reason.data == {}


# The pool and its low-balance limits


def test_the_last_credits_can_be_spent() -> None:
    pool = ruled(low_balance=LowBalanceLimits(0, 0))
    assert decide(with_available(110, pool)) is None
    with refused(Refusal.POOL_EMPTY, price=110, available=109):
        decide(with_available(109, pool))


def test_under_a_quarter_only_the_cheapest_kind_is_made() -> None:
    assert decide(with_available(250)) is None
    with refused(Refusal.LOW_BALANCE, price=110, available=249, fits_price=55):
        decide(with_available(249))
    assert decide(with_available(249), request=CHEAP) is None


def test_under_a_tenth_everything_waits_for_a_moderator() -> None:
    assert decide(with_available(99), request=CHEAP) is ApprovalCause.LOW_BALANCE
    # More expensive kinds as well: moderators decide.
    low = replace(with_available(199), last_deposit=2000)
    assert decide(low) is ApprovalCause.LOW_BALANCE


def test_from_its_price_on_a_job_waits_for_a_moderator() -> None:
    assert decide(ruled(approval_price=110)) is ApprovalCause.PRICE
    assert decide(ruled(approval_price=111)) is None
    assert decide(ruled(approval_price=0), request=CHEAP) is ApprovalCause.PRICE


def test_an_appealed_prompt_waits_and_every_other_rule_still_holds() -> None:
    asked = replace(REQUEST, is_asked=True)
    pool = ruled(words=("moon",), approval_price=55)
    assert decide(pool, request=asked) is ApprovalCause.WORDS
    assert decide(pool, SESSION, asked) is ApprovalCause.WORDS
    assert refusal(with_available(5, pool), None, asked).code == Refusal.POOL_EMPTY
    assert refusal(rule(pool, paused=""), None, asked).code == Refusal.PAUSED


# Sessions


def test_a_session_is_exempt_from_channels_low_balance_limits_and_approvals() -> None:
    pool = with_available(5, ruled(channels=frozenset({77}), approval_price=1))
    assert decide(pool, SESSION) is None


def test_a_session_is_not_exempt_from_pauses_blocks_and_words() -> None:
    pools = (ruled(paused=""), ruled(blocks={MEMBER: Block()}), ruled(words=("moon",)))
    codes = [Refusal.PAUSED, Refusal.BLOCKED, Refusal.PROMPT_NOT_ALLOWED]
    assert [refusal(pool, SESSION).code for pool in pools] == codes


def test_a_session_pays_to_its_last_credit() -> None:
    assert decide(POOL, replace(SESSION, available=110)) is None
    with refused(Refusal.SESSION_EMPTY, price=110, available=109):
        decide(POOL, replace(SESSION, available=109))


def test_a_session_with_a_role_is_for_its_holders() -> None:
    session = replace(SESSION, role_id=ROLE)
    assert decide(POOL, session, replace(REQUEST, role_ids=frozenset({ROLE}))) is None
    assert refusal(POOL, session) == Reason(Refusal.SESSION_FOR_ROLE, {"role_id": ROLE})
    # @everyone is a role whose id is the server's, and that no member's list of roles names.
    assert decide(POOL, replace(SESSION, role_id=GUILD)) is None


# The member's allowance, and what works instead


def test_limits_of_the_member_hold_but_not_in_a_session() -> None:
    limits = Limits(None, 109, 24, max_price=109)
    with refused(Refusal.MAX_PRICE, price=110, max_price=109):
        decide(POOL, limits=limits)
    with refused(Refusal.LIMIT_CREDITS, price=110, used=0, allowed=109, free_at=None):
        decide(POOL, limits=replace(limits, max_price=None))
    assert decide(POOL, SESSION, limits=limits) is None


def fits(reason: Reason) -> tuple[int, int, bool, bool, bool] | None:
    """What a refusal suggests: price, seconds, sound, published, and whether only that it is published differs."""
    if "fits_price" not in reason.data:
        return None
    price, seconds, sound, publish, is_same = (
        reason.data[f"fits_{name}"] for name in ("price", "seconds", "sound", "publish", "if_published")
    )
    return price, seconds, sound, publish, is_same


@pytest.mark.parametrize(
    ("available", "request_", "suggestion"),
    [
        (54, asks(5), (45, 5, False, True, True)),
        (44, asks(5), None),
        (44, asks(5, publish=True), None),
        (109, asks(10), (100, 10, False, True, True)),
        (99, asks(10), (55, 5, False, False, False)),
        (54, asks(10), (45, 5, False, True, False)),
        (219, asks(10, sound=True), (210, 10, True, True, True)),
        (209, asks(10, sound=True), (110, 10, False, False, False)),
        (109, asks(10, publish=True, sound=True), (100, 10, False, True, False)),
    ],
)
def test_a_refusal_names_the_best_kind_that_works(
    available: int, request_: AdmissionRequest, suggestion: tuple[int, int, bool, bool, bool] | None
) -> None:
    poor = with_available(available, ruled(low_balance=LowBalanceLimits(0, 0)))
    assert fits(refusal(poor, request=request_)) == suggestion
    assert fits(refusal(POOL, replace(SESSION, available=available), request_)) == suggestion
    day = Limits(None, available, 24)
    assert fits(refusal(POOL, request=request_, limits=day)) == suggestion


def test_what_a_refusal_names_keeps_every_other_rule() -> None:
    poor = with_available(109, ruled(low_balance=LowBalanceLimits(0, 0)))
    spent = Usage((), (Spend(NOW - timedelta(hours=1), 10),))
    assert fits(refusal(poor, limits=Limits(None, 60, 24), usage=spent)) == (45, 5, False, True, False)
    assert fits(refusal(poor, limits=Limits(None, 54, 24), usage=spent)) is None


requests = st.builds(
    AdmissionRequest,
    member_id=st.sampled_from([MEMBER, MEMBER + 1]),
    role_ids=st.frozensets(st.sampled_from([ROLE, ROLE + 1])),
    channel_ids=st.sampled_from([(CHANNEL, CHANNEL), (CHANNEL + 9, CHANNEL), (CHANNEL + 8, CHANNEL + 8)]),
    prompt=st.sampled_from(["a cat on the moon", "a dog"]),
    kind=st.builds(
        PricedKind,
        price=st.sampled_from([45, 55, 110, 220]),
        duration_seconds=st.just(5),
        sound=st.just(False),
        publish=st.just(False),
        is_cheapest=st.booleans(),
    ),
    is_asked=st.booleans(),
)
pools = st.builds(
    lambda available, policy: replace(with_available(available), policy=policy),
    st.integers(0, 1200),
    st.builds(
        Policy,
        channels=st.frozensets(st.sampled_from([CHANNEL, CHANNEL + 8])),
        paused=st.none() | st.just(""),
        everyone=st.just(Allowance()),
        blocks=st.dictionaries(st.just(MEMBER), st.just(Block())),
        words=st.sampled_from([(), ("moon",)]),
        approval_price=st.none() | st.sampled_from([55, 110]),
        low_balance=st.builds(LowBalanceLimits, st.sampled_from([0, 25]), st.sampled_from([0, 10])),
    ),
)
sessions = st.none() | st.builds(
    lambda available, role_id: replace(SESSION, available=available, role_id=role_id),
    st.integers(0, 300),
    st.none() | st.just(ROLE),
)


@PROPERTY
@given(pools, sessions, requests)
def test_accepted_jobs_are_paid_for_and_allowed(pool: Pool, session: Session | None, request: AdmissionRequest) -> None:
    try:
        cause = decide(pool, session, request)
    except RefusedError:
        return
    purse = session.available if session else pool.funds.available
    assert purse >= request.kind.price
    assert pool.policy.paused is None
    assert request.member_id not in pool.policy.blocks
    assert (cause is ApprovalCause.WORDS) is request.is_asked
    assert request.is_asked or not (pool.policy.words and "moon" in request.prompt)
    if session is None and cause is None:
        threshold = pool.policy.approval_price
        assert threshold is None or request.kind.price < threshold
        assert pool.funds.available * 100 >= pool.last_deposit * pool.policy.low_balance.approval_percent
