"""Columns and values in the field's words: low-balance limits, and `publish`."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.execute("ALTER TABLE jobs RENAME COLUMN share TO publish")
    op.execute("ALTER TABLE pools RENAME COLUMN announced_brake TO announced_low_balance")
    _edit_checks(
        {"ck_pools_announced_brake": "ck_pools_announced_low_balance", "'words', 'brake'": "'words', 'low_balance'"}
    )
    op.execute("UPDATE approvals SET cause = 'low_balance' WHERE cause = 'brake'")
    _rename_policy_key("brakes", "low_balance")


def downgrade() -> None:
    """Go back."""
    _rename_policy_key("low_balance", "brakes")
    _edit_checks(
        {"ck_pools_announced_low_balance": "ck_pools_announced_brake", "'words', 'low_balance'": "'words', 'brake'"}
    )
    op.execute("UPDATE approvals SET cause = 'brake' WHERE cause = 'low_balance'")
    op.execute("ALTER TABLE pools RENAME COLUMN announced_low_balance TO announced_brake")
    op.execute("ALTER TABLE jobs RENAME COLUMN publish TO share")


def _edit_checks(words: dict[str, str]) -> None:
    """Replace words in the CHECKs of tables, which SQLite has no statement for.

    Source: SQLite's documentation, "ALTER TABLE", "Making Other Kinds Of Table Schema Changes": the second procedure,
    for changes that do not touch what is stored.
    """
    connection = op.get_bind()
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    for old, new in words.items():
        connection.execute(
            sa.text("UPDATE sqlite_schema SET sql = replace(sql, :old, :new) WHERE type = 'table'"),
            {"old": old, "new": new},
        )
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")


def _rename_policy_key(old: str, new: str) -> None:
    statement = sa.text(
        "UPDATE pools SET policy = json_remove(json_set(policy, :new, json_extract(policy, :old)), :old) "
        "WHERE json_extract(policy, :old) IS NOT NULL"
    )
    op.get_bind().execute(statement, {"old": f"$.{old}", "new": f"$.{new}"})
