"""The gateway: the websocket on which the bot receives events."""
