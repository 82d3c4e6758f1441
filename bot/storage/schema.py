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

from bot.codes import Reason

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
APPROVAL_CAUSES = ("price", "words", "low_balance")
APPROVAL_DECISIONS = ("approved", "cheaper", "denied", "expired", "cancelled")
UNCONFIRMED_DECISIONS = ("charged", "not_charged", "try_again", "undecided")
SESSION_ENDS = ("command", "time", "budget", "failure")
LOW_BALANCE_LEVELS = ("none", "cheapest", "approval")


def _one_of(column: str, words: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(map(repr, words))})"


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time: aware in Python, UTC in the file."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a time that does not know its zone.

        Raises:
            ValueError: it has no zone.
        """
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


class ReasonText(TypeDecorator[Reason]):
    """A code with its data: a `Reason` in Python, JSON in the file."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Reason | None, dialect: Dialect) -> str | None:
        """Write JSON."""
        del dialect
        return value.to_json() if value else None

    def process_result_value(self, value: str | None, dialect: Dialect) -> Reason | None:
        """Read JSON."""
        del dialect
        return None if value is None else Reason.from_json(value)


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
    Column("publish", Boolean, nullable=False),
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
    Column("failure", ReasonText),
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
    # The creative session that pays for it; when a manager moved it to the front of the line.
    Column("session_id", Integer, ForeignKey("sessions.id")),
    Column("moved_to_front_at", UtcDateTime),
    # Those of the member's roles, as a JSON list of ids, that had a rule when the job was taken.
    Column("role_ids", Text, nullable=False, server_default="[]"),
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

Index("ix_jobs_session", jobs.c.session_id, sqlite_where=text("session_id IS NOT NULL"))

# What moderators are asked about a job, and what they decided.
approvals = Table(
    "approvals",
    metadata,
    Column("job_id", Integer, ForeignKey("jobs.id"), primary_key=True),
    Column("cause", Text, nullable=False),
    Column("card_channel_id", BigInteger),
    Column("card_message_id", BigInteger),
    Column("decision", Text),
    Column("decided_by", BigInteger),
    Column("decided_at", UtcDateTime),
    Column("reason", Text),
    # When the card was edited to show the decision.
    Column("card_closed_at", UtcDateTime),
    CheckConstraint(_one_of("cause", APPROVAL_CAUSES), name="cause"),
    CheckConstraint(_one_of("decision", APPROVAL_DECISIONS), name="decision"),
    CheckConstraint("(decision IS NULL) = (decided_at IS NULL)", name="decided"),
)

Index(
    "ix_approvals_unclosed",
    approvals.c.job_id,
    sqlite_where=text("decision IS NOT NULL AND card_message_id IS NOT NULL AND card_closed_at IS NULL"),
)

# What was decided about unconfirmed jobs, and the messages that asked. A job may be unconfirmed several times.
unconfirmed_cases = Table(
    "unconfirmed_cases",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job_id", Integer, ForeignKey("jobs.id"), nullable=False),
    Column("failure", ReasonText),
    # The post to the member, and the notice in the moderators' channel.
    Column("post_channel_id", BigInteger),
    Column("post_message_id", BigInteger),
    Column("notice_channel_id", BigInteger),
    Column("notice_message_id", BigInteger),
    Column("decision", Text),
    Column("decided_by", BigInteger),
    Column("decided_at", UtcDateTime),
    # When both messages were edited to show the decision.
    Column("closed_at", UtcDateTime),
    CheckConstraint(_one_of("decision", UNCONFIRMED_DECISIONS), name="decision"),
    CheckConstraint("(decision IS NULL) = (decided_at IS NULL)", name="decided"),
)
Index("ix_unconfirmed_cases_job", unconfirmed_cases.c.job_id)
Index(
    "ix_unconfirmed_cases_unclosed",
    unconfirmed_cases.c.id,
    sqlite_where=text("decision IS NOT NULL AND closed_at IS NULL"),
)

# One row for each server: what its entries add up to, kept by the ledger's own trigger, and its moderators' rules.
pools = Table(
    "pools",
    metadata,
    Column("guild_id", BigInteger, primary_key=True, autoincrement=False),
    # When the starting credits were deposited.
    Column("opened_at", UtcDateTime),
    Column("available_credits", Integer, nullable=False, server_default="0"),
    # Set aside for sessions, and not held or spent there yet.
    Column("budgeted_credits", Integer, nullable=False, server_default="0"),
    Column("held_credits", Integer, nullable=False, server_default="0"),
    Column("spent_credits", Integer, nullable=False, server_default="0"),
    Column("last_deposit_credits", Integer, nullable=False, server_default="0"),
    Column("policy", Text, nullable=False, server_default="{}"),
    # The low-balance level last announced in the moderators' channel.
    Column("announced_low_balance", Text, nullable=False, server_default="none"),
    CheckConstraint("available_credits >= 0", name="available"),
    CheckConstraint("budgeted_credits >= 0", name="budgeted"),
    CheckConstraint("held_credits >= 0", name="held"),
    CheckConstraint("spent_credits >= 0", name="spent"),
    CheckConstraint("json_valid(policy)", name="policy"),
    CheckConstraint(_one_of("announced_low_balance", LOW_BALANCE_LEVELS), name="announced_low_balance"),
)

# A creative session: a budget out of the pool, a thread, and an end.
sessions = Table(
    "sessions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("guild_id", BigInteger, ForeignKey("pools.guild_id"), nullable=False),
    # Discord's id of the interaction that started it: the same one starts no second session.
    Column("interaction_id", BigInteger, nullable=False, unique=True),
    Column("channel_id", BigInteger, nullable=False),
    Column("thread_id", BigInteger, unique=True),
    Column("card_message_id", BigInteger),
    Column("title", Text, nullable=False),
    # Who may take part; without a role, everyone.
    Column("role_id", BigInteger),
    Column("budget_credits", Integer, nullable=False),
    Column("available_credits", Integer, nullable=False, server_default="0"),
    Column("held_credits", Integer, nullable=False, server_default="0"),
    Column("spent_credits", Integer, nullable=False, server_default="0"),
    Column("started_by", BigInteger, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("ended_by", BigInteger),
    Column("end_cause", Text),
    # When the summary was posted, after the last of its jobs.
    Column("summarised_at", UtcDateTime),
    CheckConstraint("length(title) BETWEEN 1 AND 100", name="title"),
    CheckConstraint("budget_credits > 0", name="budget"),
    CheckConstraint("available_credits >= 0", name="available"),
    CheckConstraint("held_credits >= 0", name="held"),
    CheckConstraint("spent_credits >= 0", name="spent"),
    CheckConstraint(_one_of("end_cause", SESSION_ENDS), name="end_cause"),
    CheckConstraint("(ended_at IS NULL) = (end_cause IS NULL)", name="ended"),
    sqlite_autoincrement=True,
)
Index("ix_sessions_open", sessions.c.guild_id, sqlite_where=text("summarised_at IS NULL"))

# What moderators changed; only ever added to.
audit_entries = Table(
    "audit_entries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("guild_id", BigInteger, nullable=False),
    Column("actor_id", BigInteger, nullable=False),
    Column("action", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    # Of the command: the same one changes nothing twice.
    Column("interaction_id", BigInteger),
    sqlite_autoincrement=True,
)
Index("ix_audit_entries_guild", audit_entries.c.guild_id, audit_entries.c.id)
Index("uq_audit_entries_interaction_id", audit_entries.c.interaction_id, unique=True)

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
    # With a job: it is paid out of this session's budget. Without one: the budget itself, set aside or given back.
    Column("session_id", Integer, ForeignKey("sessions.id")),
    CheckConstraint(_one_of("kind", ENTRY_KINDS), name="kind"),
    CheckConstraint("credits > 0 OR (kind = 'adjustment' AND credits <> 0)", name="credits"),
    sqlite_autoincrement=True,
)
Index("ix_ledger_entries_guild", ledger_entries.c.guild_id, ledger_entries.c.created_at)
Index("ix_ledger_entries_job", ledger_entries.c.job_id)
# For pages, which begin at an id.
Index("ix_ledger_entries_page", ledger_entries.c.guild_id, ledger_entries.c.id)


def _append_only(table: str, what: str) -> tuple[str, ...]:
    return tuple(
        f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{what} is append-only'); END"
        for action in ("UPDATE", "DELETE")
    )


# Every entry moves credits between balances, in the statement that inserts it, so that no balance can differ from
# its entries. The CHECKs of the balances then refuse what would overdraw them.
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

TRIGGERS = (
    *_append_only("ledger_entries", "the ledger"),
    *_append_only("audit_entries", "the audit trail"),
    _BOOK_ENTRY,
)
