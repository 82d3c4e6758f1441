"""`/pool`: rules of the whole server. Who manages the pool, where videos are made, and when not."""

from collections.abc import Iterable
from typing import Any

import discord
from discord import app_commands

from bot.client import VideoBot
from bot.errors import ChangeRefusedError
from bot.pools.policy import Policy
from bot.pools.rules import changes
from bot.pools.rules import describe as wording
from bot.pools.rules.input_checks import MAX_REASON
from cogs.interactions.permissions import require_manager
from cogs.pool._changes import PoolCommand, change_rules, rules_for_choices
from cogs.rendering import pool as _pool_render

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


@app_commands.command(description="Roles that manage the pool, beside members with Manage Server")
@app_commands.describe(add="A role whose members shall manage the pool too", remove="A role that shall no longer")
async def managers(interaction: _Interaction, add: discord.Role | None = None, remove: str | None = None) -> None:
    """Name roles that manage the pool, or list them."""
    guild_id = await require_manager(interaction)

    def change(policy: Policy) -> Policy:
        if remove is not None:
            policy = changes.remove_manager_role(policy, _id_of(remove))
        return changes.add_manager_role(policy, _existing(interaction, guild_id, add)) if add else policy

    def answer(policy: Policy) -> str:
        roles = f", and with {wording.manager_roles(policy)}" if policy.manager_roles else ""
        return f"The pool is managed by members with **Manage Server**{roles}."

    await change_rules(interaction, "managers", wording.manager_roles, change, answer)


@managers.autocomplete("remove")
async def _manager_roles(interaction: _Interaction, typed: str) -> list[app_commands.Choice[str]]:
    policy = await rules_for_choices(interaction)
    guild = interaction.guild
    names = {role_id: guild.get_role(role_id) if guild else None for role_id in policy.manager_roles}
    return _choices(((role_id, f"@{role.name}" if role else None) for role_id, role in names.items()), typed)


@app_commands.command(description="Channels where videos may be made; with none named, everywhere")
@app_commands.describe(add="A channel where they may be made", remove="A channel where they shall no longer")
async def channels(
    interaction: _Interaction,
    add: app_commands.Transform[int, _PlaceForVideos] | None = None,
    remove: str | None = None,
) -> None:
    """Name channels, or list them."""

    def change(policy: Policy) -> Policy:
        if remove is not None:
            policy = changes.remove_channel(policy, _id_of(remove))
        return changes.add_channel(policy, add) if add else policy

    def answer(policy: Policy) -> str:
        return f"Videos are made in {wording.channels(policy)}{' and its threads' if policy.channels else ''}."

    await change_rules(interaction, "channels", wording.channels, change, answer)


@channels.autocomplete("remove")
async def _named_channels(interaction: _Interaction, typed: str) -> list[app_commands.Choice[str]]:
    policy = await rules_for_choices(interaction)
    guild = interaction.guild
    names = {channel_id: guild.get_channel(channel_id) if guild else None for channel_id in policy.channels}
    return _choices(((channel_id, f"#{found.name}" if found else None) for channel_id, found in names.items()), typed)


@app_commands.command(description="Make no new videos for now; members are told why")
@app_commands.describe(reason="What members are told")
async def pause(interaction: _Interaction, reason: app_commands.Range[str, 1, MAX_REASON]) -> None:
    """Take no new videos."""

    def answer(policy: Policy) -> str:
        told = _pool_render.in_words(policy.paused or "")
        return f"No new videos are made until `/pool resume`. Members are told: {told}"

    await change_rules(interaction, "pause", wording.pause, lambda policy: changes.pause(policy, reason), answer)


@app_commands.command(description="Make videos again after a pause")
async def resume(interaction: _Interaction) -> None:
    """Take new videos again."""
    await change_rules(interaction, "resume", wording.pause, changes.resume, lambda _: "Videos are made again.")


@app_commands.command(description="How a pool that runs low is braked, in per cent of the last deposit")
@app_commands.describe(
    cheapest="Under this share only 5-second silent videos are made; 0: never",
    approval="Under this share a moderator has to approve each video; 0: never",
)
async def brakes(interaction: _Interaction, cheapest: _Percent | None = None, approval: _Percent | None = None) -> None:
    """Set the brakes, or tell how they are set."""

    def change(policy: Policy) -> Policy:
        before = policy.low_balance
        return changes.set_low_balance_limits(
            policy,
            before.cheapest_percent if cheapest is None else cheapest,
            before.approval_percent if approval is None else approval,
        )

    await change_rules(
        interaction,
        "brakes",
        lambda policy: wording.brakes(policy.low_balance),
        change,
        lambda policy: f"When the pool runs low: {wording.brakes(policy.low_balance)}.",
    )


def _choices(named: Iterable[tuple[int, str | None]], typed: str) -> list[app_commands.Choice[str]]:
    shown = ((name or f"deleted ({found_id})", found_id) for found_id, name in named)
    matching = sorted((name[:100], found_id) for name, found_id in shown if typed.casefold() in name.casefold())
    return [app_commands.Choice(name=name, value=str(found_id)) for name, found_id in matching[:25]]


def _id_of(chosen: str) -> int:
    digits = chosen.strip("<@&#> ")
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > 20:
        raise ChangeRefusedError("Choose what to remove from the list that Discord shows while you type.")
    return int(digits)


def _existing(interaction: _Interaction, guild_id: int, role: discord.Role) -> int:
    """Return a role's id, if its holders can manage the pool."""
    if interaction.guild is not None and interaction.guild.get_role(role.id) is None:
        raise ChangeRefusedError("That role is not there any more, so nothing has changed.")
    if role.id == guild_id:
        raise ChangeRefusedError("@everyone can't manage the pool. Choose a role of your moderators'.")
    return role.id


POOL_COMMANDS: tuple[PoolCommand, ...] = (managers, channels, pause, resume, brakes)
