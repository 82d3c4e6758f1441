"""What there is at the local Discord: users, servers, channels, messages and commands."""
