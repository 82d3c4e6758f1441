"""A reconciliation in words: do entries and sums agree, and the ledger with UlazAI's balance?"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from bot.checkup.findings import Finding, ok, warning, wrong
from bot.errors import StorageError
from bot.pools.models import Funds
from bot.pools.reconciliation.drift import BalanceReading, BalanceStep, CreditRange, Drift
from bot.pools.reconciliation.report import JobFault, ReconciliationReport, ServerTotals, SessionFault
from bot.pools.reconciliation.service import reconcile
from bot.storage.inspection import Schema, inspect_file

_Fault = TypeVar("_Fault")

_SUBJECT = "books"
_ACCOUNT = "account"
_DRIFT = "drift"
# Of faults, and of the jobs at one of them: more would hide the first ones.
_SHOWN = 20
_RESTORE = "stop the bot, keep this file for later, and put a backup in its place whose sums are right."


def check_books(path: Path) -> list[Finding]:
    """Return one line about whether entries and sums agree; none where they can't be read, which has its own line."""
    with suppress(StorageError):
        report = reconcile(path)
        if report.is_sound:
            return [ok(_SUBJECT, "every sum is what its entries add up to.")]
        return [wrong(_SUBJECT, f"sums and entries differ: `reelpool books` says where; {_RESTORE}")]
    return []


def reconcile_file(path: Path) -> list[Finding]:
    """Return all findings about a database that the bot may be using; it blocks.

    Raises:
        StorageError: there is none, or it can't be read.
    """
    schema = inspect_file(path)
    if schema is Schema.MISSING:
        raise StorageError(f"there is no database at {path}: DATABASE_URL says where it is.")
    if schema is Schema.OLDER:
        raise StorageError(f"the database {path} is of an older version: the bot migrates it at start.")
    return list(describe(reconcile(path)))


def describe(report: ReconciliationReport) -> Iterator[Finding]:
    """Yield what a reconciliation found, line by line.

    That entries and sums differ is wrong. That the account holds less than is promised, or has drifted from the
    ledger, is for the operator to check: credits may have been bought, or used outside of the bot.
    """
    yield from map(_server, report.servers)
    yield from _first(report.session_faults, _session)
    yield from _first(report.job_faults, _job)
    yield ok(
        "all servers",
        f"{report.promised:,} promised ({report.available:,} in pools, {report.budgeted:,} in sessions), "
        f"{report.held:,} held, {report.spent:,} spent.",
    )
    yield _account(report)
    yield from _drift(report.drift)
    if report.unconfirmed_jobs:
        yield warning(
            "unconfirmed",
            f"{_count(report.unconfirmed_jobs, 'job')} with {report.unconfirmed_credits:,} credits: "
            "their moderators decide them with /unconfirmed.",
        )


def _server(totals: ServerTotals) -> Finding:
    subject = f"server {totals.guild_id}"
    outer = f"{totals.deposited:,} deposited, {totals.withdrawn:,} withdrawn, {totals.adjusted:,} adjusted"
    text = f"{outer}: {_sums(totals.funds)}"
    if totals.is_sound:
        return ok(subject, f"{text}.")
    return wrong(subject, f"{text}; but its entries add up to {_sums(totals.counted)}: {_RESTORE}")


def _sums(funds: Funds) -> str:
    return f"{funds.available:,} available, {funds.budgeted:,} in sessions, {funds.held:,} held, {funds.spent:,} spent"


def _session(fault: SessionFault) -> Finding:
    recorded, counted = fault.recorded, fault.counted
    return wrong(
        f"session {fault.session_id} of server {fault.guild_id}",
        f"{recorded.available:,} left, {recorded.held:,} held, {recorded.spent:,} spent; but its entries add up to "
        f"{counted.available:,}, {counted.held:,} and {counted.spent:,}.",
    )


def _job(fault: JobFault) -> Finding:
    recorded, counted = fault.recorded, fault.counted
    misfiled = (
        f"; {_count(fault.misfiled, 'entry', 'entries')} under another server or session" if fault.misfiled else ""
    )
    return wrong(
        f"job {fault.job_id} of server {fault.guild_id}",
        f"{recorded.held:,} held, {recorded.spent:,} spent; its entries add up to {counted.held:,} and "
        f"{counted.spent:,}{misfiled}.",
    )


def _first(faults: Sequence[_Fault], words: Callable[[_Fault], Finding]) -> Iterator[Finding]:
    yield from map(words, faults[:_SHOWN])
    if len(faults) > _SHOWN:
        yield wrong("more", f"{len(faults) - _SHOWN:,} like these.")


def _account(report: ReconciliationReport) -> Finding:
    newest = report.drift.newest
    if newest is None:
        return ok(_ACCOUNT, "UlazAI has reported no balance yet; it does with each job.")
    text = f"{newest.account:,} credits after {_name(newest)}"
    if not report.missing:
        return ok(_ACCOUNT, f"{text}: enough for all that is promised and held.")
    return warning(
        _ACCOUNT,
        f"{text}: {report.missing:,} fewer than are promised and held. Buy credits, or withdraw some from the pools.",
    )


def _drift(drift: Drift) -> Iterator[Finding]:
    if drift.first is None:
        return
    since = f"since {_name(drift.first)}"
    if not drift.steps:
        yield ok(_DRIFT, f"none in {_count(drift.readings, 'reading')} of the account {since}.")
        return
    yield warning(_DRIFT, f"{_signed(drift.credits)} credits in the account that the ledger does not explain, {since}.")
    yield from (warning(_DRIFT, _step(step)) for step in drift.steps[-_SHOWN:])
    if drift.agreeing:
        before, after = drift.agreeing
        yield ok(_DRIFT, f"none between the last two readings that agree, {_name(before)} and {_name(after)}.")


def _step(step: BalanceStep) -> str:
    jobs = ", ".join(map(str, step.job_ids[-_SHOWN:]))
    cause = "credits were bought" if step.credits.low > 0 else "credits were used outside of the bot"
    return (
        f"{_signed(step.credits)} credits between {_name(step.before)} and {_name(step.after)}: {cause}, "
        f"or a job was booked wrongly; booked in between: {jobs}."
    )


def _signed(amount: CreditRange) -> str:
    if amount.low == amount.high:
        return f"{amount.low:+,}"
    return f"between {amount.low:+,} and {amount.high:+,}"


def _name(reading: BalanceReading) -> str:
    return f"job {reading.job_id} ({reading.booked_at:%Y-%m-%d %H:%M} UTC)"


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
