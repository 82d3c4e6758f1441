"""Creative sessions: a thread with a budget of its own."""
