"""The Discord side of the moderators' desk: cards are posted, found and closed, and the brakes announced."""

from datetime import timedelta

import discord

from bot.client import VideoBot
from bot.errors import PlaceRefusedError
from bot.jobs.models import Approval, ApprovalCase, Job
from bot.jobs.moderation.approval_service import ApprovalService
from bot.jobs.ports import Posted
from bot.jobs.service import JobService
from bot.pools.models import LowBalanceNotice
from bot.pools.service import PoolService
from cogs.interactions.permissions import trouble_with
from cogs.messages.api_errors import discord_errors
from cogs.moderation.approval_buttons import decision_buttons
from cogs.rendering import approvals as _approval_render

# Discord dates messages by its own clock.
_CLOCK_MARGIN = timedelta(minutes=5)


class ApprovalCards:
    """Posts, finds and closes the cards on which moderators decide."""

    def __init__(self, bot: VideoBot, jobs: JobService, pools: PoolService, approvals: ApprovalService) -> None:
        """Make the Discord side of approvals.

        Args:
            bot: the client.
            jobs: for what a member has left.
            pools: for where moderators are asked.
            approvals: for until when they can decide.
        """
        self._bot = bot
        self._jobs = jobs
        self._pools = pools
        self._approvals = approvals

    async def post(self, job: Job, approval: Approval, channel_id: int) -> Posted:
        """See `Notifier.post_approval_card`."""
        case, guild_id = ApprovalCase(job, approval), job.requester.guild_id
        pool = await self._pools.pool(guild_id)
        if channel_id == pool.policy.moderators_channel:
            self._refuse_if_closed(guild_id, channel_id)
        overview = await self._jobs.overview_after(job)
        channel = self._bot.get_partial_messageable(channel_id, guild_id=guild_id)
        async with discord_errors():
            message = await channel.send(
                _approval_render.card_text(job),
                embed=_approval_render.open_card(case, pool, overview, self._approvals.deadline(job)),
                view=decision_buttons([case]),
                nonce=job.card_nonce,
            )
        return Posted(channel_id, message.id)

    async def find(self, job: Job, channel_id: int) -> Posted | None:
        """See `Notifier.find_approval_card`."""
        channel = self._bot.get_partial_messageable(channel_id, guild_id=job.requester.guild_id)
        async with discord_errors():
            async for message in channel.history(limit=100, after=job.created_at - _CLOCK_MARGIN, oldest_first=True):
                if self._is_card(message, job):
                    return Posted(channel_id, message.id)
        return None

    def _is_card(self, message: discord.Message, job: Job) -> bool:
        own = self._bot.user is not None and message.author.id == self._bot.user.id
        return own and any(embed.footer.text == _approval_render.card_mark(job) for embed in message.embeds)

    async def close_card(self, case: ApprovalCase) -> None:
        """See `ModeratorsNotifier.close_card`."""
        approval = case.approval
        if approval.card_channel_id is None or approval.card_message_id is None:
            return
        channel = self._bot.get_partial_messageable(approval.card_channel_id, guild_id=case.job.requester.guild_id)
        async with discord_errors():
            await channel.get_partial_message(approval.card_message_id).edit(
                content=_approval_render.card_text(case.job), embed=_approval_render.closed_card(case), view=None
            )

    async def announce_low_balance(self, news: LowBalanceNotice) -> None:
        """See `ModeratorsNotifier.announce_low_balance`.

        Raises:
            PlaceRefusedError: there is no moderators' channel, or the bot may not write there.
        """
        guild_id, channel_id = news.pool.guild_id, news.pool.policy.moderators_channel
        if channel_id is None:
            raise PlaceRefusedError("there is no moderators' channel")
        self._refuse_if_closed(guild_id, channel_id)
        channel = self._bot.get_partial_messageable(channel_id, guild_id=guild_id)
        async with discord_errors():
            await channel.send(_approval_render.low_balance_notice(news), nonce=news.nonce)

    async def tell_of_unconfirmed(self, job: Job, posted: Posted) -> None:
        """Tell the moderators' channel, where there is one, that they are asked about an unconfirmed job.

        Raises:
            PlaceRefusedError: the channel does not take it.
            DeliveryDelayedError: not possible now.
        """
        guild_id = job.requester.guild_id
        channel_id = (await self._pools.pool(guild_id)).policy.moderators_channel
        if channel_id is None:
            return
        self._refuse_if_closed(guild_id, channel_id)
        channel = self._bot.get_partial_messageable(channel_id, guild_id=guild_id)
        async with discord_errors():
            await channel.send(_approval_render.unconfirmed_notice(job, posted), nonce=f"u{job.nonce}")

    def _refuse_if_closed(self, guild_id: int, channel_id: int) -> None:
        if trouble := trouble_with(self._bot, guild_id, channel_id):
            raise PlaceRefusedError(str(trouble))
