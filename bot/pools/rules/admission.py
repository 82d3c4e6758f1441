"""May this job be taken, and does it need a moderator? Pure rules, in the order in which a member is told."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from bot.errors import NotAllowedError, PlaceError, PoolEmptyError, PromptRefusedError
from bot.pools.models import Limits, Pool, Session, Usage
from bot.pools.policy import ApprovalCause, LowBalanceLevel, Policy
from bot.pools.rules.low_balance import low_balance_level
from bot.pools.rules.quota import check_limits, relative
from bot.wordlist.matcher import first_match


@dataclass(frozen=True, slots=True)
class AdmissionRequest:
    """What a member asks for, as far as the rules look at it.

    Attributes:
        channel_ids: of the channel, and of the one that it is a thread of.
        is_cheapest: no kind of video costs less, but for sharing it.
        is_asked: the member wants a moderator to look at a prompt that was refused.
    """

    member_id: int
    role_ids: Collection[int]
    channel_ids: Collection[int]
    prompt: str
    price: int
    is_cheapest: bool
    is_asked: bool = False


def admit(pool: Pool, session: Session | None, wish: AdmissionRequest, now: datetime) -> ApprovalCause | None:
    """Let a wish pass as far as the pool and the server's rules go.

    Args:
        pool: the server's.
        session: the open session in whose thread it was asked for, if there is one.
        wish: what is asked for.
        now: the time.

    Returns:
        Why it has to wait for a moderator; None: it need not.

    Raises:
        NotAllowedError: a rule keeps it out.
        PlaceError: the commands may not be used in this channel.
        PoolEmptyError: there are too few credits.
    """
    policy = pool.policy
    _check_member(policy, wish, now)
    if session is None:
        _check_channel(policy, wish)
    if not wish.is_asked and first_match(policy.words, wish.prompt):
        raise PromptRefusedError
    if session is not None:
        _check_session(session, wish)
        return ApprovalCause.WORDS if wish.is_asked else None
    _check_pool(pool, wish)
    return _approval_cause(pool, wish)


def check_allowance(limits: Limits, usage: Usage, price: int, now: datetime) -> None:
    """Let a job of this price pass as far as its member's allowance goes; sessions are outside of it.

    Raises:
        NotAllowedError: it is dearer than any job of theirs may be.
        LimitReachedError: a limit would be overrun.
    """
    if limits.max_price and price > limits.max_price:
        raise NotAllowedError(
            f"This video costs {price} credits, and one of yours may cost {limits.max_price} at most. "
            "Choose a shorter or silent one; `/why` tells where that comes from."
        )
    check_limits(limits, usage, price, now)


def _check_member(policy: Policy, wish: AdmissionRequest, now: datetime) -> None:
    if policy.paused is not None:
        reason = f": {policy.paused}" if policy.paused else "."
        raise NotAllowedError(f"The moderators have paused videos here{reason}")
    block = policy.blocks.get(wish.member_id)
    if block is None or not block.holds(now):
        return
    until = f" until {relative(block.until)}" if block.until else ""
    reason = f": {block.reason}" if block.reason else "."
    raise NotAllowedError(f"A moderator has blocked you from making videos here{until}{reason}")


def _check_channel(policy: Policy, wish: AdmissionRequest) -> None:
    if policy.channels and not policy.channels.intersection(wish.channel_ids):
        places = ", ".join(f"<#{channel_id}>" for channel_id in sorted(policy.channels))
        raise PlaceError(f"Videos are made in {places}. Please use the command there.")


def _check_session(session: Session, wish: AdmissionRequest) -> None:
    if session.role_id and session.role_id not in wish.role_ids and session.role_id != session.guild_id:
        raise NotAllowedError(f"This session is for <@&{session.role_id}>. Other channels are open to you.")
    if session.available < wish.price:
        raise PoolEmptyError(
            f"This video costs {wish.price} credits, and this session has {session.available} left. "
            "Choose a cheaper one.",
            needed=wish.price,
            available=session.available,
        )


def _check_pool(pool: Pool, wish: AdmissionRequest) -> None:
    available = pool.funds.available
    if available < wish.price:
        raise PoolEmptyError(
            f"This video costs {wish.price} credits, and this server's pool has {available} left. "
            "Choose a cheaper one, or tell a moderator.",
            needed=wish.price,
            available=available,
        )
    if _step(pool) is LowBalanceLevel.CHEAPEST and not wish.is_cheapest:
        raise NotAllowedError(
            f"This server's pool is low ({available} credits), so only 5-second silent videos are made now."
        )


def _approval_cause(pool: Pool, wish: AdmissionRequest) -> ApprovalCause | None:
    if wish.is_asked:
        return ApprovalCause.WORDS
    if _step(pool) is LowBalanceLevel.APPROVAL:
        return ApprovalCause.LOW_BALANCE
    threshold = pool.policy.approval_price
    return ApprovalCause.PRICE if threshold is not None and wish.price >= threshold else None


def _step(pool: Pool) -> LowBalanceLevel:
    return low_balance_level(pool.funds.available, pool.last_deposit, pool.policy.low_balance)
