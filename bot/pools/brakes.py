"""How a pool that runs dry is braked: a pure rule."""

from bot.pools.policy import Brakes, BrakeStep


def brake_step(available_credits: int, last_deposit_credits: int, brakes: Brakes) -> BrakeStep:
    """Return the step for a pool with so many credits left of its last deposit."""
    if _is_under(available_credits, last_deposit_credits, brakes.approval_percent):
        return BrakeStep.APPROVAL
    if _is_under(available_credits, last_deposit_credits, brakes.cheapest_percent):
        return BrakeStep.CHEAPEST
    return BrakeStep.NONE


def _is_under(available_credits: int, last_deposit_credits: int, percent: int) -> bool:
    return available_credits * 100 < last_deposit_credits * percent
