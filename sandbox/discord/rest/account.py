"""REST: the bot's account, the gateway's URL, and other users.

Source: Discord's API reference, "User", "Application", "Gateway".
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiohttp import web

from sandbox.discord.http.form_errors import FormErrors, snowflake
from sandbox.discord.http.json_answers import json_answer
from sandbox.discord.rest.base import FORM, Rest, path_id
from sandbox.discord.world.errors import ApiError
from sandbox.discord.world.models import User
from sandbox.discord.world.payloads import channel_json, guild_json, user_json
from sandbox.discord.world.seed import APPLICATION_ID

if TYPE_CHECKING:
    from sandbox.discord.world.models import JsonObject

_STARTS_PER_DAY = 1000
_TEAM_ID = APPLICATION_ID + 1000
_ACCEPTED = 2


class AccountRest(Rest):
    """Routes of the bot's account, the gateway and direct messages."""

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of this group."""
        return [
            web.get("/gateway", self.gateway),
            web.get("/gateway/bot", self.gateway_for_bot),
            web.get("/users/@me", self.me),
            web.patch("/users/@me", self.me),
            web.get("/users/@me/guilds", self.guilds),
            web.post("/users/@me/channels", self.open_dm),
            web.get("/users/{user_id}", self.user),
            web.get("/oauth2/applications/@me", self.application),
            web.get("/applications/@me", self.application),
            web.get("/applications/{application_id}/emojis", self.emojis),
            web.post("/attachments/refresh-urls", self.refresh_urls),
        ]

    async def gateway(self, _request: web.Request) -> web.Response:
        """Respond with the gateway's URL."""
        return json_answer({"url": self.services.sessions.url})

    async def gateway_for_bot(self, _request: web.Request) -> web.Response:
        """Respond with the gateway's URL, the number of shards and the session start limit."""
        limit = {
            "total": _STARTS_PER_DAY,
            "remaining": max(0, _STARTS_PER_DAY - self.services.sessions.identified),
            "reset_after": 86_400_000,
            "max_concurrency": 1,
        }
        shards = self.services.settings.shards
        body = {"url": self.services.sessions.url, "shards": shards, "session_start_limit": limit}
        return json_answer(body)

    async def me(self, _request: web.Request) -> web.Response:
        """Respond with the bot's user."""
        own = {"verified": True, "mfa_enabled": True, "email": None, "flags": 0, "locale": "en-US"}
        return json_answer(user_json(self.world.user(self.bot_id)) | own)

    async def user(self, request: web.Request) -> web.Response:
        """Respond with any user."""
        return json_answer(user_json(self.world.user(path_id(request, "user_id"))))

    async def guilds(self, _request: web.Request) -> web.Response:
        """Respond with the servers the bot is in."""
        own = [guild for guild in self.world.guilds.values() if self.bot_id in guild.members]
        return json_answer([guild_json(guild) for guild in own])

    async def application(self, _request: web.Request) -> web.Response:
        """Respond with the bot's application."""
        return json_answer(self._application_json(self.world.user(self.bot_id)))

    async def emojis(self, _request: web.Request) -> web.Response:
        """Respond with an empty list of emojis."""
        return json_answer({"items": []})

    async def open_dm(self, request: web.Request) -> web.Response:
        """Open the direct message channel with a user.

        Raises:
            ApiError: 50007: the user is a bot.
        """
        errors = FormErrors()
        given = request[FORM].payload.get("recipient_id")
        user_id = snowflake(given, errors, ("recipient_id",))
        errors.raise_if_any()
        user = self.world.user(user_id or 0)
        if user.bot:
            raise ApiError(50007)
        return json_answer(channel_json(self.world, self.world.open_dm(self.bot_id, user.id)))

    async def refresh_urls(self, request: web.Request) -> web.Response:
        """Respond with fresh URLs of up to 50 attachments."""
        urls = request[FORM].payload.get("attachment_urls") or []
        errors = FormErrors()
        errors.check_count(("attachment_urls",), urls, 1, 50)
        refreshed = []
        for index, url in enumerate(urls):
            fresh = self._refresh(str(url))
            if fresh is None:
                errors.add(("attachment_urls", index), "INVALID_URL", "This is not an attachment's URL.")
            refreshed.append({"original": url, "refreshed": fresh})
        errors.raise_if_any()
        return json_answer({"refreshed_urls": refreshed})

    def _refresh(self, url: str) -> str | None:
        path = urlsplit(url).path
        parts = path.split("/")
        if len(parts) != 5 or parts[1] != "attachments" or not parts[3].isdecimal():
            return None
        return self.services.attachment_store.sign(path, int(parts[3]))

    def _application_json(self, bot: User) -> JsonObject:
        application = self.services.application
        owner = user_json(self.world.user(application.owner_id))
        return {
            "id": str(application.id),
            "name": bot.display_name,
            "icon": None,
            "description": "",
            "summary": "",
            "type": None,
            "bot": user_json(bot),
            "bot_public": True,
            "bot_require_code_grant": False,
            "verify_key": "0" * 64,
            "owner": _team_user_json() if application.team_ids else owner,
            "team": self._team_json() if application.team_ids else None,
            "flags": 0,
            "flags_new": "0",
            "redirect_uris": [],
            "interactions_endpoint_url": None,
            "role_connections_verification_url": None,
            "approximate_guild_count": len(self.world.guilds),
            "approximate_user_install_count": 0,
            "approximate_user_authorization_count": 0,
            "explicit_content_filter": 0,
            "event_webhooks_status": 1,
            "integration_types_config": {"0": {}},
        }

    def _team_json(self) -> JsonObject:
        application = self.services.application
        return {
            "id": str(_TEAM_ID),
            "icon": None,
            "name": "Studio team",
            "owner_user_id": str(application.owner_id),
            "members": [self._team_member_json(user_id) for user_id in application.team_ids],
        }

    def _team_member_json(self, user_id: int) -> JsonObject:
        return {
            "membership_state": _ACCEPTED,
            "team_id": str(_TEAM_ID),
            "role": "admin",
            "permissions": ["*"],
            "user": user_json(self.world.user(user_id)),
        }


def _team_user_json() -> JsonObject:
    """Return the placeholder user that Discord gives as the owner of a team's application."""
    return user_json(User(_TEAM_ID, f"team{_TEAM_ID}"))
