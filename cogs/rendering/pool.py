"""A pool's values to embeds. What people wrote is shown and never acted on."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import discord

from bot.jobs.models import MemberUsage
from bot.pools.ledger.reports import AuditEntry, LedgerEntry, Page, Spending, Statement
from bot.pools.models import EntryKind, Pool
from bot.pools.policy import Policy
from bot.pools.reconciliation.drift import DriftSpan
from bot.pools.reconciliation.report import BooksReport
from bot.pools.rules import describe as wording
from bot.pools.rules.changes import Target, TargetKind, rule_of
from cogs.rendering import jobs as _render
from cogs.rendering.text import relative

_DESCRIPTION = 4096
_FIELD = 1024
_REASON_IN_LIST = 120
_DETAIL_IN_LIST = 240
_JOBS_NAMED = 10
_COLOUR = discord.Colour.blurple()

_EXPLAINED = (
    "Days, weeks (from Monday) and months are UTC's. The pace is that of the last 7 days, or since the pool began."
)

_KINDS = {
    EntryKind.DEPOSIT: "deposit",
    EntryKind.WITHDRAWAL: "withdrawal",
    EntryKind.HOLD: "held",
    EntryKind.CHARGE: "paid to UlazAI",
    EntryKind.RELEASE: "released",
    EntryKind.REFUND: "refunded",
    EntryKind.ADJUSTMENT: "adjustment",
}


def member_statement(pool: Pool, overview: MemberUsage, spending: Spending) -> discord.Embed:
    """`/pool show` for members: what is left, and their own part."""
    embed = discord.Embed(title="This server's credit pool", colour=_COLOUR)
    embed.add_field(name="Left in the pool", value=f"{pool.funds.available} credits", inline=False)
    embed.add_field(name="Left for you", value=_render.left_line(overview), inline=False)
    embed.add_field(name="You spent", value=_spending(spending), inline=False)
    return embed


def statement(found: Statement) -> discord.Embed:
    """`/pool show` for moderators."""
    pool, funds = found.pool, found.pool.funds
    embed = discord.Embed(title="This server's credit pool", colour=_COLOUR)
    embed.add_field(name="Free", value=f"**{funds.available}** credits")
    embed.add_field(name="Held for videos", value=f"{funds.held} credits")
    embed.add_field(name="Set aside for sessions", value=f"{funds.budgeted} credits")
    embed.add_field(name="Spent", value=f"{_spending(found.spending)}\nall in all {funds.spent} credits", inline=False)
    embed.add_field(name="Who spent most this month", value=_top(found), inline=False)
    embed.add_field(name="Forecast", value=_forecast(found), inline=False)
    embed.add_field(name="UlazAI's account, for all servers", value=_account(found), inline=False)
    return embed.set_footer(text=f"Last deposit: {pool.last_deposit} credits. {_EXPLAINED}")


def with_all_servers(embed: discord.Embed, report: BooksReport) -> discord.Embed:
    """Add to a statement what concerns the operator: all servers together against the provider's account."""
    embed.add_field(name=f"All servers ({len(report.servers)})", value=_fit(_totals(report), _FIELD), inline=False)
    embed.add_field(name="Books and account", value=_fit(_drift(report), _FIELD), inline=False)
    return embed


def booked(pool: Pool, words: str) -> discord.Embed:
    """The answer to a deposit or a withdrawal."""
    funds = pool.funds
    return discord.Embed(
        description=f"{words}\nThe pool has **{funds.available}** free credits now, and {funds.held} held for videos.",
        colour=discord.Colour.green(),
    )


def holds_now(text: str, title: str | None = None) -> discord.Embed:
    """The answer to a change of the rules, or to a question about them: what holds now."""
    return discord.Embed(title=title, description=_cut(text, _DESCRIPTION), colour=_COLOUR)


def ledger_page(page: Page[LedgerEntry], member_id: int | None) -> discord.Embed:
    """A page of `/pool history`."""
    about = f"About <@{member_id}>.\n" if member_id else ""
    lines = _fit(map(_entry_line, page.items), _DESCRIPTION - len(about))
    return discord.Embed(title="The pool's ledger", description=about + (lines or "No entries."), colour=_COLOUR)


def audit_page(page: Page[AuditEntry]) -> discord.Embed:
    """A page of `/pool audit`."""
    lines = _fit(map(_audit_line, page.items), _DESCRIPTION)
    return discord.Embed(
        title="What moderators changed", description=lines or "Nothing has been changed yet.", colour=_COLOUR
    )


def rules(policy: Policy, guild_id: int) -> str:
    """The rules for everyone, roles and members."""
    targets = (
        Target(TargetKind.EVERYONE, guild_id),
        *(Target(TargetKind.ROLE, role_id) for role_id in sorted(policy.roles)),
        *(Target(TargetKind.MEMBER, member_id) for member_id in sorted(policy.members)),
    )
    lines = [f"{wording.target(each)}: {wording.allowance(rule_of(policy, each))}" for each in targets]
    text = "\n".join(lines)
    return text if len(text) <= _DESCRIPTION else f"{text[: _DESCRIPTION - 40].rpartition(chr(10))[0]}\nThere are more."


def words(listed: Sequence[str]) -> str:
    """The listed words, as many as have room."""
    if not listed:
        return "None. `/pool words add` lists some."
    shown = [in_words(word) for word in listed]
    text = ", ".join(shown)
    if len(text) <= _DESCRIPTION:
        return text
    return _cut(text, _DESCRIPTION - 100) + "\nThere are more: `/pool words remove` finds them while you type."


def at(moment: datetime, style: str = "f") -> str:
    """A time as Discord shows it in the reader's zone and language."""
    return f"<t:{int(moment.timestamp())}:{style}>"


def in_words(text: str) -> str:
    """A text of the bot's with words of moderators' in it: no markdown, but mentions and times are shown as such."""
    return discord.utils.escape_markdown(text, ignore_links=False)


def _spending(found: Spending) -> str:
    return f"{found.today} credits today, {found.this_week} this week, {found.this_month} this month"


def _top(found: Statement) -> str:
    lines = [f"<@{spender.member_id}>: {spender.credits} credits" for spender in found.top]
    return "\n".join(lines) or "Nobody yet."


def _forecast(found: Statement) -> str:
    if not found.pool.funds.available:
        return "The pool is empty."
    if found.empty_at is None:
        return "At this pace it lasts for years."
    return f"At this pace empty {relative(found.empty_at)}."


def _account(found: Statement) -> str:
    if found.account is None:
        return "It has not told its balance yet; it does with each video."
    return f"{found.account.credits} credits, told {at(found.account.read_at, 'R')}"


def _totals(report: BooksReport) -> Iterable[str]:
    yield f"Promised: **{report.promised}** credits ({report.budgeted} of them to sessions)"
    yield f"Held: {report.held} · spent: {report.spent}"
    if report.unconfirmed_jobs:
        yield f"Of that, unconfirmed: {report.unconfirmed_credits} credits of {report.unconfirmed_jobs} videos"
    if report.account is not None:
        yield f"Really in the account: **{report.account}**"
    if report.missing:
        yield f"⚠️ **{report.missing} credits are promised or held, but not in the account.**"


def _drift(report: BooksReport) -> Iterable[str]:
    if not report.is_sound:
        yield "⚠️ **The books contradict themselves.** `reelpool books` on the bot's machine tells where."
    drift = report.drift
    if drift.newest is None:
        yield "The account has not told its balance yet."
        return
    if not drift.steps:
        yield "The books and the account agree."
    else:
        yield f"**{_signed(drift.credits)} credits** in the account that the books do not explain:"
    for step in drift.steps[-3:]:
        jobs = f"between jobs {step.before.job_id} and {step.after.job_id}, with {_jobs(step.job_ids)} booked there"
        yield f"{_signed(step.credits)} {jobs}: bought, used outside of the bot, or booked wrongly."
    if drift.agreeing:
        before, after = drift.agreeing
        yield f"The last two readings that agree are of the jobs {before.job_id} and {after.job_id}."


def _signed(amount: DriftSpan) -> str:
    return f"{amount.low:+d}" if amount.low == amount.high else f"{amount.low:+d} to {amount.high:+d}"


def _jobs(job_ids: Sequence[int]) -> str:
    named = ", ".join(map(str, job_ids[:_JOBS_NAMED]))
    return f"jobs {named}{', …' if len(job_ids) > _JOBS_NAMED else ''}"


def _entry_line(entry: LedgerEntry) -> str:
    parts = [at(entry.created_at), f"**{entry.credits}** {_kind(entry)}"]
    if entry.job_id:
        parts.append(f"job {entry.job_id}" + (f" of <@{entry.member_id}>" if entry.member_id else ""))
    if entry.session_id:
        parts.append(f"session {entry.session_id}")
    if entry.actor_id:
        parts.append(f"by <@{entry.actor_id}>")
    if entry.reason:
        parts.append(in_words(_cut(entry.reason, _REASON_IN_LIST)))
    return " · ".join(parts)


def _kind(entry: LedgerEntry) -> str:
    is_budget = entry.session_id is not None and entry.job_id is None
    if is_budget:
        return "set aside" if entry.kind is EntryKind.HOLD else "given back"
    return _KINDS[entry.kind]


def _audit_line(entry: AuditEntry) -> str:
    detail = in_words(_cut(entry.detail, _DETAIL_IN_LIST))
    return f"{at(entry.created_at)} · <@{entry.actor_id}> · **{entry.action}** · {detail}"


def _fit(lines: Iterable[str], limit: int) -> str:
    """Join lines, each cut to its share if they would not have room together."""
    found = list(lines)
    text = "\n".join(found)
    if len(text) <= limit:
        return text
    share = limit // len(found) - 1
    return "\n".join(_cut(line, share) for line in found)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"
