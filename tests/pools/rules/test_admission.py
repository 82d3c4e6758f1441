"""What keeps a wish out, in the order in which it is told, and what makes it wait for a moderator."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import LimitReachedError, NotAllowedError, PlaceError, PoolEmptyError, PromptRefusedError, RefusedError
from bot.pools.models import Funds, Limits, Pool, Session, Usage
from bot.pools.policy import Allowance, ApprovalCause, Block, LowBalanceLimits, Policy
from bot.pools.rules.admission import AdmissionRequest, admit, check_allowance
from tests.builders import CHANNEL, GUILD, MEMBER
from tests.clock import START
from tests.properties import PROPERTY

ROLE = 11
NOW = START
POOL = Pool(GUILD, Funds(available=1000), last_deposit=1000)
SESSION = Session(1, GUILD, 2, CHANNEL, "A morning", 500, 3, NOW, thread_id=CHANNEL + 1, available=500)
WISH = AdmissionRequest(MEMBER, frozenset(), (CHANNEL, CHANNEL), "a cat on the moon", 110, is_cheapest=False)


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


def refusal(pool: Pool, session: Session | None = None, wish: AdmissionRequest = WISH) -> RefusedError:
    """Why it is not let pass."""
    with pytest.raises(RefusedError) as caught:
        admit(pool, session, wish, NOW)
    return caught.value


def test_without_rules_everything_passes() -> None:
    assert admit(POOL, None, WISH, NOW) is None
    assert admit(POOL, SESSION, WISH, NOW) is None


# Each makes one more rule keep the same wish out; the first that is told is the first here.
HINDRANCES: list[tuple[str, Callable[[Pool], Pool], type[RefusedError], str]] = [
    ("pause", lambda pool: rule(pool, paused="we clean up"), NotAllowedError, "paused videos here: we clean up"),
    (
        "block",
        lambda pool: rule(pool, blocks={MEMBER: Block("spam", NOW + timedelta(hours=1))}),
        NotAllowedError,
        f"blocked you from making videos here until <t:{int(NOW.timestamp()) + 3600}:R>: spam",
    ),
    ("channel", lambda pool: rule(pool, channels=frozenset({77, 66})), PlaceError, "Videos are made in <#66>, <#77>."),
    ("words", lambda pool: rule(pool, words=("moon",)), PromptRefusedError, "may not fit this server's rules"),
    (
        "empty",
        lambda pool: with_available(109, pool),
        PoolEmptyError,
        "costs 110 credits, and this server's pool has 109 left",
    ),
]


@pytest.mark.parametrize("number", range(len(HINDRANCES)), ids=[name for name, *_ in HINDRANCES])
def test_of_all_that_keeps_a_wish_out_the_first_is_told(number: int) -> None:
    pool = POOL
    for _, hinder, _, _ in HINDRANCES[number:]:
        pool = hinder(pool)
    _, _, kind, words = HINDRANCES[number]
    error = refusal(pool)
    assert type(error) is kind
    assert words in error.user_text


def test_pauses_and_blocks_without_a_reason_end_in_a_full_stop() -> None:
    assert refusal(ruled(paused="")).user_text == "The moderators have paused videos here."
    assert refusal(ruled(blocks={MEMBER: Block()})).user_text == "A moderator has blocked you from making videos here."


def test_a_block_that_is_over_and_somebody_elses_keep_nobody_out() -> None:
    assert admit(ruled(blocks={MEMBER: Block(until=NOW)}), None, WISH, NOW) is None
    assert admit(ruled(blocks={MEMBER + 1: Block()}), None, WISH, NOW) is None


def test_a_thread_of_a_named_channel_is_as_good_as_the_channel() -> None:
    pool = ruled(channels=frozenset({CHANNEL}))
    assert admit(pool, None, replace(WISH, channel_ids=(CHANNEL + 9, CHANNEL)), NOW) is None
    with pytest.raises(PlaceError):
        admit(pool, None, replace(WISH, channel_ids=(CHANNEL + 9, CHANNEL + 8)), NOW)


def test_a_refused_prompt_names_no_word() -> None:
    error = refusal(ruled(words=("moon", "sun")))
    assert "moon" not in error.user_text


# The pool and its brakes


def test_the_last_credits_can_be_spent() -> None:
    pool = ruled(low_balance=LowBalanceLimits(0, 0))
    assert admit(with_available(110, pool), None, WISH, NOW) is None
    error = refusal(with_available(109, pool))
    assert isinstance(error, PoolEmptyError)
    assert (error.needed, error.available) == (110, 109)


def test_under_a_quarter_only_the_cheapest_kind_is_made() -> None:
    cheap = replace(WISH, price=55, is_cheapest=True)
    assert admit(with_available(250), None, WISH, NOW) is None
    assert "pool is low (249 credits), so only 5-second silent" in refusal(with_available(249)).user_text
    assert admit(with_available(249), None, cheap, NOW) is None


def test_under_a_tenth_everything_waits_for_a_moderator() -> None:
    cheap = replace(WISH, price=55, is_cheapest=True)
    assert admit(with_available(99), None, cheap, NOW) is ApprovalCause.LOW_BALANCE
    # Dearer kinds as well: it is for the moderators to say.
    assert admit(with_available(99), None, replace(WISH, price=90), NOW) is ApprovalCause.LOW_BALANCE


def test_from_its_price_on_a_job_waits_for_a_moderator() -> None:
    assert admit(ruled(approval_price=110), None, WISH, NOW) is ApprovalCause.PRICE
    assert admit(ruled(approval_price=111), None, WISH, NOW) is None
    assert admit(ruled(approval_price=0), None, replace(WISH, price=45), NOW) is ApprovalCause.PRICE


def test_who_asks_about_a_refused_prompt_waits_and_every_other_rule_still_holds() -> None:
    asked = replace(WISH, is_asked=True)
    pool = ruled(words=("moon",), approval_price=55)
    assert admit(pool, None, asked, NOW) is ApprovalCause.WORDS
    assert admit(pool, SESSION, asked, NOW) is ApprovalCause.WORDS
    assert isinstance(refusal(with_available(5, pool), None, asked), PoolEmptyError)
    assert isinstance(refusal(rule(pool, paused=""), None, asked), NotAllowedError)


# Sessions


def test_a_session_is_outside_of_channels_brakes_and_approvals() -> None:
    pool = with_available(5, ruled(channels=frozenset({77}), approval_price=1))
    assert admit(pool, SESSION, WISH, NOW) is None


def test_a_session_is_not_outside_of_pauses_blocks_and_words() -> None:
    for pool in (ruled(paused=""), ruled(blocks={MEMBER: Block()}), ruled(words=("moon",))):
        assert isinstance(refusal(pool, SESSION), NotAllowedError)


def test_a_session_pays_to_its_last_credit() -> None:
    assert admit(POOL, replace(SESSION, available=110), WISH, NOW) is None
    error = refusal(POOL, replace(SESSION, available=109))
    assert isinstance(error, PoolEmptyError)
    assert "this session has 109 left" in error.user_text


def test_a_session_with_a_role_is_for_its_holders() -> None:
    session = replace(SESSION, role_id=ROLE)
    assert admit(POOL, session, replace(WISH, role_ids=frozenset({ROLE})), NOW) is None
    assert f"This session is for <@&{ROLE}>" in refusal(POOL, session).user_text
    # @everyone is a role whose id is the server's, and that no member's list of roles names.
    assert admit(POOL, replace(SESSION, role_id=GUILD), WISH, NOW) is None


# The member's allowance


def test_a_job_dearer_than_any_may_be_is_refused_with_its_numbers() -> None:
    limits = Limits(0, 0, 0, max_price=109)
    with pytest.raises(NotAllowedError, match=r"costs 110 credits, and one of yours may cost 109 at most"):
        check_allowance(limits, Usage(), 110, NOW)
    check_allowance(replace(limits, max_price=110), Usage(), 110, NOW)
    check_allowance(replace(limits, max_price=0), Usage(), 110, NOW)


def test_the_other_limits_hold_as_well() -> None:
    with pytest.raises(LimitReachedError):
        check_allowance(Limits(0, 109, 24, max_price=0), Usage(), 110, NOW)


wishes = st.builds(
    AdmissionRequest,
    member_id=st.sampled_from([MEMBER, MEMBER + 1]),
    role_ids=st.frozensets(st.sampled_from([ROLE, ROLE + 1])),
    channel_ids=st.sampled_from([(CHANNEL, CHANNEL), (CHANNEL + 9, CHANNEL), (CHANNEL + 8, CHANNEL + 8)]),
    prompt=st.sampled_from(["a cat on the moon", "a dog"]),
    price=st.sampled_from([45, 55, 110, 220]),
    is_cheapest=st.booleans(),
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
@given(pools, sessions, wishes)
def test_what_passes_is_paid_for_and_allowed(pool: Pool, session: Session | None, wish: AdmissionRequest) -> None:
    try:
        cause = admit(pool, session, wish, NOW)
    except RefusedError:
        return
    purse = session.available if session else pool.funds.available
    assert purse >= wish.price
    assert pool.policy.paused is None
    assert wish.member_id not in pool.policy.blocks
    assert (cause is ApprovalCause.WORDS) is wish.is_asked
    assert wish.is_asked or not (pool.policy.words and "moon" in wish.prompt)
    if session is None and cause is None:
        threshold = pool.policy.approval_price
        assert threshold is None or wish.price < threshold
        assert pool.funds.available * 100 >= pool.last_deposit * pool.policy.low_balance.approval_percent
