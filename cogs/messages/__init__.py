"""Messages of the bot's that live on: cards, session messages, files."""
