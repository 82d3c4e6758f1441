"""The Discord side: the token, the commands, and what the bot may do in each server."""

import asyncio
from collections.abc import AsyncIterator

import discord

from bot.checkup.clock import ClockReadings
from bot.checkup.findings import Finding, ok, warning, wrong
from bot.client import NETWORK_ERRORS, PERMISSIONS, invite_url
from bot.config import Settings, proxy_for
from cogs.commands import declared

_TOKEN, _PUBLIC, _COMMANDS, _SERVERS = "Discord token", "Public Bot", "commands", "servers"
_STEP_SECONDS = 40.0
# discord.py's own names for these are older than Discord's.
_NAMES = {"read_messages": "View Channels", "send_messages_in_threads": "Send Messages in Threads"}
# What discord.py does not expect of its server, as some other web server gives it.
_STRANGE = (LookupError, TypeError, ValueError, AttributeError)
_TROUBLE = (discord.DiscordException, *NETWORK_ERRORS, *_STRANGE)


async def check_discord(settings: Settings, readings: ClockReadings) -> AsyncIterator[Finding]:
    """Log in without connecting to the gateway, which leaves a running bot undisturbed, and check it all."""
    discord.http.Route.BASE = settings.discord_api_url
    client = discord.Client(
        intents=discord.Intents.none(),
        http_trace=readings.trace(),
        max_ratelimit_timeout=30,
        proxy=proxy_for(settings.discord_api_url),
    )
    async with client:
        yield await _check_token(client, settings)
        if client.user is None:
            return
        yield _check_public(client, settings)
        yield await _check_commands(client)
        async for finding in _check_servers(client):
            yield finding


async def _check_token(client: discord.Client, settings: Settings) -> Finding:
    try:
        async with asyncio.timeout(_STEP_SECONDS):
            await client.login(settings.discord_token.get_secret_value())
    except discord.LoginFailure:
        return wrong(_TOKEN, "refused: copy it again from the developer portal (Bot, Reset Token) into DISCORD_TOKEN.")
    except _TROUBLE as error:
        cure = "check the network and DISCORD_API_URL"
        return wrong(_TOKEN, f"not known, {settings.discord_api_url} {_reason(error)}: {cure}.")
    return ok(_TOKEN, f"accepted, the bot is {_plain(str(client.user))}.")


def _check_public(client: discord.Client, settings: Settings) -> Finding:
    if client.application is None:
        return warning(_PUBLIC, "not known, Discord did not say: check again in a while.")
    if not client.application.bot_public:
        return ok(_PUBLIC, "off: only the application's owner can add the bot to servers.")
    if settings.pool_open_for_all_servers:
        cure = "switch it off in the developer portal (Bot, Public Bot), or remove POOL_OPEN_FOR_ALL_SERVERS"
        return warning(_PUBLIC, f"on, so that anybody's server can spend your credits: {cure}.")
    return ok(_PUBLIC, "on: anybody can add the bot, but other servers spend nothing until you deposit credits there.")


async def _check_commands(client: discord.Client) -> Finding:
    try:
        async with asyncio.timeout(_STEP_SECONDS):
            registered = await client.http.get_global_commands(client.application_id or 0)
    except _TROUBLE as error:
        return wrong(_COMMANDS, f"not known, Discord {_reason(error)}: check again in a while.")
    wanted = command_names()
    missing = wanted - {command["name"] for command in registered}
    if missing:
        return warning(_COMMANDS, f"not registered: {', '.join(sorted(missing))}. Start the bot, it registers them.")
    return ok(_COMMANDS, f"all {len(wanted)} are registered.")


def command_names() -> set[str]:
    """Return the names of the commands that the cogs declare, without starting the cogs; menus are not among them."""
    return {command.name for command in declared()}


async def _check_servers(client: discord.Client) -> AsyncIterator[Finding]:
    link = invite_url(client.application_id or 0)
    try:
        async with asyncio.timeout(_STEP_SECONDS):
            guilds = [guild async for guild in client.fetch_guilds(limit=None, with_counts=False)]
    except _TROUBLE as error:
        yield wrong(_SERVERS, f"not known, Discord {_reason(error)}: check again in a while.")
        return
    if not guilds:
        yield warning(_SERVERS, f"the bot is in none: invite it with {link}")
    for guild in guilds:
        yield await _check_server(client, guild, link)


async def _check_server(client: discord.Client, listed: discord.Guild, link: str) -> Finding:
    subject = f"server {_plain(listed.name)}"
    try:
        async with asyncio.timeout(_STEP_SECONDS):
            # Only a server that is fetched by itself comes with its roles.
            guild = await client.fetch_guild(listed.id, with_counts=False)
            member = await guild.fetch_member(client.user.id if client.user else 0)
    except _TROUBLE as error:
        return wrong(subject, f"not known, Discord {_reason(error)}: check again in a while.")
    # Without the role @everyone, which every server has, Discord sent none.
    if guild.get_role(guild.id) is None:
        return wrong(subject, "not known, Discord did not send its roles: check again in a while.")
    missing = missing_permissions(member.guild_permissions)
    if missing:
        cure = f"give them to its role (Server Settings, Roles), or invite it again with {link}"
        return wrong(subject, f"the bot lacks {', '.join(missing)}: {cure}")
    return ok(subject, "the bot's roles have all permissions; a channel may still deny some.")


def missing_permissions(allowed: discord.Permissions) -> list[str]:
    """Return the permissions that the bot needs and lacks, by the names that Discord shows."""
    lacking = discord.Permissions(PERMISSIONS.value & ~allowed.value)
    return [_NAMES.get(name, name.replace("_", " ").title()) for name, is_lacking in lacking if is_lacking]


def _reason(error: Exception) -> str:
    if isinstance(error, discord.HTTPException):
        return f"answered with status {error.status}"
    if isinstance(error, _STRANGE):
        return "does not answer as Discord does"
    return "did not answer in time" if isinstance(error, TimeoutError) else "can't be reached"


def _plain(text: str) -> str:
    """Return somebody else's text without what could change the terminal."""
    return "".join(character if character.isprintable() else " " for character in text)
