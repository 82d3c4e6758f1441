"""The real bot on the local Discord and UlazAI, over real sockets."""
