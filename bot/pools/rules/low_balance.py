"""How a pool that runs dry is braked: a pure rule."""

from bot.pools.policy import Brakes, BrakeStep

_MARGIN_PERCENT = 5
_HARDNESS = {step: hardness for hardness, step in enumerate((BrakeStep.NONE, BrakeStep.CHEAPEST, BrakeStep.APPROVAL))}


def brake_step(available_credits: int, last_deposit_credits: int, brakes: Brakes) -> BrakeStep:
    """Return the step for a pool with so many credits left of its last deposit."""
    if _is_under(available_credits, last_deposit_credits, brakes.approval_percent):
        return BrakeStep.APPROVAL
    if _is_under(available_credits, last_deposit_credits, brakes.cheapest_percent):
        return BrakeStep.CHEAPEST
    return BrakeStep.NONE


def step_to_announce(
    available_credits: int, last_deposit_credits: int, brakes: Brakes, announced: BrakeStep
) -> BrakeStep:
    """Return the step that moderators should have been told of, where they were told of `announced`.

    A harder step is told at once. That the brakes are eased is told when the pool is well above the line, so that one
    that goes to and fro at it is not announced again and again.
    """
    step = brake_step(available_credits, last_deposit_credits, brakes)
    if _HARDNESS[step] >= _HARDNESS[announced]:
        return step
    wider = Brakes(_with_margin(brakes.cheapest_percent), _with_margin(brakes.approval_percent))
    barely = brake_step(available_credits, last_deposit_credits, wider)
    return announced if _HARDNESS[barely] >= _HARDNESS[announced] else step


def _with_margin(percent: int) -> int:
    return min(percent + _MARGIN_PERCENT, max(percent, 100)) if percent else 0


def _is_under(available_credits: int, last_deposit_credits: int, percent: int) -> bool:
    return available_credits * 100 < last_deposit_credits * percent
