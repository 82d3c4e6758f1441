"""`/pool approvals` and `/pool waiting`."""

from typing import Any

import discord
from discord import app_commands

from bot.client import VideoBot
from bot.codes import AuditAction, Refusal
from bot.errors import RefusedError
from bot.pools.policy import Policy
from bot.pools.rules import changes
from bot.pools.rules.input_checks import MAX_CREDITS
from cogs.interactions.permissions import require_decider, require_manager, trouble_with
from cogs.interactions.responses import deferred_when_slow, send_or_edit
from cogs.moderation.decisions import waiting_answer
from cogs.pool._changes import PoolCommand, change_rules
from cogs.rendering import approvals as _approval_render

_Interaction = discord.Interaction[VideoBot]


class _TextChannel(app_commands.Transformer):
    """A text channel, also one that the bot can't see: the answer says so then."""

    @property
    def type(self) -> discord.AppCommandOptionType:
        """A channel."""
        return discord.AppCommandOptionType.channel

    @property
    def channel_types(self) -> list[discord.ChannelType]:
        """Those in which messages are written, and which are no threads."""
        return [discord.ChannelType.text, discord.ChannelType.news]

    async def transform(
        self, interaction: discord.Interaction[Any], value: app_commands.AppCommandChannel, /
    ) -> app_commands.AppCommandChannel:
        """Take it as it is."""
        del interaction
        return value


_OFF = [
    app_commands.Choice(name="Price: no price needs approval", value="price"),
    app_commands.Choice(name="Channel: post requests where they were made", value="channel"),
    app_commands.Choice(name="Both", value="both"),
]


@app_commands.command(description="Set which videos need approval, and where requests are posted")
@app_commands.describe(
    price="Videos of this many credits or more need approval",
    channel="Where requests and low-balance notices are posted",
    off="What to switch off",
)
@app_commands.choices(off=_OFF)
async def approvals(
    interaction: _Interaction,
    price: app_commands.Range[int, 1, MAX_CREDITS] | None = None,
    channel: app_commands.Transform[app_commands.AppCommandChannel, _TextChannel] | None = None,
    off: str | None = None,
) -> None:
    """Set, show or switch off what needs approval.

    Raises:
        RefusedError: the options contradict each other, or the bot can't write in the channel.
    """
    if off and (price is not None or channel is not None):
        raise RefusedError(Refusal.APPROVALS_SET_AND_OFF)
    guild_id = await require_manager(interaction)
    if channel is not None and (trouble := trouble_with(interaction.client, guild_id, channel.id)):
        raise RefusedError(Refusal(trouble.code), **trouble.data)

    def change(policy: Policy) -> Policy:
        if price is not None or off in ("price", "both"):
            policy = changes.set_approval_price(policy, price)
        if channel is not None or off in ("channel", "both"):
            policy = changes.set_moderators_channel(policy, channel.id if channel else None)
        return policy

    await change_rules(interaction, AuditAction.APPROVALS, change, _approval_render.approval_rules)


@app_commands.command(description="List the videos that wait for approval, with buttons to decide")
async def waiting(interaction: _Interaction) -> None:
    """List what waits for approval in this server."""
    guild_id = await require_decider(interaction)
    async with deferred_when_slow(interaction, ephemeral=True):
        embed, view = await waiting_answer(interaction.client, guild_id)
    await send_or_edit(interaction, embed, ephemeral=True, view=view)


POOL_COMMANDS: tuple[PoolCommand, ...] = (approvals, waiting)
