"""`/pool`: rules of the whole server. Who manages the pool, where videos are made, pauses and low balances."""

from collections.abc import Iterable
from typing import Any

import discord
from discord import app_commands

from bot.client import VideoBot
from bot.codes import AuditAction, Refusal
from bot.errors import RefusedError
from bot.pools.policy import Policy
from bot.pools.rules import changes
from bot.pools.rules.input_checks import MAX_REASON
from cogs.interactions.permissions import require_manager
from cogs.pool._changes import PoolCommand, change_rules, rules_for_choices
from cogs.rendering import pool as _pool_render
from cogs.rendering.labels import CHEAPEST_KIND

_Interaction = discord.Interaction[VideoBot]
_Percent = app_commands.Range[int, 0, 100]
# Where commands can be used, themselves or in their threads.
_CHANNELS = (
    discord.ChannelType.text,
    discord.ChannelType.news,
    discord.ChannelType.voice,
    discord.ChannelType.stage_voice,
    discord.ChannelType.forum,
)


class _PlaceForVideos(app_commands.Transformer):
    """A channel in which commands can be used, and which is still there."""

    @property
    def type(self) -> discord.AppCommandOptionType:
        """A channel."""
        return discord.AppCommandOptionType.channel

    @property
    def channel_types(self) -> list[discord.ChannelType]:
        """Those that Discord offers."""
        return list(_CHANNELS)

    async def transform(self, interaction: discord.Interaction[Any], value: discord.abc.Snowflake, /) -> int:
        """Return the channel's id.

        Raises:
            TransformerError: it is gone, or of another kind.
        """
        channel = interaction.guild.get_channel(value.id) if interaction.guild else None
        if channel is None or channel.type not in _CHANNELS:
            raise app_commands.TransformerError(value, self.type, self)
        return channel.id


@app_commands.command(description="Set which roles manage the pool, besides members with Manage Server")
@app_commands.describe(add="A role to add", remove="A role to remove")
async def managers(interaction: _Interaction, add: discord.Role | None = None, remove: str | None = None) -> None:
    """Add, remove or list roles that manage the pool."""
    guild_id = await require_manager(interaction)

    def change(policy: Policy) -> Policy:
        if remove is not None:
            policy = changes.remove_manager_role(policy, _id_of(remove))
        return changes.add_manager_role(policy, _existing(interaction, guild_id, add)) if add else policy

    await change_rules(interaction, AuditAction.MANAGERS, change, _pool_render.managers_now)


@managers.autocomplete("remove")
async def _manager_roles(interaction: _Interaction, typed: str) -> list[app_commands.Choice[str]]:
    policy = await rules_for_choices(interaction)
    guild = interaction.guild
    names = {role_id: guild.get_role(role_id) if guild else None for role_id in policy.manager_roles}
    return _choices(((role_id, f"@{role.name}" if role else None) for role_id, role in names.items()), typed)


@app_commands.command(description="Set the channels in which videos can be made (default: all)")
@app_commands.describe(add="A channel to add", remove="A channel to remove")
async def channels(
    interaction: _Interaction,
    add: app_commands.Transform[int, _PlaceForVideos] | None = None,
    remove: str | None = None,
) -> None:
    """Add, remove or list channels."""

    def change(policy: Policy) -> Policy:
        if remove is not None:
            policy = changes.remove_channel(policy, _id_of(remove))
        return changes.add_channel(policy, add) if add else policy

    await change_rules(interaction, AuditAction.CHANNELS, change, _pool_render.channels_now)


@channels.autocomplete("remove")
async def _named_channels(interaction: _Interaction, typed: str) -> list[app_commands.Choice[str]]:
    policy = await rules_for_choices(interaction)
    guild = interaction.guild
    names = {channel_id: guild.get_channel(channel_id) if guild else None for channel_id in policy.channels}
    return _choices(((channel_id, f"#{found.name}" if found else None) for channel_id, found in names.items()), typed)


@app_commands.command(description="Pause new videos; members see why")
@app_commands.describe(reason="What members see")
async def pause(interaction: _Interaction, reason: app_commands.Range[str, 1, MAX_REASON]) -> None:
    """Pause new videos."""
    await change_rules(
        interaction, AuditAction.PAUSE, lambda policy: changes.pause(policy, reason), _pool_render.paused_now
    )


@app_commands.command(description="Resume paused videos")
async def resume(interaction: _Interaction) -> None:
    """End a pause."""
    await change_rules(interaction, AuditAction.RESUME, changes.resume, _pool_render.resumed_now)


@app_commands.command(name="low-balance", description="Set what happens when the pool runs low")
@app_commands.describe(
    cheapest=f"Below this % of the last deposit, only {CHEAPEST_KIND} videos are made; 0: never",
    approval="Below this % of the last deposit, every video needs approval; 0: never",
)
async def low_balance(
    interaction: _Interaction, cheapest: _Percent | None = None, approval: _Percent | None = None
) -> None:
    """Set or show the low-balance limits."""

    def change(policy: Policy) -> Policy:
        before = policy.low_balance
        return changes.set_low_balance_limits(
            policy,
            before.cheapest_percent if cheapest is None else cheapest,
            before.approval_percent if approval is None else approval,
        )

    await change_rules(interaction, AuditAction.LOW_BALANCE, change, _pool_render.low_balance_now)


def _choices(named: Iterable[tuple[int, str | None]], typed: str) -> list[app_commands.Choice[str]]:
    shown = ((name or f"deleted ({found_id})", found_id) for found_id, name in named)
    matching = sorted((name[:100], found_id) for name, found_id in shown if typed.casefold() in name.casefold())
    return [app_commands.Choice(name=name, value=str(found_id)) for name, found_id in matching[:25]]


def _id_of(chosen: str) -> int:
    digits = chosen.strip("<@&#> ")
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > 20:
        raise RefusedError(Refusal.CHOOSE_FROM_LIST)
    return int(digits)


def _existing(interaction: _Interaction, guild_id: int, role: discord.Role) -> int:
    """Return a role's id, if its members can manage the pool.

    Raises:
        RefusedError: it is gone, or @everyone.
    """
    if interaction.guild is not None and interaction.guild.get_role(role.id) is None:
        raise RefusedError(Refusal.ROLE_GONE)
    if role.id == guild_id:
        raise RefusedError(Refusal.EVERYONE_MANAGES_NOT)
    return role.id


POOL_COMMANDS: tuple[PoolCommand, ...] = (managers, channels, pause, resume, low_balance)
