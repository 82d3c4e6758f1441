"""Pages of a table that only grows, in SQL: each begins at an id, so that what is added meanwhile shifts none."""

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Column, RowMapping, Select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.pools.ledger.reports import Cursor, Page

_Item = TypeVar("_Item")


async def read_page(
    connection: AsyncConnection,
    query: Select[Any],
    key: Column[int],
    cursor: Cursor | None,
    size: int,
    item_of: Callable[[RowMapping], _Item],
) -> Page[_Item]:
    """Return the page of a query's rows, newest first, that begins at a cursor; without one, the newest rows.

    Args:
        connection: inside a transaction.
        query: selects the rows, without an order.
        key: the id by which pages begin and end.
        cursor: where the page begins, and in which direction; None: at the newest row.
        size: rows on a page.
        item_of: makes a value of a row.
    """
    # One row more than is shown: whether there is another page.
    found = (await connection.execute(_beside(query, key, cursor).limit(size + 1))).mappings()
    rows = list(found)
    has_more, rows = len(rows) > size, rows[:size]
    if cursor is not None and (not rows or not (cursor.is_older or has_more)):
        # The first page is a full one, as long as there is enough.
        return await read_page(connection, query, key, None, size, item_of)
    if cursor is not None and not cursor.is_older:
        rows.reverse()
    has_newer = cursor is not None
    has_older = has_more or (cursor is not None and not cursor.is_older)
    return Page(
        tuple(map(item_of, rows)),
        Cursor(rows[0]["id"], is_older=False) if has_newer else None,
        Cursor(rows[-1]["id"], is_older=True) if has_older else None,
    )


def _beside(query: Select[Any], key: Column[int], cursor: Cursor | None) -> Select[Any]:
    if cursor is None:
        return query.order_by(key.desc())
    if cursor.is_older:
        return query.where(key < cursor.entry_id).order_by(key.desc())
    return query.where(key > cursor.entry_id).order_by(key)
