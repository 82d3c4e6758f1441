"""Answering interactions: permissions, channel checks, forms, attachments."""
