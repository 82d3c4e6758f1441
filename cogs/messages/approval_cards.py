"""The Discord side of moderation: cards and notices are posted, found and closed, and low balances announced."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

import discord

from bot.client import VideoBot
from bot.errors import PlaceRefusedError
from bot.jobs.models import Approval, ApprovalCase, Case, Job
from bot.jobs.moderation.decisions import DecisionRepository
from bot.jobs.ports import Posted
from bot.jobs.service import JobService
from bot.pools.models import LowBalanceNotice
from bot.pools.service import PoolService
from cogs.interactions.permissions import trouble_with
from cogs.messages.api_errors import discord_errors
from cogs.moderation.decisions import approval_buttons
from cogs.rendering import approvals as _approval_render

# Discord dates messages by its own clock.
_CLOCK_MARGIN = timedelta(minutes=5)


class ApprovalCards:
    """Posts, finds and closes the cards on which moderators decide."""

    def __init__(
        self,
        bot: VideoBot,
        jobs: JobService,
        pools: PoolService,
        decisions: DecisionRepository,
        deadline: Callable[[Job], datetime],
    ) -> None:
        """Make the Discord side of approvals.

        Args:
            bot: the client.
            jobs: for what a member has left.
            pools: for where moderators are asked.
            decisions: for where notices were posted.
            deadline: until when a job can be approved.
        """
        self._bot = bot
        self._jobs = jobs
        self._pools = pools
        self._decisions = decisions
        self._deadline = deadline

    async def post(self, job: Job, approval: Approval, channel_id: int) -> Posted:
        """See `JobNotifier.post_approval_card`."""
        case, guild_id = ApprovalCase(job, approval), job.requester.guild_id
        pool = await self._pools.pool(guild_id)
        if channel_id != pool.policy.moderators_channel:
            return await self._post_public_note(job, channel_id)
        self._refuse_if_closed(guild_id, channel_id)
        overview = await self._jobs.overview_after(job)
        channel = self._bot.get_partial_messageable(channel_id, guild_id=guild_id)
        async with discord_errors():
            message = await channel.send(
                _approval_render.card_text(job),
                embed=_approval_render.open_card(case, pool, overview, self._deadline(job)),
                view=approval_buttons([case]),
                nonce=job.card_nonce,
            )
        return Posted(channel_id, message.id)

    async def _post_public_note(self, job: Job, channel_id: int) -> Posted:
        # Only moderators see a prompt that is not approved: `/pool waiting` shows it to them.
        channel = self._bot.get_partial_messageable(channel_id, guild_id=job.requester.guild_id)
        async with discord_errors():
            message = await channel.send(
                _approval_render.card_text(job), embed=_approval_render.public_note(job), nonce=job.card_nonce
            )
        return Posted(channel_id, message.id)

    async def find(self, job: Job, channel_id: int) -> Posted | None:
        """See `JobNotifier.find_approval_card`."""
        channel = self._bot.get_partial_messageable(channel_id, guild_id=job.requester.guild_id)
        async with discord_errors():
            async for message in channel.history(limit=100, after=job.created_at - _CLOCK_MARGIN, oldest_first=True):
                if self._is_card(message, job):
                    return Posted(channel_id, message.id)
        return None

    def _is_card(self, message: discord.Message, job: Job) -> bool:
        own = self._bot.user is not None and message.author.id == self._bot.user.id
        return own and any(embed.footer.text == _approval_render.card_mark(job) for embed in message.embeds)

    async def close(self, case: Case) -> None:
        """See `ModerationNotifier.close`."""
        if isinstance(case, ApprovalCase):
            await self._close_card(case.job, case)
            return
        post, notice = (case.post_channel_id, case.post_message_id), (case.notice_channel_id, case.notice_message_id)
        # A notice that is still there is closed also where the post is gone.
        with suppress(PlaceRefusedError):
            await self._edit(case.job, *post, _approval_render.closed_post(case))
        await self._edit(case.job, *notice, _approval_render.closed_notice(case))

    async def _close_card(self, job: Job, case: ApprovalCase) -> None:
        channel_id, message_id = case.approval.card_channel_id, case.approval.card_message_id
        moderators_channel = await self._decisions.moderators_channel(job.requester.guild_id)
        if channel_id in (job.requester.channel_id, job.thread_id) and channel_id != moderators_channel:
            # A note that the job waits.
            await self._delete(job, channel_id, message_id)
            return
        text, embed = _approval_render.card_text(job), _approval_render.closed_card(case)
        await self._edit(job, channel_id, message_id, text, embed)

    async def _delete(self, job: Job, channel_id: int | None, message_id: int | None) -> None:
        if channel_id is None or message_id is None:
            return
        channel = self._bot.get_partial_messageable(channel_id, guild_id=job.requester.guild_id)
        async with discord_errors():
            await channel.get_partial_message(message_id).delete()

    async def _edit(
        self, job: Job, channel_id: int | None, message_id: int | None, text: str, embed: discord.Embed | None = None
    ) -> None:
        if channel_id is None or message_id is None:
            return
        channel = self._bot.get_partial_messageable(channel_id, guild_id=job.requester.guild_id)
        async with discord_errors():
            await channel.get_partial_message(message_id).edit(content=text, embed=embed, view=None)

    async def announce_low_balance(self, news: LowBalanceNotice) -> None:
        """See `ModerationNotifier.announce_low_balance`.

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

    async def notify_of_unconfirmed(self, job: Job, posted: Posted) -> None:
        """Post a notice of an unconfirmed job in the moderators' channel, where there is one.

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
            message = await channel.send(_approval_render.unconfirmed_notice(job, posted), nonce=f"u{job.nonce}")
        await self._decisions.record_notice(job, Posted(channel_id, message.id))

    def _refuse_if_closed(self, guild_id: int, channel_id: int) -> None:
        if trouble := trouble_with(self._bot, guild_id, channel_id):
            raise PlaceRefusedError(str(trouble))
