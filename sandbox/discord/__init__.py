"""A Discord on loopback: gateway, REST, and the people at the page."""

from sandbox.discord.interactions import NO_ANSWER, InteractionState
from sandbox.discord.people import InteractionFailedError, InteractionRecord, Person
from sandbox.discord.server import LocalDiscord

__all__ = [
    "NO_ANSWER",
    "InteractionFailedError",
    "InteractionRecord",
    "InteractionState",
    "LocalDiscord",
    "Person",
]
