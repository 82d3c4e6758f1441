"""The REST API that the bot calls."""
