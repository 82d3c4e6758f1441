"""`/pool`: rules for members and roles. What they may spend, and who may make no videos."""

import discord
from discord import app_commands

from bot.client import VideoBot
from bot.errors import ChangeRefusedError
from bot.pools.policy import Allowance, Policy
from bot.pools.rules import changes
from bot.pools.rules import describe as wording
from bot.pools.rules.changes import MAX_BLOCK_HOURS, MAX_OPEN_JOBS, Target, TargetKind
from bot.pools.rules.input_checks import MAX_CREDITS, MAX_REASON
from cogs.interactions.permissions import require_manager
from cogs.interactions.responses import deferred_when_slow
from cogs.pool._changes import PoolCommand, change_rules, tell
from cogs.rendering import pool as _pool_render

_Interaction = discord.Interaction[VideoBot]
_Credits = app_commands.Range[int, 0, MAX_CREDITS]
_Target = discord.Role | discord.Member | discord.User


@app_commands.command(description="What everyone, a role or a member may spend; with no options, all such rules")
@app_commands.describe(
    target="@everyone, a role or a member",
    credits_="Credits in any window of time; 0: no limit",
    open_jobs="Videos in the making at once; 0: no limit",
    dearest="Credits that one video may cost; 0: no limit",
    remove="Take the whole rule away",
)
@app_commands.rename(credits_="credits")
async def allow(
    interaction: _Interaction,
    target: _Target | None = None,
    credits_: _Credits | None = None,
    open_jobs: app_commands.Range[int, 0, MAX_OPEN_JOBS] | None = None,
    dearest: _Credits | None = None,
    remove: bool = False,
) -> None:
    """Set, take away or show a rule."""
    guild_id = await require_manager(interaction)
    numbers = Allowance(credits_, open_jobs, dearest)
    if target is None:
        await _list(interaction, guild_id, numbers, remove=remove)
        return
    whose = _whose(interaction, guild_id, target)
    if remove and not numbers.is_empty:
        raise ChangeRefusedError("Give numbers, or take the rule away, but not both. Nothing has changed.")

    def change(policy: Policy) -> Policy:
        return changes.forget(policy, whose) if remove else changes.allow(policy, whose, numbers)

    def answer(policy: Policy) -> str:
        rule = wording.allowance(changes.rule_of(policy, whose))
        return f"For {wording.target(whose)}: {rule}.\n`/pool why` tells what holds for a member, of all rules."

    def detail(policy: Policy) -> str:
        return f"{wording.target(whose)}: {wording.allowance(changes.rule_of(policy, whose))}"

    await change_rules(interaction, "allow", detail, change, answer)


async def _list(interaction: _Interaction, guild_id: int, numbers: Allowance, *, remove: bool) -> None:
    if remove or not numbers.is_empty:
        raise ChangeRefusedError("Choose with `target` for whom that is: @everyone, a role or a member.")
    async with deferred_when_slow(interaction, ephemeral=True):
        pool = await interaction.client.services.pools.pool(guild_id)
    await tell(interaction, _pool_render.rules(pool.policy, guild_id), "What members may spend here")


@app_commands.command(description="Let a member make no videos, for some time or for good")
@app_commands.describe(
    member="Who", hours="For how many hours; without it, until `/pool unblock`", reason="Why; the member is told"
)
async def block(
    interaction: _Interaction,
    member: discord.User,
    hours: app_commands.Range[int, 1, MAX_BLOCK_HOURS] | None = None,
    reason: app_commands.Range[str, 1, MAX_REASON] | None = None,
) -> None:
    """Block a member, or change for how long and why."""
    now = interaction.client.services.clock.now()

    def change(policy: Policy) -> Policy:
        return changes.block(policy, member.id, hours, reason or "", now)

    def detail(policy: Policy) -> str:
        return f"<@{member.id}>: {wording.block(changes.block_of(policy, member.id, now))}"

    def answer(policy: Policy) -> str:
        return f"<@{member.id}> is {_pool_render.in_words(wording.block(policy.blocks[member.id]))}."

    await change_rules(interaction, "block", detail, change, answer)


@app_commands.command(description="Let a member make videos again")
@app_commands.describe(member="Who")
async def unblock(interaction: _Interaction, member: discord.User) -> None:
    """Unblock a member."""
    now = interaction.client.services.clock.now()

    def detail(policy: Policy) -> str:
        return f"<@{member.id}>: {wording.block(changes.block_of(policy, member.id, now))}"

    await change_rules(
        interaction,
        "unblock",
        detail,
        lambda policy: changes.unblock(policy, member.id, now),
        lambda _: f"<@{member.id}> may make videos again.",
    )


def _whose(interaction: _Interaction, guild_id: int, target: discord.abc.Snowflake) -> Target:
    if isinstance(target, discord.Member | discord.User):
        return Target(TargetKind.MEMBER, target.id)
    guild = interaction.guild
    if not isinstance(target, discord.Role) or (guild is not None and guild.get_role(target.id) is None):
        raise ChangeRefusedError("That role or member is not there any more, so nothing has changed.")
    return Target(TargetKind.EVERYONE if target.id == guild_id else TargetKind.ROLE, target.id)


POOL_COMMANDS: tuple[PoolCommand, ...] = (allow, block, unblock)
