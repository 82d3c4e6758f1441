"""The decisions of moderators about waiting jobs: buttons that survive a restart, and the form for a reason."""

import re
from collections.abc import Awaitable, Sequence
from typing import Any, Self

import discord
import structlog

from bot.client import NETWORK_ERRORS, VideoBot
from bot.jobs.models import ApprovalCase
from bot.pools.rules.input_checks import MAX_REASON
from cogs.interactions.modals import Form
from cogs.interactions.permissions import require_manager, trouble_with
from cogs.interactions.responses import deferred_when_slow, report_error
from cogs.rendering import approvals as _approval_render

_log = structlog.get_logger(__name__)

_Interaction = discord.Interaction[VideoBot]

_APPROVE, _CHEAPER, _DENY = "approve", "cheaper", "deny"
_LABELS = {_APPROVE: "Approve", _DENY: "Deny"}
_STYLES = {
    _APPROVE: discord.ButtonStyle.success,
    _CHEAPER: discord.ButtonStyle.primary,
    _DENY: discord.ButtonStyle.danger,
}
# A message has room for five rows of buttons.
_CASES_IN_LIST = 5


def decision_buttons(cases: Sequence[ApprovalCase], *, named: bool = False) -> discord.ui.View:
    """The decisions for each job; `named` tells the jobs apart."""
    view = discord.ui.View(timeout=None)
    for row, case in enumerate(cases):
        labels = dict(_LABELS)
        if cheaper := _approval_render.cheaper_label(case.job):
            labels = {_APPROVE: _LABELS[_APPROVE], _CHEAPER: cheaper, _DENY: _LABELS[_DENY]}
        for action, label in labels.items():
            name = f"{case.job.id}: {label}" if named else label
            view.add_item(ApprovalButton(action, case.job.id, label=name, row=row))
    return view


async def waiting_answer(bot: VideoBot, guild_id: int) -> tuple[discord.Embed, discord.ui.View]:
    """The answer to `/pool waiting`: what waits, and its buttons."""
    moderation = bot.services.moderation
    cases = await moderation.waiting(guild_id)
    channel_id = (await bot.services.pools.pool(guild_id)).policy.moderators_channel
    trouble = trouble_with(bot, guild_id, channel_id) if channel_id else None
    shown = cases[:_CASES_IN_LIST]
    deadlines = [moderation.deadline(case.job) for case in shown]
    embed = _approval_render.waiting_list(shown, deadlines, len(cases) - len(shown), trouble)
    return embed, decision_buttons(shown, named=True)


class ApprovalButton(
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=r"approval:(?P<action>approve|cheaper|deny):(?P<job_id>\d{1,18})",
):
    """One of the decisions about one job; all that it needs is in its custom id."""

    def __init__(self, action: str, job_id: int, *, label: str | None = None, row: int | None = None) -> None:
        custom_id = f"approval:{action}:{job_id}"
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
        guild_id, moderator_id = await require_manager(interaction), interaction.user.id
        moderation = interaction.client.services.moderation
        match self._action:
            case "approve":
                await _carry_out(interaction, moderation.approve(self._job_id, guild_id, moderator_id))
            case "cheaper":
                await _carry_out(interaction, moderation.approve_cheaper(self._job_id, guild_id, moderator_id))
            case "deny":
                await moderation.check(self._job_id, guild_id, moderator_id)
                await interaction.response.send_modal(DenialForm(interaction, self._job_id))


class DenialForm(Form):
    """Asks why, which may be left open."""

    def __init__(self, opener: _Interaction, job_id: int) -> None:
        super().__init__(opener, title="Deny this video")
        self._job_id = job_id
        self._reason = discord.ui.TextInput[Any](
            custom_id="reason", style=discord.TextStyle.paragraph, required=False, max_length=MAX_REASON
        )
        self.add_item(
            discord.ui.Label(
                text="Why?", description="The member reads it. It may be left empty.", component=self._reason
            )
        )

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Deny the job, if the member still may."""
        interaction.client.begin(interaction.id)
        guild_id = await require_manager(interaction)
        moderation = interaction.client.services.moderation
        await _carry_out(interaction, moderation.deny(self._job_id, guild_id, interaction.user.id, self._reason.value))


async def _carry_out(interaction: _Interaction, decision: Awaitable[ApprovalCase]) -> None:
    async with deferred_when_slow(interaction, ephemeral=True):
        case = await decision
    job, services = case.job, interaction.client.services
    _log.info("job decided", job_id=job.id, decision=case.approval.decision, moderator_id=interaction.user.id)
    services.worker.track(job)
    try:
        await _show_decision(interaction, case)
    except (discord.HTTPException, *NETWORK_ERRORS) as error:
        _log.warning("a decision could not be shown at once", interaction_id=interaction.id, error=str(error))
        services.outbox.close_card(job.id)


async def _show_decision(interaction: _Interaction, case: ApprovalCase) -> None:
    """Answer with the message that was used, as it is now: the closed card, or the list of what still waits.

    Where the answer was deferred, it is a message of its own.
    """
    services, message = interaction.client.services, interaction.message
    if interaction.response.is_done():
        services.outbox.close_card(case.job.id)
        await interaction.edit_original_response(embed=_approval_render.closed_card(case))
        return
    if message and message.flags.ephemeral:
        embed, view = await waiting_answer(interaction.client, case.job.requester.guild_id)
        await interaction.response.edit_message(embed=embed, view=view)
        services.outbox.close_card(case.job.id)
        return
    text, embed = _approval_render.card_text(case.job), _approval_render.closed_card(case)
    await interaction.response.edit_message(content=text, embed=embed, view=None)
    if message and message.id == case.approval.card_message_id:
        await services.moderation.record_closed_card(case.job.id)
