"""The state of the local Discord: users, servers, channels, messages and commands."""
