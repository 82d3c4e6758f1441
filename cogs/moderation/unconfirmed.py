"""What moderators do about jobs of which nobody knows whether they were made and paid."""

import re
from collections.abc import Awaitable, Callable
from typing import Any, Self

import discord
import structlog
from discord import app_commands
from discord.ext import commands

from bot.client import NETWORK_ERRORS, Services, VideoBot
from bot.jobs.models import Job
from cogs.interactions.modals import Form
from cogs.interactions.permissions import require_manager
from cogs.interactions.responses import deferred_when_slow, report_error, send_or_edit
from cogs.rendering import jobs as _render

_log = structlog.get_logger(__name__)

_Interaction = discord.Interaction[VideoBot]
_Decision = Callable[[], Awaitable[Job]]

_MADE, _NOTHING, _AGAIN = "made", "nothing", "again"
_LABELS = {_MADE: "It was made", _NOTHING: "Nothing was made", _AGAIN: "Try again"}
_STYLES = {
    _MADE: discord.ButtonStyle.success,
    _NOTHING: discord.ButtonStyle.danger,
    _AGAIN: discord.ButtonStyle.secondary,
}
_TASK_ID_LENGTH = 200
# A message has room for five rows of buttons.
_JOBS_IN_LIST = 5


def decision_buttons(jobs: list[Job], *, named: bool = False) -> discord.ui.View:
    """The three decisions for each job, as buttons that survive a restart; `named` tells the jobs apart."""
    view = discord.ui.View(timeout=None)
    for row, job in enumerate(jobs):
        for action in _LABELS:
            view.add_item(UnconfirmedButton(action, job.id, row=row, named=named))
    return view


class UnconfirmedButton(
    discord.ui.DynamicItem[discord.ui.Button[Any]], template=r"unconfirmed:(?P<action>\w+):(?P<job_id>\d+)"
):
    """One of the decisions about one job; all that it needs is in its custom id."""

    def __init__(self, action: str, job_id: int, *, row: int | None = None, named: bool = False) -> None:
        label = f"{job_id}: {_LABELS[action]}" if named else _LABELS[action]
        custom_id = f"unconfirmed:{action}:{job_id}"
        super().__init__(discord.ui.Button(label=label, style=_STYLES[action], custom_id=custom_id, row=row))
        self._action = action
        self._job_id = job_id

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Make the button anew from what was pressed."""
        del interaction, item
        return cls(match["action"], int(match["job_id"]))

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Decide, if the member may."""
        try:
            interaction.client.begin(interaction.id)
            await self._decide(interaction)
        except Exception as error:  # noqa: BLE001 - discord.py would only log it: the member is told, whatever it is
            await report_error(interaction, error)

    async def _decide(self, interaction: _Interaction) -> None:
        guild_id = await require_manager(interaction)
        service = interaction.client.services.unconfirmed
        match self._action:
            case "made":
                await interaction.response.send_modal(TaskIdModal(interaction, self._job_id))
            case "nothing":
                await _carry_out(
                    interaction, lambda: service.nothing_was_made(self._job_id, guild_id), _LABELS[_NOTHING]
                )
            case "again":
                await _carry_out(interaction, lambda: service.try_again(self._job_id, guild_id), _LABELS[_AGAIN])


class TaskIdModal(Form):
    """Asks for the task's id, without which a task can't be looked at."""

    def __init__(self, opener: _Interaction, job_id: int) -> None:
        super().__init__(opener, title=_LABELS[_MADE])
        self._job_id = job_id
        self._task_id = discord.ui.TextInput[Any](custom_id="task_id", min_length=1, max_length=_TASK_ID_LENGTH)
        self.add_item(
            discord.ui.Label(
                text="Task id", description="As UlazAI shows it in the account's generations", component=self._task_id
            )
        )

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Go on with that task, if the member still may."""
        interaction.client.begin(interaction.id)
        guild_id, task_id = await require_manager(interaction), self._task_id.value
        service = interaction.client.services.unconfirmed
        await _carry_out(interaction, lambda: service.it_was_made(self._job_id, guild_id, task_id), _LABELS[_MADE])


class Unconfirmed(commands.Cog):
    """The list of what waits for a decision."""

    def __init__(self, bot: VideoBot) -> None:
        self.bot = bot

    async def cog_load(self) -> None:
        """Know the buttons of earlier messages."""
        self.bot.add_dynamic_items(UnconfirmedButton)

    async def cog_unload(self) -> None:
        """Forget them."""
        self.bot.remove_dynamic_items(UnconfirmedButton)

    @app_commands.command(description="Videos of which nobody knows whether they were made and paid")
    async def unconfirmed(self, interaction: _Interaction) -> None:
        """List a server's unconfirmed jobs, with the decisions."""
        guild_id = await require_manager(interaction)
        service = self.bot.services.unconfirmed
        async with deferred_when_slow(interaction, ephemeral=True):
            jobs = (await service.of_guild(guild_id))[:_JOBS_IN_LIST]
            hints = [await service.hint(job) for job in jobs]
        embed = _render.unconfirmed_list(jobs, hints)
        await send_or_edit(interaction, embed, ephemeral=True, view=decision_buttons(jobs, named=True))


async def _carry_out(interaction: _Interaction, decide: _Decision, label: str) -> None:
    job = await decide()
    services: Services = interaction.client.services
    _log.warning("unconfirmed job decided", job_id=job.id, decision=label, moderator_id=interaction.user.id)
    services.worker.track(job)
    await _show_decision(interaction, f"{label}, decided by {interaction.user.mention}")


async def _show_decision(interaction: _Interaction, decision: str) -> None:
    before = interaction.message.content if interaction.message else ""
    try:
        await interaction.response.edit_message(content=f"{before}\n-# {decision}".strip(), view=None)
    except (discord.HTTPException, *NETWORK_ERRORS) as error:
        _log.warning("a decision could not be shown", interaction_id=interaction.id, error=str(error))
