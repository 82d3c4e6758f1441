"""The tables. What a row may say is checked by the database as well as by the code.

Times are stored as UTC; the columns give and take aware datetimes only.
"""

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    text,
)

# The words that columns may hold: the enums of the rooms above are held to them by a test.
JOB_STATES = (
    "awaiting_approval",
    "queued",
    "submitting",
    "processing",
    "succeeded",
    "failed",
    "cancelled",
    "denied",
    "expired",
    "unconfirmed",
)
ENTRY_KINDS = ("deposit", "withdrawal", "hold", "charge", "release", "refund", "adjustment")
MODES = ("text_to_video", "image_to_video")


def _one_of(column: str, words: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(map(repr, words))})"


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time: aware in Python, UTC in the file."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a time that does not know its zone."""
        del dialect
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back."""
        del dialect
        return value.replace(tzinfo=UTC) if value else None


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Integer, primary_key=True),
    # Discord's id of the interaction that asked: the same one is never taken twice.
    Column("interaction_id", BigInteger, nullable=False, unique=True),
    Column("guild_id", BigInteger, nullable=False),
    Column("channel_id", BigInteger, nullable=False),
    Column("in_thread", Boolean, nullable=False),
    Column("member_id", BigInteger, nullable=False),
    Column("mode", Text, nullable=False),
    Column("prompt", Text, nullable=False),
    Column("image_url", Text),
    Column("duration_seconds", Integer, nullable=False),
    Column("aspect_ratio", Text),
    Column("sound", Boolean, nullable=False),
    Column("share", Boolean, nullable=False),
    Column("state", Text, nullable=False),
    # The list price; what the provider really took, and gave back; the account's balance after that.
    Column("held_credits", Integer, nullable=False),
    Column("charged_credits", Integer),
    Column("refunded_credits", Integer),
    Column("account_credits", Integer),
    Column("task_id", Text, unique=True),
    Column("estimate_low_seconds", Float),
    Column("estimate_high_seconds", Float),
    Column("video_url", Text),
    Column("failure", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("submitted_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Column("card_message_id", BigInteger),
    Column("thread_id", BigInteger),
    Column("delivery_began_at", UtcDateTime),
    Column("result_channel_id", BigInteger),
    Column("result_message_id", BigInteger),
    Column("delivered_at", UtcDateTime),
    # Every place refused the result: it is kept for /history and no longer tried.
    Column("kept_at", UtcDateTime),
    CheckConstraint(_one_of("mode", MODES), name="mode"),
    CheckConstraint("length(prompt) BETWEEN 1 AND 2000", name="prompt"),
    CheckConstraint(_one_of("state", JOB_STATES), name="state"),
    CheckConstraint("held_credits >= 0", name="held"),
    CheckConstraint("charged_credits >= 0", name="charged"),
    CheckConstraint("refunded_credits BETWEEN 0 AND charged_credits", name="refunded"),
    CheckConstraint("state NOT IN ('processing', 'succeeded') OR task_id IS NOT NULL", name="task"),
    CheckConstraint("state <> 'succeeded' OR video_url IS NOT NULL", name="video"),
    CheckConstraint("(mode = 'image_to_video') = (image_url IS NOT NULL)", name="image"),
    sqlite_autoincrement=True,
)
Index("ix_jobs_member", jobs.c.guild_id, jobs.c.member_id, jobs.c.created_at)
Index("ix_jobs_state", jobs.c.state)
Index(
    "ix_jobs_undelivered",
    jobs.c.id,
    sqlite_where=text("finished_at IS NOT NULL AND delivered_at IS NULL AND kept_at IS NULL"),
)

ledger_entries = Table(
    "ledger_entries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("guild_id", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("credits", Integer, nullable=False),
    Column("job_id", Integer, ForeignKey("jobs.id")),
    Column("member_id", BigInteger),
    Column("actor_id", BigInteger),
    Column("reason", Text),
    Column("created_at", UtcDateTime, nullable=False),
    CheckConstraint(_one_of("kind", ENTRY_KINDS), name="kind"),
    CheckConstraint("credits > 0 OR (kind = 'adjustment' AND credits <> 0)", name="credits"),
    sqlite_autoincrement=True,
)
Index("ix_ledger_entries_guild", ledger_entries.c.guild_id, ledger_entries.c.created_at)
Index("ix_ledger_entries_job", ledger_entries.c.job_id)

# The books are only ever added to: the database itself refuses anything else.
LEDGER_TRIGGERS = tuple(
    f"CREATE TRIGGER ledger_entries_no_{action.lower()} BEFORE {action} ON ledger_entries "
    "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
    for action in ("UPDATE", "DELETE")
)
