"""The local Discord and UlazAI, and the page on which the bot can be tried without an account."""
