"""`/pool`: its credits. What is left, where they went, deposits and withdrawals."""

from datetime import timedelta

import discord
import structlog
from discord import app_commands
from discord.ext import commands

from bot.client import VideoBot
from bot.codes import Refusal
from bot.errors import RefusedError, StorageError
from bot.pools.rules.input_checks import MAX_CREDITS, MAX_REASON, Unit, check_whole
from cogs.interactions.permissions import (
    is_manager,
    is_operator,
    require_depositor,
    require_guild,
    require_manager,
    role_ids,
)
from cogs.interactions.responses import deferred_when_slow, send_or_edit
from cogs.messages.video_files import is_too_large, upload_limit
from cogs.pool._changes import PoolCommand
from cogs.pool._export import exported
from cogs.pool._pages import PageButton, PagedTable, PageRequest, first_page
from cogs.rendering import pool as _pool_render

_log = structlog.get_logger(__name__)

_Interaction = discord.Interaction[VideoBot]
_Credits = app_commands.Range[int, 1, MAX_CREDITS]
_MAX_DAYS = 10_000
_Reason = app_commands.Range[str, 1, MAX_REASON]


@app_commands.command(description="Show what is left in this server's pool, and what was spent")
async def show(interaction: _Interaction) -> None:
    """Show moderators the whole pool, and members what is left and their own part.

    Raises:
        RefusedError: SERVERS_ONLY, SERVER_NOT_APPROVED.
    """
    services, guild_id = interaction.client.services, require_guild(interaction)
    async with deferred_when_slow(interaction, ephemeral=True):
        if await is_manager(interaction) or is_operator(interaction):
            found = await services.pools.statement(guild_id)
            if found.pool.opened_at is None and not is_operator(interaction):
                raise RefusedError(Refusal.SERVER_NOT_APPROVED)
            embed = _pool_render.statement(found)
            if is_operator(interaction):
                embed = _pool_render.with_all_servers(embed, await services.reconciliation.report())
        else:
            member_id, pool = interaction.user.id, await services.pools.pool(guild_id)
            if pool.opened_at is None:
                raise RefusedError(Refusal.SERVER_NOT_APPROVED)
            embed = _pool_render.member_statement(
                pool,
                await services.jobs.overview(guild_id, member_id, role_ids(interaction)),
                await services.pools.spending(guild_id, member_id),
            )
    await send_or_edit(interaction, embed, ephemeral=True)


@app_commands.command(description="Add credits to this server's pool")
@app_commands.describe(credits_="How many", reason="Why; shown in the ledger")
@app_commands.rename(credits_="credits")
async def deposit(interaction: _Interaction, credits_: _Credits, reason: _Reason) -> None:
    """Deposit credits."""
    guild_id = await require_depositor(interaction)
    pools = interaction.client.services.pools
    async with deferred_when_slow(interaction, ephemeral=True):
        pool = await pools.deposit(
            guild_id, interaction.user.id, credits_, reason, interaction.id, approves=is_operator(interaction)
        )
        missing = await pools.missing_credits()
    _log.info("credits deposited", guild_id=guild_id, actor_id=interaction.user.id, credits=credits_, missing=missing)
    embed = _pool_render.deposited(pool, credits_, missing, for_operator=is_operator(interaction))
    await send_or_edit(interaction, embed, ephemeral=True)


@app_commands.command(description="Withdraw available credits from this server's pool")
@app_commands.describe(credits_="How many", reason="Why; shown in the ledger")
@app_commands.rename(credits_="credits")
async def withdraw(interaction: _Interaction, credits_: _Credits, reason: _Reason) -> None:
    """Withdraw credits."""
    guild_id = await require_depositor(interaction)
    pools = interaction.client.services.pools
    async with deferred_when_slow(interaction, ephemeral=True):
        pool = await pools.withdraw(guild_id, interaction.user.id, credits_, reason, interaction.id)
    _log.info("credits withdrawn", guild_id=guild_id, actor_id=interaction.user.id, credits=credits_)
    await send_or_edit(interaction, _pool_render.withdrawn(pool, credits_), ephemeral=True)


@app_commands.command(description="Page through the pool's ledger: every deposit, hold, charge and release")
@app_commands.describe(member="Only entries about or by this member")
async def history(interaction: _Interaction, member: discord.User | None = None) -> None:
    """Page through the ledger."""
    guild_id = await require_manager(interaction)
    await _open(
        interaction, guild_id, PageRequest(PagedTable.LEDGER, interaction.user.id, member.id if member else None)
    )


@app_commands.command(description="Get the pool's ledger as a file for spreadsheets")
@app_commands.describe(days="How many days back (default: everything)")
async def export(interaction: _Interaction, days: app_commands.Range[int, 1, _MAX_DAYS] | None = None) -> None:
    """Send the ledger as a file.

    Raises:
        RefusedError: the file is too large for this server.
        HTTPException: Discord refused the answer.
    """
    guild_id = await require_manager(interaction)
    if days is not None:
        check_whole(days, 1, _MAX_DAYS, Unit.DAYS)
    # A file takes its time to be made and sent: longer than Discord waits for a first answer.
    await interaction.response.defer(ephemeral=True, thinking=True)
    services = interaction.client.services
    since = services.clock.now() - timedelta(days=days) if days else None
    limit = upload_limit(interaction)
    async with exported(services.pools.entries(guild_id, since), limit) as found:
        file = discord.File(found.file, f"ledger-{guild_id}.{found.suffix}")
        try:
            await interaction.edit_original_response(content=_pool_render.exported(found.entries), attachments=[file])
        except discord.HTTPException as error:
            if not is_too_large(error):
                raise
            raise RefusedError(Refusal.EXPORT_TOO_LARGE, entries=found.entries, megabytes=None) from error


@app_commands.command(description="Page through the audit trail: what moderators changed, and when")
async def audit(interaction: _Interaction) -> None:
    """Page through the audit trail."""
    guild_id = await require_manager(interaction)
    await _open(interaction, guild_id, PageRequest(PagedTable.AUDIT, interaction.user.id))


async def _open(interaction: _Interaction, guild_id: int, request: PageRequest) -> None:
    async with deferred_when_slow(interaction, ephemeral=True):
        embed, view = await first_page(interaction, guild_id, request)
    await send_or_edit(interaction, embed, ephemeral=True, view=view)


POOL_COMMANDS: tuple[PoolCommand, ...] = (show, deposit, withdraw, history, export, audit)


class Pools(commands.Cog):
    """Opens the pools of the servers that the operator owns, or of all where the settings say so."""

    def __init__(self, bot: VideoBot) -> None:
        self.bot = bot

    async def cog_load(self) -> None:
        """Register the buttons of earlier messages."""
        self.bot.add_dynamic_items(PageButton)

    async def cog_unload(self) -> None:
        """Unregister them."""
        self.bot.remove_dynamic_items(PageButton)

    @commands.Cog.listener()
    async def on_ready(self) -> None:
        """Open the pools of servers that were joined while the bot was away."""
        await self._open_pools(*self.bot.guilds)

    @commands.Cog.listener()
    async def on_guild_join(self, guild: discord.Guild) -> None:
        """Open the pool of a server that was just joined."""
        if not self._is_own(guild):
            _log.info(
                "a server added the bot; it spends nothing until the operator deposits credits there",
                guild_id=guild.id,
                name=guild.name,
            )
        await self._open_pools(guild)

    @commands.Cog.listener()
    async def on_guild_available(self, guild: discord.Guild) -> None:
        """Open the pool of a server that was away at the start, or joined while it was."""
        # Before that, Discord sends this for every server.
        if self.bot.is_ready():
            await self._open_pools(guild)

    def _is_own(self, guild: discord.Guild) -> bool:
        return self.bot.services.pools.open_for_all_servers or self.bot.is_operator(guild.owner_id or 0)

    async def _open_pools(self, *guilds: discord.Guild) -> None:
        try:
            opened = await self.bot.services.pools.open_all(guild.id for guild in guilds if self._is_own(guild))
        except StorageError as error:
            # Then it happens with the first command there.
            _log.error("no pools opened", error=str(error))
            return
        if opened:
            _log.info("pools opened", servers=opened)
