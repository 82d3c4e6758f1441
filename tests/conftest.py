"""What every test shares."""

import os

import pytest

# Discord's official schema and the provider's documentation are not part of this repository.
_MAY_BE_ABSENT = "needs ../shared"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skipped test is a failed run: what a test wants is installed there."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") != "true" or reporter is None:
        return
    skipped = [report for report in reporter.stats.get("skipped", []) if _MAY_BE_ABSENT not in str(report.longrepr)]
    if skipped:
        reporter.write_line(f"{len(skipped)} skipped, which CI does not allow", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
