"""Columns and values in the field's words, failures as codes with their data, and decisions about unconfirmed jobs."""

import json
import re
from collections.abc import Callable

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
    _rewrite_failures(_code_of)
    _create_unconfirmed_cases()


def downgrade() -> None:
    """Go back."""
    op.drop_table("unconfirmed_cases")
    _rewrite_failures(_sentence_of)
    _rename_policy_key("low_balance", "brakes")
    _edit_checks(
        {"ck_pools_announced_low_balance": "ck_pools_announced_brake", "'words', 'low_balance'": "'words', 'brake'"}
    )
    op.execute("UPDATE approvals SET cause = 'brake' WHERE cause = 'low_balance'")
    op.execute("ALTER TABLE pools RENAME COLUMN announced_low_balance TO announced_brake")
    op.execute("ALTER TABLE jobs RENAME COLUMN publish TO share")


def _create_unconfirmed_cases() -> None:
    op.create_table(
        "unconfirmed_cases",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("failure", sa.Text()),
        sa.Column("post_channel_id", sa.BigInteger()),
        sa.Column("post_message_id", sa.BigInteger()),
        sa.Column("notice_channel_id", sa.BigInteger()),
        sa.Column("notice_message_id", sa.BigInteger()),
        sa.Column("decision", sa.Text()),
        sa.Column("decided_by", sa.BigInteger()),
        sa.Column("decided_at", sa.DateTime()),
        sa.Column("closed_at", sa.DateTime()),
        sa.PrimaryKeyConstraint("id", name="pk_unconfirmed_cases"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_unconfirmed_cases_job_id_jobs"),
        sa.CheckConstraint(
            "decision IN ('charged', 'not_charged', 'try_again', 'undecided')",
            name=op.f("ck_unconfirmed_cases_decision"),
        ),
        sa.CheckConstraint("(decision IS NULL) = (decided_at IS NULL)", name=op.f("ck_unconfirmed_cases_decided")),
    )
    op.create_index("ix_unconfirmed_cases_job", "unconfirmed_cases", ["job_id"])
    op.create_index(
        "ix_unconfirmed_cases_unclosed",
        "unconfirmed_cases",
        ["id"],
        sqlite_where=sa.text("decision IS NOT NULL AND closed_at IS NULL"),
    )


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


# The sentences of 0.1.0: in braces, what the code's data has.
_FAILURES = {
    "rejected": "UlazAI did not accept this request: {reason}",
    "out_of_credits": "This bot's UlazAI account has run out of credits. Please tell a moderator.",
    "failed_at_provider": "UlazAI could not make this video.",
    "picture_gone": "Discord does not have your picture any more; please send it again.",
    "unclear": "UlazAI did not say whether it started this video, so I won't send it again by itself.",
    "interrupted": "I was stopped while I was sending this video to UlazAI, so I won't send it again by itself.",
    "lost": "UlazAI does not know this video any more.",
    "no_video": "UlazAI says that this video is done, but gives no link to it.",
    "too_late": "UlazAI is still not done with this video, so a moderator has to look.",
    "nobody_decided": "Nobody decided within {hours:g} hours whether it was made, so it counts as paid.",
    "nothing_made": "A moderator found that UlazAI made nothing of it.",
    "approval_expired": "No moderator decided within {hours:g} hours.",
    "session_over": "Its session ended before a moderator decided.",
}
_NO_REASON = "it gave no reason."
_HOURS, _REASON = re.escape("{hours:g}"), re.escape("{reason}")
_PATTERNS = {
    code: re.compile(
        re.escape(sentence).replace(_HOURS, r"(?P<hours>[0-9.e+]+)").replace(_REASON, "(?P<reason>.*)"), re.DOTALL
    )
    for code, sentence in _FAILURES.items()
}


def _rewrite_failures(rewrite: Callable[[str, str | None], str | None]) -> None:
    connection = op.get_bind()
    query = "SELECT id, state, failure FROM jobs WHERE failure IS NOT NULL OR state = 'denied'"
    for job_id, state, failure in connection.execute(sa.text(query)).all():
        values = {"id": job_id, "failure": rewrite(state, failure)}
        connection.execute(sa.text("UPDATE jobs SET failure = :failure WHERE id = :id"), values)


def _code_of(state: str, failure: str | None) -> str:
    """Return the code of a sentence; what a moderator or a provider wrote is kept whole."""
    if state == "denied":
        return _json("denied", reason=failure)
    for code, pattern in _PATTERNS.items():
        if found := pattern.fullmatch(failure or ""):
            return _json(code, **{name: _value(name, text) for name, text in found.groupdict().items()})
    return _json("text", text=failure)


def _value(name: str, text: str) -> float | str | None:
    if name == "hours":
        return float(text)
    return None if text == _NO_REASON else text


def _json(code: str, **data: float | str | None) -> str:
    return json.dumps({"code": code, **data}, ensure_ascii=False)


def _sentence_of(state: str, failure: str | None) -> str | None:
    """Return the sentence of a code, with the reason itself where the code is younger than the sentences."""
    del state
    data = json.loads(failure or "{}")
    code = data.pop("code", "")
    sentence = _FAILURES.get(code)
    if sentence is None or (code == "failed_at_provider" and data.get("reason")):
        text: str | None = data.get("text") or data.get("reason")
        return text
    return sentence.format_map({"reason": _NO_REASON, **{name: value for name, value in data.items() if value}})
