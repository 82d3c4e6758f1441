"""What the tests of `/pool` share: using its commands, and what is to be seen of it."""

from typing import Any

from bot.codes import Reason
from cogs.rendering.audit import detail
from tests.e2e.stage import WAIT_SECONDS, Stage, text_of
from tests.local.people import InteractionRecord, Value

MODERATOR, OPERATOR, MEMBER, OTHER = "moderator", "operator", "member-one", "member-two"


async def use(stage: Stage, command: str, /, who: str = MODERATOR, channel_id: int = 0, **options: Value) -> str:
    """Use a command, and return its answer, which nobody else sees."""
    return text_of((await used(stage, command, who, channel_id, **options)).message)


async def used(
    stage: Stage, command: str, who: str = MODERATOR, channel_id: int = 0, /, **options: Value
) -> InteractionRecord:
    """Use a command, and wait for its answer, which nobody else sees."""
    place = channel_id or stage.videos
    record = await stage.discord.person(who).slash(place, command, files=None, **options)
    await record.finished(WAIT_SECONDS)
    assert record.ephemeral
    return record


async def shown(stage: Stage, channel_id: int = 0, who: str = MEMBER, prompt: str = "a cat", **options: Value) -> str:
    """Ask for a video, and return what the answer says."""
    record = await stage.discord.person(who).slash(
        channel_id or stage.videos, "video", files=None, prompt=prompt, **options
    )
    await record.finished(WAIT_SECONDS)
    return text_of(record.message)


def id_of(stage: Stage, who: str) -> int:
    return stage.discord.person(who).id


def mention(stage: Stage, who: str) -> str:
    return f"<@{id_of(stage, who)}>"


def funds(stage: Stage) -> dict[str, int]:
    """What the pool's row says, without what is zero; nothing before the server has a pool."""
    columns = ("available_credits", "held_credits", "budgeted_credits", "spent_credits")
    rows = [row for row in stage.rows("SELECT * FROM pools") if row["guild_id"] == stage.discord.guild_id]
    return {column.removesuffix("_credits"): row[column] for row in rows for column in columns if row[column]}


def audit(stage: Stage) -> list[tuple[int, str, str]]:
    """The audit trail: who, what and details, oldest first."""
    return [
        (row["actor_id"], row["action"], detail(Reason.from_json(row["detail"])))
        for row in stage.rows("SELECT actor_id, action, detail FROM audit_entries ORDER BY id")
    ]


def buttons(record: InteractionRecord) -> dict[str, dict[str, Any]]:
    """The buttons of an answer that can be pressed, by their labels."""
    rows = record.message.components
    found = [button for row in rows for button in row["components"] if not button.get("disabled")]
    return {button["label"]: button for button in found}
