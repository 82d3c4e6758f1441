"""The command line: `python -m bot` runs the bot; its commands try it, check it and back it up.

Each loads what it runs when it is called: to load all of it takes a second, which is long for a page of help.
"""

import asyncio
import io
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from bot import __version__
from bot.checkup.findings import Finding, Verdict
from bot.errors import DatabaseInUseError, ReelpoolError, SettingsError

_EXIT_FAILED = 1
_EXIT_SETTINGS = 2
_EXIT_IN_USE = 3
_COLORS = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.WRONG: "red"}


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="reelpool")
@click.pass_context
def main(context: click.Context) -> None:
    """Reelpool: AI videos for a Discord community, out of one shared pool of credits.

    Without a command it runs the bot, with the settings from the environment and `.env`.
    """
    for stream in (sys.stdout, sys.stderr):
        # A console that has no sign for a character shows a question mark, rather than an error in place of the rest.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    if context.invoked_subcommand is None:
        _run_bot()


@main.command()
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="The page's port.")
@click.option(
    "--speed",
    default=6.0,
    show_default=True,
    type=click.FloatRange(0.1, 1000),
    help="How many times faster than the real 60 to 90 seconds videos are made.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep everything in this folder, so that it is there the next time.",
)
def sandbox(port: int, speed: float, data: Path | None) -> None:
    """Try the bot in a browser: no account, no key, no internet.

    Raises:
        ClickException: the sandbox, or what it needs, is not installed.
    """
    try:
        # Not in the wheel, and its encoder is an extra.
        from sandbox.run import run_sandbox
    except ModuleNotFoundError as error:
        if error.name == "sandbox":
            raise click.ClickException(
                "The sandbox comes with the source code: clone the repository, and run `python -m bot sandbox` there."
            ) from error
        raise click.ClickException(
            f"The sandbox needs {error.name}, which is not installed: pip install -e '.[sandbox]'"
        ) from error
    sys.exit(asyncio.run(run_sandbox(port=port, speed=speed, data=data)))


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE if it is there already.")
def backup(file: Path, force: bool) -> None:
    """Copy the database to FILE, consistent and complete, while the bot runs."""
    from bot.config import load_database_settings
    from bot.storage.backup import back_up

    with _errors_as_exit_codes():
        done = back_up(load_database_settings().database_path, file, overwrite=force)
    click.echo(f"{file}: {done.size:,} bytes, {done.jobs:,} jobs, {done.ledger_entries:,} ledger entries, sound.")


@main.command()
def check() -> None:
    """Check settings, database, ledger, key, token, servers and clock; exit with 1 where something is wrong."""
    # The findings say what there is to say; the libraries' own lines would come between them.
    logging.disable()
    sys.exit(asyncio.run(_print_findings()))


@main.command()
def books() -> None:
    """Recount every server's credits, and compare them with UlazAI's balance, while the bot runs.

    Exits with 1 where sums and entries differ.
    """
    from bot.checkup.books import reconcile_file
    from bot.config import load_database_settings

    with _errors_as_exit_codes():
        findings = reconcile_file(load_database_settings().database_path)
    for finding in findings:
        _print(finding)
    if any(finding.verdict is Verdict.WRONG for finding in findings):
        sys.exit(_EXIT_FAILED)


async def _print_findings() -> int:
    from bot.checkup.run import check_all
    from bot.clock import SystemClock

    code = 0
    async for finding in check_all(SystemClock()):
        _print(finding)
        if finding.verdict is Verdict.WRONG:
            code = _EXIT_FAILED
    return code


def _print(finding: Finding) -> None:
    # Click takes the colours out again where the output is not a terminal.
    verdict = click.style(f"{finding.verdict:<8}", fg=_COLORS[finding.verdict])
    click.echo(f"{verdict}{finding.subject}: {finding.text}")


def _run_bot() -> None:
    from bot.config import load_settings

    with _errors_as_exit_codes():
        settings = load_settings()
        # Only now: so that missing settings are reported at once.
        from bot import app
        from bot.logs import set_up_logging

        set_up_logging(settings.log_level, settings.log_format, settings.secrets)
        asyncio.run(app.run(settings))


@contextmanager
def _errors_as_exit_codes() -> Iterator[None]:
    try:
        yield
    except SettingsError as error:
        click.echo(error, err=True)
        sys.exit(_EXIT_SETTINGS)
    except ReelpoolError as error:
        click.echo(f"reelpool: {error}", err=True)
        sys.exit(_EXIT_IN_USE if isinstance(error, DatabaseInUseError) else _EXIT_FAILED)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
