"""Times and limits of the local Discord; they may be changed while it runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Settings:
    """Discord's own values by default; seconds unless the name says otherwise.

    Attributes:
        interaction_deadline_seconds: how long the bot has for its first answer.
        interaction_token_seconds: how long an interaction's token is valid afterwards.
        rate_limits: whether routes and the whole bot are limited.
        attachment_url_seconds: how long an attachment's URL is valid.
        nonce_seconds: how long an enforced nonce returns the message it created.
        late_edit_age_seconds: age from which edits of a message are limited.
        late_edits_per_hour: limit of such edits; Discord does not publish it.
        heartbeat_seconds: heartbeat interval of gateway connections.
        shards: the number of shards the gateway recommends.
        privileged_intents: bits of the privileged intents switched on for the application.
        daily_command_creates: how many new commands may be registered per server and day.
    """

    interaction_deadline_seconds: float = 3.0
    interaction_token_seconds: float = 900.0
    rate_limits: bool = True
    attachment_url_seconds: float = 86_400.0
    nonce_seconds: float = 300.0
    late_edit_age_seconds: float = 3600.0
    late_edits_per_hour: int = 30
    heartbeat_seconds: float = 41.25
    shards: int = 1
    privileged_intents: int = 0
    daily_command_creates: int = 200
