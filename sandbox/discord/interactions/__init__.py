"""Interactions: what users do with commands, components and modals, and how the bot responds."""
