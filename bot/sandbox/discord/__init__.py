"""A Discord on loopback: gateway, REST, and the people at the page."""

from bot.sandbox.discord.interactions import NO_ANSWER, InteractionState
from bot.sandbox.discord.people import InteractionFailedError, InteractionRecord, Person
from bot.sandbox.discord.server import LocalDiscord

__all__ = [
    "NO_ANSWER",
    "InteractionFailedError",
    "InteractionRecord",
    "InteractionState",
    "LocalDiscord",
    "Person",
]
