"""Descriptions of a server's rules, used by answers, `/why` and the audit trail."""

from collections.abc import Iterable

from bot.pools.policy import NO_LIMIT, Allowance, Block, LowBalanceLimits, Policy
from bot.pools.rules.changes import Target, TargetKind
from cogs.rendering.labels import CHEAPEST_KIND
from cogs.rendering.text import plain, relative


def manager_roles(policy: Policy) -> str:
    """Return the roles that manage the pool, besides members with Manage Server."""
    return _listed((f"<@&{role_id}>" for role_id in sorted(policy.manager_roles)), "no role")


def channels(policy: Policy) -> str:
    """Return the channels in which videos can be made."""
    return _listed((f"<#{channel_id}>" for channel_id in sorted(policy.channels)), "every channel")


def pause(policy: Policy) -> str:
    """Return whether videos are paused, and why."""
    if policy.paused is None:
        return "not paused"
    return f"paused: {plain(policy.paused)}" if policy.paused else "paused"


def block(found: Block | None) -> str:
    """Return whether a member is blocked, until when, and why."""
    if found is None:
        return "not blocked"
    until = f" until {relative(found.until)}" if found.until else ""
    reason = f": {plain(found.reason)}" if found.reason else ""
    return f"blocked{until}{reason}"


def target(found: Target) -> str:
    """Return whom a rule is for."""
    match found.kind:
        case TargetKind.EVERYONE:
            return "everyone"
        case TargetKind.ROLE:
            return f"<@&{found.id}>"
        case TargetKind.MEMBER:
            return f"<@{found.id}>"


def allowance(found: Allowance, hours: float = 0) -> str:
    """Return what a rule allows; `hours` is the length of the window, where it is known."""
    window = f" per {hours:g} hours" if hours else ""
    parts = (
        (found.window_credits, f"{found.window_credits} credits{window}", "any number of credits"),
        (found.active_jobs, f"{found.active_jobs} open videos at once", "any number of open videos"),
        (found.max_price, f"{found.max_price} credits for one video", "any price for one video"),
    )
    known = ((value, limited, free) for value, limited, free in parts if value is not None)
    return _listed((free if value == NO_LIMIT else limited for value, limited, free in known), "no rule")


def low_balance(found: LowBalanceLimits) -> str:
    """Return what happens when a pool runs low."""
    return (
        f"only {CHEAPEST_KIND} videos {_below(found.cheapest_percent)}, "
        f"approval for every video {_below(found.approval_percent)}"
    )


def approval_price(policy: Policy) -> str:
    """Return from which price videos need approval."""
    if policy.approval_price is None:
        return "no price needs approval"
    return f"videos of {policy.approval_price} credits or more need approval"


def moderators_channel(policy: Policy) -> str:
    """Return where approval requests are posted."""
    if policy.moderators_channel is None:
        return "requests posted where they were made"
    return f"requests posted in <#{policy.moderators_channel}>"


def _below(percent: int) -> str:
    return f"below {percent} % of the last deposit" if percent else "never"


def _listed(parts: Iterable[str], nothing: str) -> str:
    return ", ".join(parts) or nothing
