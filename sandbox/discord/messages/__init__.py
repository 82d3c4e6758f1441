"""Messages, threads and pins: validation, changes, and Discord's JSON."""
