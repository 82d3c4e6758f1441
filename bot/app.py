"""The composition root: opens everything in order, runs the bot, and closes it all in reverse."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import aiohttp
import discord
import stamina
import structlog

from bot.client import Parts, Services, VideoBot
from bot.clock import SystemClock
from bot.config import Settings, proxy_for
from bot.errors import DiscordUnavailableError
from bot.jobs.moderation.decisions import DecisionRepository, DecisionService
from bot.jobs.moderation.outbox import ModerationOutbox
from bot.jobs.service import JobService
from bot.jobs.store.repository import JobRepository
from bot.jobs.worker.worker import FAIRNESS_WINDOW, Worker, WorkerSettings
from bot.media.archive import Archive
from bot.media.downloads import DISCORD_FILE_HOSTS, Downloader, host_of, name_of
from bot.pools.models import Limits, PoolSettings
from bot.pools.queries import LowBalanceRepository
from bot.pools.reconciliation.service import ReconciliationService
from bot.pools.service import PoolService
from bot.provider.ulazai import UlazaiProvider
from bot.sessions.service import SessionService
from bot.sessions.worker import SessionWorker
from bot.storage.database import Database
from bot.storage.lock import only_bot_on
from cogs.delivery import Delivery
from cogs.interactions.responses import CommandTree, answer_lost_form
from cogs.messages.approval_cards import ApprovalCards
from cogs.messages.session_messages import SessionMessages
from cogs.messages.status_cards import StatusCards
from cogs.messages.video_files import UploadLimits, VideoFiles
from cogs.moderation.decisions import Moderation
from cogs.pool.credits import Pools
from cogs.pool.group import pool_group
from cogs.pool.why import Why
from cogs.session import Sessions
from cogs.video import Video

_log = structlog.get_logger(__name__)

# Together well within the ten seconds in which a stop must be over.
_GRACE_SECONDS = 4.0
_CLOSE_SECONDS = 1.0
_BYTES_PER_MB = 1024 * 1024


@asynccontextmanager
async def open_bot(settings: Settings) -> AsyncIterator[VideoBot]:
    """Open the database, the connections and the services, and yield the bot, not yet logged in.

    Raises:
        DatabaseInUseError: another bot is running on the database.
        StorageError: the database can't be opened.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(only_bot_on(settings.database_path))
        database = await stack.enter_async_context(Database.open(settings.database_url))
        _log.info("database opened", path=str(Path.cwd() / settings.database_path))
        base_url = settings.ulazai_base_url
        provider = await stack.enter_async_context(
            UlazaiProvider(base_url, settings.ulazai_api_key, proxy=proxy_for(base_url))
        )
        discord_host, provider_host = name_of(settings.discord_api_url), host_of(settings.ulazai_base_url)
        downloader = await stack.enter_async_context(Downloader({provider_host}, {discord_host, *DISCORD_FILE_HOSTS}))
        archive = Archive(settings.archive_dir, settings.archive_max_mb * _BYTES_PER_MB)
        await archive.open()

        def build(bot: VideoBot) -> Parts:
            return _build(bot, settings, Opened(database, provider, downloader, archive, stack))

        bot = VideoBot(settings.discord_api_url, build, CommandTree)
        stack.push_async_callback(_close, bot)
        yield bot


@dataclass(frozen=True, slots=True)
class Opened:
    """What has been opened, and is closed at the end."""

    database: Database
    provider: UlazaiProvider
    downloader: Downloader
    archive: Archive
    stack: AsyncExitStack


def _build(bot: VideoBot, settings: Settings, opened: Opened) -> Parts:
    """Make everything that works through the client: values first, what uses them after, nothing attached later."""
    clock, database, pool_settings = SystemClock(), opened.database, _pool_settings(settings)
    worker_settings = _worker_settings(settings)
    repository, decisions = JobRepository(database, clock), DecisionRepository(database, clock)
    jobs, pools = JobService(database, clock, pool_settings), PoolService(database, clock, pool_settings)
    sessions = SessionService(database, clock, pool_settings)
    moderation = DecisionService(decisions, opened.provider, approval_after=worker_settings.approval_after)

    cards = StatusCards(bot, clock, moderation.deadline)
    videos = VideoFiles(opened.downloader, opened.archive, UploadLimits(bot, clock), clock)
    approval_cards = ApprovalCards(bot, jobs, pools, decisions, moderation.deadline)
    outbox = ModerationOutbox(decisions, LowBalanceRepository(database), clock, approval_cards)
    delivery = Delivery(bot, jobs, decisions, outbox, clock, cards=cards, videos=videos, approvals=approval_cards)
    worker = Worker(repository, decisions, opened.provider, clock, delivery, worker_settings)
    session_worker = SessionWorker(sessions, clock, SessionMessages(bot), worker.track)
    opened.stack.push_async_callback(videos.stop)
    opened.stack.push_async_callback(session_worker.stop)

    bot.add_listener(answer_lost_form, "on_interaction")
    services = Services(
        jobs=jobs,
        pools=pools,
        reconciliation=ReconciliationService(settings.database_path),
        sessions=sessions,
        session_worker=session_worker,
        decisions=decisions,
        moderation=moderation,
        outbox=outbox,
        worker=worker,
        downloader=opened.downloader,
        archive=opened.archive,
        clock=clock,
    )
    return Parts(
        services,
        cogs=(
            Video(bot, delivery, cards, videos),
            Moderation(bot),
            Sessions(sessions, session_worker),
            Pools(bot),
            Why(),
        ),
        commands=(pool_group(),),
        once=(delivery.resume_files,),
        loops={"jobs": worker.run, "cards": cards.run_once, "moderation": outbox.run, "sessions": session_worker.run},
    )


async def run(settings: Settings) -> None:
    """Run the bot until it is stopped by SIGTERM, SIGINT or cancellation.

    Raises:
        DatabaseInUseError: another bot is running on the database.
        StorageError: the database can't be opened.
        DiscordUnavailableError: Discord refuses the token, or can't be reached at start.
    """
    stop = asyncio.Event()
    _stop_on_signals(stop)
    async with open_bot(settings) as bot:
        running = asyncio.create_task(_run_bot(bot, settings), name="bot")
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            await asyncio.wait((running, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
        if not running.done():
            _log.info("stopping")
            running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    _log.info("stopped")


async def _run_bot(bot: VideoBot, settings: Settings) -> None:
    try:
        async for attempt in stamina.retry_context(
            on=_is_passing, attempts=8, timeout=300, wait_initial=1, wait_max=60
        ):
            with attempt:
                await _log_in(bot, settings.discord_token.get_secret_value())
        await bot.connect()
    except discord.LoginFailure as error:
        raise DiscordUnavailableError(
            "Discord refused DISCORD_TOKEN: copy it again from the developer portal."
        ) from error
    except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
        raise DiscordUnavailableError(f"Discord can't be reached ({type(error).__name__}): {error}") from error


async def _log_in(bot: VideoBot, token: str) -> None:
    try:
        await bot.login(token)
    except BaseException:
        # A next try opens a session of its own, and discord.py closes none before.
        await bot.http.close()
        bot.http.connector = discord.utils.MISSING
        raise


def _is_passing(error: Exception) -> bool:
    passing = (discord.DiscordServerError, discord.GatewayNotFound, aiohttp.ClientError, OSError)
    return isinstance(error, passing)


async def _close(bot: VideoBot) -> None:
    await asyncio.gather(bot.services.worker.stop(_GRACE_SECONDS), bot.finish(_GRACE_SECONDS))
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            await bot.close()
    except (TimeoutError, asyncio.CancelledError):
        # Cancelled: it was closing already, after a fatal answer of the gateway's, when the stop was requested.
        _log.warning("Discord's connection did not close in order")


def _stop_on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        # Windows has no such handlers; there Ctrl-C cancels the main task.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stop.set)


def _pool_settings(settings: Settings) -> PoolSettings:
    limits = Limits(
        settings.limit_active_jobs or None, settings.limit_window_credits or None, settings.limit_window_hours
    )
    return PoolSettings(
        limits,
        settings.pool_starting_credits,
        settings.pool_managers_may_deposit,
        settings.pool_open_for_all_servers,
    )


def _worker_settings(settings: Settings) -> WorkerSettings:
    return WorkerSettings(
        min_interval_seconds=settings.poll_min_interval_seconds,
        job_max=timedelta(hours=settings.job_max_hours),
        approval_after=timedelta(hours=settings.approval_hours),
        unconfirmed_after=timedelta(hours=settings.unconfirmed_after_hours),
        requests_per_second=settings.provider_max_requests_per_second,
        active_jobs=settings.provider_max_active_jobs,
        fairness_window=timedelta(hours=settings.limit_window_hours)
        if settings.limit_window_hours
        else FAIRNESS_WINDOW,
        wait_for_credits=settings.provider_out_of_credits == "wait",
    )
