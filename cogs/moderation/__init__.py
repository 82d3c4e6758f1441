"""Buttons and forms with which moderators decide about jobs."""
