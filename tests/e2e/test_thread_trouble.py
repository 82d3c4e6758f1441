"""Where threads can't be made or used: the result goes down a ladder of places and is never lost."""

import pytest

from sandbox.discord.world import permissions
from sandbox.discord.world.models import Message
from tests.e2e.stage import MESSAGES, THREADS, PlannedHold, Stage, hold_finish, text_of
from tests.local.faults import Fault
from tests.local.people import InteractionRecord

THREAD_ROUTE = "/channels/{channel_id}/messages/{message_id}/threads"


def role_of_bot(stage: Stage) -> int:
    return stage.discord.world.guild(stage.discord.guild_id).members[stage.discord.bot_id].role_ids[0]


def deny(stage: Stage, rights: int) -> None:
    stage.discord.admin.set_overwrite(stage.videos, role_of_bot(stage), deny=rights)


async def direct_message(stage: Stage) -> Message:
    """Wait for the bot's direct message to the member."""
    world = stage.discord.world
    channel = await stage.seen(lambda: world.dm_between(stage.discord.bot_id, stage.member.id))
    return await stage.message_in(channel.id)


def assert_complete(stage: Stage, message: Message) -> None:
    """The message is a whole result, for the requester alone."""
    (task_id,) = stage.ulazai.tasks
    assert task_id in message.content
    assert "Credits used: **55**" in message.content
    assert message.pinged_user_ids == [stage.member.id]


async def lands_in_channel(stage: Stage, card: InteractionRecord) -> None:
    message = await stage.message_in(stage.videos)
    assert_complete(stage, message)
    await stage.card_says(card, "Ready")
    await stage.delivered()
    assert stage.jobs[0]["result_message_id"] == message.id


async def test_permission_revoked_between_command_and_thread(stage: Stage) -> None:
    refused = Fault(status=403, body={"code": 50013, "message": "Missing Permissions"})
    stage.discord.faults.add("POST", THREADS, refused, times=None)
    card = await stage.ask()
    await lands_in_channel(stage, card)
    assert stage.discord.threads(stage.videos) == []


async def test_a_name_that_discord_refuses_is_replaced_by_a_neutral_one(stage: Stage) -> None:
    wrong = {"name": {"_errors": [{"code": "CONTAINS_WORD", "message": "Contains words that are not allowed here."}]}}
    refused = Fault(status=400, body={"code": 50035, "message": "Invalid Form Body", "errors": wrong})
    stage.discord.faults.add("POST", THREADS, refused)
    card = await stage.ask("a rude word")
    assert_complete(stage, await stage.outcome(card))
    (thread,) = stage.discord.threads(stage.videos)
    assert thread.name == "Video"


async def test_too_many_active_threads(stage: Stage) -> None:
    stage.discord.admin.edit_guild(stage.discord.guild_id, max_active_threads=0)
    card = await stage.ask()
    await lands_in_channel(stage, card)


async def test_thread_that_exists_already_is_used(stage: Stage) -> None:
    stage.discord.faults.add("POST", THREADS, Fault(status=502, answer_after_effect=True))
    card = await stage.ask()
    assert_complete(stage, await stage.outcome(card))
    await stage.delivered()
    assert len(stage.discord.threads(stage.videos)) == 1
    assert stage.jobs[0]["thread_id"] == card.message.id


async def test_thread_whose_creation_had_no_answer_is_used(stage: Stage) -> None:
    stage.discord.faults.add("POST", THREADS, Fault(cut="after"))
    card = await stage.ask()
    assert_complete(stage, await stage.outcome(card))
    await stage.delivered()
    assert len(stage.discord.threads(stage.videos)) == 1


async def test_thread_deleted_before_the_result(stage: Stage, unfinished: PlannedHold) -> None:
    card = await stage.ask()
    stage.discord.admin.delete_channel((await stage.thread(card)).id)
    unfinished.release()
    await lands_in_channel(stage, card)


async def test_archived_thread_is_woken_by_the_result(stage: Stage, unfinished: PlannedHold) -> None:
    card = await stage.ask()
    thread = await stage.thread(card)
    stage.discord.admin.set_thread(thread.id, archived=True)
    unfinished.release()
    assert_complete(stage, await stage.outcome(card))
    assert thread.thread is not None
    assert not thread.thread.archived


async def test_locked_thread(stage: Stage, unfinished: PlannedHold) -> None:
    card = await stage.ask()
    stage.discord.admin.set_thread((await stage.thread(card)).id, archived=True, locked=True)
    unfinished.release()
    await lands_in_channel(stage, card)


async def test_thread_refused_as_archived(stage: Stage) -> None:
    refused = Fault(status=400, body={"code": 50083, "message": "Thread is archived"})
    stage.discord.faults.add("POST", MESSAGES, refused)
    card = await stage.ask()
    assert_complete(stage, await stage.outcome(card))
    woken = [request.json for request in stage.discord.requests.matching("PATCH", "/channels/{channel_id}")]
    assert woken == [{"archived": False}]


async def test_thread_that_stays_archived(stage: Stage) -> None:
    refused = Fault(status=400, body={"code": 50083, "message": "Thread is archived"})
    stage.discord.faults.add("POST", MESSAGES, refused, times=2)
    card = await stage.ask()
    await lands_in_channel(stage, card)


async def test_card_deleted_before_the_result(stage: Stage, unfinished: PlannedHold) -> None:
    stage.discord.faults.add("POST", THREADS, Fault(status=403, body={"code": 50013, "message": "no"}))
    card = await stage.ask()
    await stage.discord.wait_for(lambda: stage.discord.requests.matching("POST", THREAD_ROUTE))
    stage.discord.admin.delete_message(card.message.id)
    unfinished.release()
    assert_complete(stage, await stage.message_in(stage.videos))
    await stage.delivered()


async def test_deleted_channel_leads_to_a_direct_message(stage: Stage, unfinished: PlannedHold) -> None:
    await stage.thread(await stage.ask())
    stage.discord.admin.delete_channel(stage.videos)
    unfinished.release()
    assert_complete(stage, await direct_message(stage))
    await stage.delivered()


async def test_channel_hidden_from_the_bot_leads_to_a_direct_message(stage: Stage, unfinished: PlannedHold) -> None:
    await stage.thread(await stage.ask())
    deny(stage, permissions.VIEW_CHANNEL)
    unfinished.release()
    assert_complete(stage, await direct_message(stage))
    await stage.delivered()


async def test_removed_from_the_server_leads_to_a_direct_message(stage: Stage, unfinished: PlannedHold) -> None:
    await stage.thread(await stage.ask())
    stage.discord.admin.remove_bot(stage.discord.guild_id)
    unfinished.release()
    assert_complete(stage, await direct_message(stage))
    await stage.delivered()


async def test_result_that_no_place_accepts_is_kept_for_history(stage: Stage, unfinished: PlannedHold) -> None:
    thread = await stage.thread(await stage.ask())
    refused = Fault(status=403, body={"code": 50007, "message": "Cannot send messages to this user"})
    stage.discord.faults.add("POST", MESSAGES, refused, times=None)
    unfinished.release()
    await stage.until(lambda: stage.jobs[0]["kept_at"])
    assert stage.states == ["succeeded"]
    stage.discord.faults.clear()
    record = await stage.member.slash(stage.videos, "history")
    shown = text_of(await record.finished())
    (task_id,) = stage.ulazai.tasks
    assert task_id in shown
    assert stage.public_messages(thread.id) == []
    note = await stage.seen(lambda: next((m for m in record.messages if "couldn't post" in m.content), None))
    assert note.visible_to == stage.member.id
    await stage.until(lambda: stage.jobs[0]["delivered_at"])
    again = await stage.member.slash(stage.videos, "usage")
    await again.finished()
    assert len(again.messages) == 1


async def test_failures_fall_back_to_the_same_places(stage: Stage) -> None:
    stage.ulazai.fail_next("too dark")
    stage.discord.admin.edit_guild(stage.discord.guild_id, max_active_threads=0)
    await stage.ask()
    message = await stage.message_in(stage.videos)
    assert "too dark" in message.content
    assert message.pinged_user_ids == [stage.member.id]


@pytest.fixture
def unfinished(stage: Stage) -> PlannedHold:
    """Keeps UlazAI from saying that a video is done, until released."""
    return hold_finish(stage)
