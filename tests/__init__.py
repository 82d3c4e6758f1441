"""The tests mirror bot/, cogs/ and sandbox/; the end-to-end ones run the real bot on the sandbox."""
