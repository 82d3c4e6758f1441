"""The steps that lead from an empty file to the tables of today."""

from alembic.config import Config


def alembic_config() -> Config:
    """Return where Alembic finds the migrations."""
    config = Config()
    config.set_main_option("script_location", "bot.storage:migrations")
    return config
