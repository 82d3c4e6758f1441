"""Is everything as the bot needs it? One finding a subject, with the cure, for `reelpool check`."""
