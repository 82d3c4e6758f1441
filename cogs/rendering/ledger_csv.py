"""Write the ledger as a table for spreadsheets: CSV (RFC 4180), one entry in each row."""

import csv
from collections.abc import Iterable
from datetime import UTC
from typing import TextIO

from bot.pools.ledger.reports import LedgerEntry
from cogs.rendering.audit import reason_text

COLUMNS = ("id", "time_utc", "kind", "credits", "job", "member", "session", "by", "reason_code", "reason")

# Spreadsheets take what begins with these for a formula, also in full width and after blanks:
# https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA_SIGNS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "|", "%")


def write_heading(file: TextIO) -> None:
    """Write the names of the columns."""
    csv.writer(file).writerow(COLUMNS)


def write_entries(file: TextIO, entries: Iterable[LedgerEntry]) -> None:
    """Write a row for each entry, safe from formula injection."""
    csv.writer(file).writerows(map(_row, entries))


def harmless(text: str) -> str:
    """Return a text that a spreadsheet never runs as a formula: one that could be is quoted."""
    is_formula = text.lstrip().startswith(_FORMULA_SIGNS) or text[:1] in ("\t", "\r", "\n")
    return f"'{text}" if is_formula else text


def _row(entry: LedgerEntry) -> tuple[object, ...]:
    return (
        entry.id,
        entry.created_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"),
        entry.kind.value,
        entry.credits,
        entry.job_id,
        entry.member_id,
        entry.session_id,
        entry.actor_id,
        entry.reason.code if entry.reason else "",
        harmless(reason_text(entry.reason)) if entry.reason else "",
    )
