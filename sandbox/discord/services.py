"""The composition root of the local Discord."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.discord.gateway.events import GatewayTranslator
from sandbox.discord.gateway.gateway import Gateway
from sandbox.discord.gateway.sessions import GatewaySessions
from sandbox.discord.http.attachments import AttachmentStore
from sandbox.discord.interactions.answers import AnswerService
from sandbox.discord.interactions.payloads import InteractionWriter
from sandbox.discord.interactions.registry import InteractionRegistry
from sandbox.discord.interactions.user_actions import UserActions
from sandbox.discord.messages.payloads import MessageWriter
from sandbox.discord.messages.pins import PinService
from sandbox.discord.messages.service import MessageService
from sandbox.discord.messages.threads import ThreadService
from sandbox.discord.world import seed
from sandbox.discord.world.models import Application

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.discord.settings import Settings
    from sandbox.discord.world.world import World


@dataclass(frozen=True, slots=True)
class Services:
    """The services that request handlers use."""

    world: World
    settings: Settings
    application: Application
    attachment_store: AttachmentStore
    writer: MessageWriter
    messages: MessageService
    threads: ThreadService
    pins: PinService
    sessions: GatewaySessions
    gateway: Gateway
    registry: InteractionRegistry
    answers: AnswerService
    user_actions: UserActions


def new_token() -> str:
    """Return a bot token in Discord's format: the bot's id and two random parts."""
    bot = base64.b64encode(str(seed.BOT_ID).encode()).decode().rstrip("=")
    return f"{bot}.{secrets.token_urlsafe(4)}.{secrets.token_urlsafe(28)}"


def assemble(world: World, settings: Settings, token: str, files: Path | None) -> Services:
    """Build all services.

    Args:
        world: the state, new or loaded.
        settings: times and limits.
        token: the bot's token.
        files: the folder of the attachments; None keeps them in memory.
    """
    application = Application(seed.APPLICATION_ID, seed.BOT_ID, token, seed.OWNER_ID)
    attachment_store = AttachmentStore(files, settings, world.clock)
    writer = MessageWriter(world, attachment_store)
    messages = MessageService(world, attachment_store, settings)
    threads = ThreadService(world, messages)
    pins = PinService(world, messages)
    translator = GatewayTranslator(world, writer, application.bot_id)
    sessions = GatewaySessions(world, translator, application, settings)
    registry = InteractionRegistry(world, settings)
    interaction_writer = InteractionWriter(world, writer, application)
    return Services(
        world=world,
        settings=settings,
        application=application,
        attachment_store=attachment_store,
        writer=writer,
        messages=messages,
        threads=threads,
        pins=pins,
        sessions=sessions,
        gateway=Gateway(sessions, world, application, settings),
        registry=registry,
        answers=AnswerService(world, registry, messages, application),
        user_actions=UserActions(world, attachment_store, messages, threads, registry, interaction_writer, sessions),
    )
