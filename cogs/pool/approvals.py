"""What moderators set and see of the videos that wait for them: `/pool approvals`, `/pool waiting`, and their desk."""

from typing import Any

import discord
import structlog
from discord import app_commands
from discord.ext import commands

from bot.client import VideoBot
from bot.codes import Refusal
from bot.errors import ChangeRefusedError
from bot.pools.policy import Policy
from bot.pools.rules import approval_rules
from bot.pools.rules.input_checks import MAX_CREDITS
from cogs.interactions.moderator_channel import trouble_with
from cogs.interactions.permissions import require_manager
from cogs.interactions.responses import deferred_when_slow, send_or_edit
from cogs.moderation.approval_buttons import ApprovalButton, waiting_answer
from cogs.pool._changes import PoolCommand, change_rules
from cogs.rendering import approvals as _approval_render

_log = structlog.get_logger(__name__)

_Interaction = discord.Interaction[VideoBot]


class _TextChannel(app_commands.Transformer):
    """A text channel as Discord tells of it: also one that the bot can't see, so that it can say so."""

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
    app_commands.Choice(name="The price: no price needs approval", value="price"),
    app_commands.Choice(name="The channel: ask where the video was asked for", value="channel"),
    app_commands.Choice(name="Both", value="both"),
]


@app_commands.command(description="Which videos wait for a moderator, and where moderators are asked")
@app_commands.describe(
    price="Videos that cost this many credits or more wait for a moderator",
    channel="Where moderators are asked, and told when the pool runs low",
    off="What to switch off",
)
@app_commands.choices(off=_OFF)
async def approvals(
    interaction: _Interaction,
    price: app_commands.Range[int, 1, MAX_CREDITS] | None = None,
    channel: app_commands.Transform[app_commands.AppCommandChannel, _TextChannel] | None = None,
    off: str | None = None,
) -> None:
    """Set, show or switch off what needs approval."""
    if off and (price is not None or channel is not None):
        raise ChangeRefusedError("Set something, or switch something off: not both at once. Nothing was changed.")
    guild_id = await require_manager(interaction)
    if channel is not None and (trouble := trouble_with(interaction.client, guild_id, channel.id)):
        raise ChangeRefusedError(Refusal(trouble.code), **trouble.data)

    def change(policy: Policy) -> Policy:
        if price is not None or off in ("price", "both"):
            policy = approval_rules.set_approval_price(policy, price)
        if channel is not None or off in ("channel", "both"):
            policy = approval_rules.set_moderators_channel(policy, channel.id if channel else None)
        return policy

    await change_rules(interaction, "approvals", approval_rules.in_words, change, _approval_render.approval_rules)


@app_commands.command(description="Videos that wait for a moderator, with the decisions")
async def waiting(interaction: _Interaction) -> None:
    """List what waits in this server."""
    guild_id = await require_manager(interaction)
    async with deferred_when_slow(interaction, ephemeral=True):
        embed, view = await waiting_answer(interaction.client, guild_id)
    await send_or_edit(interaction, embed, ephemeral=True, view=view)


class Approvals(commands.Cog):
    """The moderators' desk: closes cards and announces the brakes."""

    def __init__(self, bot: VideoBot) -> None:
        self.bot = bot

    async def cog_load(self) -> None:
        """Know the buttons of earlier cards."""
        self.bot.add_dynamic_items(ApprovalButton)

    async def cog_unload(self) -> None:
        """Forget them."""
        self.bot.remove_dynamic_items(ApprovalButton)


POOL_COMMANDS: tuple[PoolCommand, ...] = (approvals, waiting)
