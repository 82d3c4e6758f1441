"""Errors with Discord's own codes and messages.

Source: Discord's API reference, "JSON Error Codes" and "Error Messages".

    SandboxError
    |-- ApiError      for the bot: status, code, message
    `-- ClientError   for a user: what Discord's apps would show
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sandbox.discord.world.models import JsonObject


# Status and message by JSON error code.
_USUAL: dict[int, tuple[int, str]] = {
    10002: (404, "Unknown Application"),
    10003: (404, "Unknown Channel"),
    10004: (404, "Unknown Guild"),
    10007: (404, "Unknown Member"),
    10008: (404, "Unknown Message"),
    10011: (404, "Unknown Role"),
    10013: (404, "Unknown User"),
    10015: (404, "Unknown Webhook"),
    10062: (404, "Unknown interaction"),
    10063: (404, "Unknown application command"),
    10066: (404, "Unknown application command permissions"),
    30003: (400, "Maximum number of pins reached for the channel (50)"),
    30034: (400, "Max number of daily application command creates has been reached (200)"),
    40005: (413, "Request entity too large"),
    40060: (400, "Interaction has already been acknowledged."),
    50001: (403, "Missing Access"),
    50005: (403, "Cannot edit a message authored by another user"),
    50006: (400, "Cannot send an empty message"),
    50007: (403, "Cannot send messages to this user"),
    50013: (403, "Missing Permissions"),
    50021: (403, "Cannot execute action on a system message"),
    50024: (400, "Cannot execute action on this channel type"),
    50027: (401, "Invalid Webhook Token"),
    50035: (400, "Invalid Form Body"),
    50083: (400, "Thread is archived"),
    50109: (400, "The request body contains invalid JSON."),
    160002: (403, "Cannot reply without permission to read message history"),
    160004: (400, "A thread has already been created for this message"),
    160005: (400, "Thread is locked"),
    160006: (400, "Maximum number of active threads reached"),
}


class SandboxError(Exception):
    """Base of the local Discord's errors."""


class ApiError(SandboxError):
    """A refused request of the bot.

    Args:
        code: Discord's JSON error code; 0: none.
        message: where it is not Discord's usual one for this code, which also sets the status.
        status: HTTP status of an error with a message of its own.
        errors: what is wrong with each field, as a tree by their names.

    Raises:
        KeyError: there is no message, and this server has no usual one for the code.
    """

    def __init__(
        self, code: int, message: str | None = None, *, status: int = 400, errors: JsonObject | None = None
    ) -> None:
        if message is None:
            status, message = _USUAL[code]
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.errors = errors

    def body(self) -> JsonObject:
        """Return the response's JSON."""
        body: JsonObject = {"message": self.message, "code": self.code}
        if self.errors is not None:
            body["errors"] = self.errors
        return body


class ClientError(SandboxError):
    """A refused action of a user, with the text shown to them.

    Attributes:
        status: 400 for what is not valid, 403 for what is not allowed.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
