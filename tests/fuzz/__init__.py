"""Nonsense of every kind, against the real bot: what members write, what the provider says, what Discord sends."""
