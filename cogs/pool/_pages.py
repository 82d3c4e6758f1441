"""Page through the ledger and the audit trail: buttons that survive a restart."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

import discord

from bot.client import VideoBot
from bot.codes import Refusal
from bot.errors import RefusedError
from bot.pools.ledger.reports import Cursor
from cogs.interactions.permissions import require_manager
from cogs.interactions.responses import report_error
from cogs.rendering import pool as _pool_render

_Interaction = discord.Interaction[VideoBot]


class PagedTable(StrEnum):
    """What is paged through."""

    LEDGER = "ledger"
    AUDIT = "audit"


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Who reads what.

    Attributes:
        reader_id: of the moderator who used the command.
        member_id: show only the ledger's entries about this member; None: show all.
    """

    table: PagedTable
    reader_id: int
    member_id: int | None = None


async def first_page(
    interaction: _Interaction, guild_id: int, request: PageRequest, cursor: Cursor | None = None
) -> tuple[discord.Embed, discord.ui.View]:
    """Return a page, and the buttons to those beside it.

    Args:
        interaction: of the reader.
        guild_id: of the server.
        request: which table, for whom, and about whom.
        cursor: where the page begins; None: at the newest entry.
    """
    pools = interaction.client.services.pools
    if request.table is PagedTable.AUDIT:
        changes = await pools.audit_page(guild_id, cursor)
        return _pool_render.audit_page(changes), _buttons(request, changes.newer, changes.older)
    entries = await pools.ledger_page(guild_id, cursor, request.member_id)
    return _pool_render.ledger_page(entries, request.member_id), _buttons(request, entries.newer, entries.older)


class PageButton(
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=r"pool-page:(?P<table>ledger|audit):(?P<side>newer|older):(?P<entry>\d+):(?P<reader>\d+):(?P<member>\d+)",
):
    """Shows the page before or after; all that it needs is in its custom id.

    Args:
        request: which table, for whom, and about whom.
        cursor: where the page behind the button begins; None: there is none, and the button is disabled.
        is_older: whether it leads to older entries.
    """

    def __init__(self, request: PageRequest, cursor: Cursor | None, *, is_older: bool) -> None:
        side = "older" if is_older else "newer"
        entry_id = cursor.entry_id if cursor else 0
        custom_id = f"pool-page:{request.table}:{side}:{entry_id}:{request.reader_id}:{request.member_id or 0}"
        label = "Next" if is_older else "Previous"
        super().__init__(discord.ui.Button(label=label, custom_id=custom_id, disabled=cursor is None))
        self._request = request
        self._cursor = cursor

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Make the button again from what was pressed."""
        del interaction, item
        is_older = match["side"] == "older"
        request = PageRequest(PagedTable(match["table"]), int(match["reader"]), int(match["member"]) or None)
        return cls(request, Cursor(int(match["entry"]), is_older), is_older=is_older)

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Turn the page."""
        try:
            await self._turn(interaction)
        except Exception as error:  # noqa: BLE001 - discord.py would only log it, and the member must get an answer
            await report_error(interaction, error)

    async def _turn(self, interaction: _Interaction) -> None:
        interaction.client.begin(interaction.id)
        guild_id = await require_manager(interaction)
        if interaction.user.id != self._request.reader_id:
            raise RefusedError(Refusal.PAGES_OF_ANOTHER)
        embed, view = await first_page(interaction, guild_id, self._request, self._cursor)
        await interaction.response.edit_message(embed=embed, view=view)


def _buttons(request: PageRequest, newer: Cursor | None, older: Cursor | None) -> discord.ui.View:
    view = discord.ui.View(timeout=None)
    if newer or older:
        view.add_item(PageButton(request, newer, is_older=False))
        view.add_item(PageButton(request, older, is_older=True))
    return view
