"""The tests mirror bot/ and cogs/; the end-to-end ones run the real bot on the sandbox."""
