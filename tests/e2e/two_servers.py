"""A server with one of each kind of member, and another server whose moderator has no business in the first."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from discord import app_commands

from sandbox.discord.world import seed
from sandbox.discord.world.models import Message
from tests.e2e.stage import GENERATE, WAIT_SECONDS, Stage, running_bot, servers, text_of
from tests.local.faults import Fault
from tests.local.people import InteractionRecord, Person

MEMBER, BY_PERMISSION, BY_ROLE, OPERATOR = "member", "manager by permission", "manager by role", "operator"
EVERYBODY = (MEMBER, BY_PERMISSION, BY_ROLE, OPERATOR)
MANAGERS = (BY_PERMISSION, BY_ROLE)
_USERNAMES = {MEMBER: "member-one", BY_PERMISSION: "moderator", BY_ROLE: "member-two", OPERATOR: "paymaster"}
_REFUSALS = ("Only moderators can do this", "Only the bot's operator")
_BOOKS = ("pools", "ledger_entries", "audit_entries", "approvals", "sessions", "jobs")
# What the bot notes by itself, whenever it has come to it: where its messages are, and what it has told whom.
_NOTES = {
    *("card_channel_id", "card_message_id", "card_closed_at", "thread_id", "result_channel_id", "result_message_id"),
    *("delivery_began_at", "delivered_at", "kept_at", "announced_low_balance", "summarised_at"),
}

SECRET_PROMPT = "a zeppelin made of glass"
DEPOSIT = 4321

Command = app_commands.Command[Any, ..., Any] | app_commands.ContextMenu


@dataclass
class TwoServers:
    """Both servers; the bot's operator is a plain member of the first."""

    stage: Stage
    elsewhere: int
    elsewhere_channel: int

    def person(self, actor: str) -> Person:
        return self.stage.discord.person(_USERNAMES[actor])

    @property
    def outsider(self) -> Person:
        """A moderator of the other server, who is not in the first one."""
        return self.stage.discord.person("outsider")

    @property
    def commands(self) -> dict[str, Command]:
        """Every command that the bot has registered, by its whole name."""
        assert self.stage.bot
        walked = {each.qualified_name: each for each in self.stage.bot.tree.walk_commands()}
        found: dict[str, Command] = {
            name: each for name, each in walked.items() if not isinstance(each, app_commands.Group)
        }
        menus = [each for each in self.stage.bot.tree.get_commands() if isinstance(each, app_commands.ContextMenu)]
        return found | {menu.name: menu for menu in menus}

    @property
    def item_classes(self) -> set[str]:
        """The classes of the buttons that survive a restart, as far as the bot knows them."""
        assert self.stage.bot
        return {each.__name__ for each in self.stage.bot._connection._view_store._dynamic_items.values()}

    def books(self, guild_id: int | None = None) -> list[dict[str, Any]]:
        """Every row that commands may change, without the bot's own notes; of one server or of both."""
        found = [row for table in _BOOKS for row in self.stage.rows(f"SELECT * FROM {table}")]  # noqa: S608 - ours
        rows = [row for row in found if guild_id is None or row.get("guild_id", guild_id) == guild_id]
        return [{name: value for name, value in row.items() if name not in _NOTES} for row in rows]

    def plant(self, channel_id: int, custom_id: str) -> int:
        """Post a message of the bot's with a button, as if it had been there; everybody in the channel sees it."""
        world = self.stage.discord.world
        button = {"type": 2, "style": 1, "label": "Press", "custom_id": custom_id}
        message = Message(
            id=world.ids.next(),
            channel_id=channel_id,
            author_id=self.stage.discord.bot_id,
            timestamp=world.clock(),
            guild_id=world.channels[channel_id].guild_id,
            content="what it is about",
            components=[{"type": 1, "components": [button]}],
        )
        world.put_message(message)
        return message.id

    async def press(self, person: Person, custom_id: str, channel_id: int | None = None) -> InteractionRecord:
        """Press a button with this id."""
        message_id = self.plant(channel_id or self.stage.videos, custom_id)
        return await (await person.click(message_id, custom_id)).answered(WAIT_SECONDS)

    async def waiting_job(self) -> int:
        """Let the member ask for a video that has to wait for a moderator; returns the job's id."""
        await self.stage.ask(SECRET_PROMPT, duration=10)
        job: dict[str, Any] = self.stage.jobs[-1]
        assert job["state"] == "awaiting_approval"
        await self.stage.until(
            lambda: self.stage.rows("SELECT card_message_id FROM approvals ORDER BY job_id")[-1]["card_message_id"]
        )
        return int(job["id"])

    async def unconfirmed_job(self) -> int:
        """Let the answer to a request of the member's get lost, which UlazAI has carried out; returns the job's id."""
        # The fault is for this one, and not for what was decided just before.
        await self.stage.until(lambda: not {"queued", "submitting"}.intersection(self.stage.states))
        self.stage.ulazai.faults.add("POST", GENERATE, Fault(cut="after"))
        await self.stage.ask(SECRET_PROMPT)
        job_id = int(self.stage.jobs[-1]["id"])
        await self.stage.until(lambda: self.stage.jobs[job_id - 1]["delivered_at"])
        assert self.stage.jobs[job_id - 1]["state"] == "unconfirmed"
        return job_id


@asynccontextmanager
async def servers_at(folder: Path, **changes: object) -> AsyncIterator[TwoServers]:
    """Set both servers up; videos of 100 credits or more wait for a moderator in the first."""
    async with quiet_servers_at(folder, **changes) as both, running_bot(both.stage):
        await set_up(both)
        yield both


@asynccontextmanager
async def quiet_servers_at(folder: Path, **changes: object) -> AsyncIterator[TwoServers]:
    """Set both servers up, without the bot."""
    defaults: dict[str, Any] = {"limit_active_jobs": 0, "limit_window_credits": 0, "pool_open_for_all_servers": True}
    async with servers(folder, rate_limits=False, **{**defaults, **changes}) as stage:
        admin, guild_id = stage.discord.admin, stage.discord.guild_id
        paymaster = admin.add_person("paymaster", guild_id)
        admin.set_application_owner(paymaster.id)
        admin.give_role(guild_id, stage.discord.person("member-two").id, seed.POOL_MANAGER_ROLE_ID)
        other = admin.add_guild("Elsewhere", owner_id=admin.add_person("outsider").id)
        yield TwoServers(stage, other.id, admin.add_channel(other.id, "clips").id)


async def set_up(both: TwoServers) -> None:
    """Give the first server rules and credits."""
    manager, payer = both.person(BY_PERMISSION), both.person(OPERATOR)
    videos = both.stage.videos
    steps = (
        manager.slash(videos, "pool managers", files=None, add=seed.POOL_MANAGER_ROLE_ID),
        manager.slash(videos, "pool approvals", files=None, price=100),
        manager.slash(videos, "pool words add", files=None, words="zeppelins"),
        payer.slash(videos, "pool deposit", files=None, credits=DEPOSIT, reason="for the tests"),
        # Each pool is opened now, and not in the middle of a test.
        both.outsider.slash(both.elsewhere_channel, "pool show", files=None),
    )
    for step in steps:
        record = await step
        await record.finished(WAIT_SECONDS)
        assert not is_refusal(record)


def is_refusal(record: InteractionRecord) -> bool:
    """Whether somebody was told that they have not the right; nobody else sees that."""
    if record.modal is not None:
        return False
    is_told = any(words in text_of(record.message) for words in _REFUSALS)
    assert record.ephemeral or not is_told
    return is_told


def classes_in(folder: Path, pattern: str) -> set[str]:
    """The names of the classes in these modules whose bases match."""
    sources = (path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    return {name for source in sources for name in re.findall(rf"(?m)^class (\w+)\(\s*{pattern}", source)}
