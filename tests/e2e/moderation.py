"""What tests of moderators share: two of them, their channel, and the cards in it."""

from bot.codes import Reason
from cogs.rendering.audit import detail
from sandbox.discord.world.models import Message
from tests.e2e.stage import Stage, text_of
from tests.local.people import InteractionRecord, Value

MODERATOR, OTHER_MODERATOR = "moderator", "operator"
PROMPT = "a whale over the city"


def moderators_channel(stage: Stage) -> int:
    return stage.discord.channel("moderators").id


def mention(stage: Stage, who: str = MODERATOR) -> str:
    return f"<@{stage.discord.person(who).id}>"


async def pool(stage: Stage, command: str, who: str = MODERATOR, **options: Value) -> InteractionRecord:
    """Use one of the commands of /pool."""
    record = await stage.discord.person(who).slash(stage.videos, f"pool {command}", files=None, **options)
    return await record.answered()


async def set_up(stage: Stage, price: int = 100) -> None:
    """Let videos of this price wait for moderators, who are asked in their channel."""
    answer = await pool(stage, "approvals", price=price, channel=moderators_channel(stage))
    assert "need approval" in text_of(answer.message)


async def ask_expensive(stage: Stage, prompt: str = PROMPT, **options: Value) -> InteractionRecord:
    """Ask for a video that has to wait."""
    return await stage.ask(prompt, **{"duration": 10, **options})


async def approval_card(stage: Stage, channel_id: int | None = None) -> Message:
    """Wait for a card on which moderators decide, in their channel or another one, and until it is written down."""
    message = await stage.message_in(channel_id or moderators_channel(stage), "requests a video")
    await stage.until(lambda: stage.rows("SELECT card_message_id FROM approvals")[-1]["card_message_id"])
    return message


async def newest_card(stage: Stage) -> Message:
    """Wait for the card of the newest job."""
    await stage.until(
        lambda: stage.rows("SELECT card_message_id FROM approvals ORDER BY job_id")[-1]["card_message_id"]
    )
    card_id = stage.rows("SELECT card_message_id FROM approvals ORDER BY job_id")[-1]["card_message_id"]
    return stage.discord.world.messages[card_id]


async def press(stage: Stage, message: Message, label: str, who: str = MODERATOR) -> InteractionRecord:
    return await (await stage.discord.person(who).press(message.id, label)).answered()


async def deny(stage: Stage, message: Message, reason: str, label: str = "Deny") -> InteractionRecord:
    """Press the button and send the form."""
    opened = await press(stage, message, label)
    assert opened.modal
    return await (await stage.discord.person(MODERATOR).submit(opened.id, {"reason": reason})).answered()


async def closed(stage: Stage, message: Message, words: str) -> None:
    """Wait until a card shows a decision and asks no more, and until that is written down."""
    world = stage.discord.world.messages
    await stage.discord.wait_for(lambda: words in text_of(world[message.id]), 10)
    assert world[message.id].components == []
    await stage.until(lambda: stage.rows("SELECT card_closed_at FROM approvals")[-1]["card_closed_at"])


def decision(stage: Stage) -> str | None:
    """What became of the last job that moderators were asked about."""
    found: str | None = stage.rows("SELECT decision FROM approvals ORDER BY job_id")[-1]["decision"]
    return found


def audited(stage: Stage) -> list[tuple[str, str]]:
    """What the audit trail says of decisions: action and detail."""
    rows = stage.rows("SELECT action, detail FROM audit_entries WHERE action <> 'approvals' ORDER BY id")
    return [(row["action"], detail(Reason.from_json(row["detail"]))) for row in rows]
