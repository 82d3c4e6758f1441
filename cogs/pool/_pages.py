"""Pages that moderators leaf through: buttons that survive a restart."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

import discord

from bot.client import VideoBot
from bot.errors import RightsError
from bot.pools.ledger.reports import Cursor
from cogs.interactions.errors import report_error
from cogs.interactions.permissions import require_manager
from cogs.rendering import pool as _pool_render

_Interaction = discord.Interaction[VideoBot]


class Book(StrEnum):
    """What is leafed through."""

    LEDGER = "ledger"
    AUDIT = "audit"


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Who reads what.

    Attributes:
        reader_id: of the moderator who asked.
        member_id: the ledger only as far as it is about this member; None: all of it.
    """

    book: Book
    reader_id: int
    member_id: int | None = None


async def open_book(
    interaction: _Interaction, guild_id: int, reading: PageRequest, cursor: Cursor | None = None
) -> tuple[discord.Embed, discord.ui.View]:
    """Return a page, and the buttons to those beside it."""
    pools = interaction.client.services.pools
    if reading.book is Book.AUDIT:
        changes = await pools.audit_page(guild_id, cursor)
        return _pool_render.audit_page(changes), _buttons(reading, changes.newer, changes.older)
    entries = await pools.ledger_page(guild_id, cursor, reading.member_id)
    return _pool_render.ledger_page(entries, reading.member_id), _buttons(reading, entries.newer, entries.older)


class PageButton(
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=r"pool-page:(?P<book>ledger|audit):(?P<side>newer|older):(?P<entry>\d+):(?P<reader>\d+):(?P<member>\d+)",
):
    """Shows the page before or after; all that it needs is in its custom id."""

    def __init__(self, reading: PageRequest, cursor: Cursor | None, *, is_older: bool) -> None:
        side = "older" if is_older else "newer"
        entry_id = cursor.entry_id if cursor else 0
        custom_id = f"pool-page:{reading.book}:{side}:{entry_id}:{reading.reader_id}:{reading.member_id or 0}"
        label = "Next" if is_older else "Previous"
        super().__init__(discord.ui.Button(label=label, custom_id=custom_id, disabled=cursor is None))
        self._reading = reading
        self._cursor = cursor

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Make the button anew from what was pressed."""
        del interaction, item
        is_older = match["side"] == "older"
        reading = PageRequest(Book(match["book"]), int(match["reader"]), int(match["member"]) or None)
        return cls(reading, Cursor(int(match["entry"]), is_older), is_older=is_older)

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Turn the page, if the member may."""
        try:
            await self._turn(interaction)
        except Exception as error:  # noqa: BLE001 - discord.py would only log it: the member is told, whatever it is
            await report_error(interaction, error)

    async def _turn(self, interaction: _Interaction) -> None:
        interaction.client.track_task()
        guild_id = await require_manager(interaction)
        if interaction.user.id != self._reading.reader_id:
            raise RightsError("These are another moderator's pages; use the command to get your own.")
        embed, view = await open_book(interaction, guild_id, self._reading, self._cursor)
        await interaction.response.edit_message(embed=embed, view=view)


def _buttons(reading: PageRequest, newer: Cursor | None, older: Cursor | None) -> discord.ui.View:
    view = discord.ui.View(timeout=None)
    if newer or older:
        view.add_item(PageButton(reading, newer, is_older=False))
        view.add_item(PageButton(reading, older, is_older=True))
    return view
