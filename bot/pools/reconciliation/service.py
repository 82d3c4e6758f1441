"""Reconciliation: ledger entries against sums, and the ledger against the provider account's balance."""

import asyncio
from pathlib import Path

from bot.pools.reconciliation.drift import find_drift
from bot.pools.reconciliation.queries import (
    read_account,
    read_job_faults,
    read_servers,
    read_session_faults,
    read_unconfirmed,
)
from bot.pools.reconciliation.report import ReconciliationReport
from bot.storage.snapshot import snapshot


class ReconciliationService:
    """Compares sums, ledger and balance. It reads all entries from the first one, outside of the event loop."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def report(self) -> ReconciliationReport:
        """Compare them as they are now.

        Raises:
            StorageError: the database can't be read.
        """
        return await asyncio.to_thread(reconcile, self._path)


def reconcile(path: Path) -> ReconciliationReport:
    """Compare them in a database of this version, which the bot may be using; it blocks.

    Raises:
        StorageError: the database can't be read.
    """
    with snapshot(path) as connection:
        servers = read_servers(connection)
        session_faults, job_faults = read_session_faults(connection), read_job_faults(connection)
        unconfirmed_jobs, unconfirmed_credits = read_unconfirmed(connection)
        readings, movements = read_account(connection)
    drift = find_drift(readings, movements)
    return ReconciliationReport(servers, session_faults, job_faults, unconfirmed_jobs, unconfirmed_credits, drift)
