"""Reelpool: AI videos for a Discord community, out of one shared pool of credits."""

__version__ = "0.2.0"
