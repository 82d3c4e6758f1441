"""All checks in order, each finding as soon as it is there."""

import os
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from bot.checkup.books import check_books
from bot.checkup.clock import ClockReadings
from bot.checkup.database import check_database
from bot.checkup.discord_account import check_discord
from bot.checkup.findings import Finding, ok, warning, wrong
from bot.checkup.provider import check_key
from bot.clock import Clock
from bot.config import Settings, load_database_settings, load_settings
from bot.errors import SettingsError
from bot.logs import Redactor

_SUBJECT = "settings"


async def check_all(clock: Clock) -> AsyncIterator[Finding]:
    """Check everything. What needs no account is checked even if the settings are wrong."""
    try:
        settings = load_settings()
    except SettingsError as error:
        for finding in _check_without_account(error):
            yield finding
        return
    yield check_env_file()
    redact = Redactor(settings.secrets)
    async for finding in _check(settings, clock):
        yield replace(finding, subject=redact(finding.subject), text=redact(finding.text))


def check_env_file() -> Finding:
    """Return whether the settings are complete and `.env` is private; call it where they could be read."""
    file = Path(".env")
    if os.name == "posix" and file.is_file() and file.stat().st_mode & 0o077:
        return warning(
            _SUBJECT,
            f"complete, but others may read or write .env (mode {file.stat().st_mode & 0o777:o}): chmod 600 .env",
        )
    return ok(_SUBJECT, "complete.")


async def _check(settings: Settings, clock: Clock) -> AsyncIterator[Finding]:
    readings = ClockReadings(clock)
    for finding in (*check_database(settings.database_path), *check_books(settings.database_path)):
        yield finding
    yield await check_key(settings, readings)
    async for finding in check_discord(settings, readings):
        yield finding
    yield readings.finding()


def _check_without_account(error: SettingsError) -> list[Finding]:
    findings = [wrong(_SUBJECT, fault) for fault in error.faults]
    with suppress(SettingsError):
        findings += check_database(load_database_settings().database_path)
    return [*findings, warning("all else", "can only be checked when the settings are right.")]
