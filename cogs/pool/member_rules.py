"""`/pool`: rules for members and roles. What they may spend, and who is blocked."""

from dataclasses import replace

import discord
from discord import app_commands

from bot.client import VideoBot
from bot.codes import AuditAction, Refusal
from bot.errors import RefusedError
from bot.pools.policy import NO_LIMIT, Allowance, Policy
from bot.pools.rules import changes
from bot.pools.rules.changes import MAX_BLOCK_HOURS, MAX_OPEN_JOBS, Target, TargetKind
from bot.pools.rules.input_checks import MAX_CREDITS, MAX_REASON
from bot.pools.rules.limits import LimitKind
from cogs.interactions.permissions import require_manager
from cogs.interactions.responses import deferred_when_slow, send_or_edit
from cogs.pool._changes import PoolCommand, change_rules
from cogs.rendering import labels
from cogs.rendering import pool as _pool_render

_Interaction = discord.Interaction[VideoBot]
_Credits = app_commands.Range[int, 0, MAX_CREDITS]
_EVERYTHING = "everything"
_Target = discord.Role | discord.Member | discord.User


@app_commands.command(
    description="Set spending rules for everyone, a role or a member; without options, list the rules"
)
@app_commands.describe(
    target="@everyone, a role or a member",
    credits_="Credits in the rolling window (normally 24 hours); 0: none",
    open_jobs="Open videos at once; 0: none",
    max_cost="Max cost of one video in credits",
    no_limit="What to leave unlimited",
    remove="Remove the whole rule",
)
@app_commands.rename(credits_="credits")
@app_commands.choices(
    no_limit=[
        app_commands.Choice(name=labels.NO_LIMIT_NAMES[name], value=name)
        for name in (*(kind.value for kind in LimitKind), _EVERYTHING)
    ]
)
async def allow(
    interaction: _Interaction,
    target: _Target | None = None,
    credits_: _Credits | None = None,
    open_jobs: app_commands.Range[int, 0, MAX_OPEN_JOBS] | None = None,
    max_cost: _Credits | None = None,
    no_limit: str | None = None,
    remove: bool = False,
) -> None:
    """Set, remove or show a rule.

    Raises:
        RefusedError: numbers, `no_limit` and `remove` contradict each other.
    """
    guild_id = await require_manager(interaction)
    numbers = _unlimited(Allowance(credits_, open_jobs, max_cost), no_limit)
    if target is None:
        await _list(interaction, guild_id, numbers, remove=remove)
        return
    whose = _whose(interaction, guild_id, target)
    hours = interaction.client.services.pools.window_hours
    if remove and not numbers.is_empty:
        raise RefusedError(Refusal.RULE_SET_AND_REMOVED)

    def change(policy: Policy) -> Policy:
        return changes.forget(policy, whose) if remove else changes.allow(policy, whose, numbers)

    await change_rules(
        interaction, AuditAction.ALLOW, change, lambda policy: _pool_render.rule_now(policy, whose, hours)
    )


def _unlimited(numbers: Allowance, no_limit: str | None) -> Allowance:
    """Return the numbers without a limit where the moderator chose so.

    Raises:
        RefusedError: LIMIT_AND_NO_LIMIT, or a number can't be used.
    """
    changes.check_numbers(numbers)
    if no_limit is None:
        return numbers
    names = [kind.value for kind in LimitKind] if no_limit == _EVERYTHING else [no_limit]
    if any(getattr(numbers, name) is not None for name in names):
        raise RefusedError(Refusal.LIMIT_AND_NO_LIMIT)
    return replace(numbers, **dict.fromkeys(names, NO_LIMIT))


async def _list(interaction: _Interaction, guild_id: int, numbers: Allowance, *, remove: bool) -> None:
    if remove or not numbers.is_empty:
        raise RefusedError(Refusal.RULE_FOR_NOBODY)
    pools = interaction.client.services.pools
    async with deferred_when_slow(interaction, ephemeral=True):
        pool = await pools.pool(guild_id)
    await send_or_edit(interaction, _pool_render.rule_list(pool.policy, guild_id, pools.window_hours), ephemeral=True)


@app_commands.command(description="Block a member from making videos")
@app_commands.describe(
    member="Who", hours="For how many hours (default: until /pool unblock)", reason="Why; the member sees it"
)
async def block(
    interaction: _Interaction,
    member: discord.User,
    hours: app_commands.Range[int, 1, MAX_BLOCK_HOURS] | None = None,
    reason: app_commands.Range[str, 1, MAX_REASON] | None = None,
) -> None:
    """Block a member, or change the block's end and reason."""
    now = interaction.client.services.clock.now()

    def change(policy: Policy) -> Policy:
        return changes.block(policy, member.id, hours, reason or "", now)

    await change_rules(
        interaction, AuditAction.BLOCK, change, lambda policy: _pool_render.blocked_now(policy, member.id)
    )


@app_commands.command(description="Unblock a member")
@app_commands.describe(member="Who")
async def unblock(interaction: _Interaction, member: discord.User) -> None:
    """Unblock a member."""
    now = interaction.client.services.clock.now()

    await change_rules(
        interaction,
        AuditAction.UNBLOCK,
        lambda policy: changes.unblock(policy, member.id, now),
        lambda _: _pool_render.unblocked_now(member.id),
    )


def _whose(interaction: _Interaction, guild_id: int, target: discord.abc.Snowflake) -> Target:
    if isinstance(target, discord.Member | discord.User):
        return Target(TargetKind.MEMBER, target.id)
    guild = interaction.guild
    if not isinstance(target, discord.Role) or (guild is not None and guild.get_role(target.id) is None):
        raise RefusedError(Refusal.TARGET_GONE)
    return Target(TargetKind.EVERYONE if target.id == guild_id else TargetKind.ROLE, target.id)


POOL_COMMANDS: tuple[PoolCommand, ...] = (allow, block, unblock)
