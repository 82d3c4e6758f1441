"""The command line: `python -m bot` runs the bot, `python -m bot sandbox` tries it without any account."""

import asyncio
import sys
from pathlib import Path

import click

from bot import __version__, app
from bot.config import load_settings
from bot.errors import ReelpoolError, SettingsError
from bot.logs import set_up_logging

_EXIT_FAILED = 1
_EXIT_SETTINGS = 2


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="reelpool")
@click.pass_context
def main(context: click.Context) -> None:
    """Reelpool: AI videos for a Discord community, out of one shared pool of credits.

    Without a command it runs the bot, with the settings from the environment and `.env`.
    """
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
    """Try the bot in a browser: no account, no key, no internet."""
    try:
        from bot.sandbox.run import run_sandbox  # noqa: PLC0415 - an extra that need not be installed
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"The sandbox needs {error.name}, which is not installed: pip install 'reelpool[sandbox]'"
        ) from error
    sys.exit(asyncio.run(run_sandbox(port=port, speed=speed, data=data)))


def _run_bot() -> None:
    try:
        settings = load_settings()
    except SettingsError as error:
        click.echo(error, err=True)
        sys.exit(_EXIT_SETTINGS)
    set_up_logging(settings.log_level, settings.log_format, settings.secrets)
    try:
        asyncio.run(app.run(settings))
    except ReelpoolError as error:
        click.echo(f"reelpool: {error}", err=True)
        sys.exit(_EXIT_FAILED)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
