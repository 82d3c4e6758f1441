"""The Discord client: starts up, loads the cogs, and registers the commands."""

import asyncio
import gc
import itertools
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import discord
import structlog
import yarl
from discord import app_commands
from discord.ext import commands

from bot.backoff import Backoff
from bot.clock import Clock
from bot.codes import Refusal
from bot.command_sync import commands_differ
from bot.config import proxy_for
from bot.errors import DuplicateInteractionError, RefusedError
from bot.jobs.moderation.decisions import DecisionRepository, DecisionService
from bot.jobs.moderation.outbox import ModerationOutbox
from bot.jobs.service import JobService
from bot.jobs.worker.worker import Worker
from bot.media.archive import Archive
from bot.media.downloads import Downloader
from bot.pools.reconciliation.service import ReconciliationService
from bot.pools.service import PoolService
from bot.sessions.service import SessionService
from bot.sessions.worker import SessionWorker

_log = structlog.get_logger(__name__)

ALREADY_ANSWERED = 40060
"""Discord's error code for a second first answer to the same interaction."""

UNREADABLE_ERRORS = (ValueError, TypeError, LookupError, AttributeError, RecursionError)
"""What discord.py lets through when an answer is not Discord's, such as a proxy's page: it takes it for one."""

NETWORK_ERRORS = (OSError, TimeoutError, aiohttp.ClientError, RuntimeError, *UNREADABLE_ERRORS)
"""What discord.py lets through when a connection is cut, or what came over it can't be read.

A `RuntimeError` is what aiohttp says of a session that is closed, as it is once the gateway has sent the bot away.
"""

_INTERACTIONS_REMEMBERED = 10_000
_SYNC_BACKOFF = Backoff(30.0, 3600.0)
# Discord's documentation, "Application Commands", the type PRIMARY_ENTRY_POINT.
_ENTRY_POINT = 4
# Discord sends a bot's servers within seconds of its connection.
_GUILDS_SECONDS = 10.0
_GUILD_CHECK_SECONDS = 0.05

PERMISSIONS = discord.Permissions(
    view_channel=True,
    send_messages=True,
    create_public_threads=True,
    send_messages_in_threads=True,
    embed_links=True,
    attach_files=True,
    read_message_history=True,
    pin_messages=True,
)
"""What the bot asks for when it is invited; the README says why each."""


def invite_url(application_id: int) -> str:
    """Return the link that adds the bot to a server with exactly what it needs."""
    return discord.utils.oauth_url(application_id, permissions=PERMISSIONS, scopes=("bot", "applications.commands"))


@dataclass(frozen=True, slots=True)
class Services:
    """What the cogs work with."""

    jobs: JobService
    sessions: SessionService
    session_worker: SessionWorker
    decisions: DecisionRepository
    moderation: DecisionService
    outbox: ModerationOutbox
    pools: PoolService
    reconciliation: ReconciliationService
    worker: Worker
    downloader: Downloader
    archive: Archive
    clock: Clock


@dataclass(frozen=True, slots=True)
class Parts:
    """What the composition root makes for a client.

    Attributes:
        commands: what no cog registers.
        once: what is done once, in the background, when the bot is ready.
        loops: the steps that run again and again from the login on, each by its name.
    """

    services: Services
    cogs: Sequence[commands.Cog]
    commands: Sequence[app_commands.Group]
    once: Sequence[Callable[[], Coroutine[None, None, None]]]
    loops: Mapping[str, Callable[[], Awaitable[None]]]


class VideoBot(commands.AutoShardedBot):
    """The bot. It needs no privileged intent, and keeps no messages and no members in memory."""

    def __init__(
        self,
        api_url: str,
        build: Callable[["VideoBot"], Parts],
        tree_cls: type[app_commands.CommandTree[Any]] = app_commands.CommandTree,
    ) -> None:
        """Make a client that is not logged in yet.

        Args:
            api_url: Discord's HTTP API.
            build: makes everything that works through this client.
            tree_cls: what commands and their errors go through.
        """
        # Where discord.py sends its requests is a value of the class; nothing else takes an address.
        discord.http.Route.BASE = api_url
        # It never speaks: the libraries for that are not missing.
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            intents=discord.Intents(guilds=True),
            allowed_mentions=discord.AllowedMentions.none(),
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            max_messages=None,
            proxy=proxy_for(api_url),
            tree_cls=tree_cls,
            allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=False, private_channel=False),
            allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
        )
        # Forms live in memory: by their ids those of this process differ from those of an earlier one.
        self.form_prefix = f"{secrets.token_hex(4)}:"
        self._was_ready = False
        self._guilds_until = 0.0
        self._stopping = False
        self._underway: set[asyncio.Task[Any]] = set()
        # In the order in which they came; the values are not used.
        self._handled: dict[int, None] = {}
        self._told_operator: set[str] = set()
        self._running: list[asyncio.Task[None]] = []
        self._parts = build(self)
        self.services = self._parts.services

    async def setup_hook(self) -> None:
        """Run between login and the gateway: recover the open jobs, start the loops, register the commands."""
        await self._find_gateway()
        self._guilds_until = self.services.clock.monotonic() + _GUILDS_SECONDS
        for cog in self._parts.cogs:
            await self.add_cog(cog)
        for command in self._parts.commands:
            self.tree.add_command(command)
        await self._recover()
        self._running = [asyncio.create_task(_repeat(*loop), name=loop[0]) for loop in self._parts.loops.items()]
        if not await self._sync_commands():
            self._running.append(asyncio.create_task(self._sync_later(), name="commands"))
        _log.info("invite the bot with this link", url=self.invite_url)

    async def close(self) -> None:
        """Stop the loops, and close the connection."""
        for loop in self._running:
            loop.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await super().close()

    async def _recover(self) -> None:
        # What is there by now, and what this makes, stays for good: the collector need not go through it, now or later.
        gc.disable()
        try:
            await self.services.worker.recover()
            await self.services.outbox.recover()
            await self.services.session_worker.recover()
        finally:
            gc.freeze()
            gc.enable()

    async def on_ready(self) -> None:
        """Say once that everything is in place; Discord says so again with each new session."""
        if self._was_ready:
            return
        self._was_ready = True
        self._running.extend(asyncio.create_task(work()) for work in self._parts.once)
        _log.info("ready", user=str(self.user), servers=len(self.guilds), jobs=len(self.services.worker))

    async def wait_for_guild(self, guild_id: int) -> None:
        """Wait until Discord has sent a server; not for long, and only in the first seconds of the process."""
        while not self._was_ready and self.services.clock.monotonic() < self._guilds_until:
            guild = self.get_guild(guild_id)
            if guild and not guild.unavailable:
                return
            await asyncio.sleep(_GUILD_CHECK_SECONDS)

    def begin(self, interaction_id: int) -> None:
        """Begin to handle an interaction in the task that calls this; `finish` waits for that task.

        Call it first for every command, button and form. What changes credits is also unique by its interaction in
        the database, where it lasts across restarts.

        Raises:
            DuplicateInteractionError: Discord has delivered it before.
            RefusedError: STOPPING.
        """
        if interaction_id in self._handled:
            raise DuplicateInteractionError
        if self._stopping:
            raise RefusedError(Refusal.STOPPING)
        self._handled[interaction_id] = None
        if len(self._handled) > _INTERACTIONS_REMEMBERED:
            del self._handled[next(iter(self._handled))]
        if task := asyncio.current_task():
            self._underway.add(task)
            task.add_done_callback(self._underway.discard)

    async def finish(self, grace_seconds: float) -> None:
        """Begin nothing new, and let the commands that are under way come to their end for a while.

        A command that is cut off in the middle would leave a member without an answer, and perhaps with a job.
        """
        self._stopping = True
        if self._underway:
            await asyncio.wait(self._underway, timeout=grace_seconds)
        for task in self._underway:
            task.cancel()

    @property
    def operator(self) -> discord.abc.User | None:
        """Whom members ask: the owner of the Discord application, or of the team that owns it; None: not known."""
        if self.application is None:
            return None
        return self.application.team.owner if self.application.team else self.application.owner

    async def notify_operator(self, text: str) -> None:
        """Send the operator a direct message, once per process for the same text. Never raises."""
        if self.operator is None or text in self._told_operator:
            return
        self._told_operator.add(text)
        try:
            await (await self.create_dm(discord.Object(self.operator.id))).send(text)
        except (discord.HTTPException, *NETWORK_ERRORS) as error:
            _log.warning("the operator could not be notified", error=str(error))

    def is_operator(self, user_id: int) -> bool:
        """Return whether this is the owner of the Discord application, or one of the team that owns it.

        Source: Discord's documentation, "Teams": owner, admin and developer may do all but change the team. It is
        known from the login on; who joins the team later counts from the next start.
        """
        application = self.application
        if application is None:
            return False
        if application.team is None:
            return application.owner.id == user_id
        return any(
            member.id == user_id and member.role is not discord.TeamMemberRole.read_only
            for member in application.team.members
            if member.membership_state is discord.TeamMembershipState.accepted
        )

    @property
    def invite_url(self) -> str:
        """The link that adds the bot to a server with exactly what it needs."""
        return invite_url(self.application_id or 0)

    async def _find_gateway(self) -> None:
        # After an invalid session discord.py goes back to a built-in address: make that the API's own one.
        _, address, _ = await self.http.get_bot_gateway()
        discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(address)

    async def _sync_commands(self) -> bool:
        wanted: list[Any] = [command.to_dict(self.tree) for command in self.tree.get_commands()]
        application_id = self.application_id or 0
        try:
            found: list[Any] = await self.http.get_global_commands(application_id)
            # An application's Entry Point command is not the bot's: Discord refuses an overwrite without it (50240).
            entry_points = [command for command in found if command.get("type") == _ENTRY_POINT]
            registered = [command for command in found if command.get("type") != _ENTRY_POINT]
            if not commands_differ(registered, wanted):
                _log.info("commands are registered already", commands=len(wanted))
                return True
            await self.http.bulk_upsert_global_commands(application_id, [*wanted, *entry_points])
        except (discord.HTTPException, *NETWORK_ERRORS) as error:
            # Those of an earlier start still work, and open jobs must go on in any case.
            kind = type(error).__name__
            _log.error("commands are not registered; it will be tried again", error=f"{kind}: {error}")
            return False
        _log.info("commands registered", commands=len(wanted))
        return True

    async def _sync_later(self) -> None:
        for failures in itertools.count(1):
            await asyncio.sleep(_SYNC_BACKOFF.pause(failures))
            if await self._sync_commands():
                return


async def _repeat(name: str, step: Callable[[], Awaitable[None]]) -> None:
    """Run a step again and again; no error ends it.

    `discord.ext.tasks` is not used: it sleeps until a wall-clock moment, and a clock that is set back stops it.
    """
    while True:
        try:
            await step()
        except Exception:  # noqa: BLE001 - no step raises; if one does after all, its loop would be over for good
            _log.critical("a loop broke and goes on", loop=name, exc_info=True)
            await asyncio.sleep(1)
