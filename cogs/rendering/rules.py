"""The answer to `/why`: every limit and rule that applies to a member, and where it comes from."""

from collections.abc import Iterable

import discord

from bot.jobs.models import MemberUsage
from bot.pools.ledger.reports import MemberRules
from bot.pools.policy import NO_LIMIT, LowBalanceLevel
from bot.pools.rules.changes import block_of
from bot.pools.rules.limits import AppliedLimit, LimitKind, LimitSource
from cogs.rendering import policy as wording
from cogs.rendering.labels import CHEAPEST_KIND
from cogs.rendering.text import ended

_FIELD = 1024
_NAMES = {
    LimitKind.WINDOW_CREDITS: "Credits",
    LimitKind.ACTIVE_JOBS: "Open videos",
    LimitKind.MAX_PRICE: "Max cost of a video",
}
_LEVELS = {
    LowBalanceLevel.NONE: "not low",
    LowBalanceLevel.CHEAPEST: f"**only {CHEAPEST_KIND} videos are made now**",
    LowBalanceLevel.APPROVAL: "**every video needs approval now**",
}


def member_rules(rules: MemberRules, overview: MemberUsage) -> discord.Embed:
    """Return the answer to `/why` and `/pool why`."""
    embed = discord.Embed(
        title="Your limits here", description=f"For <@{rules.member_id}>.", colour=discord.Colour.blurple()
    )
    for number in LimitKind:
        found = [origin for origin in rules.origins if origin.number is number]
        embed.add_field(name=_NAMES[number], value="\n".join(_number(found, overview))[:_FIELD], inline=False)
    policy = rules.pool.policy
    embed.add_field(name="Pause", value=ended(wording.pause(policy)))
    embed.add_field(name="Block", value=ended(wording.block(block_of(policy, rules.member_id, rules.now))))
    embed.add_field(name="Channels", value=_channels(rules), inline=False)
    if rules.session:
        embed.add_field(name="Session", value=_session(rules), inline=False)
    embed.add_field(name="Pool", value=_pool(rules), inline=False)
    embed.add_field(name="Approval", value=_approval(rules), inline=False)
    return embed


def _number(found: list[AppliedLimit], overview: MemberUsage) -> Iterable[str]:
    in_force, *overridden = found
    yield f"**{_value(in_force, overview)}**, from {_source(in_force)}. {_used(in_force, overview)}".strip()
    for origin in overridden:
        yield f"-# overrides {_value(origin, overview)} from {_source(origin)}"


def _value(origin: AppliedLimit, overview: MemberUsage) -> str:
    if origin.value == NO_LIMIT:
        return "no limit"
    match origin.number:
        case LimitKind.WINDOW_CREDITS:
            hours = overview.limits.window_hours
            return f"{origin.value} credits per {hours:g} hours" if hours else f"{origin.value} credits"
        case LimitKind.ACTIVE_JOBS:
            return f"{origin.value} at once"
        case LimitKind.MAX_PRICE:
            return f"{origin.value} credits"


def _used(origin: AppliedLimit, overview: MemberUsage) -> str:
    if origin.number is LimitKind.ACTIVE_JOBS:
        return f"Now: {len(overview.usage.open_jobs)}."
    if origin.number is LimitKind.WINDOW_CREDITS and overview.limits.credits is not None:
        return f"Used: {overview.usage.credits}."
    return ""


def _source(origin: AppliedLimit) -> str:
    match origin.source:
        case LimitSource.MEMBER:
            return "a rule for this member"
        case LimitSource.ROLE:
            return f"the rule for <@&{origin.role_id}>"
        case LimitSource.EVERYONE:
            return "the rule for everyone"
        case LimitSource.SETTINGS:
            return "the bot's settings"


def _channels(rules: MemberRules) -> str:
    policy = rules.pool.policy
    text = f"Videos can be made in {wording.channels(policy)}"
    if rules.session or not policy.channels:
        return f"{text}."
    is_here = not policy.channels.isdisjoint(rules.channel_ids)
    return f"{text}: {'here too' if is_here else '**not here**'}."


def _session(rules: MemberRules) -> str:
    session = rules.session
    if session is None or not session.is_open(rules.now):
        return "This session is over."
    is_in = session.role_id is None or session.role_id == session.guild_id or session.role_id in rules.role_ids
    who = "everyone" if session.role_id in (None, session.guild_id) else f"<@&{session.role_id}>"
    verdict = "this member can take part" if is_in else "**this member can't take part**"
    return (
        f"A session pays for videos in this thread; the limits above don't apply. It has {session.available} of "
        f"{session.budget} credits left and is for {who}: {verdict}."
    )


def _pool(rules: MemberRules) -> str:
    available, limits = rules.pool.funds.available, rules.pool.policy.low_balance
    return (
        f"{available} credits are available; {_LEVELS[rules.low_balance]}. "
        f"When it runs low: {wording.low_balance(limits)} ({rules.pool.last_deposit} credits)."
    )


def _approval(rules: MemberRules) -> str:
    price = ended(wording.approval_price(rules.pool.policy))
    return f"{price} For a prompt that `/pool words` refuses, members can ask a moderator."
