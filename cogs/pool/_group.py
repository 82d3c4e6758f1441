"""`/pool`: one group of commands, to which several extensions add theirs.

Such an extension names its commands, functions of the module, in a tuple `POOL_COMMANDS`, and its `setup` calls
`add_to_pool`. Loading it anew makes new commands, so that nothing is kept here between two bots.
"""

from collections.abc import Iterable
from typing import Any

from discord import app_commands

from bot.client import VideoBot

NAME = "pool"
"""The group's name."""

PoolCommand = app_commands.Command[Any, ..., Any] | app_commands.Group


def add_to_pool(bot: VideoBot, commands: Iterable[PoolCommand]) -> None:
    """Add commands to the bot's `/pool`, which comes into being with the first of them."""
    group = bot.tree.get_command(NAME)
    if not isinstance(group, app_commands.Group):
        group = app_commands.Group(name=NAME, description="This server's credits, and its moderators' rules")
        bot.tree.add_command(group)
    for command in commands:
        group.add_command(command)
