"""Runs the migrations. Loading their library takes longer than a start should, so only what needs it imports this."""

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from bot.errors import StorageError


def alembic_config() -> Config:
    """Return where Alembic finds the migrations."""
    config = Config()
    config.set_main_option("script_location", "bot.storage:migrations")
    return config


def upgrade(connection: Connection) -> None:
    """Bring the tables up to date, inside the connection's transaction.

    Raises:
        StorageError: they are not those of any version that is known here.
    """
    config = alembic_config()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise StorageError(f"the database does not fit this version: {error}") from error


def known_versions() -> set[str]:
    """Return every version that tables may have here."""
    return {script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()}
