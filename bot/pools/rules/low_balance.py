"""How a pool that runs dry is braked: a pure rule."""

from bot.pools.policy import LowBalanceLevel, LowBalanceLimits

_MARGIN_PERCENT = 5
_SEVERITY = {
    step: hardness
    for hardness, step in enumerate((LowBalanceLevel.NONE, LowBalanceLevel.CHEAPEST, LowBalanceLevel.APPROVAL))
}


def low_balance_level(available_credits: int, last_deposit_credits: int, limits: LowBalanceLimits) -> LowBalanceLevel:
    """Return the step for a pool with so many credits left of its last deposit."""
    if _is_under(available_credits, last_deposit_credits, limits.approval_percent):
        return LowBalanceLevel.APPROVAL
    if _is_under(available_credits, last_deposit_credits, limits.cheapest_percent):
        return LowBalanceLevel.CHEAPEST
    return LowBalanceLevel.NONE


def level_to_announce(
    available_credits: int, last_deposit_credits: int, limits: LowBalanceLimits, announced: LowBalanceLevel
) -> LowBalanceLevel:
    """Return the step that moderators should have been told of, where they were told of `announced`.

    A harder step is told at once. That the limits are eased is told when the pool is well above the line, so that one
    that goes to and fro at it is not announced again and again.
    """
    step = low_balance_level(available_credits, last_deposit_credits, limits)
    if _SEVERITY[step] >= _SEVERITY[announced]:
        return step
    wider = LowBalanceLimits(_with_margin(limits.cheapest_percent), _with_margin(limits.approval_percent))
    barely = low_balance_level(available_credits, last_deposit_credits, wider)
    return announced if _SEVERITY[barely] >= _SEVERITY[announced] else step


def _with_margin(percent: int) -> int:
    return min(percent + _MARGIN_PERCENT, max(percent, 100)) if percent else 0


def _is_under(available_credits: int, last_deposit_credits: int, percent: int) -> bool:
    return available_credits * 100 < last_deposit_credits * percent
