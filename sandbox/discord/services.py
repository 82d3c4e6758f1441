"""All parts of the local Discord, put together once."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.discord.gateway.events import GatewayTranslator
from sandbox.discord.gateway.gateway import Gateway
from sandbox.discord.gateway.sessions import GatewaySessions
from sandbox.discord.http.attachments import AttachmentShelf
from sandbox.discord.interactions.answers import AnswerService
from sandbox.discord.interactions.payloads import InteractionWriter
from sandbox.discord.interactions.registry import InteractionRegistry
from sandbox.discord.interactions.user_actions import Conduct
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
    """What the request handlers work with."""

    world: World
    settings: Settings
    application: Application
    shelf: AttachmentShelf
    writer: MessageWriter
    messages: MessageService
    threads: ThreadService
    pins: PinService
    sessions: GatewaySessions
    gateway: Gateway
    registry: InteractionRegistry
    answers: AnswerService
    conduct: Conduct


def new_token() -> str:
    """A bot token in Discord's form: the bot's id, and two parts that are random."""
    bot = base64.b64encode(str(seed.BOT_ID).encode()).decode().rstrip("=")
    return f"{bot}.{secrets.token_urlsafe(4)}.{secrets.token_urlsafe(28)}"


def assemble(world: World, settings: Settings, token: str, files: Path | None) -> Services:
    """Put the parts together.

    Args:
        world: the state, empty or read back.
        settings: times and limits.
        token: the bot's token.
        files: the folder of the attachments; None keeps them in memory.
    """
    application = Application(seed.APPLICATION_ID, seed.BOT_ID, token, seed.OWNER_ID)
    shelf = AttachmentShelf(files, settings, world.clock)
    writer = MessageWriter(world, shelf)
    messages = MessageService(world, shelf, settings)
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
        shelf=shelf,
        writer=writer,
        messages=messages,
        threads=threads,
        pins=pins,
        sessions=sessions,
        gateway=Gateway(sessions, world, application, settings),
        registry=registry,
        answers=AnswerService(world, registry, messages, application),
        conduct=Conduct(world, shelf, messages, threads, registry, interaction_writer, sessions),
    )
