"""The local Discord as one object: start it, point the bot at it, read what it holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from aiohttp import web

from sandbox.discord.client.api import ClientApi
from sandbox.discord.http.attachment_server import AttachmentServer
from sandbox.discord.http.guard import only_loopback
from sandbox.discord.rest.api import PREFIX, RestApi
from sandbox.discord.services import assemble, new_token
from sandbox.discord.settings import Settings
from sandbox.discord.world import seed
from sandbox.discord.world.store import Store
from sandbox.discord.world.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiohttp.typedefs import Middleware

    from sandbox.discord.rest.api import Observer
    from sandbox.discord.rest.rate_limits import RateLimiter
    from sandbox.discord.world.models import Channel, Command, JsonObject, Message

T = TypeVar("T")

_MAX_BODY_BYTES = 1024 * 1024 * 1024
_PAGE = Path(__file__).parents[1] / "page"


class LocalDiscord:
    """A Discord on loopback with one server, four users and one bot.

    Args:
        data_dir: folder of its state; None keeps it in memory.
        interaction_deadline_seconds: how long the bot has for the first answer to an interaction.
        interaction_token_seconds: how long an interaction's token is valid afterwards.
        rate_limits: whether the bot's requests are limited.
        middlewares: run for every request, after its body is read and before its token is checked.
        observer: called after each request to the REST API.

    Attributes:
        world: users, servers, channels, messages and commands.
        settings: times and limits; may be changed at any time.
        services: the parts it is made of.
        origin: scheme, host and port once it is started.
    """

    def __init__(
        self,
        *,
        data_dir: Path | None = None,
        interaction_deadline_seconds: float = 3.0,
        interaction_token_seconds: float = 900.0,
        rate_limits: bool = True,
        middlewares: Sequence[Middleware] = (),
        observer: Observer | None = None,
    ) -> None:
        self.settings = Settings(interaction_deadline_seconds, interaction_token_seconds, rate_limits)
        self.world = World()
        self._store = None if data_dir is None else Store(data_dir, self.world)
        kept = {} if self._store is None else self._store.load()
        if not self.world.guilds:
            seed.populate(self.world)
        files = None if data_dir is None else data_dir / "attachments"
        self.services = assemble(self.world, self.settings, kept.get("token") or new_token(), files)
        self.services.attachment_store.secret = kept.get("secret") or self.services.attachment_store.secret
        self.services.messages.remember_nonces()
        self._middlewares = tuple(middlewares)
        self._rest = RestApi(self.services, observer)
        self._client = ClientApi(self.services, _PAGE)
        self._runner: web.AppRunner | None = None
        self.origin = ""

    @property
    def limiter(self) -> RateLimiter:
        """The rate limits of single routes; `limits` may be changed."""
        return self._rest.limiter

    @property
    def api_url(self) -> str:
        """The base URL of the REST API."""
        return self.origin + PREFIX

    @property
    def token(self) -> str:
        """The bot's token."""
        return self.services.application.token

    @property
    def application_id(self) -> int:
        """The id of the bot's application."""
        return self.services.application.id

    @property
    def bot_id(self) -> int:
        """The id of the bot's user."""
        return self.services.application.bot_id

    @property
    def guild_id(self) -> int:
        """The id of the server."""
        return seed.GUILD_ID

    @property
    def bot_online(self) -> bool:
        """Whether the bot is connected to the gateway."""
        return self.services.sessions.online

    @property
    def commands(self) -> list[Command]:
        """Every command the bot has registered."""
        return list(self.world.commands.values())

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; on a free port if `port` is 0.

        Raises:
            OSError: the port is taken.
        """
        self._runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        try:
            await site.start()
        except OSError:
            await self._runner.cleanup()
            self._runner = None
            raise
        bound = self._runner.addresses[0][1]
        name = f"[{host}]" if ":" in host else host
        self.origin = self.services.attachment_store.origin = f"http://{name}:{bound}"
        self.services.sessions.url = f"ws://{name}:{bound}/gateway"
        if self._store is not None:
            self._store.keep_facts(lambda: {"token": self.token, "secret": self.services.attachment_store.secret})
            await self._store.flush()

    async def stop(self) -> None:
        """Close all connections and save the remaining changes."""
        self.services.registry.close()
        await self.services.gateway.close()
        await self._client.feed.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        if self._store is not None:
            await self._store.flush()

    def channel(self, name: str) -> Channel:
        """Return a channel of the server by its name.

        Raises:
            KeyError: there is no such channel.
        """
        for channel in self.world.channels_of(self.guild_id):
            if channel.name == name:
                return channel
        raise KeyError(name)

    def messages(self, channel_id: int, viewer: int | None = None) -> list[Message]:
        """Return a channel's messages, oldest first: all of them, or those that `viewer` sees."""
        found = self.world.messages_of(channel_id)
        return [m for m in found if viewer is None or self.world.can_read(m, viewer)]

    def threads(self, channel_id: int) -> list[Channel]:
        """Return a channel's threads, in the order they were started."""
        return list(self.world.threads_of(channel_id))

    def payload(self, message: Message) -> JsonObject:
        """Return a message as Discord's JSON, with fresh URLs of its files."""
        return self.services.writer.write(message)

    def file(self, attachment_id: int) -> bytes:
        """Return the bytes of an attachment.

        Raises:
            KeyError: there is none.
        """
        return self.services.attachment_store.read(attachment_id)

    async def wait_for(self, predicate: Callable[[], T], seconds: float = 10.0) -> T:
        """Wait until `predicate` is true; it is checked again after each change of the world.

        Returns:
            The predicate's value.

        Raises:
            TimeoutError: it did not become true in time.
        """
        return await self.world.events.wait_for(predicate, seconds)

    async def wait_online(self, seconds: float = 15.0) -> None:
        """Wait until the bot is connected.

        Raises:
            TimeoutError: it did not connect in time.
        """
        await self.wait_for(lambda: self.bot_online, seconds)

    def drop_gateway(self, code: int = 4000, *, resumable: bool = True) -> None:
        """Close the bot's gateway connections with this code; `resumable` keeps their sessions."""
        self.services.sessions.disconnect(code, resumable=resumable)

    def _app(self) -> web.Application:
        middlewares = [
            only_loopback,
            self._client.explain,
            self._rest.receive,
            *self._middlewares,
            self._rest.check,
        ]
        app = web.Application(middlewares=middlewares, client_max_size=_MAX_BODY_BYTES)
        self._rest.add_routes(app)
        attachments = AttachmentServer(self.services.attachment_store)
        address = r"/attachments/{channel_id:\d+}/{attachment_id:\d+}/{filename}"
        app.add_routes([web.get("/gateway", self.services.gateway.handle), web.get(address, attachments.handle)])
        self._client.add_routes(app)
        return app
