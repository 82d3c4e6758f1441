"""The shared pool of each server, its moderators' rules, approvals, creative sessions and the audit trail."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    _create_pools()
    _create_sessions()
    _create_approvals()
    _create_audit()
    _add_columns()
    _open_books()
    op.execute(_BOOK_ENTRY)


def downgrade() -> None:
    """Go back; what was deposited is forgotten."""
    op.execute("DROP TRIGGER ledger_entries_book")
    op.drop_index("ix_jobs_session", "jobs")
    op.execute("ALTER TABLE ledger_entries DROP COLUMN session_id")
    for column in ("role_ids", "moved_to_front_at", "session_id"):
        op.execute(f"ALTER TABLE jobs DROP COLUMN {column}")
    for table in ("audit_entries", "approvals", "sessions", "pools"):
        op.drop_table(table)


def _create_pools() -> None:
    op.create_table(
        "pools",
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.DateTime()),
        sa.Column("available_credits", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("budgeted_credits", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("held_credits", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("spent_credits", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("last_deposit_credits", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("policy", sa.Text(), nullable=False, server_default="{}"),
        sa.Column("announced_brake", sa.Text(), nullable=False, server_default="none"),
        sa.PrimaryKeyConstraint("guild_id", name="pk_pools"),
        sa.CheckConstraint("available_credits >= 0", name=op.f("ck_pools_available")),
        sa.CheckConstraint("budgeted_credits >= 0", name=op.f("ck_pools_budgeted")),
        sa.CheckConstraint("held_credits >= 0", name=op.f("ck_pools_held")),
        sa.CheckConstraint("spent_credits >= 0", name=op.f("ck_pools_spent")),
        sa.CheckConstraint("json_valid(policy)", name=op.f("ck_pools_policy")),
        sa.CheckConstraint(
            "announced_brake IN ('none', 'cheapest', 'approval')", name=op.f("ck_pools_announced_brake")
        ),
    )


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("interaction_id", sa.BigInteger(), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("thread_id", sa.BigInteger()),
        sa.Column("card_message_id", sa.BigInteger()),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("role_id", sa.BigInteger()),
        sa.Column("budget_credits", sa.Integer(), nullable=False),
        sa.Column("available_credits", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("held_credits", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("spent_credits", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("started_by", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=False),
        sa.Column("ends_at", sa.DateTime()),
        sa.Column("ended_at", sa.DateTime()),
        sa.Column("ended_by", sa.BigInteger()),
        sa.Column("end_cause", sa.Text()),
        sa.Column("summarised_at", sa.DateTime()),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.ForeignKeyConstraint(["guild_id"], ["pools.guild_id"], name="fk_sessions_guild_id_pools"),
        sa.UniqueConstraint("interaction_id", name="uq_sessions_interaction_id"),
        sa.UniqueConstraint("thread_id", name="uq_sessions_thread_id"),
        sa.CheckConstraint("length(title) BETWEEN 1 AND 100", name=op.f("ck_sessions_title")),
        sa.CheckConstraint("budget_credits > 0", name=op.f("ck_sessions_budget")),
        sa.CheckConstraint("available_credits >= 0", name=op.f("ck_sessions_available")),
        sa.CheckConstraint("held_credits >= 0", name=op.f("ck_sessions_held")),
        sa.CheckConstraint("spent_credits >= 0", name=op.f("ck_sessions_spent")),
        sa.CheckConstraint("end_cause IN ('command', 'time', 'budget', 'failure')", name=op.f("ck_sessions_end_cause")),
        sa.CheckConstraint("(ended_at IS NULL) = (end_cause IS NULL)", name=op.f("ck_sessions_ended")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_sessions_open", "sessions", ["guild_id"], sqlite_where=sa.text("summarised_at IS NULL"))


def _create_approvals() -> None:
    op.create_table(
        "approvals",
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("card_channel_id", sa.BigInteger()),
        sa.Column("card_message_id", sa.BigInteger()),
        sa.Column("decision", sa.Text()),
        sa.Column("decided_by", sa.BigInteger()),
        sa.Column("decided_at", sa.DateTime()),
        sa.Column("reason", sa.Text()),
        sa.Column("card_closed_at", sa.DateTime()),
        sa.PrimaryKeyConstraint("job_id", name="pk_approvals"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_approvals_job_id_jobs"),
        sa.CheckConstraint("cause IN ('price', 'words', 'brake')", name=op.f("ck_approvals_cause")),
        sa.CheckConstraint(
            "decision IN ('approved', 'cheaper', 'denied', 'expired', 'cancelled')",
            name=op.f("ck_approvals_decision"),
        ),
        sa.CheckConstraint("(decision IS NULL) = (decided_at IS NULL)", name=op.f("ck_approvals_decided")),
    )
    op.create_index(
        "ix_approvals_unclosed",
        "approvals",
        ["job_id"],
        sqlite_where=sa.text("decision IS NOT NULL AND card_message_id IS NOT NULL AND card_closed_at IS NULL"),
    )


def _create_audit() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_entries"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_entries_guild", "audit_entries", ["guild_id", "id"])
    for action in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_entries_no_{action.lower()} BEFORE {action} ON audit_entries "
            "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END"
        )


def _add_columns() -> None:
    # Not in a copy of the table: others refer to its rows.
    for table in ("jobs", "ledger_entries"):
        key = f"CONSTRAINT fk_{table}_session_id_sessions REFERENCES sessions (id)"
        op.execute(f"ALTER TABLE {table} ADD COLUMN session_id INTEGER {key}")
    op.execute("ALTER TABLE jobs ADD COLUMN moved_to_front_at DATETIME")
    op.execute("ALTER TABLE jobs ADD COLUMN role_ids TEXT DEFAULT '[]' NOT NULL")
    op.create_index("ix_ledger_entries_page", "ledger_entries", ["guild_id", "id"])
    op.create_index("ix_jobs_session", "jobs", ["session_id"], sqlite_where=sa.text("session_id IS NOT NULL"))


def _open_books() -> None:
    """Give each server that has books a pool; what it held and spent so far came from no pool: it is adjusted."""
    op.execute(
        "INSERT INTO pools (guild_id, held_credits, spent_credits) SELECT guild_id, "
        "sum(credits * CASE kind WHEN 'hold' THEN 1 WHEN 'charge' THEN -1 WHEN 'release' THEN -1 ELSE 0 END), "
        "sum(credits * CASE kind WHEN 'charge' THEN 1 WHEN 'refund' THEN -1 ELSE 0 END) "
        "FROM ledger_entries GROUP BY guild_id"
    )
    op.execute(
        "INSERT INTO ledger_entries (guild_id, kind, credits, reason, created_at) "
        "SELECT guild_id, 'adjustment', held_credits + spent_credits, '{\"code\": \"before_pool\"}', "
        "strftime('%Y-%m-%d %H:%M:%f000', 'now') FROM pools WHERE held_credits + spent_credits > 0"
    )


_BOOK_ENTRY = """\
CREATE TRIGGER ledger_entries_book AFTER INSERT ON ledger_entries
BEGIN
    SELECT RAISE(ABORT, 'the server has no pool') WHERE NOT EXISTS (
        SELECT 1 FROM pools WHERE guild_id = NEW.guild_id
    );
    UPDATE pools SET
        available_credits = available_credits + NEW.credits * CASE
            WHEN NEW.kind IN ('deposit', 'adjustment') THEN 1
            WHEN NEW.kind = 'withdrawal' THEN -1
            WHEN NEW.session_id IS NOT NULL AND NEW.job_id IS NOT NULL THEN 0
            WHEN NEW.kind = 'hold' THEN -1
            WHEN NEW.kind IN ('release', 'refund') THEN 1
            ELSE 0 END,
        budgeted_credits = budgeted_credits + NEW.credits * CASE
            WHEN NEW.session_id IS NULL THEN 0
            WHEN NEW.kind = 'hold' THEN iif(NEW.job_id IS NULL, 1, -1)
            WHEN NEW.kind IN ('release', 'refund') THEN iif(NEW.job_id IS NULL, -1, 1)
            ELSE 0 END,
        held_credits = held_credits + NEW.credits * CASE
            WHEN NEW.job_id IS NULL THEN 0
            WHEN NEW.kind = 'hold' THEN 1
            WHEN NEW.kind IN ('charge', 'release') THEN -1
            ELSE 0 END,
        spent_credits = spent_credits + NEW.credits * CASE NEW.kind
            WHEN 'charge' THEN 1
            WHEN 'refund' THEN -1
            ELSE 0 END,
        last_deposit_credits = iif(NEW.kind = 'deposit', NEW.credits, last_deposit_credits)
    WHERE guild_id = NEW.guild_id;
    UPDATE sessions SET
        available_credits = available_credits + NEW.credits * CASE
            WHEN NEW.kind = 'hold' THEN iif(NEW.job_id IS NULL, 1, -1)
            WHEN NEW.kind IN ('release', 'refund') THEN iif(NEW.job_id IS NULL, -1, 1)
            ELSE 0 END,
        held_credits = held_credits + NEW.credits * CASE
            WHEN NEW.job_id IS NULL THEN 0
            WHEN NEW.kind = 'hold' THEN 1
            WHEN NEW.kind IN ('charge', 'release') THEN -1
            ELSE 0 END,
        spent_credits = spent_credits + NEW.credits * CASE NEW.kind
            WHEN 'charge' THEN 1
            WHEN 'refund' THEN -1
            ELSE 0 END
    WHERE id = NEW.session_id;
END
"""
