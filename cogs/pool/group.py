"""`/pool`: one group, with the commands of each file here."""

from discord import app_commands

from cogs.pool import approvals, member_rules, queue, server_rules, why, word_list
from cogs.pool.credits import POOL_COMMANDS as CREDIT_COMMANDS

_COMMANDS = (
    *CREDIT_COMMANDS,
    *server_rules.POOL_COMMANDS,
    *member_rules.POOL_COMMANDS,
    *word_list.POOL_COMMANDS,
    *why.POOL_COMMANDS,
    *queue.POOL_COMMANDS,
    *approvals.POOL_COMMANDS,
)


def pool_group() -> app_commands.Group:
    """Return the group, for one bot."""
    group = app_commands.Group(name="pool", description="This server's credits, and its moderators' rules")
    for command in _COMMANDS:
        group.add_command(command)
    return group
