"""Every command that the bot has, as it is declared: for registering, checking and documenting them."""

from collections.abc import Iterator
from typing import Any

from discord import app_commands
from discord.ext import commands

from cogs.moderation.decisions import Moderation
from cogs.pool.credits import Pools
from cogs.pool.group import pool_group
from cogs.pool.why import Why
from cogs.session import Sessions
from cogs.video import Video

COGS: tuple[type[commands.Cog], ...] = (Video, Moderation, Sessions, Pools, Why)
"""The cogs; the composition root makes one of each."""


def declared() -> Iterator[app_commands.Command[Any, ..., Any] | app_commands.Group]:
    """Yield the slash commands and groups; context menus are not among them."""
    for cog in COGS:
        yield from cog.__cog_app_commands__
    yield pool_group()
