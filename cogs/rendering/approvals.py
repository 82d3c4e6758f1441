"""Approvals and notices for moderators, as text and embeds."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import discord

from bot.codes import Reason
from bot.jobs.models import (
    ApprovalCase,
    ApprovalDecision,
    Case,
    ChargeHint,
    Decision,
    Job,
    MemberUsage,
    UnconfirmedCase,
    UnconfirmedDecision,
)
from bot.jobs.ports import Posted
from bot.jobs.validation import MAX_PROMPT, cheaper_variant, list_price
from bot.pools.models import LowBalanceNotice, Pool
from bot.pools.policy import ApprovalCause, LowBalanceLevel, Policy
from cogs.rendering import policy as wording
from cogs.rendering.failures import failure
from cogs.rendering.jobs import settings
from cogs.rendering.labels import CHEAPEST_KIND
from cogs.rendering.refusals import refusal
from cogs.rendering.text import ended, fit, plain, quoted, relative, short

_PROMPT_ON_CLOSED_CARD = 500
# An embed has 6000 characters in all, and its description 4096.
_DESCRIPTION = 3800

_CAUSES = {
    ApprovalCause.PRICE: "It costs {price} credits, and videos of {threshold} credits or more need approval.",
    ApprovalCause.WORDS: "Its prompt matches `/pool words`, and the member asks for a review.",
    ApprovalCause.LOW_BALANCE: "The pool is nearly empty, so every video needs approval.",
}
_DECISIONS = {
    ApprovalDecision.APPROVED: ("Approved", discord.Colour.green()),
    ApprovalDecision.CHEAPER: ("Approved, but cheaper", discord.Colour.green()),
    ApprovalDecision.DENIED: ("Denied", discord.Colour.red()),
    ApprovalDecision.CANCELLED: ("Cancelled", discord.Colour.light_grey()),
    ApprovalDecision.EXPIRED: ("Expired", discord.Colour.light_grey()),
}


_LABELS: Mapping[Decision, str] = {
    ApprovalDecision.APPROVED: "Approve",
    ApprovalDecision.DENIED: "Deny",
    UnconfirmedDecision.CHARGED: "Charged",
    UnconfirmedDecision.NOT_CHARGED: "Not charged",
    UnconfirmedDecision.TRY_AGAIN: "Try again",
}


def card_text(job: Job) -> str:
    """Return the line above a card; the member it names is not pinged."""
    return f"<@{job.requester.member_id}> requests a video for {job.held_credits} credits."


def card_mark(job: Job) -> str:
    """Return the footer of a card, by which the bot finds it again."""
    return f"Approval of #{job.id}"


def open_card(case: ApprovalCase, pool: Pool, overview: MemberUsage, deadline: datetime) -> discord.Embed:
    """Return the card on which moderators decide.

    Args:
        case: a job that waits.
        pool: of its server.
        overview: of its member, with this job.
        deadline: when it expires.
    """
    job = case.job
    embed = discord.Embed(
        title="Approve this video?",
        description=_whole_prompt(job),
        colour=discord.Colour.gold(),
        timestamp=job.created_at,
    )
    embed.add_field(name="For", value=f"<@{job.requester.member_id}> in {_place(job)}")
    embed.add_field(name="Price", value=f"{job.held_credits} credits")
    embed.add_field(name="Settings", value=settings(job.request), inline=False)
    embed.add_field(name="Pool", value=_pool_line(pool, overview), inline=False)
    embed.add_field(name="The member's usage", value=_use_line(overview), inline=False)
    embed.add_field(name="Why it needs approval", value=_cause(case, pool.policy), inline=False)
    embed.add_field(name="Expires", value=relative(deadline), inline=False)
    return _finished(embed, job)


def public_note(job: Job) -> discord.Embed:
    """Return the public note of a job that awaits approval, for servers without a moderators' channel; no prompt."""
    embed = discord.Embed(
        title="Waiting for a moderator",
        description="Moderators can approve or deny it with `/pool waiting`.",
        colour=discord.Colour.gold(),
        timestamp=job.created_at,
    )
    return embed.set_footer(text=card_mark(job))


def _whole_prompt(job: Job) -> str:
    """Return the prompt that moderators decide about, shortened only if it does not fit once it is escaped."""
    quotations = (quoted(job.request.prompt, limit) for limit in range(MAX_PROMPT, 0, -200))
    return next(text for text in quotations if len(text) <= _DESCRIPTION)


def closed_card(case: ApprovalCase) -> discord.Embed:
    """Return the card of a job that is decided."""
    job, approval = case.job, case.approval
    title, colour = _DECISIONS[approval.decision or ApprovalDecision.EXPIRED]
    embed = discord.Embed(
        title=title,
        description=quoted(job.request.prompt, _PROMPT_ON_CLOSED_CARD),
        colour=colour,
        timestamp=job.created_at,
    )
    embed.add_field(name="For", value=f"<@{job.requester.member_id}> in {_place(job)}")
    embed.add_field(name="Price", value=f"{job.held_credits} credits")
    embed.add_field(name="Settings", value=settings(job.request), inline=False)
    embed.add_field(name=title, value=_decision_line(case), inline=False)
    return _finished(embed, job)


def _finished(embed: discord.Embed, job: Job) -> discord.Embed:
    if job.request.image_url:
        embed.set_image(url=job.request.image_url)
    return embed.set_footer(text=card_mark(job))


def _place(job: Job) -> str:
    requester = job.requester
    if job.card_message_id is None:
        return f"<#{requester.channel_id}>"
    link = f"https://discord.com/channels/{requester.guild_id}/{requester.channel_id}/{job.card_message_id}"
    return f"<#{requester.channel_id}> ([message]({link}))"


def _pool_line(pool: Pool, overview: MemberUsage) -> str:
    line = f"{pool.funds.available} credits left; the last deposit was {pool.last_deposit}."
    if overview.session is None:
        return line
    session = overview.session
    return f"{line}\nA session pays for this video; it has {session.available} of {session.budget} credits left."


def _use_line(overview: MemberUsage) -> str:
    limits, count = overview.limits, len(overview.usage.open_jobs)
    jobs = f"{count} of {limits.active_jobs}" if limits.active_jobs is not None else f"{count}"
    if limits.credits is None:
        return f"{jobs} videos open; no credit limit."
    used = overview.usage.credits
    return f"{used} of {limits.credits} credits in the last {limits.window_hours:g} hours; {jobs} videos open."


def _cause(case: ApprovalCase, policy: Policy) -> str:
    price = case.job.held_credits
    threshold = price if policy.approval_price is None else min(price, policy.approval_price)
    return _CAUSES[case.approval.cause].format(price=price, threshold=threshold)


def _decision_line(case: ApprovalCase) -> str:
    approval = case.approval
    when = relative(approval.decided_at) if approval.decided_at else ""
    if approval.decision is ApprovalDecision.EXPIRED or approval.decided_by is None:
        return f"{when}. {failure(case.job.failure)}"
    reason = f": {plain(approval.reason)}" if approval.reason else "."
    return f"by <@{approval.decided_by}> {when}{reason}"


def button_label(decision: Decision, job: Job) -> str | None:
    """Return the label of a decision's button; None: the job does not have this choice."""
    if decision is not ApprovalDecision.CHEAPER:
        return _LABELS[decision]
    request = cheaper_variant(job.request)
    if request is None:
        return None
    kind = f"{request.duration_seconds} s {'with sound' if request.sound else 'silent'}"
    return f"Approve cheaper: {kind} ({list_price(request)} credits)"


def waiting_list(
    cases: Sequence[ApprovalCase], deadlines: Sequence[datetime], hidden: int, trouble: Reason | None
) -> discord.Embed:
    """Return the answer to `/pool waiting`.

    Args:
        cases: the approvals to list.
        deadlines: when each of them expires.
        hidden: how many more wait.
        trouble: why cards can't be posted in the moderators' channel; None: they can.
    """
    lines = [_waiting_line(case, deadline) for case, deadline in zip(cases, deadlines, strict=True)]
    if hidden:
        lines.append(f"{hidden} more are waiting. Decide these to see the next ones.")
    if not lines:
        lines.append("Nothing is waiting for approval.")
    if trouble:
        lines.insert(0, f"⚠️ {refusal(trouble)} Until then I post requests where they were made.\n")
    return discord.Embed(title="Waiting for a moderator", description=fit(lines, 4096), colour=discord.Colour.gold())


def _waiting_line(case: ApprovalCase, deadline: datetime) -> str:
    job = case.job
    return (
        f"**#{job.id}** for <@{job.requester.member_id}> in {_place(job)}, {job.held_credits} credits, "
        f"expires {relative(deadline)}: {short(job.request.prompt)}"
    )


def unconfirmed_list(jobs: Sequence[Job], hints: Sequence[ChargeHint], hidden: int) -> discord.Embed:
    """Return the answer to `/unconfirmed`.

    Args:
        jobs: the unconfirmed jobs to list.
        hints: what UlazAI's balance suggests about each.
        hidden: how many more there are.
    """
    lines = [_unconfirmed_line(job, hint) for job, hint in zip(jobs, hints, strict=True)]
    if hidden:
        lines.append(f"{hidden} more are unconfirmed. Decide these to see the next ones.")
    text = fit(lines, 4096) or "Nothing is unconfirmed."
    return discord.Embed(title="Was it charged?", description=text, colour=discord.Colour.orange())


def _unconfirmed_line(job: Job, hint: ChargeHint) -> str:
    since = relative(job.finished_at or job.created_at)
    place = f" in <#{job.thread_id}>" if job.thread_id else ""
    reason = " ".join(filter(None, (failure(job.failure), charge_hint(hint, job))))
    return (
        f"**#{job.id}** for <@{job.requester.member_id}>{place}, {job.credits} credits, since {since}: "
        f"{short(job.request.prompt)}\n-# {reason}"
    )


def charge_hint(hint: ChargeHint, job: Job) -> str:
    """Return what UlazAI's balance suggests about an unconfirmed job; empty: nothing clear."""
    match hint:
        case ChargeHint.CHARGED:
            return f"UlazAI's balance suggests that its {job.credits} credits were charged."
        case ChargeHint.NOT_CHARGED:
            return "UlazAI's balance suggests that it was **not** charged."
        case ChargeHint.UNCLEAR:
            return ""


def closed(case: Case) -> dict[str, Any]:
    """Return content and embed of a job's public message, once it is decided."""
    if isinstance(case, ApprovalCase):
        return {"content": card_text(case.job), "embed": closed_card(case)}
    return {"content": closed_post(case)}


def closed_post(case: UnconfirmedCase) -> str:
    """Return the post to the member of an unconfirmed job, after the decision."""
    reason = f" {failure(case.failure)}" if case.failure else ""
    return f"<@{case.job.requester.member_id}> #{case.job.id} was unconfirmed:{reason}\n{_unconfirmed_decision(case)}"


def closed_notice(case: UnconfirmedCase) -> str:
    """Return the notice of an unconfirmed job in the moderators' channel, after the decision."""
    return f"Was #{case.job.id} of <@{case.job.requester.member_id}> charged? {_unconfirmed_decision(case)}"


def _unconfirmed_decision(case: UnconfirmedCase) -> str:
    when = relative(case.decided_at)
    if case.decided_by is None:
        return f"No moderator decided in time, so it was counted as charged {when}."
    return f"**{_LABELS[case.decision]}**: decided by <@{case.decided_by}> {when}."


def unconfirmed_notice(job: Job, posted: Posted) -> str:
    """Return the notice of an unconfirmed job in the moderators' channel; it links to the post with the buttons."""
    return (
        f"Was #{job.id} of <@{job.requester.member_id}> charged? Please decide: "
        f"https://discord.com/channels/{job.requester.guild_id}/{posted.channel_id}/{posted.message_id} "
        "or `/unconfirmed`."
    )


def approval_rules(policy: Policy) -> str:
    """Return the answer to `/pool approvals`: what needs approval, and where requests are posted."""
    price = ended(wording.approval_price(policy))
    if policy.moderators_channel is None:
        return f"{price} Requests are posted where they were made, as no moderators' channel is set."
    return f"{price} Requests are posted in <#{policy.moderators_channel}>."


def low_balance_notice(news: LowBalanceNotice) -> str:
    """Return the notice of a new low-balance level in the moderators' channel."""
    left = (
        f"**{news.pool.funds.available} credits** are left in the pool; the last deposit was {news.pool.last_deposit}."
    )
    match news.level:
        case LowBalanceLevel.CHEAPEST:
            return f"{left} From now on only {CHEAPEST_KIND} videos are made."
        case LowBalanceLevel.APPROVAL:
            return f"{left} From now on every video needs approval."
        case LowBalanceLevel.NONE:
            return f"{left} All kinds of videos can be made again."
