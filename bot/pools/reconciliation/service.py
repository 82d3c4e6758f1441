"""Do the books add up, do they agree with the provider's account, and is there enough in it for what is promised?"""

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
from bot.pools.reconciliation.report import BooksReport
from bot.storage.snapshot import snapshot


class ReconciliationService:
    """Compares books and account. It reads all entries from the first one, outside of the event loop."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def report(self) -> BooksReport:
        """Compare them as they are now.

        Raises:
            StorageError: the database can't be read.
        """
        return await asyncio.to_thread(reconcile, self._path)


def reconcile(path: Path) -> BooksReport:
    """Compare books and account in a database of this version, which the bot may be using; it blocks.

    Raises:
        StorageError: the database can't be read.
    """
    with snapshot(path) as connection:
        servers = read_servers(connection)
        session_faults, job_faults = read_session_faults(connection), read_job_faults(connection)
        unconfirmed_jobs, unconfirmed_credits = read_unconfirmed(connection)
        readings, movements = read_account(connection)
    drift = find_drift(readings, movements)
    return BooksReport(servers, session_faults, job_faults, unconfirmed_jobs, unconfirmed_credits, drift)
