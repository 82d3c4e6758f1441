"""The side of Discord of creative sessions: their thread, their pinned card, and their summary."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

import discord
import structlog

from bot.client import VideoBot
from bot.errors import PlaceRefusedError
from bot.jobs.ports import DeliveryTarget
from bot.pools.models import Session, SessionEnd
from bot.sessions.models import CARD, SessionCard, SessionStatus, Summary, nonce
from cogs.messages.api_errors import THREAD_ARCHIVED, code_of, discord_errors, make_thread, unarchive
from cogs.rendering import sessions as _session_render
from cogs.rendering.text import cut, unmarked

_log = structlog.get_logger(__name__)

# Discord dates messages by its own clock.
_CLOCK_MARGIN = timedelta(minutes=5)
_MESSAGES_SEARCHED = 1000
_EDIT_SECONDS = 15.0


class SessionMessages:
    """The session worker's `SessionNotifier`."""

    def __init__(self, bot: VideoBot) -> None:
        self._bot = bot

    async def find_answer(self, session: Session) -> int | None:
        """See `SessionNotifier.find_answer`."""

        def is_answer(message: discord.Message) -> bool:
            origin = message.interaction_metadata
            return origin is not None and origin.id == session.interaction_id

        channel = self._bot.get_partial_messageable(session.channel_id, guild_id=session.guild_id)
        found = await self._find(channel, session.started_at, is_answer)
        return found.id if found else None

    async def open(self, status: SessionStatus, *, may_be_posted: bool) -> SessionCard:
        """See `SessionNotifier.open`."""
        session = status.session
        name = unmarked(session.title, self._bot.get_guild(session.guild_id)) or _session_render.DEFAULT_TITLE
        await make_thread(self._bot, session.channel_id, session.thread_id or 0, cut(name, 100))
        thread = self._thread(session)
        found = None
        if may_be_posted:
            found = await self._find(thread, session.started_at, _is_marked(_session_render.card_mark(session)))
        message_id = found.id if found else await self._post(session, thread, self._card(status), CARD)
        return SessionCard(message_id, await self._pin(thread, message_id))

    async def show(self, status: SessionStatus) -> None:
        """See `SessionNotifier.show`.

        Raises:
            PlaceRefusedError: the thread or its card was deleted.
        """
        session = status.session
        try:
            await self._edit(session.thread_id or 0, session.card_message_id or 0, self._card(status))
        except PlaceRefusedError as error:
            if code_of(error) != THREAD_ARCHIVED:
                raise
            await unarchive(self._bot, session.thread_id or 0)
            await self._edit(session.thread_id or 0, session.card_message_id or 0, self._card(status))

    async def close(self, summary: Summary, *, may_be_posted: bool) -> None:
        """See `SessionNotifier.close`."""
        session = summary.session
        if session.end_cause is SessionEnd.FAILURE and not summary.jobs:
            with suppress(PlaceRefusedError):
                await self._edit(session.channel_id, session.thread_id or 0, _session_render.failed_answer(session))
            return
        for number, page in enumerate(_session_render.pages(summary), 1):
            mark = _session_render.page_mark(session, number)
            if not may_be_posted or not await self._is_posted(session, mark):
                await self._post_somewhere(session, page, number)
        if session.card_message_id:
            with suppress(PlaceRefusedError):
                await self.show(SessionStatus(session, ready=summary.videos))

    async def _is_posted(self, session: Session, mark: str) -> bool:
        for place in DeliveryTarget:
            with suppress(PlaceRefusedError):
                target = await self._target(session, place)
                if await self._find(target, session.ended_at or session.started_at, _is_marked(mark)):
                    return True
        return False

    async def _post_somewhere(self, session: Session, page: discord.Embed, number: int) -> None:
        """Post a page in the thread, else in its channel, else to the manager who started the session."""
        for place in DeliveryTarget:
            try:
                await self._post(session, await self._target(session, place), page, number)
            except PlaceRefusedError as error:
                _log.warning("a place refused a summary", session_id=session.id, place=place.value, error=str(error))
            else:
                return
        _log.error("no place takes a session's summary", session_id=session.id)

    async def _target(self, session: Session, place: DeliveryTarget) -> discord.abc.Messageable:
        if place is DeliveryTarget.THREAD:
            return self._thread(session)
        if place is DeliveryTarget.CHANNEL:
            return self._bot.get_partial_messageable(session.channel_id, guild_id=session.guild_id)
        async with discord_errors():
            return await self._bot.create_dm(discord.Object(session.started_by))

    async def _post(self, session: Session, target: discord.abc.Messageable, embed: discord.Embed, number: int) -> int:
        try:
            return await _send(target, embed, nonce(session, number))
        except PlaceRefusedError as error:
            if code_of(error) != THREAD_ARCHIVED:
                raise
            await unarchive(self._bot, session.thread_id or 0)
        return await _send(target, embed, nonce(session, number))

    async def _edit(self, channel_id: int, message_id: int, embed: discord.Embed) -> None:
        channel = self._bot.get_partial_messageable(channel_id)
        async with discord_errors(), asyncio.timeout(_EDIT_SECONDS):
            await channel.get_partial_message(message_id).edit(embed=embed)

    async def _pin(self, thread: discord.PartialMessageable, message_id: int) -> bool:
        """Pin the card, where the bot may. Source: Discord's documentation, "Pin Message"."""
        try:
            async with discord_errors():
                await thread.get_partial_message(message_id).pin()
        except PlaceRefusedError as error:
            _log.info("session's card is not pinned", message_id=message_id, error=str(error))
            return False
        return True

    async def _find(
        self, target: discord.abc.Messageable, since: datetime, is_it: Callable[[discord.Message], bool]
    ) -> discord.Message | None:
        """Find a message of the bot's own."""
        own_id = self._bot.user.id if self._bot.user else 0
        async with discord_errors():
            async for message in target.history(
                limit=_MESSAGES_SEARCHED, after=since - _CLOCK_MARGIN, oldest_first=True
            ):
                if message.author.id == own_id and is_it(message):
                    return message
        return None

    def _card(self, status: SessionStatus) -> discord.Embed:
        return _session_render.card(status, role_is_gone=self._is_role_gone(status.session))

    def _is_role_gone(self, session: Session) -> bool:
        guild = self._bot.get_guild(session.guild_id)
        # Roles are known only once Discord has sent the server.
        if guild is None or guild.unavailable or session.role_id is None:
            return False
        return guild.get_role(session.role_id) is None

    def _thread(self, session: Session) -> discord.PartialMessageable:
        return self._bot.get_partial_messageable(session.thread_id or 0, guild_id=session.guild_id)


async def _send(target: discord.abc.Messageable, embed: discord.Embed, word: str) -> int:
    async with discord_errors():
        return (await target.send(embed=embed, nonce=word)).id


def _is_marked(mark: str) -> Callable[[discord.Message], bool]:
    """Return what knows a post by how its embed's footer begins; a card's whole footer is its mark."""

    def is_marked(message: discord.Message) -> bool:
        footers = (embed.footer.text or "" for embed in message.embeds)
        return any(text == mark or (mark.endswith(" ") and text.startswith(mark)) for text in footers)

    return is_marked
