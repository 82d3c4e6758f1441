"""A server's rules in words, part by part: for answers, and for the audit trail. Pure.

Ids are written as Discord writes them in messages, so that it shows the names.
"""

from collections.abc import Iterable

from bot.pools.policy import Allowance, Block, LowBalanceLimits, Policy
from bot.pools.rules.changes import Target, TargetKind
from bot.pools.rules.quota import relative


def manager_roles(policy: Policy) -> str:
    """Who manages the pool, beside members with Manage Server."""
    return _listed((f"<@&{role_id}>" for role_id in sorted(policy.manager_roles)), "no role")


def channels(policy: Policy) -> str:
    """Where the commands may be used."""
    return _listed((f"<#{channel_id}>" for channel_id in sorted(policy.channels)), "every channel")


def pause(policy: Policy) -> str:
    """Whether videos are made, and why not."""
    if policy.paused is None:
        return "not paused"
    return f"paused: {policy.paused}" if policy.paused else "paused"


def block(found: Block | None) -> str:
    """Whether a member may make videos, until when not, and why."""
    if found is None:
        return "not blocked"
    until = f" until {relative(found.until)}" if found.until else ""
    reason = f": {found.reason}" if found.reason else ""
    return f"blocked{until}{reason}"


def target(found: Target) -> str:
    """For whom a rule is."""
    match found.kind:
        case TargetKind.EVERYONE:
            return "everyone"
        case TargetKind.ROLE:
            return f"<@&{found.id}>"
        case TargetKind.MEMBER:
            return f"<@{found.id}>"


def allowance(found: Allowance) -> str:
    """What a rule allows."""
    numbers = (
        (found.window_credits, "credits per window"),
        (found.active_jobs, "open jobs"),
        (found.max_price, "credits for one video"),
    )
    told = (f"{value or 'any number of'} {what}" for value, what in numbers if value is not None)
    return _listed(told, "no rule")


def brakes(found: LowBalanceLimits) -> str:
    """When a pool is braked."""
    return f"only 5-second silent videos {_below(found.cheapest_percent)}, approval {_below(found.approval_percent)}"


def _below(percent: int) -> str:
    return f"under {percent} % of the last deposit" if percent else "never"


def _listed(parts: Iterable[str], nothing: str) -> str:
    return ", ".join(parts) or nothing
