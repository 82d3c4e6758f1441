"""What every test shares."""

import gc
import os
import sys

import pytest

from tests.scheduling import scheduler, turn_of, worker_count

# Discord's official schema and the provider's documentation are not part of this repository.
_MAY_BE_ABSENT = "needs ../shared"

# The bot is started some hundred times, as a process or with its cogs loaded anew: its modules are compiled once.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Thousands of small tests leave much and keep little: to look for it less often saves one second in twenty.
gc.set_threshold(20_000, 10, 10)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """Say how many workers `-n auto` means, unless the environment does."""
    return None if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ else worker_count()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Hand out the tests by what is known of them, unless another way was chosen with `--dist`."""
    return scheduler(config, log) if config.getoption("dist") == "load" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of a worker in the order in which they are handed out."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: turn_of(item.nodeid))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skipped test is a failed run: what a test wants is installed there."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") != "true" or reporter is None:
        return
    skipped = [report for report in reporter.stats.get("skipped", []) if _MAY_BE_ABSENT not in str(report.longrepr)]
    if skipped:
        reporter.write_line(f"{len(skipped)} skipped, which CI does not allow", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
