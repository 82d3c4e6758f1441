"""Moderators' decisions about jobs: buttons that survive a restart, their forms, and the lists of what is open."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Self

import discord
import structlog
from discord import app_commands
from discord.ext import commands

from bot.client import NETWORK_ERRORS, VideoBot
from bot.codes import Refusal
from bot.errors import RefusedError
from bot.jobs.models import ApprovalCase, ApprovalDecision, Case, Decision, Job, UnconfirmedDecision
from bot.pools.rules.input_checks import MAX_REASON
from cogs.interactions.modals import Form
from cogs.interactions.permissions import require_decider, trouble_with
from cogs.interactions.responses import deferred_when_slow, report_error, send_or_edit
from cogs.rendering import approvals as _approval_render

_log = structlog.get_logger(__name__)

_Interaction = discord.Interaction[VideoBot]

# The words in the buttons' ids, which messages of earlier versions have too.
_ACTIONS: Mapping[str, Mapping[str, Decision]] = {
    "approval": {
        "approve": ApprovalDecision.APPROVED,
        "cheaper": ApprovalDecision.CHEAPER,
        "deny": ApprovalDecision.DENIED,
    },
    "unconfirmed": {
        "made": UnconfirmedDecision.CHARGED,
        "nothing": UnconfirmedDecision.NOT_CHARGED,
        "again": UnconfirmedDecision.TRY_AGAIN,
    },
}
_STYLES: Mapping[Decision, discord.ButtonStyle] = {
    ApprovalDecision.APPROVED: discord.ButtonStyle.success,
    ApprovalDecision.CHEAPER: discord.ButtonStyle.primary,
    ApprovalDecision.DENIED: discord.ButtonStyle.danger,
    UnconfirmedDecision.CHARGED: discord.ButtonStyle.success,
    UnconfirmedDecision.NOT_CHARGED: discord.ButtonStyle.danger,
    UnconfirmedDecision.TRY_AGAIN: discord.ButtonStyle.secondary,
}
_TASK_ID_LENGTH = 200
# A message has room for five rows of buttons.
_CASES_IN_LIST = 5


def approval_buttons(cases: Sequence[ApprovalCase], *, named: bool = False) -> discord.ui.View:
    """Return the decisions about each job that waits for approval; `named` puts the job's number on each."""
    return _buttons("approval", [case.job for case in cases], named=named)


def unconfirmed_buttons(jobs: Sequence[Job], *, named: bool = False) -> discord.ui.View:
    """Return the decisions about each unconfirmed job; `named` puts the job's number on each."""
    return _buttons("unconfirmed", jobs, named=named)


def _buttons(question: str, jobs: Sequence[Job], *, named: bool) -> discord.ui.View:
    view = discord.ui.View(timeout=None)
    for row, job in enumerate(jobs):
        for action, decision in _ACTIONS[question].items():
            if label := _approval_render.button_label(decision, job):
                name = f"#{job.id}: {label}" if named else label
                view.add_item(DecisionButton(question, action, job.id, label=name, row=row))
    return view


async def waiting_answer(bot: VideoBot, guild_id: int) -> tuple[discord.Embed, discord.ui.View]:
    """Return the answer to `/pool waiting`: what waits, and its buttons."""
    services = bot.services
    cases = await services.decisions.waiting(guild_id)
    channel_id = (await services.pools.pool(guild_id)).policy.moderators_channel
    trouble = trouble_with(bot, guild_id, channel_id) if channel_id else None
    shown = cases[:_CASES_IN_LIST]
    deadlines = [services.moderation.deadline(case.job) for case in shown]
    embed = _approval_render.waiting_list(shown, deadlines, len(cases) - len(shown), trouble)
    return embed, approval_buttons(shown, named=True)


async def unconfirmed_answer(bot: VideoBot, guild_id: int) -> tuple[discord.Embed, discord.ui.View]:
    """Return the answer to `/unconfirmed`: what is to be decided, and its buttons."""
    decisions = bot.services.decisions
    jobs = await decisions.unconfirmed(guild_id)
    shown = jobs[:_CASES_IN_LIST]
    hints = [await decisions.hint(job) for job in shown]
    embed = _approval_render.unconfirmed_list(shown, hints, len(jobs) - len(shown))
    return embed, unconfirmed_buttons(shown, named=True)


class DecisionButton(
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=r"(?P<question>approval|unconfirmed):(?P<action>[a-z]{1,9}):(?P<job_id>\d{1,18})",
):
    """One of the decisions about one job; all that it needs is in its custom id."""

    def __init__(
        self, question: str, action: str, job_id: int, *, label: str | None = None, row: int | None = None
    ) -> None:
        """Make a button.

        Args:
            question: approval or unconfirmed.
            action: which decision, by the word in the custom id.
            job_id: of the job.
            label: what it says.
            row: in which row of the message it is.
        """
        self._decision = _ACTIONS[question].get(action)
        style = _STYLES[self._decision] if self._decision else discord.ButtonStyle.secondary
        custom_id = f"{question}:{action}:{job_id}"
        super().__init__(discord.ui.Button(label=label, style=style, custom_id=custom_id, row=row))
        self._job_id = job_id

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Make the button again from what was pressed."""
        del interaction, item
        return cls(match["question"], match["action"], int(match["job_id"]))

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Decide, or open the form of the decision, if the member may."""
        try:
            interaction.client.begin(interaction.id)
            await self._decide(interaction)
        except Exception as error:  # noqa: BLE001 - discord.py would only log it, whatever it is, and answer nothing
            await report_error(interaction, error)

    async def _decide(self, interaction: _Interaction) -> None:
        guild_id = await require_decider(interaction)
        if self._decision is None:
            raise RefusedError(Refusal.NO_SUCH_REQUEST, job_id=self._job_id)
        if (form := _FORMS.get(self._decision)) is None:
            await _carry_out(interaction, self._job_id, self._decision)
            return
        decisions = interaction.client.services.decisions
        await decisions.check(self._job_id, guild_id, interaction.user.id, self._decision)
        await interaction.response.send_modal(form(interaction, self._job_id))


class DenialForm(Form):
    """Asks why, which may be left empty."""

    def __init__(self, opener: _Interaction, job_id: int) -> None:
        super().__init__(opener, title=f"Deny #{job_id}")
        self._job_id = job_id
        self._reason = discord.ui.TextInput[Any](
            custom_id="reason", style=discord.TextStyle.paragraph, required=False, max_length=MAX_REASON
        )
        self.add_item(
            discord.ui.Label(text="Why?", description="Optional; the member sees it.", component=self._reason)
        )

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Deny the job, if the member still may."""
        interaction.client.begin(interaction.id)
        await _carry_out(interaction, self._job_id, ApprovalDecision.DENIED, reason=self._reason.value)


class TaskIdForm(Form):
    """Asks for the id of the task that was charged, without which its video can't be had."""

    def __init__(self, opener: _Interaction, job_id: int) -> None:
        super().__init__(opener, title=f"#{job_id} was charged")
        self._job_id = job_id
        self._task_id = discord.ui.TextInput[Any](custom_id="task_id", min_length=1, max_length=_TASK_ID_LENGTH)
        self.add_item(
            discord.ui.Label(
                text="Task id",
                description="From the list of generations in the UlazAI account",
                component=self._task_id,
            )
        )

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Go on with that task, if the member still may."""
        interaction.client.begin(interaction.id)
        await _carry_out(interaction, self._job_id, UnconfirmedDecision.CHARGED, task_id=self._task_id.value)


_FORMS: Mapping[Decision, type[DenialForm | TaskIdForm]] = {
    ApprovalDecision.DENIED: DenialForm,
    UnconfirmedDecision.CHARGED: TaskIdForm,
}


class Moderation(commands.Cog):
    """The buttons of all decisions, and the list of unconfirmed jobs."""

    def __init__(self, bot: VideoBot) -> None:
        self.bot = bot

    async def cog_load(self) -> None:
        """Register the buttons of earlier messages."""
        self.bot.add_dynamic_items(DecisionButton)

    async def cog_unload(self) -> None:
        """Forget them."""
        self.bot.remove_dynamic_items(DecisionButton)

    @app_commands.command(description="List videos that may or may not have been charged, with buttons to decide")
    async def unconfirmed(self, interaction: _Interaction) -> None:
        """List a server's unconfirmed jobs, with the decisions."""
        guild_id = await require_decider(interaction)
        async with deferred_when_slow(interaction, ephemeral=True):
            embed, view = await unconfirmed_answer(self.bot, guild_id)
        await send_or_edit(interaction, embed, ephemeral=True, view=view)


async def _carry_out(interaction: _Interaction, job_id: int, decision: Decision, **typed: str) -> None:
    """Carry out a decision, and show in the message that was used what is the case now.

    Args:
        interaction: of the button or form.
        job_id: of the job.
        decision: what becomes of it.
        typed: what the form asked for.
    """
    guild_id, actor_id, services = await require_decider(interaction), interaction.user.id, interaction.client.services
    async with deferred_when_slow(interaction, is_update=True):
        job = await services.moderation.decide(job_id, guild_id, actor_id, decision, **typed)
    _log.info("job decided", job_id=job_id, decision=decision.value, moderator_id=actor_id)
    cases = await services.decisions.unclosed(job_id)
    services.worker.track(job)
    services.outbox.close(job_id)
    if interaction.message and interaction.message.flags.ephemeral:
        is_approval = isinstance(decision, ApprovalDecision)
        embed, view = await (waiting_answer if is_approval else unconfirmed_answer)(interaction.client, guild_id)
        shown: dict[str, Any] = {"embed": embed, "view": view}
    else:
        closed = next((case for case in cases if _asks(case, decision)), None)
        shown = {**(_approval_render.closed(closed) if closed else {}), "view": None}
    try:
        if interaction.response.is_done():
            await interaction.edit_original_response(**shown)
        else:
            await interaction.response.edit_message(**shown)
    except (discord.HTTPException, *NETWORK_ERRORS) as error:
        # The outbox edits the public messages until that has worked.
        _log.warning("a decision could not be shown at once", interaction_id=interaction.id, error=str(error))


def _asks(case: Case, decision: Decision) -> bool:
    return isinstance(case, ApprovalCase) is isinstance(decision, ApprovalDecision)
