"""In moderators' rules 0 allows nothing; it was no limit, which is -1 now."""

import json
from typing import Any

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_NUMBERS = ("window_credits", "active_jobs", "max_price")


def upgrade() -> None:
    """Go forward."""
    _replace(0, -1)


def downgrade() -> None:
    """Go back; what allowed nothing has no other number there."""
    _replace(-1, 0)


def _replace(old: int, new: int) -> None:
    connection = op.get_bind()
    # The audit trail refuses changes. What was decided stays as it was: only its notation is another.
    triggers = connection.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_entries'"
    ).all()
    for name, _ in triggers:
        connection.exec_driver_sql(f"DROP TRIGGER {name}")
    for table, key, column in (("pools", "guild_id", "policy"), ("audit_entries", "id", "detail")):
        rows = connection.exec_driver_sql(
            f"SELECT {key}, {column} FROM {table} WHERE {column} LIKE '%window_credits%' "  # noqa: S608 - our own words
            f"OR {column} LIKE '%active_jobs%' OR {column} LIKE '%max_price%'"
        ).all()
        for row_id, document in rows:
            try:
                found = json.loads(document)
            except ValueError:
                # A sentence of an earlier version.
                continue
            edited = json.dumps(_edited(found, old, new), ensure_ascii=False, separators=(",", ":"))
            connection.exec_driver_sql(
                f"UPDATE {table} SET {column} = ? WHERE {key} = ?",  # noqa: S608 - our own words
                (edited, row_id),
            )
    for _, statement in triggers:
        connection.exec_driver_sql(statement)


def _edited(value: Any, old: int, new: int) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return {
            key: new if key in _NUMBERS and part == old and part is not False else _edited(part, old, new)
            for key, part in value.items()
        }
    return [_edited(part, old, new) for part in value] if isinstance(value, list) else value
