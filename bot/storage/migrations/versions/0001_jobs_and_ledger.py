"""Jobs, and the append-only ledger of credits."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    _create_jobs()
    _create_ledger()


def downgrade() -> None:
    """Go back."""
    op.drop_table("ledger_entries")
    op.drop_table("jobs")


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("interaction_id", sa.BigInteger(), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("in_thread", sa.Boolean(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("image_url", sa.Text()),
        sa.Column("duration_seconds", sa.Integer(), nullable=False),
        sa.Column("aspect_ratio", sa.Text()),
        sa.Column("sound", sa.Boolean(), nullable=False),
        sa.Column("share", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("held_credits", sa.Integer(), nullable=False),
        sa.Column("charged_credits", sa.Integer()),
        sa.Column("refunded_credits", sa.Integer()),
        sa.Column("account_credits", sa.Integer()),
        sa.Column("task_id", sa.Text()),
        sa.Column("estimate_low_seconds", sa.Float()),
        sa.Column("estimate_high_seconds", sa.Float()),
        sa.Column("video_url", sa.Text()),
        sa.Column("failure", sa.Text()),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("submitted_at", sa.DateTime()),
        sa.Column("finished_at", sa.DateTime()),
        sa.Column("card_message_id", sa.BigInteger()),
        sa.Column("thread_id", sa.BigInteger()),
        sa.Column("delivery_began_at", sa.DateTime()),
        sa.Column("result_channel_id", sa.BigInteger()),
        sa.Column("result_message_id", sa.BigInteger()),
        sa.Column("delivered_at", sa.DateTime()),
        sa.Column("kept_at", sa.DateTime()),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.UniqueConstraint("interaction_id", name="uq_jobs_interaction_id"),
        sa.UniqueConstraint("task_id", name="uq_jobs_task_id"),
        sa.CheckConstraint("mode IN ('text_to_video', 'image_to_video')", name=op.f("ck_jobs_mode")),
        sa.CheckConstraint("length(prompt) BETWEEN 1 AND 2000", name=op.f("ck_jobs_prompt")),
        sa.CheckConstraint(
            "state IN ('awaiting_approval', 'queued', 'submitting', 'processing', 'succeeded', 'failed', "
            "'cancelled', 'denied', 'expired', 'unconfirmed')",
            name=op.f("ck_jobs_state"),
        ),
        sa.CheckConstraint("held_credits >= 0", name=op.f("ck_jobs_held")),
        sa.CheckConstraint("charged_credits >= 0", name=op.f("ck_jobs_charged")),
        sa.CheckConstraint("refunded_credits BETWEEN 0 AND charged_credits", name=op.f("ck_jobs_refunded")),
        sa.CheckConstraint(
            "state NOT IN ('processing', 'succeeded') OR task_id IS NOT NULL", name=op.f("ck_jobs_task")
        ),
        sa.CheckConstraint("state <> 'succeeded' OR video_url IS NOT NULL", name=op.f("ck_jobs_video")),
        sa.CheckConstraint("(mode = 'image_to_video') = (image_url IS NOT NULL)", name=op.f("ck_jobs_image")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_jobs_member", "jobs", ["guild_id", "member_id", "created_at"])
    op.create_index("ix_jobs_state", "jobs", ["state"])
    op.create_index(
        "ix_jobs_undelivered",
        "jobs",
        ["id"],
        sqlite_where=sa.text("finished_at IS NOT NULL AND delivered_at IS NULL AND kept_at IS NULL"),
    )


def _create_ledger() -> None:
    op.create_table(
        "ledger_entries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("credits", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Integer()),
        sa.Column("member_id", sa.BigInteger()),
        sa.Column("actor_id", sa.BigInteger()),
        sa.Column("reason", sa.Text()),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_entries"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_ledger_entries_job_id_jobs"),
        sa.CheckConstraint(
            "kind IN ('deposit', 'withdrawal', 'hold', 'charge', 'release', 'refund', 'adjustment')",
            name=op.f("ck_ledger_entries_kind"),
        ),
        sa.CheckConstraint(
            "credits > 0 OR (kind = 'adjustment' AND credits <> 0)", name=op.f("ck_ledger_entries_credits")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_ledger_entries_guild", "ledger_entries", ["guild_id", "created_at"])
    op.create_index("ix_ledger_entries_job", "ledger_entries", ["job_id"])
    for action in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER ledger_entries_no_{action.lower()} BEFORE {action} ON ledger_entries "
            "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
        )
