"""A local Discord: gateway, REST API, and the API of its page."""

from sandbox.discord.interactions.registry import NO_ANSWER, InteractionState
from sandbox.discord.server import LocalDiscord

__all__ = [
    "NO_ANSWER",
    "InteractionState",
    "LocalDiscord",
]
