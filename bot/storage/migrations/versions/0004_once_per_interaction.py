"""Audit entries carry the interaction that they are about, which changes nothing twice."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.add_column("audit_entries", sa.Column("interaction_id", sa.BigInteger()))
    op.create_index("uq_audit_entries_interaction_id", "audit_entries", ["interaction_id"], unique=True)


def downgrade() -> None:
    """Go back."""
    op.drop_index("uq_audit_entries_interaction_id", "audit_entries")
    op.execute("ALTER TABLE audit_entries DROP COLUMN interaction_id")
