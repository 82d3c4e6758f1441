"""Answers to the `/pool` commands. People's texts are escaped."""

from collections.abc import Collection, Iterable, Sequence

import discord

from bot.jobs.models import Job, MemberUsage
from bot.pools.ledger.reports import AuditEntry, LedgerEntry, Page, Spending, Statement
from bot.pools.models import EntryKind, Pool
from bot.pools.policy import Policy
from bot.pools.reconciliation.drift import CreditRange
from bot.pools.reconciliation.report import ReconciliationReport
from bot.pools.rules.changes import Target, TargetKind, rule_of
from bot.wordlist.matcher import MAX_WORDS
from cogs.rendering import audit as _audit
from cogs.rendering import jobs as _render
from cogs.rendering import policy as wording
from cogs.rendering.text import at, cut, plain, quoted, relative

_DESCRIPTION = 4096
_FIELD = 1024
_REASON_IN_LIST = 120
_DETAIL_IN_LIST = 240
_JOBS_NAMED = 10
_COLOUR = discord.Colour.blurple()

_EXPLAINED = "Days, weeks (from Monday) and months are in UTC. The forecast uses the last 7 days of spending."

_KINDS = {
    EntryKind.DEPOSIT: "deposit",
    EntryKind.WITHDRAWAL: "withdrawal",
    EntryKind.HOLD: "held",
    EntryKind.CHARGE: "charged",
    EntryKind.RELEASE: "released",
    EntryKind.REFUND: "refunded",
    EntryKind.ADJUSTMENT: "adjustment",
}


def member_statement(pool: Pool, overview: MemberUsage, spending: Spending) -> discord.Embed:
    """Return the answer to `/pool show` for members: what is left, and their own spending.

    Args:
        pool: of the server.
        overview: what the member uses and may still use.
        spending: what the member spent.
    """
    embed = discord.Embed(title="This server's credit pool", colour=_COLOUR)
    embed.add_field(name="Left in the pool", value=f"{pool.funds.available} credits", inline=False)
    embed.add_field(name="Left for you", value=_render.left_line(overview), inline=False)
    embed.add_field(name="You spent", value=_spending(spending), inline=False)
    return embed


def statement(found: Statement) -> discord.Embed:
    """Return the answer to `/pool show` for moderators."""
    pool, funds = found.pool, found.pool.funds
    embed = discord.Embed(title="This server's credit pool", colour=_COLOUR)
    embed.add_field(name="Available", value=f"**{funds.available}** credits")
    embed.add_field(name="Held for videos", value=f"{funds.held} credits")
    embed.add_field(name="Set aside for sessions", value=f"{funds.budgeted} credits")
    embed.add_field(name="Spent", value=f"{_spending(found.spending)}\n{funds.spent} credits in total", inline=False)
    embed.add_field(name="Top spenders this month", value=_top(found), inline=False)
    embed.add_field(name="Forecast", value=_forecast(found), inline=False)
    return embed.set_footer(text=f"Last deposit: {pool.last_deposit} credits. {_EXPLAINED}")


def with_all_servers(embed: discord.Embed, report: ReconciliationReport) -> discord.Embed:
    """Add the operator's fields to a statement: the totals of all servers, compared with UlazAI's balance."""
    embed.add_field(name=f"All servers ({len(report.servers)})", value=_fit(_totals(report), _FIELD), inline=False)
    embed.add_field(name="Ledger and balance", value=_fit(_drift(report), _FIELD), inline=False)
    return embed


def deposited(pool: Pool, amount: int, missing: int, *, for_operator: bool) -> discord.Embed:
    """Return the answer to a deposit.

    Args:
        pool: after it.
        amount: in credits.
        missing: what all servers may spend or hold beyond UlazAI's balance.
        for_operator: shows how many are missing; UlazAI's balance is the operator's alone.
    """
    embed = _booked(pool, f"{amount} credits were deposited.")
    if missing:
        much = f"{missing} credits more than UlazAI's balance" if for_operator else "more than UlazAI's balance"
        fix = "Buy credits, or withdraw some." if for_operator else "Please tell the bot's operator."
        embed.add_field(name="⚠️ Not covered", value=f"All servers together can now spend {much}. {fix}", inline=False)
    return embed


def withdrawn(pool: Pool, amount: int) -> discord.Embed:
    """Return the answer to a withdrawal."""
    return _booked(pool, f"{amount} credits were withdrawn.")


def _booked(pool: Pool, words: str) -> discord.Embed:
    funds = pool.funds
    return discord.Embed(
        description=f"{words}\nThe pool has **{funds.available}** credits available, and {funds.held} held for videos.",
        colour=discord.Colour.green(),
    )


def answer(text: str, title: str | None = None) -> discord.Embed:
    """Return a plain answer about the rules, cut to Discord's limit."""
    return discord.Embed(title=title, description=cut(text, _DESCRIPTION), colour=_COLOUR)


def rule_list(policy: Policy, guild_id: int, hours: float) -> discord.Embed:
    """Return the answer to `/pool allow` without options.

    Args:
        policy: the rules.
        guild_id: of the server, whose id is that of @everyone.
        hours: length of the window in which credits are limited, in hours.
    """
    return answer(rules(policy, guild_id, hours), "What members may spend here")


def word_list(policy: Policy) -> discord.Embed:
    """Return the answer to `/pool words list`."""
    return answer(words(policy.words, policy.words_with_endings), "Words that prompts may not contain")


def words_now(policy: Policy) -> str:
    """Return what `/pool words add` and `remove` answer."""
    return f"{len(policy.words)} of {MAX_WORDS} words and phrases are blocked; `/pool words list` shows them."


def managers_now(policy: Policy) -> str:
    """Return what `/pool managers` answers."""
    roles = f", and with {wording.manager_roles(policy)}" if policy.manager_roles else ""
    return f"The pool is managed by members with **Manage Server**{roles}."


def channels_now(policy: Policy) -> str:
    """Return what `/pool channels` answers."""
    return f"Videos can be made in {wording.channels(policy)}{' and its threads' if policy.channels else ''}."


def paused_now(policy: Policy) -> str:
    """Return what `/pool pause` answers."""
    return f"New videos are paused until `/pool resume`. Members see: {plain(policy.paused or '')}"


def resumed_now(_: Policy) -> str:
    """Return what `/pool resume` answers."""
    return "Videos can be made again."


def low_balance_now(policy: Policy) -> str:
    """Return what `/pool low-balance` answers."""
    return f"When the pool runs low: {wording.low_balance(policy.low_balance)}."


def rule_now(policy: Policy, whose: Target, hours: float) -> str:
    """Return the answer to a change by `/pool allow`.

    Args:
        policy: the rules after the change.
        whose: whom the changed rule is for.
        hours: length of the window in which credits are limited, in hours.
    """
    rule = wording.allowance(rule_of(policy, whose), hours)
    return f"For {wording.target(whose)}: {rule}.\n`/pool why` shows all limits of a member."


def blocked_now(policy: Policy, member_id: int) -> str:
    """Return what `/pool block` answers."""
    return f"<@{member_id}> is {wording.block(policy.blocks[member_id])}."


def unblocked_now(member_id: int) -> str:
    """Return what `/pool unblock` answers."""
    return f"<@{member_id}> can make videos again."


def prioritized(job: Job) -> discord.Embed:
    """Return the answer to `/pool prioritize`."""
    text = f"#{job.id} of <@{job.requester.member_id}> is next in this server's queue."
    return answer(f"{text}\n{quoted(job.request.prompt, 200)}")


def cancelled(job: Job) -> discord.Embed:
    """Return the answer to `/pool cancel`."""
    text = f"#{job.id} of <@{job.requester.member_id}> is cancelled, and {job.held_credits} credits came back."
    return answer(f"{text}\n{quoted(job.request.prompt, 200)}")


def exported(entries: int) -> str:
    """Return the text beside the file of `/pool export`."""
    return f"{entries:,} ledger entries, oldest first; times are in UTC."


def ledger_page(page: Page[LedgerEntry], member_id: int | None) -> discord.Embed:
    """Return a page of `/pool history`."""
    about = f"About <@{member_id}>.\n" if member_id else ""
    lines = _fit(map(_entry_line, page.items), _DESCRIPTION - len(about))
    return discord.Embed(title="The pool's ledger", description=about + (lines or "No entries."), colour=_COLOUR)


def audit_page(page: Page[AuditEntry]) -> discord.Embed:
    """Return a page of `/pool audit`."""
    lines = _fit(map(_audit_line, page.items), _DESCRIPTION)
    return discord.Embed(
        title="What moderators changed", description=lines or "Nothing has been changed yet.", colour=_COLOUR
    )


def rules(policy: Policy, guild_id: int, hours: float) -> str:
    """Return the rules for everyone, roles and members.

    Args:
        policy: the rules.
        guild_id: of the server, whose id is that of @everyone.
        hours: length of the window in which credits are limited, in hours.
    """
    targets = (
        Target(TargetKind.EVERYONE, guild_id),
        *(Target(TargetKind.ROLE, role_id) for role_id in sorted(policy.roles)),
        *(Target(TargetKind.MEMBER, member_id) for member_id in sorted(policy.members)),
    )
    lines = [f"{wording.target(each)}: {wording.allowance(rule_of(policy, each), hours)}" for each in targets]
    text = "\n".join(lines)
    return text if len(text) <= _DESCRIPTION else f"{text[: _DESCRIPTION - 40].rpartition(chr(10))[0]}\nThere are more."


def words(listed: Sequence[str], with_endings: Collection[str] = ()) -> str:
    """Return the blocked words, as many as fit."""
    if not listed:
        return "None. `/pool words add` adds some."
    shown = [f"{plain(word)} (with endings)" if word in with_endings else plain(word) for word in listed]
    text = ", ".join(shown)
    if len(text) <= _DESCRIPTION:
        return text
    return cut(text, _DESCRIPTION - 100) + "\nThere are more: `/pool words remove` finds them while you type."


def _spending(found: Spending) -> str:
    return f"{found.today} credits today, {found.this_week} this week, {found.this_month} this month"


def _top(found: Statement) -> str:
    lines = [f"<@{spender.member_id}>: {spender.credits} credits" for spender in found.top]
    return "\n".join(lines) or "Nobody yet."


def _forecast(found: Statement) -> str:
    if not found.pool.funds.available:
        return "The pool is empty."
    if found.empty_at is None:
        return "At this pace, it lasts for years."
    return f"At this pace, empty {relative(found.empty_at)}."


def _totals(report: ReconciliationReport) -> Iterable[str]:
    yield f"Left to spend: **{report.promised}** credits ({report.budgeted} of them to sessions)"
    yield f"Held: {report.held} · spent: {report.spent}"
    if report.unconfirmed_jobs:
        yield f"Of that, unconfirmed: {report.unconfirmed_credits} credits of {report.unconfirmed_jobs} videos"
    if newest := report.drift.newest:
        yield f"UlazAI's balance: **{newest.account}**, updated {at(newest.sent_at, 'R')}"
    if report.missing:
        yield f"⚠️ **UlazAI's balance is {report.missing} credits short of what is left to spend and held.**"


def _drift(report: ReconciliationReport) -> Iterable[str]:
    if not report.is_sound:
        yield "⚠️ **Sums and ledger entries differ.** `reelpool books` on the bot's machine shows where."
    drift = report.drift
    if drift.newest is None:
        yield "UlazAI's balance is not known yet."
        return
    if not drift.steps:
        yield "The ledger agrees with UlazAI's balance."
    else:
        yield f"**{_signed(drift.credits)} credits** in UlazAI's balance are not explained by the ledger:"
    for step in drift.steps[-3:]:
        jobs = f"between #{step.before.job_id} and #{step.after.job_id}, with {_jobs(step.job_ids)} booked there"
        yield f"{_signed(step.credits)} {jobs}: bought, used outside of the bot, or booked wrongly."
    if drift.agreeing:
        before, after = drift.agreeing
        yield f"The last two balances that agree are those of #{before.job_id} and #{after.job_id}."


def _signed(amount: CreditRange) -> str:
    return f"{amount.low:+d}" if amount.low == amount.high else f"{amount.low:+d} to {amount.high:+d}"


def _jobs(job_ids: Sequence[int]) -> str:
    named = ", ".join(f"#{job_id}" for job_id in job_ids[:_JOBS_NAMED])
    return f"{named}{', …' if len(job_ids) > _JOBS_NAMED else ''}"


def _entry_line(entry: LedgerEntry) -> str:
    parts = [at(entry.created_at), f"**{entry.credits}** {_kind(entry)}"]
    if entry.job_id:
        parts.append(f"#{entry.job_id}" + (f" of <@{entry.member_id}>" if entry.member_id else ""))
    if entry.session_id:
        parts.append(f"session {entry.session_id}")
    if entry.actor_id:
        parts.append(f"by <@{entry.actor_id}>")
    if entry.reason:
        parts.append(cut(_audit.ledger_reason(entry.reason), _REASON_IN_LIST))
    return " · ".join(parts)


def _kind(entry: LedgerEntry) -> str:
    is_budget = entry.session_id is not None and entry.job_id is None
    if is_budget:
        return "set aside" if entry.kind is EntryKind.HOLD else "returned"
    return _KINDS[entry.kind]


def _audit_line(entry: AuditEntry) -> str:
    detail = cut(_audit.detail(entry.detail), _DETAIL_IN_LIST)
    return f"{at(entry.created_at)} · <@{entry.actor_id}> · **{_audit.action(entry.action)}** · {detail}"


def _fit(lines: Iterable[str], limit: int) -> str:
    """Join lines; if they don't fit, cut each to the same length."""
    found = list(lines)
    text = "\n".join(found)
    if len(text) <= limit:
        return text
    length = limit // len(found) - 1
    return "\n".join(cut(line, length) for line in found)
