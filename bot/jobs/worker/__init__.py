"""Drives every open job, one step at a time."""
