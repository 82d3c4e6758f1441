"""Every way the provider and Discord can misbehave, as data, played through the real bot."""
